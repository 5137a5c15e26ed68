"""Whole runs of a contact that opens: debonding, what comes back, cavities from flaws."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import verification_runs as runs
from opening_cases import CYCLE, STRIP

import femli
from femli.opening import flaws


def test_strength_that_is_never_reached_changes_nothing(tmp_path: Path) -> None:
    # Exact: bit by bit the history of the same run without opening.
    keys = {"interface.adhesion_strength": "100 MPa"}
    case = runs.written(tmp_path, runs.VOIDED)
    femli.run(femli.load(case, keys), tmp_path / "without")
    femli.run(femli.load(case, keys | {"opening.debonding": True}), tmp_path / "with")
    assert runs.worst_difference(runs.history(tmp_path / "without"), runs.history(tmp_path / "with"))[0] == 0.0
    assert not (tmp_path / "with" / "events.csv").exists()


def test_a_contact_that_lets_go_altogether_ends_the_run(tmp_path: Path) -> None:
    # Exact: gas of more than the stack pressure lifts metal that nothing holds; the run ends with contact_lost, with
    # the state before as its last.
    keys = {
        "interface.adhesion_strength": "0 MPa",
        "geometry.mesh.interface_size": "1 um",
        "stop.contact_fraction": 0.2,
    }
    text = STRIP.replace(
        "[electrode]", '[[geometry.voids.list]]\nx = "8 um"\nhalf_width = "2 um"\nheight = "1 um"\n[electrode]'
    )
    summary = femli.run(femli.load(runs.written(tmp_path, text), keys), tmp_path / "out")
    assert summary["stop_reason"] == "contact_lost"
    assert "debond" in pd.read_csv(tmp_path / "out" / "events.csv")["event [-]"].tolist()
    assert summary["li_balance_error"] < 1e-10


@pytest.fixture(scope="module")
def cycle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A case file, and the folder of its run to the end."""
    folder = tmp_path_factory.mktemp("cycle")
    case = runs.written(folder, CYCLE)
    femli.run(femli.load(case), folder / "out")
    return case, folder / "out"


@pytest.mark.slow
def test_contact_opens_under_plating_and_comes_back(cycle: tuple[Path, Path]) -> None:
    # Exact: Li is kept through all events (1e-8); what has let go opens a gap, so that the void grows while metal is
    # plated; stripping brings the contact back by the events of a wall that comes down.
    _, folder = cycle
    history, happened = runs.history(folder), runs.events(folder)
    kinds = happened["event [-]"].tolist()
    assert kinds[:2] == ["debond", "debond"]
    assert "contact_advance" in kinds
    fraction, void = history["contact_fraction [-]"], history["void_area [m^2]"]
    assert fraction.iloc[0] == pytest.approx(0.75, abs=1e-6)
    assert fraction.min() < 0.6 < 0.74 < fraction.iloc[-1]
    assert void.max() > 1.05 * void.iloc[0]
    assert history["li_balance_error [-]"].abs().max() < 1e-8
    assert history["host_balance_error [-]"].abs().max() < 1e-8
    voids = pd.read_csv(folder / "voids.csv")
    assert voids["void [-]"].unique().tolist() == [1]  # the void that spreads is the same void
    assert voids["width [m]"].max() > 4e-6


@pytest.mark.slow
def test_interrupted_after_an_opening_and_resumed(cycle: tuple[Path, Path], tmp_path: Path) -> None:
    # Exact: history and events of the run without interruption.
    path, folder = cycle

    def interrupt(step: object) -> None:
        if step.time > 6.0:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    case = femli.load(path)
    with pytest.raises(KeyboardInterrupt):
        femli.run(case, tmp_path / "out", on_step=interrupt)
    femli.run(case, tmp_path / "out", resume=True)
    worst, column = runs.worst_difference(runs.history(folder), runs.history(tmp_path / "out"))
    assert worst < 1e-8, column
    one, two = (runs.events(f) for f in (folder, tmp_path / "out"))
    pd.testing.assert_frame_equal(one, two, rtol=1e-8, atol=1e-14)


@pytest.mark.mpi
@pytest.mark.slow
def test_same_openings_on_two_ranks(cycle: tuple[Path, Path], tmp_path: Path) -> None:
    # Exact: the events of one rank, at the same times and places (to a hundredth of a cell).
    case, folder = cycle
    runs.same_events_on_two_ranks(case, folder, tmp_path / "out", timeout=900)


FLAWED = """
[geometry]
dimension = 2
width = "20 um"
electrode_thickness = "12 um"
[geometry.mesh]
interface_size = "0.4 um"
growth = 1.5
edge_size = "0.2 um"
[electrode]
material = "Li-1Mg"
creep_scaling = "none"
[wall]
surface_tension = "0.416 J/m^2"
[opening]
flaw_density = "0.2 / um"
flaw_radius = { mean = "0.8 um", std = "0.2 um" }
seed = 5
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "0.2 MPa"
[solver]
time_tolerance = 1e-3
[stop]
capacity = "1e-7 mAh/cm^2"
"""


def test_flaws_in_tension_become_voids(tmp_path: Path) -> None:
    # Exact: those flaws grow whose radius is above 2 gamma/tension (the case's own column) and that have room, as half
    # circles of 24 chords of their radius, the metal's volume made up for by the collector; Li and host are kept.
    # With 2 MPa of stack pressure there is no tension (S0 = 1.7 MPa), and no event.
    path = runs.written(tmp_path, FLAWED)
    case = femli.load(path)
    summary = femli.run(case, tmp_path / "out")
    history, happened = runs.history(tmp_path / "out"), pd.read_csv(tmp_path / "out" / "events.csv")
    drawn, critical = flaws(case), history["cavity_radius_critical [m]"].iloc[0] * 1e6
    large = drawn.radius > critical
    room = (drawn.x > 1.05 * drawn.radius) & (drawn.x < 20 - 1.05 * drawn.radius)
    grown = happened[happened["event [-]"] == "cavity"]
    assert 0 < len(grown) == (large & room).sum()
    assert (~large).any()
    np.testing.assert_allclose(grown["x [m]"] * 1e6, drawn.x[large & room], rtol=1e-12)
    area = 24 / 2 * np.sin(np.pi / 24) * (drawn.radius[large & room] * 1e-6) ** 2
    np.testing.assert_allclose(grown["void_area_change [m^2]"], area, rtol=1e-12)
    # Resampling of the caps adds a little to the shift.
    assert summary["collector_shift_m"] * 20e-6 == pytest.approx(area.sum(), rel=0.02)
    assert history["void_count [-]"].tolist()[0] == 0 < history["void_count [-]"].iloc[-1] == len(grown)
    assert summary["li_balance_error"] < 1e-8
    assert summary["host_balance_error"] < 1e-8
    femli.run(femli.load(path, {"load.stack_pressure": "2 MPa"}), tmp_path / "pressed")
    assert not (tmp_path / "pressed" / "events.csv").exists()
