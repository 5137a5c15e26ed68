"""Whole runs through events that one void in a plane foil does not meet: coalescence, the axis, rings, three ranks."""

import json
from pathlib import Path
from typing import Any

from mpi4py import MPI

import numpy as np
import pandas as pd
import pytest
import verification_runs as runs

import femli
from femli import mesh, mesh_outline
from femli.mesh_parts import PartedMesh
from femli.mesh_resolution import Resolution
from femli.outputs import Recorder
from femli.remesh_outline import Outline
from femli.simulation import evolution_of, march

# Li that hardly creeps: what is stripped leaves the walls of the two voids, which grow.
GROWING = """
[geometry]
dimension = 2
width = "6 um"
electrode_thickness = "5 um"
[geometry.mesh]
interface_size = "0.5 um"
size = "1.2 um"
growth = 1.6
edge_size = "0.15 um"
[[geometry.voids.list]]
x = "2 um"
half_width = "0.7 um"
height = "0.5 um"
[[geometry.voids.list]]
x = "3.8 um"
half_width = "0.7 um"
height = "0.5 um"
[electrode.material]
base = "Li"
creep_exponent = 1.0
creep_prefactor = "1e-7 / MPa^1.0 / hour"
[wall]
lithium = "exchange"
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "0.5 MPa"
[stop]
time = "60 s"
[output]
every = "0.002 mAh/cm^2"
[solver]
time_tolerance = 2e-3
"""

# A void on the axis of a small disc that creeps like Li.
DISC = """
[geometry]
kind = "axisymmetric"
dimension = 2
width = "5 um"
electrode_thickness = "5 um"
[geometry.mesh]
interface_size = "0.6 um"
size = "1.2 um"
growth = 1.6
edge_size = "0.24 um"
[[geometry.voids.list]]
x = "0 um"
half_width = "1.5 um"
height = "0.4 um"
[electrode]
material = "Li-5Mg"
creep_scaling = "none"
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "8 MPa"
[stop]
time = "120 s"
[output]
every = "0.002 mAh/cm^2"
[solver]
time_tolerance = 2e-3
"""


def flat_topped(radius: float, height: float, width: float, thick: float, size: float) -> PartedMesh:
    """A disc with a void on its axis whose roof is z = h (1 - (r/R)^12)^(1/12)."""
    t = np.linspace(np.pi / 2, 0, 31)
    across, up = np.cos(t), np.sin(t)
    of = (across**12 + up**12) ** (1 / 12)
    wall = np.column_stack([radius * across / of, height * up / of])
    wall[0], wall[-1] = [0.0, height], [radius, 0.0]
    bottom = np.concatenate([wall, [[width, 0.0]]])
    made = Outline(bottom, np.array([*[True] * 30, False]), np.array([[0.0, thick], [width, thick]]), True)
    first = Resolution(interface=0.6, size=1.2, lateral=(), growth=1.6, edges=(size,), walls=(size,))
    sizes = mesh_outline.sizes_of(made, first)
    return mesh_outline.meshed(mesh_outline.resampled(made, sizes), sizes)


def ring_run(folder: Path) -> dict[str, Any]:
    """Run the disc with a wide low void under a flat roof to its end; the summary."""
    keys = {"geometry.mesh.edge_size": "0.07 um", "stop.time": "40 s"}
    case = femli.load(runs.written(folder, DISC), keys)
    domain = mesh.distribute(case, flat_topped(2.4, 0.5, 5.0, 5.0, 0.07), (), MPI.COMM_WORLD)
    protocol = runs.protocol(case, domain)
    recorder = Recorder(folder, case, case.electrode_properties(), protocol)
    recorder.start()
    return march(protocol, recorder, evolution_of(case, protocol, recorder), None)


