"""CSV tables: rows added one by one, whole tables, rows taken back; numbers with their shortest exact digits."""

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def append(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Add rows to a table; a new one gets its header first."""
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if not file.tell():
            writer.writerow(header)
        writer.writerows(rows)


def replace(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table, whole or not at all."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    append(new, header, rows)
    os.replace(new, path)


def truncate(path: Path, until: float) -> None:
    """Drop the rows after a time [s], which is in the first column, and a half-written last one."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    width = lines[0].count(",")
    kept = [lines[0]]
    for line in lines[1:]:
        if line.count(",") == width and float(line.split(",")[0]) <= until * (1 + 1e-12):
            kept.append(line)
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")
