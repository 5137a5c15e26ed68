"""What the terminal shows: the report of `check`, the tables of `materials`, the progress of `run`."""

from __future__ import annotations

import math
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from . import library
from .case import Case
from .case_protocol import Leg, Step
from .materials import Value
from .materials_electrode import Electrode
from .outlook import Outlook
from .units import MAH_CM2

WIDTH = 110  # columns where the output is a file or a pipe


def console() -> Console:
    """The terminal, or a plain wide page where the output goes to a file or a pipe."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=WIDTH)


def length(metres: float) -> str:
    """A length in the unit that suits its size."""
    for factor, unit in ((1e-9, "nm"), (1e-6, "um"), (1e-3, "mm")):
        if abs(metres) < 0.1 * 1e3 * factor:
            return f"{metres / factor:.4g} {unit}"
    return f"{metres:.4g} m"


def duration(seconds: float) -> str:
    """A time in the unit that suits its size."""
    for factor, unit, up_to in ((1.0, "s", 300.0), (60.0, "min", 120.0), (3600.0, "h", 96.0)):
        if seconds < factor * up_to:
            return f"{seconds / factor:.4g} {unit}"
    return f"{seconds / 86400.0:.4g} d"


def number(value: Value) -> str:
    """The number of a value, short."""
    return f"{value.number:.6g}"


def show_check(case: Case, seen: Outlook, page: Console) -> None:
    """Print the resolved case, its scales and its warnings."""
    page.print(case.to_toml().rstrip(), markup=False)
    page.print()
    table = Table(title="Derived scales", title_justify="left", box=None, show_header=False, pad_edge=False)
    for row in scale_rows(case, seen):
        table.add_row(*row)
    page.print(table)
    if case.protocol:
        page.print("\n[bold]Protocol[/bold]")
        for line in protocol_lines(case):
            page.print(line, markup=False, soft_wrap=True)
    for warning in seen.warnings:
        page.print(f"warning: {warning}", markup=False, style="yellow")


def protocol_lines(case: Case) -> list[str]:
    """The protocol in words, a line a step (a cycle's steps once), with the longest that each can take."""
    lines, total, sure = [], 0.0, True
    seen: set[str] = set()
    for leg in case.legs():
        longest = longest_time(leg.step)
        total += longest or 0.0
        sure = sure and longest is not None
        if leg.key in seen:
            continue
        seen.add(leg.key)
        taken = "" if longest is None else f" (at most {duration(longest)})"
        lines.append(
            f"  {leg.number:3d}  {_drive_in_words(leg.step)}{_ends_in_words(leg.step)}{taken}{_stack(leg.step)}"
        )
        lines[-1] += _again(case, leg)
    ends = (
        f"at most {duration(total)}"
        if sure
        else f"at least one step has no bound in time; the others {duration(total)}"
    )
    return [*lines, f"  {len(case.legs())} steps in all, {ends}"]


def longest_time(step: Step) -> float | None:
    """Longest that a step can take [s], None where neither its clock nor its charge ends it."""
    times = [step.until.time]
    if step.until.capacity is not None and step.current != 0.0:
        times.append(step.until.capacity / abs(step.current))
    return min((time for time in times if time is not None), default=None)


def _drive_in_words(step: Step) -> str:
    if step.voltage is not None:
        return f"hold {step.voltage:g} V"
    return "rest" if step.kind == "rest" else f"{step.kind} at {abs(step.current) / 10.0:g} mA/cm^2"


def _ends_in_words(step: Step) -> str:
    until = step.until
    ends = {
        "time": lambda v: f"for {duration(v)}",
        "capacity": lambda v: f"until {v / MAH_CM2:g} mAh/cm^2 have passed",
        "li_fraction": lambda v: f"until x = {v:g} on the contact",
        "contact_fraction": lambda v: f"until {v:g} of the contact is left",
        "voltage": lambda v: f"until {v:g} V",
        "polarisation": lambda v: f"until a polarisation of {v:g} V",
    }
    told = [words(getattr(until, name)) for name, words in ends.items() if name in until.given()]
    return " " + " or ".join(told)


def _stack(step: Step) -> str:
    told = ""
    if step.stack_pressure is not None:
        told += f"; stack pressure {step.stack_pressure / 1e6:g} MPa"
    if step.stack_pressure_to is not None:
        told += f"; stack pressure ramped to {step.stack_pressure_to / 1e6:g} MPa"
    if step.spring is not None:
        told += f"; stack behind a spring of {step.spring / 1e12:g} MPa/um"
    return told


def _again(case: Case, leg: Leg) -> str:
    """Where a cycle ends: how often it is gone through."""
    for i, part in enumerate(case.protocol, 1):
        if part.steps and part.repeat > 1 and leg.key == f"protocol[{i}].steps[{len(part.steps)}]":
            first = leg.number - len(part.steps) + 1
            return f"\n       {first} to {leg.number} are gone through {part.repeat} times in all"
    return ""


def scale_rows(case: Case, seen: Outlook) -> list[tuple[str, str, str]]:
    """Rows (name, value, meaning) of the table of scales."""
    electrode = seen.electrode
    x0, current = electrode.li_fraction, case.load.current_density
    rows = [
        (
            "diffusivity D",
            f"{electrode.diffusivity * 1e4:.4g} cm^2/s",
            f"at x = {x0:g}, {electrode.temperature:g} K",
        ),
    ]
    if case.electrode.mechanics == "creep":
        alpha = f"alpha = {electrode.creep_prefactor:.4g} Pa^-n/s"
        rows.append(("creep law", f"n = {electrode.creep_exponent:g}", alpha))
    layers = seen.layers
    if layers is not None:
        speed = layers.recession * 1e6 * 3600.0
        rows.append(("recession velocity v", f"{speed:.4g} um/h", "Omega_Li i/F, thinning of the foil"))
    if layers is not None and electrode.stress_coupling:
        rows.append(("pressure drop S0", f"{layers.stress / 1e6:.4g} MPa", "at the contact at the start, closed form"))
        rows.append(("pressure layer l", length(layers.pressure_length), "at the start, closed form"))
    if layers is not None and x0 < 1.0:
        rows.append(("composition layer", length(layers.composition_length), f"D (1-x)/v at x = {x0:g}"))
    if layers is not None and layers.final_composition_length is not None:
        meaning = f"D (1-x)/v at x = {case.stop.li_fraction:g}, the stop"
        rows.append(("composition layer, late", length(layers.final_composition_length), meaning))
    if seen.capacity_bound is not None:
        bound = f"{seen.capacity_bound / MAH_CM2:.4g} mAh/cm^2"
        rows.append(("capacity bound", bound, "however fast Li diffuses"))
    if seen.duration is not None:
        sure = "exactly, unless another stop comes first" if current == 0.0 else "at most; another stop may come first"
        rows.append(("duration", duration(seen.duration), sure))
    return rows + _size_rows(case, seen)


def _size_rows(case: Case, seen: Outlook) -> list[tuple[str, str, str]]:
    size = seen.size
    if size is None:
        return [("mesh", str(case.geometry.file), "not read by check")]
    cells = f"{length(size.interface)} to {length(size.largest)}"
    return [
        ("cell sizes", cells, "at the contact, largest"),
        ("mesh", f"{size.cells:.2g} cells", f"{size.unknowns:.2g} unknowns, estimated"),
        ("memory", f"{size.memory / 1e9:.2g} GB", "one rank, estimated"),
    ]


def _values(title: str, values: list[Value], page: Console) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for heading in ("quantity", "value", "unit", "source", "", "conditions"):
        table.add_column(heading, justify="right" if heading == "value" else "left", overflow="fold")
    for value in values:
        kind = "assumed" if value.assumed else "measured"
        table.add_row(value.name, number(value), value.unit, value.source, kind, value.conditions)
    page.print(table)
    page.print()


def entry(name: str) -> list[Value]:
    """Every number of a library entry; KeyError where there is none."""
    if name in library.ALLOYS:
        return _alloy_values(name)
    if name in library.CREEP:
        law = library.CREEP[name]
        return [law.exponent, law.prefactor, law.activation, law.lowest_stress, law.highest_stress]
    if name in library.ACTIVITIES:
        stages = library.LI_MG_STAGES
        return [library.ACTIVITIES[name].a, library.ACTIVITIES[name].b, stages.limit, stages.poor, stages.slope]
    if name in library.ELECTROLYTES:
        return list(library.ELECTROLYTES[name].values)
    raise KeyError(name)


def names() -> list[str]:
    """Names of all library entries."""
    return [*library.ALLOYS, *library.CREEP, *library.ACTIVITIES, *library.ELECTROLYTES]


def _alloy_values(name: str) -> list[Value]:
    alloy = library.ALLOYS[name]
    y, law = alloy.host_fraction, alloy.diffusivity
    values = [
        Value(y, "-", "femli", "nominal", False, "Mg fraction"),
        alloy.molar_volume_li,
        alloy.molar_volume_host,
        law.pure,
        law.pure_energy,
        law.alloyed,
        law.alloyed_energy,
        alloy.hardness.pure,
        alloy.hardness.alloyed,
        alloy.host_limit,
        *alloy.others,
    ]
    if y > 0.0:
        for scaling, shape in (("hardness", "log-linear"), ("hardness_linear", "linear")):
            ratio = alloy.hardness.ratio(y, scaling)
            text = f"H0 {shape} between Li and Li-20Mg; scales the creep prefactor by its power -n"
            values.append(Value(ratio, "-", "femli", text, True, f"hardness over Li ({scaling})"))
    return values


def show_materials(chosen: str | None, page: Console) -> None:
    """Print the whole library, or one entry."""
    if chosen is not None:
        _values(chosen, entry(chosen), page)
        values = entry(chosen)
    else:
        page.print("[bold]Alloys[/bold]: " + ", ".join(library.ALLOYS) + ", or { mg_fraction = 0 ... 0.69 }")
        page.print("[bold]Creep laws[/bold]: " + ", ".join(library.CREEP))
        page.print("[bold]Activities[/bold]: " + ", ".join(library.ACTIVITIES))
        page.print("[bold]Electrolytes[/bold]: " + ", ".join(library.ELECTROLYTES))
        page.print()
        for name in names():
            _values(name, entry(name), page)
        values = [value for name in names() for value in entry(name)]
    page.print("[bold]Sources[/bold]")
    for key in dict.fromkeys(value.source for value in values):
        page.print(f"  {key}: {library.SOURCES[key]}", markup=False)


def provenance_lines(case: Case, electrode: Electrode) -> list[str]:
    """Which laws and numbers a run uses, and where they come from."""
    section = case.electrode
    lines = [
        f"material {electrode.name}, x0 = {electrode.li_fraction:g}; diffusivity {section.diffusivity}, "
        f"activity {section.activity}, creep {section.creep} (scaling {section.creep_scaling}), "
        f"stress coupling {'on' if section.stress_coupling else 'off'}, molar volumes {section.molar_volumes}, "
        f"mechanics {section.mechanics}"
    ]
    for value in electrode.provenance:
        kind = "assumed" if value.assumed else "measured" if value.source in library.SOURCES else "given"
        note = f"; {value.conditions}" if value.conditions else ""
        lines.append(f"  {value.name} = {number(value)} {value.unit} ({value.source}, {kind}{note})")
    return lines


def summary_line(summary: dict[str, Any], out: object) -> str:
    """One sentence at the end of a run."""
    capacity = float(summary.get("capacity_mAh_cm2", math.nan))
    seconds = float(summary.get("time_s", math.nan))
    wall = float(summary.get("wall_time_s", math.nan))
    return (
        f"finished: {summary.get('stop_reason')} at {capacity:.6g} mAh/cm^2, {duration(seconds)}; "
        f"{summary.get('steps')} steps in {duration(wall)}; results in {out}"
    )
