"""The command line: exit codes, messages, the log, and how many ranks end."""

import json
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner, Result

import femli
from femli.__main__ import app
from femli.errors import CaseError, MeshError, OutputError, SolveError

DEMO = str(Path(__file__).parent.parent / "cases" / "demo.toml")
MPIEXEC = Path(sys.executable).parent / "mpiexec"

# A run that ends as its first argument says; with "one", rank 1 fails while the others wait for it.
RANKS = """
import sys
import femli.endings as endings
from femli.errors import CaseError, SolveError
endings.PATIENCE = 0.5
with endings.together() as comm:
    if sys.argv[1] == "all":
        raise CaseError("case: one", "case: two")
    if sys.argv[1] in ("one", "done") and comm.rank == 1:
        raise SolveError("no convergence")
    if sys.argv[1] == "defect" and comm.rank == 1:
        raise ZeroDivisionError("a defect")
    if sys.argv[1] in ("one", "defect"):
        comm.Barrier()
"""


def femli_(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., dict[str, Any]]], None]:
    """Put a function in the place of the solver."""

    def install(run: Callable[..., dict[str, Any]]) -> None:
        room = types.ModuleType("femli.simulation")
        room.run = run  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "femli.simulation", room)
        monkeypatch.setattr(femli, "simulation", room, raising=False)

    return install


def step(progress: float) -> types.SimpleNamespace:
    return types.SimpleNamespace(
        time=1.0,
        capacity=3.6e3,
        dt=1.0,
        li_fraction_interface_min=0.9,
        pressure_interface_min=5e6,
        newton_iterations=3,
        progress=progress,
        step="",
    )


def test_check_prints_case_scales_and_warnings() -> None:
    # Exact: the demo's resolved case with units, S0 = 3.98 MPa with hardness scaling (closed form), its
    # warnings.
    result = femli_("check", DEMO)
    assert result.exit_code == 0
    for words in (
        'current_density = "0.31 mA/cm^2"',
        'thickness = "1 um"',
        "3.983 MPa",
        "1.504 um/h",
        "38.71 min",
    ):
        assert words in result.output
    assert "warning: assumed, not measured" in result.output.replace("\n", " ")


@pytest.mark.parametrize("name", ["Li-5Mg", "Masias2019", "subregular", "Li6PS5Cl"])
def test_materials(name: str) -> None:
    # Exact: every number of the entry with its source; the whole library lists the entry too.
    one, every = femli_("materials", name), femli_("materials")
    assert one.exit_code == every.exit_code == 0
    assert "2024" in one.output or "2019" in one.output or "2025" in one.output
    assert name in every.output


def test_schema_is_json() -> None:
    # Exact: a JSON object with the sections of a case.
    result = femli_("schema")
    assert {"geometry", "load", "stop"} <= set(json.loads(result.stdout)["properties"])


def test_version_and_help() -> None:
    # Exact: the version of the package; help for no command at all.
    assert femli_("--version").stdout == f"femli {femli.__version__}\n"
    assert "Usage" in femli_("--help").output


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["check", "nowhere.toml"], 2, "nowhere.toml: cannot be read: no such file or directory"),
        (["check", DEMO, "--set", "load.stack_pressure=5"], 2, "has no unit; allowed: a pressure"),
        (["check", DEMO, "--set", "geometry.voids.radius=30 um"], 3, "geometry.voids"),
        (["materials", "Li-5Mgg"], 2, 'did you mean "Li-5Mg"?'),
        (["run", DEMO, "--set", "load.currentdensity=1"], 2, "did you mean load.current_density?"),
        (["run", DEMO, "--resume", "--force"], 2, "--resume and --force"),
        (["mesh", DEMO, "-o", "mesh.xyz"], 3, "mesh.xyz"),
        (["render", "nowhere"], 2, "nowhere"),
    ],
)
def test_faults_of_the_user(words: list[str], code: int, message: str) -> None:
    # Exact: the exit code of the contract, one line that says what to change, no traceback.
    result = femli_(*words)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stderr.startswith("femli: ")
    assert len(result.stderr.splitlines()) == 1
    assert "Traceback" not in result.output