@pytest.fixture(scope="module")
def disc(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A case file, and the folder of its run to the end."""
    folder = tmp_path_factory.mktemp("disc")
    case = runs.written(folder, DISC)
    femli.run(femli.load(case), folder / "out")
    return case, folder / "out"


@pytest.mark.slow
def test_two_growing_voids_merge(tmp_path: Path) -> None:
    # Exact: metal that does not creep loses no lattice, so that voids grow by what is stripped (1e-3, the creep that is
    # left; events excepted, which say themselves what they add), the metal between them goes, and one void is left.
    # It keeps the number of the larger one and has both as parents; Li is kept to 1e-8.
    case = runs.written(tmp_path, GROWING)
    summary = femli.run(femli.load(case), tmp_path / "out")
    happened, history = runs.events(tmp_path / "out"), runs.history(tmp_path / "out")
    assert summary["stop_reason"] == "time"
    assert summary["li_balance_error"] < 1e-8
    (met,) = happened[happened["event [-]"] == "coalescence"].to_dict("records")
    assert 2.0e-6 < met["x [m]"] < 3.8e-6
    assert met["void_count [-]"] == 1
    assert history["void_count [-]"].tolist() == [2 if t <= met["time [s]"] else 1 for t in history["time [s]"]]
    grown = history["void_area [m^2]"].iloc[-1] - history["void_area [m^2]"].iloc[0]
    stripped = femli.load(case).electrode_properties().omega_li * 3.1 * 60 / 96485.33212 * 6e-6
    cut = summary["collector_shift_m"] * 6e-6
    assert grown - cut == pytest.approx(stripped, rel=1e-3)
    rows = pd.read_csv(tmp_path / "out" / "voids.csv")
    last = rows.iloc[-1]
    before = rows[rows["time [s]"] == rows["time [s]"].unique()[-2]]
    largest = before.loc[before["area [m^2]"].idxmax(), "void [-]"]
    assert (last["void [-]"], last["parents [-]"], last["event [-]"]) == (largest, "1+2", "coalesce")


@pytest.mark.slow
def test_a_void_on_the_axis_closes(disc: tuple[Path, Path]) -> None:
    # Exact: the edge of the void comes down first, then it closes; the contact is a whole disc; Li and host are kept to
    # 1e-8 and the volume to what resampling moves (2 % of the void), through the events.
    _, folder = disc
    happened, history = runs.events(folder), runs.history(folder)
    kinds = [kind for kind in happened["event [-]"] if kind != "remesh"]
    assert kinds[0] == "contact_advance"
    assert kinds[-1] == "collapse"
    assert history["contact_fraction [-]"].iloc[-1] == pytest.approx(1.0, rel=1e-12)
    assert history["void_count [-]"].iloc[-1] == 0
    assert history["li_balance_error [-]"].abs().max() < 1e-8
    assert history["host_balance_error [-]"].abs().max() < 1e-8
    shifted = happened["collector_shift [m]"].sum() * np.pi * 5e-6**2
    left = shifted - happened["void_volume_change [m^3]"].sum()
    assert abs(left) < 0.02 * history["void_volume [m^3]"].iloc[0]
    assert pd.read_csv(folder / "voids.csv")["event [-]"].tolist()[-1] == "collapse"


@pytest.mark.slow
def test_a_flat_roof_touches_on_the_axis_and_a_ring_closes(tmp_path: Path) -> None:
    # Exact: a wide low roof sinks fastest on the axis; there contact begins, the void becomes a ring, which closes at a
    # place off the axis; the contact is whole, Li and host are kept to 1e-8.
    summary = ring_run(tmp_path)
    happened, history = runs.events(tmp_path), runs.history(tmp_path)
    touched = happened[happened["event [-]"] == "contact_advance"].iloc[0]
    assert touched["x [m]"] < 0.2e-6
    assert touched["void_count [-]"] == 1
    closed = happened[happened["event [-]"] == "collapse"].iloc[-1]
    assert 0.5e-6 < closed["x [m]"] < 2.4e-6
    assert closed["void_count [-]"] == 0
    assert history["contact_fraction [-]"].iloc[-1] == pytest.approx(1.0, rel=1e-12)
    assert summary["li_balance_error"] < 1e-8
    assert summary["host_balance_error"] < 1e-8
    assert json.loads((tmp_path / "summary.json").read_text())["stop_reason"] == "time"


@pytest.mark.mpi
@pytest.mark.slow
def test_same_events_on_three_ranks(disc: tuple[Path, Path], tmp_path: Path) -> None:
    # Exact: the events of one rank, at the same times and places (1e-6 and a hundredth of a cell).
    case, folder = disc
    ended = runs.command("-m", "femli", "run", str(case), "-o", str(tmp_path / "out"), ranks=3, timeout=900)
    assert ended.returncode == 0, ended.stderr
    one, three = runs.events(folder), runs.events(tmp_path / "out")
    assert one["event [-]"].tolist() == three["event [-]"].tolist()
    np.testing.assert_allclose(three["time [s]"], one["time [s]"], rtol=1e-6)
    np.testing.assert_allclose(three["x [m]"], one["x [m]"], rtol=0, atol=2.4e-9)
