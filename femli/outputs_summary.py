"""What a run adds up to: counts and extremes over it, what computed it, and the file that says so."""

import json
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from femli.case import Case
from femli.outputs_measures import InterfaceState
from femli.stepper_data import Step

SUMMARY = "summary.json"
PACKAGES = ("femli", "dolfinx-solver-real", "fenics-dolfinx", "gmsh", "mpich", "numpy", "petsc4py")
PRESSURES = ("pressure_interface_min", "pressure_min")  # smallest over a run
COUNTED = ("steps", "rejected_steps", "newton_iterations", "linear_iterations", "remeshings")


class Tally:
    """Sums and extremes over a run; kept in checkpoints."""

    def __init__(self, li: float, host: float) -> None:
        self.values: dict[str, float] = {
            "li_start": li,
            "host_start": host,
            "steps": 0,
            "rejected_steps": 0,
            "newton_iterations": 0,
            "linear_iterations": 0,
            **dict.fromkeys(PRESSURES, np.inf),
            "li_balance_error": 0.0,
            "host_balance_error": 0.0,
            "wall_time": 0.0,
            "remeshings": 0,
            "collector_shift": 0.0,
        }

    def add(self, step: Step) -> None:
        """Count a step."""
        for key, value in (
            ("steps", 1),
            ("rejected_steps", step.rejected),
            ("newton_iterations", step.counts.newton),
            ("linear_iterations", step.counts.linear),
        ):
            self.values[key] += value

    def extremes(self, state: InterfaceState, li_error: float, host_error: float) -> None:
        """Keep the smallest pressures and the worst balances."""
        v = self.values
        for key in PRESSURES:
            v[key] = min(v[key], getattr(state, key))
        v["li_balance_error"] = max(v["li_balance_error"], abs(li_error))
        v["host_balance_error"] = max(v["host_balance_error"], abs(host_error))


def laws_of(case: Case) -> dict[str, Any]:
    """Names of the laws that a case uses, for the summary."""
    e = case.electrode
    names = ("diffusivity", "activity", "creep", "creep_scaling", "stress_coupling", "molar_volumes", "mechanics")
    return {"material": e.properties(case.load.temperature).name} | {n: getattr(e, n) for n in names}


def versions() -> dict[str, str]:
    """Versions of what computes."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # another distribution of the same library
    return found


def write(folder: Path, summary: dict[str, Any]) -> None:
    """Put a summary in the place of an earlier one, at once."""
    new = folder / (SUMMARY + ".new")
    new.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    os.replace(new, folder / SUMMARY)
