"""The table of a sweep: one row a member, inputs, outputs, how it ended and why it failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tomli_w

from . import tables
from .sweep_member import FAILURE, SUMMARY, identity
from .sweep_plan import Member, quantity

TABLE = "sweep.csv"
MEMBERS = "members"
FAILED = "failed"
# Summary keys that say how it was computed and not what came out, or that a worker cannot tell of one member.
LEFT_OUT = ("versions", "laws", "case_sha256", "peak_memory_MB", "error", "stop_reason")
COST = ("steps", "rejected_steps", "newton_iterations", "linear_iterations", "dofs", "ranks", "wall_time_s")
Row = dict[str, Any]


def folder_of(member: Member, out: Path) -> Path:
    """Result folder of a member."""
    return out / MEMBERS / identity(member.case)


def read_json(file: Path) -> dict[str, Any] | None:
    """A file of ours, None where there is none or a half-written one."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def ended(member: Member, out: Path) -> str | None:
    """The stop reason of a member that has ended ("failed" among them), None for one that has not."""
    folder = folder_of(member, out)
    if read_json(folder / FAILURE) is not None:
        return FAILED
    summary = read_json(folder / SUMMARY)
    if summary is None or summary.get("case_sha256") != member.case.sha256():
        return None
    return str(summary["stop_reason"])


def inputs_of(members: list[Member]) -> list[Row]:
    """Varied keys of each member; where a whole column has one unit, as numbers with the unit in the heading."""
    rows: list[Row] = [{} for _ in members]
    for key in members[0].inputs if members else ():
        values = [member.inputs[key] for member in members]
        unit = _unit(values)
        for row, value in zip(rows, values, strict=True):
            if unit is not None:
                row[f"{key} [{unit}]"] = quantity(value)[0]
            else:
                row[key] = value if isinstance(value, int | float | str) else _inline(value)
    return rows


def _unit(values: list[Any]) -> str | None:
    """The one unit of all values; None where there is not one."""
    if not all(isinstance(value, str) for value in values):
        return None
    try:
        units = {quantity(value)[1] for value in values}
    except ValueError:
        return None
    return units.pop() if len(units) == 1 and "" not in units else None


def _inline(value: Any) -> str:
    """A table or a list of the case file in one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_inline(item)}" for key, item in value.items()) + " }"
    return tomli_w.dumps({"v": value}).removeprefix("v = ").strip().replace("\n", "")


def rows(members: list[Member], out: Path) -> list[Row]:
    """The table as it stands: members that have not ended have no stop reason and no outputs."""
    found = []
    for member, inputs in zip(members, inputs_of(members), strict=True):
        folder = folder_of(member, out)
        row: Row = {"member": member.number, **inputs, "stop_reason": ended(member, out) or ""}
        summary = read_json(folder / SUMMARY) if row["stop_reason"] else None
        failure = read_json(folder / FAILURE) or {}
        values = {key: value for key, value in (summary or {}).items() if key not in LEFT_OUT}
        row |= {key: value for key, value in values.items() if key not in COST}
        row |= {key: values[key] for key in COST if key in values}
        row |= {"error": failure.get("error", ""), "folder": f"{MEMBERS}/{folder.name}"}
        found.append(row)
    return found


def write(found: list[Row], file: Path) -> None:
    """Write a table, whole or not at all; columns in the order in which the rows bring them up."""
    names = list(dict.fromkeys(key for row in found for key in row))
    last = [name for name in ("error", "folder") if name in names]
    names = [name for name in names if name not in last]
    # Costs last of the numbers, also where the first rows lack outputs.
    names = [n for n in names if n not in COST] + [n for n in COST if n in names] + [*last]
    tables.replace(file, names, [[row.get(name) for name in names] for row in found])
