"""Voids through contact, splits, coalescence and collapse: whole runs on meshes that change."""

import json
from pathlib import Path

from mpi4py import MPI

import numpy as np
import pandas as pd
import pytest
import pyvista as pv
import verification_runs as runs

import femli
from femli import mesh, mesh_outline
from femli.case import Case
from femli.mesh_parts import PartedMesh
from femli.mesh_resolution import Resolution
from femli.outputs import Recorder
from femli.protocol import Protocol
from femli.remesh_outline import Outline
from femli.simulation import evolution_of

# A void of an alloy that creeps like Li: closed after 70 s.
CLOSING = """
[geometry]
dimension = 2
width = "6 um"
electrode_thickness = "6 um"
[geometry.mesh]
interface_size = "0.5 um"
growth = 1.4
edge_size = "0.2 um"
[[geometry.voids.list]]
x = "2.8 um"
half_width = "1.5 um"
height = "0.5 um"
[electrode]
material = "Li-5Mg"
creep_scaling = "none"
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "5 MPa"
[stop]
capacity = "0.01 mAh/cm^2"
[solver]
time_tolerance = 1e-3
[output]
every = "0.002 mAh/cm^2"
"""


def started(case: Case, folder: Path, domain: mesh.Domain | None = None) -> tuple[Protocol, Recorder]:
    """All rooms of a run at the consistent state, on a mesh of its own or a given one."""
    protocol = runs.protocol(case, domain)
    return protocol, Recorder(folder, case, case.electrode_properties(), protocol)


