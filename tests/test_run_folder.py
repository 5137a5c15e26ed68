"""What a run leaves behind, and how it ends: the result folder and the exit codes of the contract."""

import gc
import json
import logging
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pyvista as pv
import verification_runs as runs
from dolfinx.mesh import Mesh
from typer.testing import CliRunner

import femli
from femli import outputs_voids, units
from femli.__main__ import app
from femli.case import Case

COLUMNS = [
    "time [s]",
    "capacity [mAh/cm^2]",
    "current_density [A/m^2]",
    "li_fraction_interface_min [-]",
    "li_fraction_interface_mean [-]",
    "pressure_interface_min [Pa]",
    "pressure_interface_mean [Pa]",
    "pressure_min [Pa]",
    "pressure_min_depth [m]",
    "electrode_thickness [m]",
    "contact_fraction [-]",
    "li_balance_error [-]",
    "host_balance_error [-]",
    "dt [s]",
    "newton_iterations [-]",
    "linear_iterations [-]",
    "wall_time [s]",
]
SUMMARY = {
    "stop_reason",
    "capacity_mAh_cm2",
    "time_s",
    "pressure_interface_min_Pa",
    "pressure_min_Pa",
    "li_balance_error",
    "host_balance_error",
    "steps",
    "rejected_steps",
    "newton_iterations",
    "linear_iterations",
    "dofs",
    "ranks",
    "wall_time_s",
    "peak_memory_MB",
    "versions",
    "case_sha256",
}
POINTS = {
    "li_fraction [-]",
    "pressure [Pa]",
    "velocity [m/s]",
    "equivalent_stress [Pa]",
    "strain_rate [1/s]",
    "creep_dissipation [W/m^3]",
    "li_flux [mol/(m^2 s)]",
    "chemical_potential [J/mol]",
}


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    logging.getLogger("femli").setLevel(logging.ERROR)
    yield
    logging.getLogger("femli").setLevel(logging.NOTSET)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Case, dict[str, object]]:
    """The folder of a short run, its case and what `run` returned."""
    folder = tmp_path_factory.mktemp("finished") / "out"
    case = runs.short(electrode__stress_coupling=True)
    return folder, case, femli.run(case, folder)


@pytest.fixture(scope="module")
def voided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voided")
    femli.run(femli.load(runs.written(folder, runs.VOIDED)), folder / "out")
    return folder / "out"


def _frames(folder: Path) -> list[tuple[float, pv.DataSet]]:
    reader = pv.get_reader(str(folder / "fields.pvd"))
    found = []
    for time in reader.time_values:
        reader.set_active_time_value(time)
        found.append((time, reader.read().combine()))
    return found


# --- history and summary ----------------------------------------------------------------------------------------------


def test_history_columns(finished: tuple[Path, Case, dict[str, object]], voided: Path) -> None:
    # Exact: the columns of the contract in its order; those of voids only where there are some.
    assert list(runs.history(finished[0]).columns) == COLUMNS
    with_voids = [*COLUMNS[:11], "void_count [-]", "void_area [m^2]", *outputs_voids.COLUMNS, *COLUMNS[11:]]
    history = runs.history(voided)
    assert list(history.columns) == with_voids
    assert (history["void_count [-]"] == 1).all()


def test_row_zero_is_the_consistent_start(finished: tuple[Path, Case, dict[str, object]]) -> None:
    # Exact: t = 0, the initial composition and thickness, and the pressure of the closed form (2.604 MPa below the
    # stack pressure for 20 at% Mg, V5) to 1 %.
    folder, case, _ = finished
    first = runs.history(folder).iloc[0]
    assert first["time [s]"] == first["capacity [mAh/cm^2]"] == first["dt [s]"] == 0.0
    assert first["li_fraction_interface_min [-]"] == pytest.approx(0.8, rel=1e-14)
    assert first["electrode_thickness [m]"] == pytest.approx(30e-6, rel=1e-12)
    assert first["contact_fraction [-]"] == pytest.approx(1.0, rel=1e-14)
    assert case.load.stack_pressure - first["pressure_interface_min [Pa]"] == pytest.approx(2.604e6, rel=1e-2)


