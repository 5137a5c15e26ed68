"""The map of deaths: depletion or voids, over Mg content, current density, stack pressure and temperature.

    python studies/map.py -o results/map -j 2          (--quick: only the runs that the figure shows,
                                                       --base: one law over Mg, current and temperature)

Laterally uniform (1D) foils of Li-Mg, 100 um, are stripped until the contact reaches the bcc limit, as one sweep: with
D of the local composition and the creep law of Aspinall 2024 over all of Mg, current and temperature; at 30 degC also
with the other creep laws, with the assumed hardness scaling, and with D of the initial composition. The stack pressure
needs no run of its own: it shifts the pressure and nothing else. What is in the folder is not run again.
docs/map.md says what may be concluded and what not.
"""

import argparse
import logging
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from map_figure import draw

from femli import scales
from femli.deaths import HELD, SURFACE_ENERGY, Death, Flaw, critical_pressure, sound
from femli.sweep_plan import Member, Members, Plan, members_of
from femli.sweep_show import run_shown
from femli.sweep_table import folder_of
from femli.terminal import console

MG = (0, 1, 2, 3, 5, 7, 10, 15, 20)  # at%
CURRENTS = (0.05, 0.1, 0.2, 0.31, 0.5, 1.0, 2.0)  # mA/cm2
TEMPERATURES = (25, 30, 45, 60, 80)  # degC
LAWS = ("Aspinall2024", "Masias2019", "Roy2021", "LePage2019")
RADII = (0.5, 1.0, 2.0, 5.0, 10.0)  # um, of the flaw
STACK = 5e6  # Pa, in the runs

CASE: dict[str, Any] = {
    "geometry": {"kind": "foil", "dimension": 1, "electrode_thickness": "100 um"},
    "load": {"stack_pressure": "5 MPa", "current_density": "0.31 mA/cm^2"},
    "stop": {"li_fraction": 0.31},
    # Capacities move by less than 4e-4 against the default of 1e-4, in half the time.
    "solver": {"time_tolerance": 1e-3},
    "output": {"depths": [f"{radius:g} um" for radius in RADII]},
}


class Point(NamedTuple):
    """One run of the study: at% Mg, mA/cm2, degC, laws."""

    mg: float
    current: float
    temperature: float
    law: str = "Aspinall2024"
    scaling: str = "none"
    mode: str = "local"

    def inputs(self) -> dict[str, Any]:
        """Keys of the case file."""
        return {
            "electrode.material": {"mg_fraction": self.mg / 100},
            "load.current_density": f"{self.current:g} mA/cm^2",
            "load.temperature": f"{self.temperature:g} degC",
            "electrode.creep": self.law,
            "electrode.creep_scaling": self.scaling,
            "electrode.diffusivity": self.mode,
        }


class Run(NamedTuple):
    """What a run left: its point, the history of S at each flaw depth, and how it ended."""

    point: Point
    capacity: np.ndarray
    drops: dict[float, np.ndarray]
    thickness: np.ndarray
    end: Death
    contact_stress: float

    def sound(self, flaw: Flaw) -> tuple[np.ndarray, np.ndarray]:
        """Capacity and S at the flaw, as long as the foil is thick enough for it."""
        rows = sound(self.thickness, flaw)
        return self.capacity[:rows], self.drops[round(flaw.radius * 1e6, 6)][:rows]

    def critical(self, flaw: Flaw) -> float:
        """Critical stack pressure [MPa]."""
        return critical_pressure(*self.sound(flaw), flaw) / 1e6

    def closed_form(self, flaw: Flaw) -> float:
        """S0 - 2 gamma_s/R [MPa]."""
        return (self.contact_stress - flaw.strength) / 1e6


def points() -> list[Point]:
    """All runs of the study, each once; pure Li has no scaling and no composition."""
    found = [Point(c, i, t) for t in TEMPERATURES for c in MG for i in CURRENTS]
    found += [Point(c, i, 30, law, s) for law in LAWS for s in ("none", "hardness") for c in MG for i in CURRENTS]
    found += [Point(c, i, 30, mode="initial") for c in MG for i in CURRENTS]
    return list(dict.fromkeys(p if p.mg else p._replace(scaling="none", mode="local") for p in found))


