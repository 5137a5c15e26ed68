"""The verification record: run the problems with known answers on default settings and write docs/verification.md.

    python tools/verification_record.py [-o docs/verification.md] [--only V1 --only V2c]

V1 has a closed form; the answers of V2 to V5 come from an independent code (host-Lagrangian, vertex-centred, BDF2). The
tests take their problems from here. Exits with 1 where a value is out of its tolerance.
"""

import argparse
import json
import logging
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyvista as pv

import femli

ROOT = Path(__file__).resolve().parents[1]
FOIL = "cases/foil_li10mg_initial.toml"
LITHIUM = "cases/lithium_steady.toml"

# Printed numbers of the closed form: creep of pure Li, diffusivity at the reference temperature, 0.31 mA/cm2.
N, ALPHA, D_LI, D_SLOPE = 6.26, 2.29e-43, 1.320e-14, 13.25
OMEGA, TEMPERATURE, FLUX, GAS = 13.0e-6, 303.15, 3.1 / 96485.33212, 8.314462618


class Run(NamedTuple):
    """A case file and its `--set` options."""

    case: str
    settings: tuple[str, ...] = ()

    def command(self) -> str:
        """What to type for it."""
        return " ".join(["femli run", self.case, *(f"--set {s}" for s in self.settings)])


class Result(NamedTuple):
    """What a run gave."""

    summary: dict
    history: pd.DataFrame
    stack_pressure: float
    folder: Path


class Value(NamedTuple):
    """One number with a known answer.

    Attributes:
        id: of the verification plan.
        what: it is, with the electrode.
        unit: of `exact` and of what `read` gives.
        exact: the known answer.
        tolerance: largest deviation, relative; where `exact` is 0, absolute.
        run: where it comes from.
        read: gets it from the result.
        over: it is a ratio to the same number of this run.
        slow: not for the everyday tests.
    """

    id: str
    what: str
    unit: str
    exact: float
    tolerance: float
    run: Run
    read: Callable[[Result], float]
    over: Run | None = None
    slow: bool = False

    def deviation(self, measured: float) -> float:
        """Relative, or absolute where the answer is 0."""
        return measured / self.exact - 1 if self.exact else measured


# --- what is read from a result ---------------------------------------------------------------------------------------


def capacity(r: Result) -> float:
    """Capacity at the end [mAh/cm2]; NaN where the surface was not depleted."""
    return float(r.summary["capacity_mAh_cm2"]) if r.summary["stop_reason"] == "li_depleted" else math.nan


def drop_start(r: Result) -> float:
    """S = p_stack - p at the contact at t = 0 [MPa]."""
    return float(r.stack_pressure - r.history["pressure_interface_min [Pa]"].iloc[0]) / 1e6


def drop_end(r: Result) -> float:
    """S at the contact at the end [MPa]."""
    return float(r.stack_pressure - r.history["pressure_interface_min [Pa]"].iloc[-1]) / 1e6


def drop_largest(r: Result) -> float:
    """Largest S anywhere at the end [MPa]."""
    return float(r.stack_pressure - r.history["pressure_min [Pa]"].iloc[-1]) / 1e6


def depth_of_largest(r: Result) -> float:
    """Distance of the largest S from the contact at the end [um]."""
    return float(r.history["pressure_min_depth [m]"].iloc[-1]) * 1e6


def profile_deviation(r: Result) -> float:
    """Largest deviation of S(z) from the closed form over S0, at all nodes up to 10 um, at the end [-]."""
    reader = pv.get_reader(str(r.folder / "fields.pvd"))
    reader.set_active_time_value(reader.time_values[-1])
    grid = reader.read()[0]
    z, drop = grid.points[:, 0], r.stack_pressure - grid["pressure [Pa]"]
    near = z <= 10.0
    start = closed_form(0.0)
    exact = start * (1 + z[near] / layer(0.0)) ** (-2 / (N - 1))
    return float(np.abs(drop[near] / 1e6 - exact).max() / start)


# --- closed form ------------------------------------------------------------------------------------------------------


def _conductivity(host: float) -> float:
    return D_LI * math.exp(-D_SLOPE * host) * (1 - host)


def closed_form(host: float) -> float:
    """S0 [MPa] of a half space, for a host fraction, before the composition has moved."""
    inner = (N + 1) / 2 * OMEGA * GAS * TEMPERATURE * FLUX**2 / (ALPHA * _conductivity(host))
    return 2 / 3 * inner ** (1 / (N + 1)) / 1e6


