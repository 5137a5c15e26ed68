"""Sweeps that run: failures stay where they are, a killed sweep goes on, ranks and Slurm."""

import csv
import json
import os
import signal
import stat
import time
from pathlib import Path

import pandas as pd
import pytest
import sweep_files

from femli.errors import CaseError
from femli.sweep import holding
from femli.sweep_engine import step_words
from femli.sweep_pictures import draw
from femli.sweep_plan import Members

PRESSURES = """
[grid]
load.stack_pressure = ["1 MPa", "2 MPa", "3 MPa", "4 MPa"]
"""


def table(out: Path) -> list[dict[str, str]]:
    """The rows of a table without what may differ between two runs of the same: the time it took."""
    with (out / "sweep.csv").open(encoding="utf-8") as file:
        return [{key: value for key, value in row.items() if key != "wall_time_s"} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over four stack pressures that was not disturbed."""
    folder = tmp_path_factory.mktemp("done")
    code, output = sweep_files.femli("sweep", str(sweep_files.write(folder, PRESSURES)), "-o", str(folder / "out"))
    assert code == 0, output
    assert "4 members: 4 capacity" in output
    return folder / "out"


def test_members_are_what_run_gives(done: Path) -> None:
    # Exact: stack pressure shifts the pressure field (V4): p_min - p_stack is the same for all; inputs as asked.
    rows = table(done)
    assert [float(row["load.stack_pressure [MPa]"]) for row in rows] == [1, 2, 3, 4]
    drops = [float(row["pressure_min_Pa"]) - 1e6 * float(row["load.stack_pressure [MPa]"]) for row in rows]
    assert drops == pytest.approx([drops[0]] * 4, rel=1e-6)
    assert {row["stop_reason"] for row in rows} == {"capacity"}
    summary = json.loads((done / rows[2]["folder"] / "summary.json").read_text())
    assert summary["capacity_mAh_cm2"] == float(rows[2]["capacity_mAh_cm2"])
    assert (done / rows[2]["folder"] / "log.txt").read_text().count("member 3 of 4") == 1
    assert not (done / "session.json").exists()


def test_a_killed_sweep_goes_on_to_the_same_table(done: Path, tmp_path: Path) -> None:
    # Exact: the table of the undisturbed sweep; members that had ended are not touched; no worker is left behind.
    file, out = sweep_files.write(tmp_path, PRESSURES), tmp_path / "out"
    process = sweep_files.start("sweep", str(file), "-o", str(out), "-j", "1")
    while not list(out.glob("members/*/summary.json")):
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    first = {path: path.stat().st_mtime_ns for path in out.glob("members/*/summary.json")}
    assert 0 < len(first) < 4
    worker = [json.loads(path.read_text())["pid"] for path in out.glob("members/*/started.json")]
    code, output = sweep_files.femli("sweep", str(file), "-o", str(out), "-j", "1")
    assert code == 0, output
    assert table(out) == table(done)
    assert all(path.stat().st_mtime_ns == before for path, before in first.items())
    assert not any(os.path.exists(f"/proc/{pid}") for pid in worker)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_sweep_says_so(tmp_path: Path, number: signal.Signals) -> None:
    # Exact: exit code 5, one line that says how to go on, a table of all members, workers gone, and the folder free for
    # a sweep on another machine. So many members that they cannot all have ended before the signal arrives.
    many = 'grid.load.stack_pressure = { from = "1 MPa", to = "4 MPa", count = 60 }\n'
    file, out = sweep_files.write(tmp_path, many), tmp_path / "out"
    process = sweep_files.start("sweep", str(file), "-o", str(out), "-j", "1")
    while not list(out.glob("members/*/summary.json")):
        time.sleep(0.02)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 5
    assert "femli: interrupted; the same command goes on" in output
    assert "Traceback" not in output
    assert len(table(out)) == 60
    assert not (out / "session.json").exists()


def test_a_worker_that_is_asked_to_stop_goes_on(done: Path, tmp_path: Path) -> None:
    # Exact: the undisturbed table. Queues signal workers before their time limit too; it is the sweep's to answer, and
    # a worker that died would leave its member as failed.
    file, out = sweep_files.write(tmp_path, PRESSURES), tmp_path / "out"
    process = sweep_files.start("sweep", str(file), "-o", str(out), "-j", "1")
    marks: list[Path] = []
    while not marks:
        time.sleep(0.01)
        marks = [path for path in out.glob("members/*/started.json") if path.stat().st_size]
    for number in (signal.SIGTERM, signal.SIGUSR1):
        os.kill(json.loads(marks[0].read_text())["pid"], number)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert table(out) == table(done)


def test_failures_stay_where_they_are(tmp_path: Path) -> None:
    # Exact: a smallest step that is longer than what the start needs fails (exit code 4), its neighbours finish; it is
    # not tried again until asked; without the bulk only the history of a finished member is left.
    text = 'grid.solver.smallest_step = ["1e-9 s", "100 s", "1e-8 s"]\nmembers.keep = "history"'
    file, out = sweep_files.write(tmp_path, text), tmp_path / "out"
    code, output = sweep_files.femli("sweep", str(file), "-o", str(out), "-j", "1")
    assert code == 4, output
    rows = table(out)
    assert [row["stop_reason"] for row in rows] == ["capacity", "failed", "capacity"]
    assert "no convergence at the smallest time step" in rows[1]["error"]
    assert rows[0]["error"] == ""
    finished = {path.name for path in (out / rows[0]["folder"]).iterdir()}
    assert finished == {"case.toml", "history.csv", "summary.json", "log.txt"}
    failed = out / rows[1]["folder"] / "failure.json"
    before = failed.stat().st_mtime_ns
    assert sweep_files.femli("sweep", str(file), "-o", str(out))[0] == 4
    assert failed.stat().st_mtime_ns == before
    assert sweep_files.femli("sweep", str(file), "-o", str(out), "--retry")[0] == 4
    assert failed.stat().st_mtime_ns > before


def test_a_member_that_kills_its_worker_is_left_alone(tmp_path: Path) -> None:
    # Exact: the worker of the first member that starts is killed from outside; that member fails with the reason, the
    # other three finish on a new worker.
    file, out = sweep_files.write(tmp_path, PRESSURES), tmp_path / "out"
    process = sweep_files.start("sweep", str(file), "-o", str(out), "-j", "1")
    marks: list[Path] = []
    while not marks:
        time.sleep(0.01)
        marks = [path for path in out.glob("members/*/started.json") if path.stat().st_size]
    os.kill(json.loads(marks[0].read_text())["pid"], signal.SIGKILL)
    process.communicate(timeout=120)
    rows = table(out)
    assert process.returncode == 5
    assert sorted(row["stop_reason"] for row in rows) == ["capacity"] * 3 + ["failed"]
    failed = next(row for row in rows if row["stop_reason"] == "failed")
    assert failed["folder"] == str(marks[0].parent.relative_to(out))
    assert "the process that ran it died" in failed["error"]


@pytest.mark.mpi
def test_members_of_two_ranks(done: Path, tmp_path: Path) -> None:
    # Exact: the results of one rank, to the tolerance of the solver (V11).
    text = 'grid.load.stack_pressure = ["1 MPa", "2 MPa"]\nmembers.ranks = 2'
    file, out = sweep_files.write(tmp_path, text), tmp_path / "out"
    code, output = sweep_files.femli("sweep", str(file), "-o", str(out), "-j", "1")
    assert code == 0, output
    rows, serial = table(out), table(done)
    assert [row["ranks"] for row in rows] == ["2", "2"]
    for row, one in zip(rows, serial, strict=False):
        assert float(row["pressure_min_Pa"]) == pytest.approx(float(one["pressure_min_Pa"]), rel=1e-6)


def test_slurm_steps(done: Path, tmp_path: Path) -> None:
    # Exact: the table of the local sweep. The cluster is a script in the place of srun that drops its options and
    # runs the command, so this tests what is handed to Slurm, not Slurm.
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nwhile [ "${{1#/}}" = "$1" ]; do shift; done\nexec "$@"\n'
    )
    srun.chmod(srun.stat().st_mode | stat.S_IXUSR)
    text = PRESSURES + '[members]\nengine = "slurm"\nsrun = ["--mem-per-cpu=2G"]\n'
    file, out = sweep_files.write(tmp_path, text), tmp_path / "out"
    path = f"{srun.parent}:{os.environ['PATH']}"
    code, output = sweep_files.femli("sweep", str(file), "-o", str(out), "-j", "1", PATH=path, SLURM_JOB_ID="1")
    assert code == 0, output
    assert table(out) == table(done)
    asked = (tmp_path / "asked").read_text().split()
    assert "--exact" in asked and "--mem-per-cpu=2G" in asked and "--mem=0" not in asked
    # Else the memory of the job is for all: srun refuses two words about memory, and with none a step takes it all.
    assert step_words(Members(srun=["--mem-bind=local"])) == ["--mem=0", "--mem-bind=local"]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'srun: error: Invalid MPI type' >&2; exit 1", "srun: error: Invalid MPI type; allowed: members.srun"),
        ("echo 1; echo 1", 'members.pmi: "pmi2": the 2 processes that srun starts do not find each other'),
    ],
)
def test_members_that_slurm_cannot_start(tmp_path: Path, script: str, message: str) -> None:
    # Exact: exit code 2 and why, before anything runs; executorlib would wait for such workers without end. The script
    # in the place of srun says what srun 22.05 says of an MPI type that it lacks, and what two MPIs of one rank print.
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text(f"#!/bin/sh\n{script}\n")
    srun.chmod(srun.stat().st_mode | stat.S_IXUSR)
    file = sweep_files.write(tmp_path, PRESSURES + '[members]\nengine = "slurm"\nranks = 2\n')
    path = f"{srun.parent}:{os.environ['PATH']}"
    code, output = sweep_files.femli(
        "sweep", str(file), "-o", str(tmp_path / "out"), "-j", "1", PATH=path, SLURM_JOB_ID="1"
    )
    assert code == 2, output
    assert message in output


def test_without_slurm(tmp_path: Path) -> None:
    # Exact: exit code 2 and what to do, without srun and outside an allocation.
    file = sweep_files.write(tmp_path, PRESSURES + '[members]\nengine = "slurm"\n')
    code, output = sweep_files.femli("sweep", str(file), "-o", str(tmp_path / "out"), PATH="/nowhere", SLURM_JOB_ID="1")
    assert code == 2
    assert "start the sweep by sbatch or salloc" in output


def test_under_mpiexec(tmp_path: Path) -> None:
    # Exact: exit code 2 and what to do; PMI_SIZE is how MPICH's mpiexec tells its ranks how many they are.
    file = sweep_files.write(tmp_path, PRESSURES)
    code, output = sweep_files.femli("sweep", str(file), "-o", str(tmp_path / "out"), PMI_SIZE="2")
    assert code == 2
    assert "members.ranks" in output


def test_one_sweep_in_a_folder(tmp_path: Path) -> None:
    # Exact: a folder held by a living process is refused, naming it; held by a dead one, it is taken.
    with holding(tmp_path):
        with pytest.raises(CaseError, match=f"process {os.getpid()} on"), holding(tmp_path):
            pass
        mark = tmp_path / "session.json"
        holder = json.loads(mark.read_text())
        mark.write_text(json.dumps({**holder, "pid": 2**22 + 1}))
        with holding(tmp_path) as session:
            assert json.loads(mark.read_text())["session"] == session != holder["session"]


def test_pictures_of_a_table(tmp_path: Path) -> None:
    # Exact: one key of numbers gives curves, two give a map, three give nothing; failed members are left out.
    rows = [
        {"i": i, "p": p, "t": p, "stop_reason": "failed" if i == 3 else "capacity", "capacity_mAh_cm2": i * p}
        for i in (1, 2, 3)
        for p in (1, 2)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "sweep.csv")
    for keys, count in ((["i"], 1), (["i", "p"], 1), (["i", "p", "t"], 0)):
        made = draw(tmp_path / "sweep.csv", keys, tmp_path)
        assert len(made) == count
        assert all(file.stat().st_size > 5000 for file in made)
