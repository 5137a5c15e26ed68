"""What the terminal shows of a sweep: its progress as a whole, the members that failed, and where the results are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from . import sweep as sweeps
from . import sweep_pictures
from .errors import OutputError
from .sweep_plan import Member, Plan, read
from .sweep_table import FAILED, TABLE, inputs_of
from .terminal import console


class Board:
    """Progress of a whole sweep: a bar on a terminal, a line for each member elsewhere.

    Args:
        members: all of them.
        page: where to.
    """

    def __init__(self, members: list[Member], page: Console) -> None:
        self.total, self.page = len(members), page
        self.reasons: Counter[str] = Counter()
        self.words = [", ".join(f"{key} = {value}" for key, value in row.items()) for row in inputs_of(members)]
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=page,
            transient=True,
            disable=not page.is_terminal,
        )
        self.task = self.bar.add_task("members", total=self.total)

    def __enter__(self) -> Board:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.bar.stop()

    def ended(self, member: Member, reason: str, error: str) -> None:
        """Count a member that has ended, and name it where it failed or where there is no bar."""
        self.reasons[reason] += 1
        text = f"{member.number}/{self.total} {self.words[member.number - 1]}: {reason}"
        if reason == FAILED:
            self.page.print(f"{text}: {error}", markup=False, style="red", soft_wrap=True)
        elif not self.page.is_terminal:
            self.page.print(text, markup=False, soft_wrap=True)
        failed = self.reasons[FAILED]
        self.bar.update(
            self.task, completed=self.reasons.total(), description=f"members ({failed} failed)" if failed else "members"
        )

    def tally(self) -> str:
        """How many ended how."""
        return ", ".join(f"{count} {reason}" for reason, count in sorted(self.reasons.items()))


def sweep(file: Path, out: Path, workers: int | None, retry: bool, dry: bool) -> int:
    """Run a sweep file and draw its table; the exit code."""
    plan = read(file)
    page = console()
    if dry:
        for member, row in zip(plan.members, inputs_of(plan.members), strict=True):
            words = ", ".join(f"{key} = {value}" for key, value in row.items())
            page.print(f"{member.number} {words}", markup=False, soft_wrap=True)
        return 0
    code = run_shown(plan, out, workers, retry, page)
    for picture in sweep_pictures.draw(out / TABLE, [*inputs_of(plan.members)[0]], out):
        page.print(str(picture), markup=False)
    return code


def run_shown(plan: Plan, out: Path, workers: int | None, retry: bool, page: Console) -> int:
    """Run a plan with its progress on the terminal; the exit code."""
    with Board(plan.members, page) as board:
        try:
            sweeps.run(plan, out, workers=workers, retry=retry, on_end=board.ended)
        except KeyboardInterrupt:
            raise OutputError("interrupted; the same command goes on with the members that are left") from None
    page.print(f"{len(plan.members)} members: {board.tally()}; table {out / TABLE}", markup=False, soft_wrap=True)
    return sweeps.exit_code(plan.members, out)