def in_figure(point: Point) -> bool:
    """Whether the figure shows a run."""
    base = point[3:] == ("Aspinall2024", "none", "local")
    over_mg = (point.current, point.temperature) == (0.31, 30)
    over_current = base and point.mg in (0, 3) and point.temperature == 25
    return over_mg or over_current or (base and (point.mg, point.current) == (5, 0.31))


def read(point: Point, member: Member, out: Path) -> Run:
    """A run from its folder."""
    folder = folder_of(member, out)
    history = pd.read_csv(folder / "history.csv")
    electrode = member.case.electrode_properties()
    capacity = history["capacity [mAh/cm^2]"].to_numpy()
    drops = {radius: STACK - history[f"pressure_at_{radius:g}um [Pa]"].to_numpy() for radius in RADII}
    reason = pd.read_json(folder / "summary.json", typ="series")["stop_reason"]
    end = Death("depletion" if reason == "li_depleted" else "none", float(capacity[-1]))
    stress = scales.contact_stress(electrode, member.case.load.current_density)
    return Run(point, capacity, drops, history["electrode_thickness [m]"].to_numpy(), end, stress)


def table(runs: list[Run], gamma: float) -> pd.DataFrame:
    """One row a run: how it ends without voids, and the critical stack pressure for each flaw."""
    rows = []
    for run in runs:
        p = run.point
        row: dict[str, Any] = {
            "mg [at%]": p.mg,
            "current_density [mA/cm^2]": p.current,
            "temperature [degC]": p.temperature,
            "creep": p.law,
            "creep_scaling": p.scaling,
            "diffusivity": p.mode,
            "end_without_voids": run.end.kind,
            "capacity_without_voids [mAh/cm^2]": run.end.capacity,
            "S0 [MPa]": run.contact_stress / 1e6,
        }
        for radius in RADII:
            flaw = Flaw(radius * 1e-6, gamma)
            row[f"critical_stack_pressure R={radius:g}um [MPa]"] = run.critical(flaw)
            row[f"S0-2gamma/R R={radius:g}um [MPa]"] = run.closed_form(flaw)
        rows.append(row)
    return pd.DataFrame(rows)


def main() -> int:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the runs and what is made of them")
    parser.add_argument("-j", "--jobs", type=int, help="runs at once [all cores]")
    parser.add_argument("--quick", action="store_true", help="only the runs that the figure shows")
    parser.add_argument("--base", action="store_true", help="also all Mg, i and T with the law of Aspinall 2024")
    parser.add_argument("--flaw", type=float, default=2.0, choices=RADII, help="flaw radius of the figure [um]")
    parser.add_argument("--gamma", type=float, default=SURFACE_ENERGY, help="surface energy [J/m2]")
    parser.add_argument("--figures", type=Path, help="a copy of the figure goes there")
    parser.add_argument("--table", type=Path, help="a copy of the table goes there")
    options = parser.parse_args()
    logging.getLogger("femli").setLevel(logging.ERROR)
    some = options.quick or options.base
    wanted = [p for p in points() if not some or in_figure(p) or (options.base and p[3:] == Point(0, 0, 0)[3:])]
    spread = [point.inputs() for point in wanted]
    how = Members.model_validate({"keep": "history"})
    plan = Plan("map", members_of(CASE, Path(__file__), {}, spread), how)
    code = run_shown(plan, options.output, options.jobs, False, console())
    runs = [
        read(point, member, options.output)
        for point, member in zip(wanted, plan.members, strict=True)
        if (folder_of(member, options.output) / "summary.json").is_file()
    ]
    file = options.output / "map.csv"
    table(runs, options.gamma).to_csv(file, index=False, float_format="%.6g")
    picture = options.output / "map.png"
    experiments = pd.read_csv(Path(__file__).parents[1] / "docs" / "data" / "contact_experiments.csv")
    draw(runs, Flaw(options.flaw * 1e-6, options.gamma, HELD), experiments, picture)
    for made, copy in ((file, options.table), (picture, options.figures)):
        if copy is not None:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(made, copy)
    print(f"table: {file}; figure: {picture}")
    plt.close("all")
    return code


if __name__ == "__main__":
    sys.exit(main())