def layer(host: float) -> float:
    """Length l [um] of the same."""
    return 2 * _conductivity(host) * closed_form(host) * 1e6 / ((N - 1) * FLUX * GAS * TEMPERATURE) * 1e6


# --- the problems -----------------------------------------------------------------------------------------------------


def foil(percent: int, *settings: str) -> Run:
    """The foil of V2 (ideal activity, equal volumes, creep of pure Li, D `initial`) of an alloy."""
    return Run(FOIL, ((f"electrode.material=Li-{percent}Mg",) if percent != 10 else ()) + settings)


LOCAL = "electrode.diffusivity=local"
SUBREGULAR = "electrode.activity=subregular"
UNCOUPLED = "electrode.stress_coupling=false"
MEASURED = "electrode.molar_volumes=measured"


def _capacities() -> Iterator[Value]:
    """V2, V2b, V2c, V3: capacity to x = 0.31 at the contact."""
    groups: list[tuple[str, str, tuple[str, ...], dict[int, float]]] = [
        ("V2", "D initial", (), {5: 14.733, 10: 3.434, 20: 0.3475}),
        ("V2", "D initial, no stress coupling", (UNCOUPLED,), {5: 14.743, 10: 3.434, 20: 0.3472}),
        (
            "V2b",
            "sub-regular, D initial, no stress coupling",
            (SUBREGULAR, UNCOUPLED),
            {5: 19.00, 10: 8.714, 20: 0.9257},
        ),
        ("V2b", "sub-regular, D local", (SUBREGULAR, LOCAL), {5: 0.660, 10: 0.2147, 20: 0.0406}),
        ("V2c", "measured volumes, no stress coupling", (MEASURED, UNCOUPLED), {5: 15.86, 10: 3.698, 20: 0.3756}),
        ("V3", "D local", (LOCAL,), {5: 0.530, 10: 0.1523}),
        ("V3", "D local, no stress coupling", (LOCAL, UNCOUPLED), {5: 0.524, 10: 0.1502}),
    ]
    for id, what, settings, answers in groups:
        for percent, exact in answers.items():
            slow = exact > 1 and (percent, what) != (10, "D initial")
            text = f"capacity, Li-{percent}Mg, {what}"
            yield Value(id, text, "mAh/cm2", exact, 4e-3, foil(percent, *settings), capacity, slow=slow)


def _pressures() -> Iterator[Value]:
    """V1 and V4."""
    s0 = closed_form(0.0)
    yield Value("V1", "S at the contact at t = 0, Li", "MPa", s0, 1e-2, Run(LITHIUM), drop_start)
    yield Value("V1", "S at the contact, steady, Li", "MPa", s0, 1e-2, Run(LITHIUM), drop_end)
    what = "S(z) to 10 um, largest deviation over S0, Li"
    yield Value("V1", what, "-", 0.0, 1e-2, Run(LITHIUM), profile_deviation)
    for percent, slow in ((20, False), (5, True)):
        for pressure in ("2.5 MPa", "10 MPa"):
            settings = (f"load.stack_pressure={pressure}", LOCAL) if slow else (f"load.stack_pressure={pressure}",)
            over = foil(percent, LOCAL) if slow else foil(percent)
            what = f"capacity at {pressure} over that at 5 MPa, Li-{percent}Mg, D {'local' if slow else 'initial'}"
            yield Value("V4", what, "-", 1.0, 1e-6, foil(percent, *settings), capacity, over)


def _stresses() -> Iterator[Value]:
    """V5: S at the contact and inside, at the start and at the end."""
    answers = {1: (0.736, 1.10, 2.2), 5: (0.525, 0.914, 11.7), 10: (0.656, 0.935, 5.7), 20: (0.920, 1.105, 1.1)}
    for percent, (end, most, depth) in answers.items():
        run, slow = foil(percent), percent == 5
        when = f"at depletion, Li-{percent}Mg"
        if percent == 1:
            run, when = foil(1, "stop.capacity=1.7 mAh/cm^2"), "after 1.7 mAh/cm2, Li-1Mg"
        start = closed_form(percent / 100)
        for what, unit, exact, tolerance, read in (
            (f"S at the contact at t = 0, Li-{percent}Mg", "MPa", start, 1e-2, drop_start),
            (f"S at the contact {when}", "MPa", end, 1e-2, drop_end),
            (f"largest S inside {when}", "MPa", most, 1e-2, drop_largest),
            # The maximum is flat and is taken at a node.
            (f"depth of the largest S {when}", "um", depth, 0.1, depth_of_largest),
        ):
            yield Value("V5", what, unit, exact, tolerance, run, read, slow=slow)