def test_mesh_and_its_picture(tmp_path: Path) -> None:
    # Exact: both files are there and are what their names say.
    file, picture = tmp_path / "a.msh", tmp_path / "a.png"
    result = femli_("mesh", DEMO, "-o", str(file), "--picture", str(picture))
    assert result.exit_code == 0, result.output
    assert file.read_text().startswith("$MeshFormat")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_run_logs_what_it_showed_and_its_sources(tmp_path: Path, simulation: Any) -> None:
    # Exact: the log holds what the terminal showed and every source; the solver gets what the user asked for.
    out, given = tmp_path / "out", {}

    def run(case: Any, folder: Path, **rest: Any) -> dict[str, Any]:
        given.update(rest, case=case, folder=folder)
        folder.mkdir()
        rest["on_step"](step(0.5))
        return {
            "stop_reason": "capacity",
            "capacity_mAh_cm2": 0.2,
            "time_s": 2322.6,
            "steps": 7,
            "wall_time_s": 1.0,
        }

    simulation(run)
    result = femli_("run", DEMO, "-o", str(out), "--set", "load.stack_pressure=2.5 MPa", "--force")
    assert result.exit_code == 0, result.output
    assert given["case"].load.stack_pressure == 2.5e6
    assert (given["folder"], given["resume"], given["force"]) == (out, False, True)
    log = (out / "log.txt").read_text()
    for words in ("finished: capacity at 0.2 mAh/cm^2", "creep Aspinall2024", "warning: assumed"):
        assert words in log
        assert words in result.output.replace("\n", " ")
    assert "creep prefactor = 2.29e-43 Pa^-6.26/s (Aspinall2024, measured" in log


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CaseError("the folder holds a run"), 2),
        (MeshError("no part named contact"), 3),
        (SolveError("no convergence"), 4),
        (OutputError("disk"), 5),
        (OSError(28, "No space left on device", "/x"), 5),
        (MemoryError(), 5),
        (KeyboardInterrupt(), 5),
    ],
)
def test_failures_of_a_run(tmp_path: Path, simulation: Any, error: BaseException, code: int) -> None:
    # Exact: the exit code of each kind and its message; the log keeps it, except that a refused folder is not
    # touched.
    out = tmp_path / "out"
    out.mkdir()
    (out / "log.txt").write_text("the run before\n")

    def run(case: Any, folder: Path, **rest: Any) -> dict[str, Any]:
        raise error

    simulation(run)
    result = femli_("run", DEMO, "-o", str(out))
    assert result.exit_code == code
    assert result.stderr.startswith("femli: ") and "Traceback" not in result.stderr
    log = (out / "log.txt").read_text()
    assert log == "the run before\n" if code == 2 else "ERROR" in log


def test_a_resumed_run_adds_to_its_log(tmp_path: Path, simulation: Any) -> None:
    # Exact: what was there stays.
    out = tmp_path / "out"
    out.mkdir()
    (out / "log.txt").write_text("the run before\n")
    simulation(lambda case, folder, **rest: {"stop_reason": "capacity"})
    assert femli_("run", DEMO, "-o", str(out), "--resume").exit_code == 0
    log = (out / "log.txt").read_text()
    assert log.startswith("the run before\n") and "finished" in log


def test_default_folder_is_named_after_the_case(
    tmp_path: Path, simulation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Exact: results/demo for cases/demo.toml.
    folders = []
    simulation(lambda case, folder, **rest: folders.append(folder) or {"stop_reason": "capacity"})
    monkeypatch.chdir(tmp_path)
    assert femli_("run", DEMO).exit_code == 0
    assert folders == [Path("results") / "demo"]


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("how", "code", "lines"),
    [
        ("well", 0, []),
        ("all", 2, ["femli: case: one", "femli: case: two"]),
        ("one", 4, ["femli: no convergence"]),
        ("done", 4, ["femli: no convergence"]),
        ("defect", 5, ["femli: this is a defect of femli, please report it with the lines above: a defect"]),
    ],
)
def test_all_ranks_end_with_one_message(tmp_path: Path, how: str, code: int, lines: list[str]) -> None:
    # Exact: whether all fail alike, one fails while others wait or are done, or femli has a defect, mpiexec
    # ends with the code of the contract within seconds, and the message stands there once.
    script = tmp_path / "ranks.py"
    script.write_text(RANKS)
    for _ in range(3):
        ended = subprocess.run(
            [str(MPIEXEC), "-n", "3", sys.executable, str(script), how],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=Path(DEMO).parent.parent,
            env={**os.environ, "PYTHONPATH": str(Path(DEMO).parent.parent), "OMP_NUM_THREADS": "1"},
        )
        # Seldom (once in some 60 times) mpiexec tells the signal with which it ended the other ranks, not the code.
        if ended.returncode != 9:
            break
    assert ended.returncode == code, ended.stderr
    assert [line for line in ended.stderr.splitlines() if line.startswith("femli: ")] == lines


def test_the_entry_point_is_the_command_itself() -> None:
    # Exact: main runs the commands of the contract, those for many cases, and no more.
    command = typer.main.get_command(app)
    contract = {"run", "check", "mesh", "render", "materials", "schema"}
    assert set(command.commands) == contract | {"sweep", "converge", "calibrate", "impedance"}  # type: ignore[attr-defined]


def test_light_commands_load_no_solver() -> None:
    # Exact: check imports neither DOLFINx nor MPI, nor PyVista (what keeps it under 1.5 s).
    code = (
        "import sys; from femli.__main__ import app; from typer.testing import CliRunner; "
        f"r = CliRunner().invoke(app, ['check', {DEMO!r}]); "
        "heavy = {'dolfinx', 'mpi4py', 'petsc4py', 'pyvista', 'gmsh', 'pandas'} & set(sys.modules); "
        "print(r.exit_code, sorted(heavy))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=Path(DEMO).parent.parent
    )
    assert ended.stdout.strip() == "0 []", ended.stderr