def test_history_is_consistent(finished: tuple[Path, Case, dict[str, object]]) -> None:
    # Exact: capacity = i t, thickness = L - Omega i t/F (equal volumes), dt = difference of times, means >= minima.
    folder, case, _ = finished
    h = runs.history(folder)
    current = case.load.current_density
    assert np.allclose(h["capacity [mAh/cm^2]"], current * h["time [s]"] / 3.6e4, rtol=1e-12)
    thickness = 30e-6 - 13.0e-6 * current / units.F * h["time [s]"]
    assert np.allclose(h["electrode_thickness [m]"], thickness, rtol=1e-9)
    assert np.allclose(np.diff(h["time [s]"]), h["dt [s]"][1:], rtol=1e-9, atol=1e-12)
    assert (h["li_fraction_interface_mean [-]"] >= h["li_fraction_interface_min [-]"] - 1e-14).all()
    assert (h["pressure_interface_min [Pa]"] >= h["pressure_min [Pa]"]).all()
    assert (h["newton_iterations [-]"] >= 1).all()
    assert h["wall_time [s]"].is_monotonic_increasing


def test_summary(finished: tuple[Path, Case, dict[str, object]]) -> None:
    # Exact: the keys of the contract, what the history says, and the hash of the case that case.toml gives again.
    folder, case, returned = finished
    summary = json.loads((folder / "summary.json").read_text())
    assert summary == json.loads(json.dumps(returned))
    assert set(summary) >= SUMMARY
    history = runs.history(folder)
    last = history.iloc[-1]
    assert summary["stop_reason"] == "li_depleted"
    assert summary["capacity_mAh_cm2"] == last["capacity [mAh/cm^2]"]
    assert summary["time_s"] == last["time [s]"]
    assert summary["steps"] == len(history) - 1
    assert summary["pressure_interface_min_Pa"] == history["pressure_interface_min [Pa]"].min()
    assert summary["pressure_min_Pa"] == history["pressure_min [Pa]"].min()
    assert summary["newton_iterations"] == history["newton_iterations [-]"][1:].sum()
    assert summary["ranks"] == 1
    assert summary["case_sha256"] == case.sha256() == femli.load(folder / "case.toml").sha256()


def test_resolved_case_gives_the_same_run(finished: tuple[Path, Case, dict[str, object]], tmp_path: Path) -> None:
    # Exact: the same history, bit for bit.
    folder, _, _ = finished
    femli.run(femli.load(folder / "case.toml"), tmp_path / "again")
    assert runs.worst_difference(runs.history(folder), runs.history(tmp_path / "again"))[0] == 0.0


# --- fields -----------------------------------------------------------------------------------------------------------


def test_frames_hit_the_asked_capacities(finished: tuple[Path, Case, dict[str, object]]) -> None:
    # Exact: 0, 0.02, 0.04 ... mAh/cm2 and the end, to round-off; a row of the history for each.
    folder, case, summary = finished
    times = np.array([time for time, _ in _frames(folder)])
    capacities = times * case.load.current_density / 3.6e4
    asked = 0.02 * np.arange(len(times) - 1)
    assert len(times) >= 4
    assert np.allclose(capacities[:-1], asked, rtol=1e-12, atol=0)
    assert times[-1] == summary["time_s"]
    assert set(times) <= set(runs.history(folder)["time [s]"])


