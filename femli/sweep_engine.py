"""Where members run: worker processes of executorlib, each for many members, on this machine or under Slurm."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from .endings import tasks_of_srun
from .errors import CaseError
from .sweep_plan import Members


def engine(how: Members, workers: int, restarts: int, prepare: Callable[[], dict[str, Any]]) -> Executor:
    """Workers that wait for members.

    Args:
        how: kind of engine, ranks of each member.
        workers: members at once.
        restarts: how often a worker that died is started again.
        prepare: run once by each worker when it starts.

    Raises:
        CaseError: started under mpiexec or srun; Slurm was asked for and there is none here, it has too few cores, or
            cannot start members.
    """
    if int(os.environ.get("PMI_SIZE", "1")) > 1 or tasks_of_srun() > 1:
        raise CaseError(
            "mpiexec, srun: a sweep starts its members' ranks itself; allowed: without mpiexec and srun, members.ranks"
        )
    # Ranks need the mpiexec of their own MPI, which is beside the interpreter.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    import executorlib

    common: dict[str, Any] = {
        "max_workers": workers,
        "block_allocation": True,
        "init_function": prepare,
        "disable_dependencies": True,
    }
    if how.engine == "local":
        return executorlib.SingleNodeExecutor(
            **common, resource_dict={"cores": how.ranks}, hostname_localhost=True, restart_limit=restarts
        )
    resources = {"cores": how.ranks, "exclusive": True, "slurm_cmd_args": step_words(how)}
    pmi = how.pmi if how.ranks > 1 else None
    _try_step(how.ranks, pmi, step_words(how))
    try:
        return executorlib.SlurmJobExecutor(**common, resource_dict=resources, pmi_mode=pmi, restart_limit=restarts)
    except ValueError as err:  # more cores than the allocation has
        raise CaseError(f"-j: {workers}: {str(err).lower()}") from None


def _try_step(ranks: int, pmi: str | None, words: list[str]) -> None:
    """Start what a worker is started as, without a worker: one that does not come up is waited for without end.

    Raises:
        CaseError: there is no allocation, srun refuses, or its processes do not find each other.
    """
    if "SLURM_JOB_ID" not in os.environ or shutil.which("srun") is None:
        raise CaseError(
            'members.engine: "slurm": this is not in an allocation of Slurm with srun; allowed: start the sweep by '
            'sbatch or salloc, or engine = "local"'
        )
    step = ["srun", "-n", str(ranks), "--exact", *([f"--mpi={pmi}"] if pmi else []), *words]
    size = "from mpi4py import MPI; print(MPI.COMM_WORLD.size)"
    tried = subprocess.run([*step, sys.executable, "-c", size], capture_output=True, text=True, check=False)
    if tried.returncode:
        why = " ".join(tried.stderr.split()) or f"exit code {tried.returncode}"
        raise CaseError(f"{' '.join(step)}: {why}; allowed: members.srun and members.pmi that srun takes")
    if tried.stdout.split() != [str(ranks)] * ranks:
        raise CaseError(
            f'members.pmi: "{pmi}": the {ranks} processes that srun starts do not find each other; allowed: what srun '
            "--mpi=list names and the MPI of femli's Python speaks, pmi2 as a rule"
        )


def step_words(how: Members) -> list[str]:
    """Further words for srun; without one about memory all workers share that of the job.

    By default a step of a job that asked for `--mem` takes all of it, and the second worker waits for the first to end.
    """
    asked = any(word.startswith("--mem") and not word.startswith("--mem-bind") for word in how.srun)
    return [*([] if asked else ["--mem=0"]), *how.srun]


def at_once(how: Members, asked: int | None) -> int:
    """How many members run at once: what was asked, or what the machine or the allocation holds."""
    if asked is not None:
        return asked
    tasks = os.environ.get("SLURM_NTASKS") if how.engine == "slurm" else None
    cores = int(tasks) if tasks else len(os.sched_getaffinity(0))
    return max(cores // how.ranks, 1)
