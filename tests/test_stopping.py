"""Asked to stop from outside, as by a queue before its time limit: the state is saved and the run can go on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sweep_files
import verification_runs as runs

import femli

# Enough steps that the signal finds it in the middle.
CASE = sweep_files.CASE.replace("1e-3", "1e-7")
# Rank 1 alone is asked to stop, after three steps.
STOPPED = """
import sys
import femli
from mpi4py import MPI
steps = []

def stop():
    return MPI.COMM_WORLD.rank == 1 and len(steps) >= 3

try:
    femli.run(femli.load(sys.argv[1]), sys.argv[2], on_step=steps.append, stop=stop)
except femli.errors.OutputError as error:
    sys.stdout.write(f"{len(steps)} {error}\\n")
"""


def _femli(*words: str) -> None:
    ended = runs.command("-m", "femli", "run", *words)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1], ids=lambda number: number.name)
def test_a_signal_ends_a_run_with_its_state_saved(tmp_path: Path, number: signal.Signals) -> None:
    # Exact: exit code 5 and one line with how to go on; the checkpoint is of the last row of the history; resumed, the
    # history is that of a run that was not disturbed.
    case, out = runs.written(tmp_path, CASE), tmp_path / "out"
    process = sweep_files.start("run", str(case), "-o", str(out))
    while not (out / "history.csv").is_file() or len(runs.history(out)) < 5:
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 5, output
    last = runs.history(out)["time [s]"].iloc[-1]
    assert [line for line in output.splitlines() if line.startswith("femli: ")] == [
        f"femli: stopped from outside at t = {last:.6g} s; --resume goes on from there in {out}"
    ]
    assert not (out / "summary.json").exists()
    _femli(str(case), "-o", str(out), "--resume")
    assert f"t = {last:.6g} s" in (out / "log.txt").read_text()
    _femli(str(case), "-o", str(tmp_path / "whole"))
    worst, column = runs.worst_difference(runs.history(tmp_path / "whole"), runs.history(out))
    assert worst < 1e-8, column
    assert not json.loads((out / "summary.json").read_text()).get("error")


@pytest.mark.mpi
def test_one_rank_that_is_asked_stops_all(tmp_path: Path) -> None:
    # Exact: both ranks end after the third step (queues do not signal all ranks at one moment), nobody waits.
    case, script = runs.written(tmp_path, CASE), runs.written(tmp_path, STOPPED, "stopped.py")
    ended = runs.command(str(script), str(case), str(tmp_path / "out"), ranks=2)
    assert ended.returncode == 0, ended.stderr
    assert [line.split()[:4] for line in ended.stdout.splitlines()] == [["3", "stopped", "from", "outside"]] * 2
    assert len(runs.history(tmp_path / "out")) == 4


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_processes_of_srun_that_do_not_find_each_other(tmp_path: Path, command: str) -> None:
    # Exact: exit code 2 before anything is written. The variables are those that srun sets without --mpi; in a shell
    # that srun started (another process) they mean nothing.
    case = runs.written(tmp_path, CASE)
    sweep = sweep_files.write(tmp_path, 'grid.load.stack_pressure = ["1 MPa"]')
    words = [sys.executable, "-m", "femli", command, str(case if command == "run" else sweep), "-o"]
    environment = sweep_files.environment(SLURM_STEP_NUM_TASKS="2")
    task = ["sh", "-c", 'SLURM_TASK_PID=$$ exec "$@"', "sh", *words, str(tmp_path / "task")]
    ended = subprocess.run(task, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 2, ended.stderr
    assert ("srun --mpi=pmi2" if command == "run" else "without mpiexec and srun") in ended.stderr
    assert not list(tmp_path.glob("task/*/*"))
    shell = [*words, str(tmp_path / "shell")]
    environment["SLURM_TASK_PID"] = str(os.getpid())
    assert subprocess.run(shell, env=environment, capture_output=True, timeout=100, check=False).returncode == 0


def test_cut_off_before_the_first_step_is_kept(tmp_path: Path) -> None:
    # Exact: the run goes on from the state at t = 0, and its first row counts the iterations of the start as well.
    class CutError(Exception):
        pass

    def cut(_report: object) -> None:
        raise CutError

    case = femli.load(runs.written(tmp_path, CASE), {"stop.capacity": "1e-4 mAh/cm^2"})
    femli.run(case, tmp_path / "whole")
    with pytest.raises(CutError):
        femli.run(case, tmp_path / "cut", on_step=cut)
    femli.run(case, tmp_path / "cut", resume=True)
    names = ["newton_iterations [-]", "linear_iterations [-]"]
    rows = [pd.read_csv(tmp_path / run / "history.csv")[names].to_numpy() for run in ("whole", "cut")]
    assert np.array_equal(*rows)