@pytest.mark.parametrize("which", ["finished", "voided"])
def test_fields_are_those_of_the_history(which: str, request: pytest.FixtureRequest) -> None:
    # Exact: at every snapshot the extremes on the contact and inside are those of the row of the history; arrays have
    # the names of the contract; vectors three components; the mesh moves.
    given = request.getfixturevalue(which)
    folder = given if isinstance(given, Path) else given[0]
    history, stack = runs.history(folder), femli.load(folder / "case.toml").load.stack_pressure
    frames = _frames(folder)
    for time, grid in frames:
        row = history[history["time [s]"] == time].iloc[0]
        assert set(grid.point_data) >= POINTS
        assert set(grid.cell_data) >= {"region [-]", "rank [-]"}
        assert grid["velocity [m/s]"].shape == grid["li_flux [mol/(m^2 s)]"].shape == (grid.n_points, 3)
        height = grid.points[:, 0 if which == "finished" else 1]
        contact = np.abs(height) < 1e-9
        x, p = grid["li_fraction [-]"], grid["pressure [Pa]"]
        assert x[contact].min() == pytest.approx(row["li_fraction_interface_min [-]"], rel=1e-12)
        assert p[contact].min() == pytest.approx(row["pressure_interface_min [Pa]"], rel=1e-12)
        assert p.min() == pytest.approx(row["pressure_min [Pa]"], rel=1e-12)
        assert height[p.argmin()] * 1e-6 == pytest.approx(row["pressure_min_depth [m]"], abs=1e-15)
        assert height.max() * 1e-6 == pytest.approx(row["electrode_thickness [m]"], rel=1e-3)
        assert grid["creep_dissipation [W/m^3]"].min() >= 0.0
        # mu relative to pure Li at the stack pressure; ideal: RT ln x + Omega (p - p_stack).
        mu = 8.31446 * 303.15 * np.log(x) + 13.0e-6 * (p - stack)
        assert np.allclose(grid["chemical_potential [J/mol]"], mu, rtol=1e-5, atol=1e-3)
    assert frames[-1][1].points.max() < frames[0][1].points.max() or which == "voided"


def test_flux_at_the_contact_is_the_current(finished: tuple[Path, Case, dict[str, object]]) -> None:
    # Exact: J = -i/F along the normal on the contact, 0 at the collector, v = -Omega i/F there (equal volumes). The
    # flux at a point is an average over its cells, hence 2 %.
    folder, case, _ = finished
    grid = _frames(folder)[-1][1]
    flux, order = grid["li_flux [mol/(m^2 s)]"][:, 0], np.argsort(grid.points[:, 0])
    current = case.load.current_density / units.F
    assert flux[order[0]] == pytest.approx(-current, rel=2e-2)
    assert abs(flux[order[-1]]) < 1e-2 * current
    assert grid["velocity [m/s]"][order[-1], 0] == pytest.approx(-13.0e-6 * current, rel=1e-6)
    assert grid["velocity [m/s]"][order[0], 0] == 0.0


def test_only_what_the_contract_lists(finished: tuple[Path, Case, dict[str, object]]) -> None:
    # Exact: files of the contract; in fields/ only what the index names and its pieces.
    folder, _, _ = finished
    names = {path.name for path in folder.iterdir()}
    assert names == {"case.toml", "history.csv", "summary.json", "fields.pvd", "fields", "checkpoint"}
    assert {path.suffix for path in (folder / "fields").iterdir()} == {".pvtu", ".vtu"}


# --- stop conditions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "reason", "column", "value"),
    [
        ({"stop__li_fraction": 0.31}, "li_depleted", "li_fraction_interface_min [-]", 0.31),
        ({"stop__capacity": "0.0123 mAh/cm^2"}, "capacity", "capacity [mAh/cm^2]", 0.0123),
        ({"stop__time": "77.7 s"}, "time", "time [s]", 77.7),
        ({"stop__thickness": "29.9 um"}, "exhausted", "electrode_thickness [m]", 29.9e-6),
    ],
)
def test_stop_conditions_are_met_exactly(
    keys: dict[str, object], reason: str, column: str, value: float, tmp_path: Path
) -> None:
    # Exact: the quantity of the stop condition has its value at the last row, to 1e-8.
    summary = femli.run(runs.short(**keys), tmp_path / "out")
    assert summary["stop_reason"] == reason
    assert runs.history(tmp_path / "out")[column].iloc[-1] == pytest.approx(value, rel=1e-8)


