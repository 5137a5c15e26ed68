"""Where members run: worker processes of executorlib, each for many members, on this machine or under Slurm."""

from __future__ import annotations

import os
import shutil
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
        CaseError: started under mpiexec or srun; Slurm was asked for and there is none here, or it has too few cores.
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
    if shutil.which("srun") is None:
        raise CaseError(
            'members.engine: "slurm": there is no srun here; allowed: start the sweep inside an allocation '
            '(sbatch or salloc), or engine = "local"'
        )
    resources = {"cores": how.ranks, "exclusive": True, "slurm_cmd_args": step_words(how)}
    pmi = how.pmi if how.ranks > 1 else None
    try:
        return executorlib.SlurmJobExecutor(**common, resource_dict=resources, pmi_mode=pmi, restart_limit=restarts)
    except ValueError as err:  # more cores than the allocation has
        raise CaseError(f"-j: {workers}: {str(err).lower()}") from None


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