@pytest.fixture(scope="module")
def closing(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A case file, and the folder of its run to the end."""
    folder = tmp_path_factory.mktemp("closing")
    case = runs.written(folder, CLOSING)
    femli.run(femli.load(case), folder / "out")
    return case, folder / "out"


def test_ten_remeshings_change_nothing(tmp_path: Path) -> None:
    # Exact: Li and host are the same before and after each of ten remeshings, to 1e-10, and x stays within its range.
    # Independent: a run of the same case that is never remeshed. The void's area agrees to 1e-3 (measured 4.8e-4) and
    # the mean pressure on the contact to 1 % (0.24 %); cells of half the size change them by 1.5e-4 and 1.3 %.
    case = femli.load(runs.written(tmp_path, runs.VOIDED), {"solver.time_tolerance": 1e-3})
    measured = []
    for remeshed in (True, False):
        protocol, recorder = started(case, tmp_path)
        stepper, evolution = protocol.stepper, evolution_of(case, protocol, recorder)
        assert evolution is not None
        end, count = 0.002, 0  # h
        stepper.targets = lambda _time, end=end: end
        while stepper.levels[0].time < end:
            stepper.advance()
            if remeshed and stepper.levels[0].time > (count + 1) * end / 11 and count < 10:
                x = stepper.levels[0].x
                before, low, high = stepper.newton.contents.totals(), x.min(), x.max()
                evolution.renew("asked for by a test")
                count += 1
                after, x = stepper.newton.contents.totals(), stepper.levels[0].x
                np.testing.assert_allclose(after, before, rtol=1e-10)
                assert low - 1e-4 * (1 - low) <= x.min()
                assert x.max() <= high + 1e-4 * (1 - high)
        assert count == (10 if remeshed else 0)
        measured.append(recorder.measures.state())
    one, other = measured
    assert one.void_size == pytest.approx(other.void_size, rel=1e-3)
    assert one.pressure_interface_mean == pytest.approx(other.pressure_interface_mean, rel=1e-2)


def test_a_void_closes_unattended(closing: tuple[Path, Path]) -> None:
    # Exact: the run ends with its capacity, the void is gone, the contact whole; Li and host are kept to 1e-8 through
    # all events; what each event took from the void came from the collector, so void areas and shifts add up.
    case, folder = closing
    history, happened = runs.history(folder), runs.events(folder)
    assert history["void_count [-]"].iloc[0] == 1
    assert history["void_count [-]"].iloc[-1] == 0
    assert history["contact_fraction [-]"].iloc[-1] == pytest.approx(1.0, rel=1e-12)
    assert history["void_area [m^2]"].iloc[-1] == 0.0
    assert history["li_balance_error [-]"].abs().max() < 1e-8
    assert history["host_balance_error [-]"].abs().max() < 1e-8
    kinds = happened["event [-]"].tolist()
    assert "contact_advance" in kinds
    assert kinds[-2:] == ["collapse", "remesh"]
    assert history["li_fraction_interface_min [-]"].max() <= 0.95 + 1e-9
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["stop_reason"] == "capacity"
    assert summary["remeshings"] == kinds.count("remesh")
    assert summary["collector_shift_m"] == pytest.approx(happened["collector_shift [m]"].sum(), rel=1e-12)
    width = femli.load(case).geometry.width
    # Resampling adds the rest of the shift: a few per mille of the first void.
    left = happened["collector_shift [m]"].sum() * width - happened["void_area_change [m^2]"].sum()
    assert abs(left) < 0.02 * history["void_area [m^2]"].iloc[0]


def test_snapshots_follow_the_changing_mesh(closing: tuple[Path, Path]) -> None:
    # Exact: each snapshot's area is that of the electrode at its time, and its mesh may differ from the one before.
    _, folder = closing
    history = runs.history(folder)
    reader = pv.get_reader(str(folder / "fields.pvd"))
    cells = set()
    for time in reader.time_values:
        reader.set_active_time_value(time)
        grid = reader.read()[0]
        cells.add(grid.n_cells)
        row = history.iloc[(history["time [s]"] - time).abs().argmin()]
        thickness = row["electrode_thickness [m]"] * 1e6 * 6.0
        area = float(grid.compute_cell_sizes()["Area"].sum())
        assert area == pytest.approx(thickness - row["void_area [m^2]"] * 1e12, rel=1e-6)
    assert len(cells) > 1


def test_interrupted_between_events_and_resumed(closing: tuple[Path, Path], tmp_path: Path) -> None:
    # Exact: the history and the events of the run without interruption.
    path, folder = closing
    whole = runs.history(folder)
    time = runs.events(folder)["time [s]"].median()

    def interrupt(step: object) -> None:
        if step.time > time:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    case = femli.load(path)
    with pytest.raises(KeyboardInterrupt):
        femli.run(case, tmp_path / "out", on_step=interrupt)
    femli.run(case, tmp_path / "out", resume=True)
    worst, column = runs.worst_difference(whole, runs.history(tmp_path / "out"))
    assert worst < 1e-8, column
    pd.testing.assert_frame_equal(runs.events(folder), runs.events(tmp_path / "out"), rtol=1e-8, atol=1e-14)


@pytest.mark.mpi
@pytest.mark.slow
def test_same_events_on_two_ranks(closing: tuple[Path, Path], tmp_path: Path) -> None:
    # Exact: the events of one rank, at the same times and places; the place of a void that collapses is the middle of
    # what is left of it, to a hundredth of a cell (seen: 0.1 nm).
    case, folder = closing
    runs.same_events_on_two_ranks(case, folder, tmp_path / "out", timeout=600)


# A slit in a Newtonian metal (viscosity 1/(3 A) = 3333 MPa s) that no current flows through and only creep closes.
SLIT = """
[geometry]
dimension = 2
width = "16 um"
electrode_thickness = "14 um"
[geometry.mesh]
interface_size = "0.8 um"
growth = 1.4
edge_size = "0.02 um"
[[geometry.voids.list]]
x = "8 um"
half_width = "2 um"
height = "0.2 um"
[electrode]
material = { base = "Li", creep_exponent = 1.0, creep_prefactor = "1e-4 / MPa / s" }
stress_coupling = false
[load]
current_density = "0 A/m^2"
stack_pressure = "5 MPa"
[stop]
time = "1 h"
[solver]
time_tolerance = 2e-3
"""
HALF, HEIGHT = 2.0, 0.2  # um
RATE = 5.0 / 2 * 3e-4 * 3600 * HALF  # P/(2 eta) b [um/h]


def slit(power: float) -> PartedMesh:
    """The mesh of a slit whose roof is z = h (1 - |x/b|^m)^(1/m): 2 is the ellipse, large m a flat top."""
    t = np.linspace(np.pi, 0, 61)
    across, up = np.cos(t), np.sin(t)
    size = (np.abs(across) ** power + up**power) ** (1 / power)
    wall = np.column_stack([8 + HALF * across / size, HEIGHT * up / size])
    wall[[0, -1]] = [[8 - HALF, 0.0], [8 + HALF, 0.0]]
    wall[30, 0] = 8.0
    bottom = np.concatenate([[[0.0, 0.0]], wall, [[16.0, 0.0]]])
    is_open = np.array([False, *[True] * 60, False])
    made = Outline(bottom, is_open, np.array([[0.0, 14.0], [16.0, 14.0]]), False)
    first = Resolution(interface=0.8, size=1.5, lateral=(), growth=1.4, edges=(0.05,), walls=(0.1,))
    sizes = mesh_outline.sizes_of(made, first)
    return mesh_outline.meshed(mesh_outline.resampled(made, sizes), sizes)


@pytest.mark.parametrize(("power", "kind", "early", "left"), [(12.0, "split", 0.1, 0.21), (2.0, "any", 0.15, 0.07)])
def test_vb10_a_flat_slit_splits_and_an_ellipse_closes_at_once(
    power: float, kind: str, early: float, left: float, tmp_path: Path
) -> None:
    # Exact for a slit (h << b) in an unbounded Newtonian metal: the roof sinks at (P/2 eta) sqrt(b^2 - x^2). A flat top
    # so touches first at its centre, after h/(P b/2 eta), with 1 - pi/4 = 0.21 of its area left (measured 0.18); an
    # ellipse closes everywhere at that time: nothing has touched before an eighth of its area is left (0.115), when
    # the vertices beside the tips are within the tolerance. Here h/b = 0.1 and the foil is 8 b wide: rates to 10 %.
    case = femli.load(runs.written(tmp_path, SLIT))
    protocol, recorder = started(case, tmp_path, mesh.distribute(case, slit(power), (), MPI.COMM_WORLD))
    stepper, evolution = protocol.stepper, evolution_of(case, protocol, recorder)
    assert evolution is not None
    owned, motion = stepper.fields, stepper.motion
    start = recorder.measures.state().void_size
    stepper.advance()
    points = owned.domain.mesh.geometry.x[owned.node_of_dof][motion.on_void & ~motion.on_triple]
    sinking = -owned.w.x.array.reshape(-1, 2)[motion.on_void & ~motion.on_triple, 1]
    inner = np.abs(points[:, 0] - 8) < 0.7 * HALF
    theory = RATE * np.sqrt(1 - ((points[:, 0] - 8) / HALF) ** 2)
    np.testing.assert_allclose(sinking[inner], theory[inner], rtol=0.1)
    while not (tmp_path / "events.csv").exists():
        size, time = recorder.measures.state().void_size, stepper.levels[0].time
        evolution.watch()
        stepper.advance()
    assert time == pytest.approx(HEIGHT / RATE, rel=early)
    assert size / start == pytest.approx(left, abs=0.06)
    if kind == "split":
        first = runs.events(tmp_path).iloc[0]
        assert first["event [-]"] == "split"
        assert first["x [m]"] == pytest.approx(8e-6, abs=0.1e-6)
        assert recorder.measures.void_count == 2


def test_an_electrolyte_is_meshed_anew_with_the_void(tmp_path: Path) -> None:
    # Exact: through all events charge is Li (1e-8); once the void has closed the voltage is that of a uniform contact,
    # i (t/kappa + R_int) + E: ohmic and interface parts exact, no constriction; before, the half contact takes twice
    # the overpotential at the interface (1e-2: the current gathers a little at the edges).
    electrolyte = (
        '[electrolyte]\nthickness = "20 um"\nconductivity = "1 mS/cm"\n[interface]\nresistance = "10 ohm cm^2"\n'
    )
    case = femli.load(runs.written(tmp_path, CLOSING + electrolyte))
    summary = femli.run(case, tmp_path / "out")
    history = runs.history(tmp_path / "out")
    assert summary["remeshings"] > 1
    assert summary["li_balance_error"] < 1e-8
    start, end = history.iloc[0], history.iloc[-1]
    assert start["overpotential_interface [V]"] == pytest.approx(3.1 * 1e-3 / 0.5, rel=1e-2)
    assert end["overpotential_interface [V]"] == pytest.approx(3.1 * 1e-3, rel=1e-3)
    assert end["overpotential_ohmic [V]"] == pytest.approx(3.1 * 20e-6 / 0.1, rel=1e-9)
    assert abs(end["overpotential_constriction [V]"]) < 1e-7 < start["overpotential_constriction [V]"]
    # Snapshots of the electrolyte follow its meshes.
    reader = pv.PVDReader(str(tmp_path / "out" / "electrolyte.pvd"))
    counts = []
    for time in reader.time_values:
        reader.set_active_time_value(time)
        counts.append(reader.read().combine().n_cells)
    assert len(set(counts)) > 1
