"""What a worker of a sweep does: it runs one member after the other, on one or several ranks, and outlives failures."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import shutil
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import tomli_w

from .case import Case, load
from .endings import STOPPING
from .errors import CaseError

MARK = "started.json"  # who is running the member; gone when it has ended
FAILURE = "failure.json"
SESSION = "session.json"
SUMMARY = "summary.json"
CASE = "case.toml"
BULK = ("fields", "checkpoint", "fields.pvd")  # what keep = "history" removes
LOOK = 0.5  # s between two looks at whether the sweep is still there


class Order(NamedTuple):
    """What a worker is asked to do.

    Attributes:
        folder: result folder of the member.
        case: resolved case, as TOML.
        title: for the log.
        keep: "all" or "history".
        session: of the sweep that asks.
    """

    folder: str
    case: str
    title: str
    keep: str
    session: str


def identity(case: Case) -> str:
    """Name of a member's folder: a hash of what decides the result and of what is written of it."""
    output = tomli_w.dumps(case.to_tables().get("output", {}))
    return hashlib.sha256(f"{case.sha256()}\n{output}".encode()).hexdigest()[:16]


def prepare(sweep: str, session: str) -> dict[str, Any]:
    """First thing in a worker: load the solver, and end with the sweep.

    Args:
        sweep: folder of the sweep.
        session: its token.

    Returns:
        nothing that members need; executorlib asks for a table.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the sweep's to answer
    if present(Path(sweep) / SESSION, session):  # else started anew for the member that an interruption cut short
        threading.Thread(target=_watch, args=(Path(sweep) / SESSION, session), daemon=True).start()
    from . import simulation  # noqa: F401  (half a second that no member has to pay)

    for number in STOPPING:  # the sweep's too; after PETSc, which answers them with an abort
        signal.signal(number, signal.SIG_IGN)
    return {}


def _watch(file: Path, session: str) -> None:
    """End this process when its sweep has gone: killed, interrupted, or replaced by another one."""
    while present(file, session):
        time.sleep(LOOK)
    os._exit(1)


def present(file: Path, session: str) -> bool:
    """Whether a sweep is still the one that a folder belongs to, and alive as far as can be seen from here."""
    try:
        holder = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # gone, or being written
        return False
    return bool(holder["session"] == session) and not (
        holder["host"] == socket.gethostname() and not alive(holder["pid"])
    )


def alive(pid: int) -> bool:
    """Whether a process of this machine exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def run_member(order: Order) -> None:
    """Run a member, or go on with it where a checkpoint is; what went wrong is left in its folder.

    Collective over the ranks of the worker. A member that took its worker down with it is given to another one, which
    finds the mark and does not try again.
    """
    from mpi4py import MPI

    folder, comm = Path(order.folder), MPI.COMM_WORLD
    if not comm.bcast(present(folder.parents[1] / SESSION, order.session)):
        return  # interrupted; a worker that died of it would be started again and again
    told = io.StringIO()
    before = None
    if comm.rank == 0:
        folder.mkdir(parents=True, exist_ok=True)
        before = _begin(folder, order.session)
    before = comm.bcast(before)
    code = 0
    if before == order.session:
        told.write("the process that ran it died (killed, out of memory, or crashed)")
        code = 5
    else:
        code = _ended(order, folder, told)
        messages = comm.gather(told.getvalue())
        told = io.StringIO("".join(messages or []))
    if comm.rank == 0:
        _end(folder, order, code, told.getvalue())


def _ended(order: Order, folder: Path, told: io.StringIO) -> int:
    """Solve; the exit code that the command line would have had."""
    from mpi4py import MPI

    foreseen = False
    try:
        with contextlib.redirect_stderr(told):
            _solve(order, folder)
        foreseen = True
    except SystemExit as end:
        foreseen = True
        return int(end.code or 0)
    finally:
        if not foreseen and MPI.COMM_WORLD.size > 1:
            MPI.COMM_WORLD.Abort(5)  # a defect on this rank; the others may wait for it
    return 0


def _begin(folder: Path, session: str) -> str | None:
    """Mark a member as started; returns the session that had left its mark."""
    mark = folder / MARK
    before = None
    if mark.is_file():
        with contextlib.suppress(ValueError):  # half written by a process that was killed: as good as none
            before = str(json.loads(mark.read_text(encoding="utf-8"))["session"])
    (folder / FAILURE).unlink(missing_ok=True)
    mark.write_text(json.dumps({"session": session, "pid": os.getpid()}), encoding="utf-8")
    return before


def _end(folder: Path, order: Order, code: int, told: str) -> None:
    """Keep what failed, drop what is not wanted, and take away the mark."""
    if code:
        error = " ".join(line.removeprefix("femli: ") for line in told.splitlines()) or "no message"
        text = json.dumps({"exit_code": code, "error": error})
        (folder / FAILURE).write_text(text + "\n", encoding="utf-8")
    elif order.keep == "history":
        for name in BULK:
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
    (folder / MARK).unlink()


def _solve(order: Order, folder: Path) -> None:
    """Run the case of a member; SystemExit with the exit code where it fails, the message on the error stream."""
    from . import simulation
    from .endings import together
    from .journal import Journal
    from .outlook import outlook
    from .terminal import provenance_lines, summary_line

    with together() as comm:
        case = _case(order, folder, comm)
        resume = bool(comm.bcast((folder / "checkpoint").is_dir()))
        with Journal(folder, comm.rank, resume, shown=False) as journal:
            log = logging.getLogger("femli")
            log.info(order.title)
            for line in provenance_lines(case, case.electrode_properties()):
                log.debug(line)
            for warning in outlook(case).warnings:
                log.warning("warning: %s", warning)
            try:
                summary = simulation.run(case, folder, resume=resume, force=not resume, on_step=journal.step)
            except CaseError:
                if not resume:
                    raise
                # A checkpoint that cannot be used: from the start.
                summary = simulation.run(case, folder, force=True, on_step=journal.step)
            log.info(summary_line(summary, folder))


def _case(order: Order, folder: Path, comm: Any) -> Case:
    """The case of an order, read from a file as any other; collective."""
    file = folder / CASE
    if comm.rank == 0:
        file.write_text(order.case, encoding="utf-8")
    comm.barrier()
    return load(file)
