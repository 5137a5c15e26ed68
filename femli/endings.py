"""How a command ends: every fault in one message and one exit code, on one rank or on many."""

from __future__ import annotations

import functools
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, NoReturn

from .errors import CaseError, FemliError, OutputError

# s that a failed rank waits for the others before it ends them all: they may be busy saving the last state.
PATIENCE = 20.0
# What a command turns into a sentence; anything else is a defect of femli and shows its traceback.
FORESEEN = (FemliError, OSError, MemoryError, KeyboardInterrupt)
# What queues send some time before they kill; mpiexec passes on the second, and answers the first by killing.
STOPPING = (signal.SIGTERM, signal.SIGUSR1)


def say(error: BaseException) -> None:
    """Print a failure on the error stream, one line for each fault."""
    for line in str(error).splitlines():
        print(f"femli: {line}", file=sys.stderr)
    sys.stderr.flush()


def as_femli(error: BaseException) -> FemliError:
    """A foreseen failure as one of femli's own."""
    if isinstance(error, FemliError):
        return error
    if isinstance(error, MemoryError):
        return OutputError("out of memory; use a coarser mesh, fewer dimensions or a larger machine")
    if isinstance(error, KeyboardInterrupt):
        return OutputError("interrupted; --resume goes on from the last checkpoint")
    name = getattr(error, "filename", None)
    what = getattr(error, "strerror", None) or str(error)
    return OutputError(f"{name}: {str(what).lower()}" if name else str(what))


@contextmanager
def reported() -> Iterator[None]:
    """For commands on one process: a foreseen failure becomes its message and its exit code.

    What a queue sends before it kills ends a command as Ctrl-C does.
    """
    try:
        with _answered(signal.default_int_handler):
            yield
    except BrokenPipeError:
        raise  # the reader of our output has left; the command line knows what to do
    except FORESEEN as error:
        failure = as_femli(error)
        say(failure)
        raise SystemExit(failure.exit_code) from None


@contextmanager
def together() -> Iterator[Any]:
    """For commands that may run on many ranks: yields the communicator; all ranks end with one message.

    The same failure on all ranks is printed by rank 0 and every rank exits with its code. A failure on some
    ranks is printed by the first of them; where the others do not come to an end within `PATIENCE`, because
    they wait for the failed one, it ends them all with its code.
    """
    from mpi4py import MPI

    # Ends are agreed on a communicator of their own: the solver's may be in the middle of something.
    ends = MPI.COMM_WORLD.Dup()
    before = sys.excepthook
    sys.excepthook = functools.partial(_defect, ends)
    try:
        _one_world(MPI.COMM_WORLD.size)
        yield MPI.COMM_WORLD
    except FORESEEN as error:
        _agree(ends, as_femli(error))
    else:
        _agree(ends, None)
    finally:
        if sys.exc_info()[0] in (None, SystemExit):
            sys.excepthook = before
            ends.Free()  # a process that runs many cases would run out of communicators


def tasks_of_srun() -> int:
    """How many processes like this one srun started; 1 where it did not start this one."""
    # A shell in a task of srun hands these variables down: what runs in it is not one of many.
    if os.environ.get("SLURM_TASK_PID") != str(os.getpid()):
        return 1
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))


def _one_world(ranks: int) -> None:
    """Refuse processes that srun started as many but whose MPI is alone: each would run the whole case.

    Args:
        ranks: that MPI knows of.

    Raises:
        CaseError: with the word that srun lacks.
    """
    if ranks == 1 and (tasks := tasks_of_srun()) > 1:
        raise CaseError(
            f"srun: started {tasks} processes that do not find each other; allowed: srun --mpi=pmi2, or one process"
        )


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Keep signals that ask to stop; yields what tells whether one has come to this process."""
    came: list[int] = []
    with _answered(lambda number, _frame: came.append(number)):
        yield lambda: bool(came)


@contextmanager
def _answered(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Answer signals that ask to stop with a handler; afterwards as before."""
    before = [signal.signal(number, handler) for number in STOPPING]
    try:
        yield
    finally:
        for number, old in zip(STOPPING, before, strict=True):
            signal.signal(number, old)


def _agree(ends: Any, failure: FemliError | None) -> None:
    """Wait for all ranks, print what failed once, and exit with its code; return if nothing failed."""
    if ends.size == 1:
        if failure is not None:
            say(failure)
            raise SystemExit(failure.exit_code)
        return
    import numpy as np

    mine = np.array([0 if failure is None else failure.exit_code], dtype=np.int32)
    codes = np.zeros(ends.size, dtype=np.int32)
    request = ends.Iallgather(mine, codes)
    start = time.monotonic()
    while not request.Test():
        if failure is not None and time.monotonic() - start > PATIENCE:
            say(failure)
            ends.Abort(failure.exit_code)
        time.sleep(0.005)
    failed = np.flatnonzero(codes)
    if len(failed) == 0:
        return
    if failure is not None and ends.rank == failed[0]:
        say(failure)
    raise SystemExit(int(codes[failed[0]]))


def _defect(ends: Any, kind: type[BaseException], error: BaseException, where: TracebackType | None) -> NoReturn:
    """Last resort for a defect of femli: show it and end all ranks."""
    traceback.print_exception(kind, error, where)
    say(OutputError(f"this is a defect of femli, please report it with the lines above: {error}"))
    sys.stdout.flush()
    ends.Abort(OutputError.exit_code)
    raise SystemExit(OutputError.exit_code)