def test_contact_loss_is_met_exactly(tmp_path: Path) -> None:
    # Exact: the contact fraction at the last row is that of the stop condition, to 1e-8.
    case = femli.load(
        runs.written(tmp_path, runs.VOIDED), {"stop.contact_fraction": 0.4999, "load.stack_pressure": "0 MPa"}
    )
    summary = femli.run(case, tmp_path / "out")
    history = runs.history(tmp_path / "out")
    assert history["contact_fraction [-]"].iloc[0] > 0.4999
    assert summary["stop_reason"] == "contact_lost"
    assert history["contact_fraction [-]"].iloc[-1] == pytest.approx(0.4999, rel=1e-8)


# --- bad input --------------------------------------------------------------------------------------------------------


def _run(*words: str) -> tuple[int, list[str]]:
    """Exit code and lines on the error stream of `femli run`."""
    logging.getLogger("femli").setLevel(logging.ERROR)
    result = CliRunner().invoke(app, ["run", *words])
    assert "Traceback" not in result.output
    return result.exit_code, result.stderr.splitlines()


@pytest.mark.parametrize(
    ("setting", "code", "words"),
    [
        ("load.curent_density=1", 2, ["load.curent_density", "did you mean", "current_density"]),
        ("load.stack_pressure=5 mA", 2, ["load.stack_pressure", "5 mA", "allowed"]),
        ("load.stack_pressure=5", 2, ["load.stack_pressure", "has no unit", "allowed"]),
        ("geometry.electrode_thickness=-100 um", 2, ["geometry.electrode_thickness", "-100 um"]),
        ("electrode.material=Li-5Mgg", 2, ["electrode.material", "did you mean", "Li-5Mg"]),
        ("electrode.material={ mg_fraction = 0.7 }", 2, ["mg_fraction", "0.7", "0.69"]),
        ("load.current_density=0 mA/cm^2", 2, ["load.current_density", "allowed"]),
        ("stop.li_fraction=0.95", 2, ["stop.li_fraction", "0.95", "0.9"]),
    ],
)
def test_a_wrong_case_is_refused(setting: str, code: int, words: list[str], tmp_path: Path) -> None:
    # Exact: the exit code of the contract, one line that names key, value and what is allowed; no folder is made.
    out = tmp_path / "out"
    ended, lines = _run(str(runs.FOIL), "-o", str(out), "--set", setting)
    assert ended == code
    assert len(lines) == 1
    assert lines[0].startswith("femli: ")
    for word in words:
        assert word in lines[0]
    assert not (out / "history.csv").exists()


def test_zero_current_with_a_capacity_stop(tmp_path: Path) -> None:
    # Exact: exit 2: a capacity is never reached without current.
    settings = ["--set", "load.current_density=0 mA/cm^2", "--set", "stop.capacity=1 mAh/cm^2"]
    code, lines = _run(str(runs.FOIL), "-o", str(tmp_path / "out"), *settings)
    assert code == 2
    assert "load.current_density" in lines[0]


@pytest.mark.parametrize("content", [None, "not a mesh", "$MeshFormat\n4.1 0 8\n$EndMeshFormat\n"])
def test_an_unusable_mesh_file(content: str | None, tmp_path: Path) -> None:
    # Exact: exit 3 for a mesh file that is not there, is none, or has no named parts; one line that names it.
    file = tmp_path / "user.msh"
    if content is not None:
        file.write_text(content)
    settings = ["--set", "geometry.kind=file", "--set", f"geometry.file={file}", "--set", "geometry.dimension=2"]
    code, lines = _run(str(runs.FOIL), "-o", str(tmp_path / "out"), *settings)
    assert code == 3
    assert len(lines) == 1
    assert "user.msh" in lines[0]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    # Exact: exit 2 for a folder under a regular file (also for root), which stays as it is.
    file = tmp_path / "file"
    file.write_text("mine\n")
    code, lines = _run(str(runs.FOIL), "-o", str(file / "out"))
    assert code == 2
    assert len(lines) == 1
    assert "cannot be written" in lines[0]
    assert file.read_text() == "mine\n"


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_folder_that_holds_a_run(finished: tuple[Path, Case, dict[str, object]]) -> None:
    # Exact: exit 2 with the three ways out; nothing is touched.
    folder, _, _ = finished
    before = _contents(folder)
    code, lines = _run(str(runs.FOIL), "-o", str(folder))
    assert code == 2
    assert all(word in lines[0] for word in ("another -o", "--resume", "--force"))
    assert _contents(folder) == before