VALUES: list[Value] = sorted([*_capacities(), *_pressures(), *_stresses()], key=lambda v: v.id)


class Runner:
    """Runs what is asked for, each run once.

    Args:
        folder: for the result folders.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: dict[Run, Result] = {}

    def result(self, run: Run) -> Result:
        """The result of a run."""
        if run not in self.done:
            case = femli.load(ROOT / run.case, run.settings)
            out = self.folder / f"run{len(self.done):03d}"
            summary = femli.run(case, out)
            history = pd.read_csv(out / "history.csv")
            self.done[run] = Result(summary, history, case.load.stack_pressure, out)
        return self.done[run]

    def measured(self, value: Value) -> float:
        """The number that a value asks for."""
        number = value.read(self.result(value.run))
        return number / value.read(self.result(value.over)) if value.over else number


# --- the page ---------------------------------------------------------------------------------------------------------


HEAD = """# Verification record

Problems with known answers, solved on default settings; written by `make verify`
(`python tools/verification_record.py`). V1 and the start of V5 are closed forms; the other answers come from an
independent code (host-Lagrangian, vertex-centred, BDF2; two resolutions agree to 3e-5 for `D initial`); V4 is an exact
invariance. All at 0.31 mA/cm2, 100 um, 30 degC, 5 MPa unless the command says otherwise, to a Li fraction of 0.31 at
the contact; S = p_stack - p.
"""


def page(rows: list[tuple[Value, float]], runner: Runner) -> str:
    """The record as Markdown."""
    lines = [HEAD, "| id | what | exact | measured | deviation | within | command |", "|---|---|---|---|---|---|---|"]
    for value, measured in rows:
        off = value.deviation(measured)
        shown = f"{off:+.2e}" if value.tolerance < 1e-3 else f"{100 * off:+.3f} %"
        lines.append(
            f"| {value.id} | {value.what} | {value.exact:.5g} {value.unit} | {measured:.7g} | {shown} "
            f"| {'yes' if abs(off) <= value.tolerance else '**no**'} ({value.tolerance:g}) | `{value.run.command()}` |"
        )
    lines += ["", "Laws of each run, as its `summary.json` has them, its size and what it took:", ""]
    lines += [
        "| command | laws | steps | rejected | unknowns | balance errors (Li, host) | s |",
        "|---|---|---|---|---|---|---|",
    ]
    for run, result in runner.done.items():
        s = result.summary
        laws = ", ".join(f"{k} {json.dumps(v).strip(chr(34))}" for k, v in s["laws"].items())
        lines.append(
            f"| `{run.command()}` | {laws} | {s['steps']} | {s['rejected_steps']} | {s['dofs']} "
            f"| {s['li_balance_error']:.1e}, {s['host_balance_error']:.1e} | {s['wall_time_s']:.1f} |"
        )
    used = next(iter(runner.done.values())).summary["versions"]
    lines += ["", "With " + ", ".join(f"{name} {number}" for name, number in used.items()) + f" ({commit()})."]
    return "\n".join(lines) + "\n"


def commit() -> str:
    """Short name of the source's commit, if there is one."""
    asked = ["git", "describe", "--always", "--dirty"]
    answer = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT, check=False)
    return f"commit {answer.stdout.strip()}" if answer.returncode == 0 else "no commit"


def main() -> int:
    """Run all and write the page; 1 where a value is off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "verification.md")
    parser.add_argument("--only", action="append", help="an id, such as V3; may be repeated")
    options = parser.parse_args()
    logging.getLogger("femli").setLevel(logging.ERROR)
    wanted = [v for v in VALUES if not options.only or v.id in options.only]
    if not wanted:
        parser.error(f"no such id; allowed: {', '.join(sorted({v.id for v in VALUES}))}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(Path(folder))
        for value in wanted:
            measured = runner.measured(value)
            rows.append((value, measured))
            off = value.deviation(measured)
            print(f"{value.id:4} {value.what}: {measured:.7g} {value.unit} ({value.exact:.5g}), {off:+.2e}", flush=True)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(page(rows, runner), encoding="utf-8")
    bad = [value for value, measured in rows if not abs(value.deviation(measured)) <= value.tolerance]
    print(f"{len(rows)} values, {len(bad)} out of tolerance; {options.output}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
