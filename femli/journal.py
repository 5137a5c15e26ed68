"""The terminal and the log file of a run: a progress bar, messages, and `log.txt` in the result folder."""

from __future__ import annotations

import logging
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from .errors import CaseError
from .terminal import console
from .units import MAH_CM2

if TYPE_CHECKING:  # the recorder needs the solver's libraries, which the terminal does not
    from .outputs_progress import StepReport

LOG_NAME = "log.txt"


class _Page(logging.Handler):
    """Prints messages above the progress bar; what is only for the log (debug) stays away."""

    def __init__(self, page: Console) -> None:
        super().__init__(logging.INFO)
        self.page = page

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message, warnings in yellow."""
        style = "yellow" if record.levelno == logging.WARNING else None
        self.page.print(self.format(record), style=style, markup=False)


class _Waiting(logging.Handler):
    """Keeps messages until the result folder exists."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.kept: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.kept.append(record)


class Journal:
    """Shows a run on rank 0 and keeps its log; on the other ranks it does nothing.

    The folder is the solver's to make or to refuse, so the log is opened with the first step, or with a
    failure after it: a refused folder keeps the log of the run that is in it.

    Args:
        folder: result folder.
        rank: of this process.
        resume: add to the log that is there.
        shown: on the terminal too; otherwise only in the log.
    """

    def __init__(self, folder: Path, rank: int, resume: bool, shown: bool = True) -> None:
        self.folder, self.rank, self.resume = folder, rank, resume
        self.log = logging.getLogger("femli")
        self.page = console()
        self.waiting = _Waiting()
        self.file: logging.FileHandler | None = None
        self.handlers: list[logging.Handler] = [_Page(self.page)] * shown + [self.waiting] if rank == 0 else []
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.page,
            transient=True,
            disable=rank != 0 or not shown or not self.page.is_terminal,
        )
        self.task = self.bar.add_task("starting", total=1.0)

    def __enter__(self) -> Journal:
        self.log.propagate = False
        self.log.setLevel(logging.DEBUG if self.rank == 0 else logging.CRITICAL + 1)
        for handler in self.handlers:
            self.log.addHandler(handler)
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.bar.stop()
        if self.rank == 0:
            # A refused folder (CaseError) is not this run's to write in.
            if self.file is None and not isinstance(error, CaseError) and self.folder.is_dir():
                self._open()
            if self.file is not None and error is not None:
                for line in str(error).splitlines() or [repr(error)]:
                    self.file.handle(self.log.makeRecord("femli", logging.ERROR, "", 0, line, (), None))
        for handler in [*self.handlers, *([self.file] if self.file else [])]:
            self.log.removeHandler(handler)
            handler.close()

    def _open(self) -> None:
        """Start the log file with what was said so far."""
        self.file = logging.FileHandler(self.folder / LOG_NAME, "a" if self.resume else "w", encoding="utf-8")
        self.file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        for record in self.waiting.kept:
            self.file.handle(record)
        self.log.removeHandler(self.waiting)
        self.log.addHandler(self.file)

    def step(self, step: StepReport) -> None:
        """Show an accepted step; called on every rank."""
        if self.rank != 0:
            return
        if self.file is None:
            self._open()
        text = (
            f"{step.step}{step.capacity / MAH_CM2:.4f} mAh/cm^2  x {step.li_fraction_interface_min:.4f}  "
            f"p {step.pressure_interface_min / 1e6:.3f} MPa  dt {step.dt:.2g} s"
        )
        self.bar.update(self.task, completed=min(max(step.progress, 0.0), 1.0), description=text)