@pytest.fixture
def copied(finished: tuple[Path, Case, dict[str, object]], tmp_path: Path) -> Path:
    """A copy of the short run that may be spoilt."""
    import shutil

    return Path(shutil.copytree(finished[0], tmp_path / "out"))


def test_resume_without_a_checkpoint(tmp_path: Path) -> None:
    # Exact: exit 2, which says so; no folder is made.
    code, lines = _run(str(runs.FOIL), "-o", str(tmp_path / "out"), "--resume")
    assert code == 2
    assert "no checkpoint" in lines[0]
    assert not (tmp_path / "out").exists()


def test_resume_of_a_changed_case(copied: Path) -> None:
    # Exact: exit 2; history, fields and summary stay as they are.
    before = _contents(copied)
    code, lines = _run(str(copied / "case.toml"), "-o", str(copied), "--resume", "--set", "load.stack_pressure=4 MPa")
    assert code == 2
    assert "another case" in lines[0]
    assert _contents(copied) == before


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "lacks a level"])
def test_resume_from_a_damaged_checkpoint(copied: Path, damage: str) -> None:
    # Exact: with the newest file damaged the one before is used and the run ends as before; with both, exit 2 with a
    # line for each, and nothing else is touched.
    import h5py

    def spoil(file: Path) -> None:
        content = file.read_bytes()
        if damage == "lacks a level":
            with h5py.File(file, "a") as opened:
                opened.pop("stress", None)
        else:
            file.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "text": b"not HDF5"}[damage])

    checkpoint, reference = copied / "checkpoint", runs.history(copied)
    spoil(checkpoint / "state.h5")
    code, lines = _run(str(copied / "case.toml"), "-o", str(copied), "--resume")
    assert code == 0, lines
    worst, column = runs.worst_difference(reference, runs.history(copied))
    assert worst < 1e-8, column
    spoil(checkpoint / "state.h5")
    spoil(checkpoint / "previous.h5")
    before = {k: v for k, v in _contents(copied).items() if not k.endswith("log.txt")}
    code, lines = _run(str(copied / "case.toml"), "-o", str(copied), "--resume")
    assert code == 2
    assert len(lines) == 2
    assert "state.h5" in lines[0] and "previous.h5" in lines[1]
    assert {k: v for k, v in _contents(copied).items() if not k.endswith("log.txt")} == before


def test_no_convergence(tmp_path: Path) -> None:
    # Exact: exit 4 with time, step and reason; the last good state is saved: summary, history, a checkpoint that
    # resumes (and fails alike), fields.
    out = tmp_path / "out"
    settings = ["electrode.material=Li-20Mg", "solver.smallest_step=1 s", "solver.time_tolerance=1e-7"]
    code, lines = _run(str(runs.FOIL), "-o", str(out), *(w for s in settings for w in ("--set", s)))
    assert code == 4
    assert "no convergence at the smallest time step, t = " in lines[0]
    assert "saved" in lines[0]
    summary = json.loads((out / "summary.json").read_text())
    assert summary["stop_reason"] == "failed"
    assert summary["error"] in lines[0]
    history = pd.read_csv(out / "history.csv")
    assert history["time [s]"].iloc[-1] == summary["time_s"]
    assert _frames(out)[-1][0] == summary["time_s"]
    assert _run(str(out / "case.toml"), "-o", str(out), "--resume")[0] == 4


def test_earlier_runs_are_freed() -> None:
    # Exact: one run lives at a time, though its rooms refer to each other and Python's collector does not look by
    # itself. Each holds some 30 of MPI's 2,000 communicators: scripts with many runs ended in "Other MPI error".
    meshes: weakref.WeakSet[Mesh] = weakref.WeakSet()
    gc.disable()
    try:
        for _ in range(3):
            meshes.add(runs.protocol(runs.short()).measures.fields.domain.mesh)
            assert len(meshes) == 1
    finally:
        gc.enable()
