"""What the terminal and the folder show of a study of convergence or of inputs: table and picture."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from .case import load
from .converge import (
    MOVED,
    Level,
    convergence_rows,
    inputs,
    levels,
    plan_of,
    ratio_of,
    sensitivity_rows,
    summaries,
)
from .errors import SolveError
from .sweep_show import run_shown
from .sweep_table import Row, write
from .terminal import console

LABELS = {
    "capacity_mAh_cm2": "capacity",
    "pressure_interface_min_Pa": "lowest p at the contact",
    "pressure_min_Pa": "lowest p",
    "li_fraction_interface_min": "$x$ at the contact",
    "contact_fraction": "contact fraction",
}


def study(
    file: Path, overrides: Sequence[str], out: Path, workers: int | None, count: int, ranks: int, moved: bool
) -> int:
    """Run a study of convergence, or of inputs where `moved`; show and write what came out; the exit code.

    Raises:
        CaseError: the case is wrong.
        SolveError: a member failed.
    """
    case, page = load(file, overrides), console()
    logging.getLogger("femli").setLevel(logging.ERROR)
    chosen = inputs(case) if moved else levels(case, count)
    plan = plan_of(case, file, chosen, ranks)
    code = run_shown(plan, out, workers, False, page)
    if code:
        raise SolveError(f"{out}: a member failed (its error is in the table), so there is nothing to compare")
    found = summaries(plan, out)
    rows = sensitivity_rows(chosen, found) if moved else convergence_rows(case, chosen, found)
    name = "inputs" if moved else "converge"
    write(rows, out / f"{name}.csv")
    page.print(_table(rows, moved))
    picture = out / f"{name}.png"
    if rows:
        if moved:
            draw_inputs(rows, picture)
        else:
            draw_convergence(rows, chosen, {lv.direction: ratio_of(case, lv.direction) for lv in chosen}, picture)
        page.print(str(picture), markup=False)
    else:
        page.print("nothing that the summary has differs between the members")
    return 0


def _table(rows: list[Row], moved: bool) -> Table:
    table = Table(box=None, pad_edge=False, title_justify="left")
    names = list(dict.fromkeys(key for row in rows for key in row))
    for name in names:
        words = name in ("output", "direction", "input", "moved by")
        table.add_column(name, no_wrap=name != "output" and words, justify="left" if words else "right")
    for row in rows:
        table.add_row(*(_cell(name, row.get(name)) for name in names))
    return table


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return LABELS.get(value, value).replace("$", "")
    if name in ("order", "elasticity"):
        return f"{value:.2g}" if name == "elasticity" else f"{value:.2f}"
    if name.startswith(("error", "change")):
        return f"{value:.1e}"
    return f"{value:.7g}"


def _axes(count: int, width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    from .render_style import MM

    figure = Figure(figsize=(width * count * MM, height * MM), layout="constrained")
    return figure, figure.subplots(1, count, squeeze=False)[0]


def draw_convergence(rows: list[Row], chosen: list[Level], ratios: dict[str, float], file: Path) -> None:
    """Distance from the extrapolated (or the finest) value over the size, a panel a direction."""
    import matplotlib as mpl
    from matplotlib.ticker import NullLocator

    from .render_style import DPI, STYLE

    with mpl.rc_context(STYLE):
        figure, panels = _axes(len(ratios), 60.0, 60.0)
        for axes, direction in zip(panels, ratios, strict=True):
            factors = [level.factor for level in chosen if level.direction == direction]
            for row in (row for row in rows if row["direction"] == direction):
                values = [row[f"value {i}"] for i in range(1, len(factors) + 1)]
                limit = row["extrapolated"] if row["extrapolated"] is not None else values[-1]
                error = [abs(v / limit - 1.0) or math.nan for v in values]
                order = "" if row["order"] is None else f", order {row['order']:.1f}"
                axes.loglog(factors, error, "o-", markersize=3, label=LABELS[row["output"]] + order)
            axes.set(xlabel=f"{direction}, over that of the case", ylabel="relative error")
            axes.set_xticks(factors, [f"{factor:.2g}" for factor in factors])
            axes.xaxis.set_minor_locator(NullLocator())
            axes.legend(fontsize=5)
        figure.savefig(file, dpi=DPI)


def draw_inputs(rows: list[Row], file: Path) -> None:
    """Change of each output with each input, as bars."""
    import matplotlib as mpl

    from .render_style import DPI, STYLE

    outputs = list(dict.fromkeys(row["output"] for row in rows))
    with mpl.rc_context(STYLE):
        figure, panels = _axes(len(outputs), 55.0, 45.0)
        for axes, name in zip(panels, outputs, strict=True):
            for row in (row for row in rows if row["output"] == name):
                place = len(MOVED) - 1 - MOVED.index(row["input"])
                for key, colour in (("low", "#0072B2"), ("high", "#D55E00")):
                    label = f"input {key}" if place == 0 else None
                    axes.barh(place, 100 * row[f"change {key}"], height=0.6, color=colour, alpha=0.8, label=label)
            axes.axvline(0.0, color="black", linewidth=0.6)
            axes.set_yticks(range(len(MOVED)), ["D /2, x2", "alpha /2, x2", "n -0.5, +0.5"])
            axes.set(xlabel=f"change of {LABELS[name]} (%)")
        panels[0].legend(fontsize=5)
        figure.savefig(file, dpi=DPI)
