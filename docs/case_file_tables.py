"""The tables of docs/case-file.md, from the model that reads case files.

    .venv/bin/python docs/case_file_tables.py      writes them into the page, between the two marks

A test compares the page with what this would write.
"""

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from femli.case import Case
from femli.case_electrode import Material
from femli.case_geometry import Radius, Void
from femli.case_opening import FlawRadius
from femli.case_quantities import Every, Quantity, Section

PAGE = Path(__file__).with_name("case-file.md")
BEGIN, END = "<!-- tables: begin -->\n", "<!-- tables: end -->\n"
# Tables inside fields that may be written in more than one way.
FURTHER: dict[str, type[Section]] = {
    "electrode.material": Material,
    "geometry.voids.radius": Radius,
    "geometry.voids.list": Void,
    "opening.flaw_radius": FlawRadius,
}
# Lists of tables, and one whose tables have the keys of the list that it is in.
LISTS = ("geometry.voids.list", "protocol")
ALIKE = "protocol.steps"
# What may be written in more than one way, in words.
IN_WORDS = {
    "electrode.material": "name or table",
    "electrode.material.activity": "two numbers",
    "geometry.voids.radius": "length or table",
    "opening.flaw_radius": "length or table",
    "geometry.voids.list": "tables",
    ALIKE: "tables, with the keys of a step",
    "output.depths": "lengths",
    "solver.petsc": "table of names and values",
}


def sections(model: type[Section] = Case, name: str = "") -> dict[str, type[Section]]:
    """Every section by its full name, in the order of the file; the top level is ""."""
    found = {name: model}
    for key, field in model.model_fields.items():
        full = f"{name}.{key}".lstrip(".")
        inner = FURTHER.get(full) or _section(field.annotation)
        if inner is not None and full != ALIKE:
            found |= sections(inner, f"{full}.NAME" if key == "expect" else full)
    return found


def _section(annotation: Any) -> type[Section] | None:
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, Section):
            return part
    return None


def value(full: str, field: FieldInfo) -> str:
    """What a key takes: an example with its unit, the words allowed, or the kind of number and its range."""
    if full in IN_WORDS:
        return IN_WORDS[full]
    marks = [mark for mark in field.metadata if isinstance(mark, Quantity | Every)]
    if marks:
        example = '0.02 mAh/cm^2"` or `"600 s' if isinstance(marks[0], Every) else marks[0].kind.example
        return f'such as `"{example}"`'
    words = [word for part in (field.annotation, *get_args(field.annotation)) for word in _words(part)]
    if words:
        return ", ".join(f"`{word}`" for word in words)
    kinds = [part for part in (field.annotation, *get_args(field.annotation)) if part in (bool, int, float, str)]
    names = {bool: "`true`, `false`", int: "whole number", float: "number", str: "text"}
    return " or ".join(names[kind] for kind in kinds) + limits(field)


def limits(field: FieldInfo) -> str:
    """The range of a number, in brackets."""
    signs = {"gt": "above", "ge": "from", "lt": "below", "le": "to"}
    bounds = {key: getattr(mark, key) for mark in field.metadata for key in signs if hasattr(mark, key)}
    told = [f"{words} {bounds[key]:g}" for key, words in signs.items() if key in bounds]
    return f" ({', '.join(told)})" if told else ""


def _words(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def default(field: FieldInfo) -> str:
    """The default as a user would write it."""
    if field.is_required():
        return "required"
    if field.default is None or field.default in ({}, "", ()):
        return "-"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if isinstance(field.default, str):
        return f'`"{field.default}"`'
    return f"`{field.default:g}`"


def table(name: str, model: type[Section]) -> str:
    """A section's heading and table."""
    heading = f"### `[[{name}]]`" if name in LISTS else f"### `[{name}]`"
    lines = [
        heading if name else "### Top level",
        "",
        "| key | value | default | meaning |",
        "|---|---|---|---|",
    ]
    for key, field in model.model_fields.items():
        full = f"{name}.{key}".lstrip(".")
        if _section(field.annotation) is not None and full not in (*FURTHER, ALIKE):
            continue
        meaning = (field.description or "").replace("|", "\\|")
        lines.append(f"| `{key}` | {value(full, field)} | {default(field)} | {meaning} |")
    return "\n".join([*lines, ""])


def tables() -> str:
    """All tables, one after the other."""
    return "\n".join(table(name, model) for name, model in sections().items())


def main() -> None:
    """Put the tables into the page."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(before + BEGIN + tables() + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
