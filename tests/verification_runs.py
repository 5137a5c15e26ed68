"""What the tests of whole runs share: short cases, a run's rooms, and histories."""

import importlib.util
import os
import subprocess
import sys
import tomllib
import types
from pathlib import Path
from typing import Any

from mpi4py import MPI

import numpy as np
import pandas as pd

import femli
from femli import mesh
from femli.case import Case
from femli.outputs_measures import Measures
from femli.protocol import Protocol
from femli.solver import Newton
from femli.solver_diffusion import solver_of
from femli.stepper import Stepper

ROOT = Path(__file__).resolve().parents[1]
FOIL = ROOT / "cases" / "foil_li10mg_initial.toml"
MPIEXEC = Path(sys.executable).parent / "mpiexec"

# A small foil with a void, on a coarse mesh. The nonlinear tolerance is tighter than the default one, so that what is
# left after the last iteration is not mistaken for a difference between ranks.
VOIDED = """
[geometry]
dimension = 2
width = "8 um"
electrode_thickness = "10 um"
[geometry.mesh]
interface_size = "0.4 um"
growth = 1.4
edge_size = "0.2 um"
[[geometry.voids.list]]
x = "3.5 um"
half_width = "2 um"
contact_angle = "60 deg"
[electrode]
material = "Li-5Mg"
activity = "ideal"
creep_scaling = "none"
molar_volumes = "equal"
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "2 MPa"
[stop]
capacity = "0.001 mAh/cm^2"
[solver]
tolerance = 1e-10
[output]
every = "0.0005 mAh/cm^2"
"""
AXISYMMETRIC = VOIDED.replace("[geometry]\n", '[geometry]\nkind = "axisymmetric"\n').replace("3.5 um", "0 um")
# Depleted within seconds of computing, with three snapshots on the way.
SHORT = {
    "electrode.material": "Li-20Mg",
    "geometry.electrode_thickness": "30 um",
    "stop.li_fraction": 0.6,
    "output.every": "0.02 mAh/cm^2",
}


# Runs a case and is interrupted, on all ranks, once it has passed a capacity [mAh/cm2].
INTERRUPTED = """
import sys
import femli
case, out, resume, until = sys.argv[1], sys.argv[2], sys.argv[3] == "resume", float(sys.argv[4])

def interrupt(step):
    if step.capacity / 3.6e4 > until:
        raise KeyboardInterrupt

try:
    femli.run(femli.load(case), out, resume=resume, on_step=interrupt)
except KeyboardInterrupt:
    pass
"""


def written(folder: Path, text: str, name: str = "case.toml") -> Path:
    """A case file."""
    path = folder / name
    path.write_text(text)
    return path


def short(**more: object) -> Case:
    """The short foil, with more keys set (dots as double underscores)."""
    return femli.load(FOIL, SHORT | {key.replace("__", "."): value for key, value in more.items()})


def protocol(case: Case, domain: mesh.Domain | None = None) -> Protocol:
    """All rooms of a run but the recorder, on a mesh of its own or a given one, at the consistent state."""
    electrode = case.electrode_properties()
    newton = solver_of(domain or mesh.build(case, MPI.COMM_WORLD), case, electrode)
    made = Protocol(case, electrode, Stepper(newton, case), Measures(newton))
    made.start()
    return made


def stepper(case: Case) -> Stepper:
    """The same without stop conditions."""
    made = protocol(case).stepper
    made.events = []
    return made


def assembled(case: Case) -> Newton:
    """The nonlinear solver at the consistent state, its step system assembled at a step of 1 ms."""
    made = stepper(case).newton
    made.fields.k.rate.value = 3.6e6
    made.fields.x_old.x.array[:] = made.fields.u.x.x.array
    made.step_system.assemble([])
    return made


def compared(case: Path, out: Path, ranks: int) -> pd.DataFrame:
    """The history of a run, to be held against another: a depth, zero to round-off, is held against a micrometre."""
    ended = command("-m", "femli", "run", str(case), "-o", str(out), ranks=ranks)
    assert ended.returncode == 0, ended.stderr
    found = history(out)
    found["pressure_min_depth [m]"] += 1e-6
    return found


def toml_value(text: str) -> Any:
    """A value as TOML writes it."""
    return tomllib.loads(f"value = {text}")["value"]


def history(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "history.csv")


def worst_difference(a: pd.DataFrame, b: pd.DataFrame) -> tuple[float, str]:
    """Largest difference of two histories over the largest value of its column, and the column.

    What is not the state is left out: wall time and iterations; the balances are held against 1.
    """
    assert list(a.columns) == list(b.columns)
    assert len(a) == len(b)
    worst = (0.0, "")
    for name in a.columns:
        if name.startswith(("wall_time", "newton_iterations", "linear_iterations")):
            continue
        scale = 1.0 if "balance" in name else max(a[name].abs().max(), 1e-300)
        worst = max(worst, (float((a[name] - b[name]).abs().max() / scale), name))
    return worst


def command(*words: str, ranks: int = 1, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run `python words` on ranks, as a user does."""
    start = [str(MPIEXEC), "-n", str(ranks)] if ranks > 1 else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*start, sys.executable, *words],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=ROOT,
        env=environment,
        check=False,
    )


def events(folder: Path) -> pd.DataFrame:
    """The events of a run."""
    return pd.read_csv(folder / "events.csv")


def same_events_on_two_ranks(case: Path, one_rank: Path, out: Path, timeout: float) -> None:
    """Check: two ranks tell the events of the run on one rank, at the same times and places.

    The place of a void that collapses is the middle of what is left of it, to a hundredth of a cell.
    """
    ended = command("-m", "femli", "run", str(case), "-o", str(out), ranks=2, timeout=timeout)
    assert ended.returncode == 0, ended.stderr
    one, two = events(one_rank), events(out)
    assert one["event [-]"].tolist() == two["event [-]"].tolist()
    np.testing.assert_allclose(two["time [s]"], one["time [s]"], rtol=1e-6)
    np.testing.assert_allclose(two["x [m]"], one["x [m]"], rtol=0, atol=2e-9)


def script(path: str) -> types.ModuleType:
    """A script of the project as a module."""
    name = Path(path).stem
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]
