"""Many cases in one command: members of a plan are run side by side, failures stay where they are, all can go on.

Everything is in the folder of the sweep: `members/<hash>` is the result folder of a member, named by what decides its
result, so a member that is there is not run again, whatever its place in the sweep file. The table is made from these
folders alone.
"""

from __future__ import annotations

import functools
import json
import os
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from pathlib import Path

from .errors import CaseError
from .sweep_engine import at_once, engine
from .sweep_member import FAILURE, MARK, SESSION, Order, alive, prepare, run_member
from .sweep_plan import Member, Plan
from .sweep_table import FAILED, TABLE, Row, ended, folder_of, read_json, rows, write

PAUSE = 5.0  # s between two writings of the table
# Called with a member that has ended, and how: its stop reason and the error.
OnEnd = Callable[[Member, str, str], None]


def run(
    plan: Plan, out: str | Path, *, workers: int | None = None, retry: bool = False, on_end: OnEnd | None = None
) -> list[Row]:
    """Run what is left of a plan; the table is in `out`/sweep.csv.

    Args:
        plan: from `sweep_plan.read`.
        out: folder of the sweep; what has ended there is not run again.
        workers: members at once; by default what the machine holds.
        retry: run failed members again.
        on_end: called for each member that has ended, those of earlier runs first.

    Returns:
        the rows of the table.

    Raises:
        CaseError: another sweep is running in the folder, it cannot be written, there is no Slurm.
    """
    folder = Path(out)
    with holding(folder) as session:
        waiting = _waiting(plan.members, folder, retry, on_end)
        if waiting:
            _run_all(plan, waiting, folder, at_once(plan.how, workers), session, on_end)
        table = rows(plan.members, folder)
        write(table, folder / TABLE)
    return table


@contextmanager
def holding(folder: Path) -> Iterator[str]:
    """Take possession of a folder for a sweep; workers end when it is given back.

    Raises:
        CaseError: a living sweep has it, or it cannot be written.
    """
    file, token = folder / SESSION, secrets.token_hex(8)
    holder = read_json(file)
    if holder is not None:
        here = holder["host"] == socket.gethostname()
        if not here or alive(holder["pid"]):
            where = f"process {holder['pid']} on {holder['host']}"
            raise CaseError(
                f"{folder}: a sweep is running there ({where}); allowed: another -o, or wait; "
                f"if that process is long gone, remove {file}"
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"session": token, "pid": os.getpid(), "host": socket.gethostname()})
        new = file.with_name(file.name + ".new")
        new.write_text(text, encoding="utf-8")
        os.replace(new, file)
    except OSError as err:
        why = os.strerror(err.errno or 0).lower()
        raise CaseError(f"{folder}: cannot be written: {why}; allowed: a folder that you may write") from None
    try:
        yield token
    finally:
        file.unlink(missing_ok=True)


def _waiting(members: list[Member], out: Path, retry: bool, on_end: OnEnd | None) -> list[list[Member]]:
    """Members to run, those of one case together; the others are reported."""
    found: dict[Path, list[Member]] = {}
    for member in members:
        reason, folder = ended(member, out), folder_of(member, out)
        if reason is None or (retry and reason == FAILED):
            found.setdefault(folder, []).append(member)
        elif on_end is not None:
            on_end(member, reason, _error(folder))
    for folder in found:
        if (folder / FAILURE).is_file():  # from the start: going on from the last good state would fail again
            shutil.rmtree(folder)
    return list(found.values())


def _error(folder: Path) -> str:
    return str((read_json(folder / FAILURE) or {}).get("error", ""))


def _run_all(
    plan: Plan, waiting: list[list[Member]], out: Path, workers: int, session: str, on_end: OnEnd | None
) -> None:
    """Run members until all have ended."""
    first = functools.partial(prepare, str(out.resolve()), session)
    workers = min(workers, len(waiting))
    # Each member may take its worker down with it once.
    pool = engine(plan.how, workers, restarts=len(waiting) + 1, prepare=first)
    jobs: dict[Future[None], list[Member]] = {}
    pending: set[Future[None]] = set()
    try:
        for same in waiting:
            jobs[pool.submit(run_member, _order(same[0], plan, out, session))] = same
            pending = set(jobs)
        written = time.monotonic()
        while pending:
            done, pending = wait(pending, timeout=PAUSE, return_when=FIRST_COMPLETED)
            for job in done:
                _report(job, jobs[job], out, on_end)
            if done and time.monotonic() - written > PAUSE:
                write(rows(plan.members, out), out / TABLE)
                written = time.monotonic()
    finally:
        if pending:  # interrupted: without the session workers end in the middle of their members
            (out / SESSION).unlink(missing_ok=True)
            write(rows(plan.members, out), out / TABLE)
        for job in pending:  # not by shutdown: executorlib's own cancelling races with its workers and may raise
            job.cancel()
        pool.shutdown(wait=not pending)


def _order(member: Member, plan: Plan, out: Path, session: str) -> Order:
    folder = folder_of(member, out).resolve()
    title = f"{plan.title}, member {member.number} of {len(plan.members)}"
    return Order(str(folder), member.case.to_toml(), title, plan.how.keep, session)


def _report(job: Future[None], members: list[Member], out: Path, on_end: OnEnd | None) -> None:
    """Tell how the members of one case ended; a defect that the worker could not foresee is written down for it."""
    folder, defect = folder_of(members[0], out), job.exception()
    if defect is not None:
        folder.mkdir(parents=True, exist_ok=True)
        said = f"this is a defect of femli, please report it: {type(defect).__name__}: {defect}"
        (folder / FAILURE).write_text(json.dumps({"exit_code": 5, "error": said}) + "\n", encoding="utf-8")
        (folder / MARK).unlink(missing_ok=True)
    if on_end is not None:
        for member in members:
            on_end(member, ended(member, out) or FAILED, _error(folder))


def exit_code(members: list[Member], out: str | Path) -> int:
    """Of a sweep that has ended: 0, or that of its first failed member."""
    for member in members:
        failure = read_json(folder_of(member, Path(out)) / FAILURE)
        if failure is not None:
            return int(failure["exit_code"])
    return 0
