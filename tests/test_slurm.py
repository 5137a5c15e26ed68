"""Through a real Slurm, where one may be used: FEMLI_SLURM names a folder that its nodes share.

Not wherever there is an sbatch: on a cluster jobs are accounted, and may wait for hours.
"""

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import sweep_files
import verification_runs as runs

SHARED = os.environ.get("FEMLI_SLURM", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SHARED or shutil.which("sbatch") is None, reason="no Slurm, or FEMLI_SLURM is not set"),
]
PYTHON = f"{sys.executable} -m femli"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of its own that the nodes see."""
    made = Path(SHARED).resolve() / f"femli-test-{uuid.uuid4().hex[:8]}"
    made.mkdir(parents=True)
    yield made
    shutil.rmtree(made)


def submit(folder: Path, *lines: str) -> str:
    """Number of a job of two tasks that runs some lines."""
    script = folder / "job.sh"
    script.write_text("\n".join(["#!/bin/sh", "#SBATCH --ntasks=2 --mem=4G --time=10", *lines, ""]))
    command = ["sbatch", "--parsable", "-D", str(folder), "-o", str(folder / "job.out"), str(script)]
    made = subprocess.run(command, env=sweep_files.environment(), capture_output=True, text=True, check=True)
    return made.stdout.strip().split(";")[0]


def output(folder: Path, job: str) -> str:
    """What a job said, once it has left the queue."""
    while subprocess.run(["squeue", "-h", "-j", job], capture_output=True, text=True, check=False).stdout.strip():
        time.sleep(0.5)
    return (folder / "job.out").read_text()


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_sweep(folder: Path, ranks: int) -> None:
    # Exact: pressures at the contact of the same sweep on this machine, to the tolerance of the solver; the member that
    # fails (a smallest step longer than what the start needs) stops no other. Of one rank two run at once.
    local = 'grid.solver.smallest_step = ["1e-9 s", "100 s", "1e-8 s"]\n[members]\n'
    assert sweep_files.femli("sweep", str(sweep_files.write(folder, local)), "-o", str(folder / "local"))[0] == 4
    sweep_files.write(folder, f'{local}engine = "slurm"\nranks = {ranks}\n')
    said = output(folder, submit(folder, f"{PYTHON} sweep sweep.toml -o slurm"))
    assert "3 members: 2 capacity, 1 failed" in said
    assert "step creation temporarily disabled" not in said
    here, there = (pd.read_csv(folder / name / "sweep.csv") for name in ("local", "slurm"))
    assert list(there["stop_reason"]) == list(here["stop_reason"]) == ["capacity", "failed", "capacity"]
    assert set(there["ranks"].dropna()) == {ranks}
    for i in (0, 2):
        assert there["pressure_min_Pa"][i] == pytest.approx(here["pressure_min_Pa"][i], rel=1e-6)


def test_a_run_that_is_asked_to_stop(folder: Path) -> None:
    # Exact: the history of a run on one rank that was not disturbed (V11), from two ranks that were stopped as before a
    # time limit and resumed; ranks that do not find each other are refused.
    (folder / "case.toml").write_text(sweep_files.CASE.replace("1e-3", "1e-7"))
    refused = output(folder, submit(folder, f"srun --mpi=none {PYTHON} run case.toml -o alone"))
    assert "srun: started 2 processes that do not find each other" in refused
    assert not (folder / "alone").exists()
    run = f"srun --mpi=pmi2 {PYTHON} run case.toml -o out"
    job, history = submit(folder, run), folder / "out" / "history.csv"
    while not history.is_file() or len(history.read_text().splitlines()) < 6:
        time.sleep(0.1)
    subprocess.run(["scancel", "--signal=TERM", job], check=True)
    said = output(folder, job)
    assert said.count("femli: stopped from outside at t = ") == 1
    assert not (folder / "out" / "summary.json").exists()
    output(folder, submit(folder, f"{run} --resume"))
    ended = runs.command("-m", "femli", "run", str(folder / "case.toml"), "-o", str(folder / "whole"))
    assert ended.returncode == 0, ended.stderr
    worst, column = runs.worst_difference(runs.history(folder / "whole"), runs.history(folder / "out"))
    assert worst < 1e-8, column
