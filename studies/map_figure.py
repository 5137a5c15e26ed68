"""The figure of the map of deaths (studies/map.py): nine panels for a page of a paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.patches import Rectangle

from femli.deaths import Flaw, death, held_drop
from femli.render_style import DPI, MM, STYLE

if TYPE_CHECKING:
    import pandas as pd
    from map import Run

LOWEST, HIGHEST = 0.03, 80.0  # MPa, stack pressures shown
CAPACITIES = LogNorm(0.01, 30.0)
# Okabe and Ito: told apart by the colour-blind too.
LAWS = {"Aspinall2024": "#000000", "Masias2019": "#0072B2", "Roy2021": "#D55E00", "LePage2019": "#009E73"}
ALLOYS = {0: "#000000", 3: "#0072B2", 5: "#009E73", 10: "#D55E00", 20: "#CC79A7"}
Choice = Callable[["Run"], bool]


def draw(runs: Sequence[Run], flaw: Flaw, experiments: pd.DataFrame, file: Path) -> None:
    """Draw the figure for one flaw."""
    with mpl.rc_context(
        {**STYLE, "hatch.linewidth": 0.5, "legend.fontsize": 6, "xtick.top": True, "ytick.right": True}
    ):
        figure, panels = plt.subplots(3, 3, figsize=(180 * MM, 178 * MM), layout="constrained")
        shown = _maps(panels, runs, flaw, experiments)
        _laws(panels[2, 0], runs, flaw, "none", "creep of pure Li for all")
        _laws(panels[2, 1], runs, flaw, "hardness", "creep scaled with hardness")
        _radii(panels[2, 2], runs, flaw)
        for axes, letter in zip(panels.flat, "abcdefghi", strict=True):
            axes.set_title(letter, loc="left", fontweight="bold", fontsize=9)
        bar = figure.colorbar(shown, ax=panels[:2, :], shrink=0.6, aspect=30, pad=0.01)
        bar.set_label("capacity at death (mAh cm$^{-2}$)")
        figure.suptitle(_legend(flaw), fontsize=6.5, x=0.01, ha="left")
        figure.savefig(file, dpi=DPI)


def _legend(flaw: Flaw) -> str:
    return (
        "Colour: capacity at the first death. Not hatched: depletion, $x$ = 0.31 at the contact "
        "(grey: none, foil used up).\n"
        rf"Hatched: voiding, $p<-2\gamma_s/R$ at depth $R$ = {flaw.radius * 1e6:g} µm, "
        rf"$\gamma_s$ = {flaw.surface_energy:g} J m$^{{-2}}$, held for {flaw.held:g} mAh cm$^{{-2}}$. "
        "Solid: critical stack pressure. Dashed: $S_0-2\\gamma_s/R$.\n"
        "Measured: filled, contact kept; open, contact lost (circles Aspinall 2024, squares Zhao 2025)."
    )


def _maps(panels: Any, runs: Sequence[Run], flaw: Flaw, experiments: pd.DataFrame) -> Any:
    """The six maps over stack pressure and one other variable."""

    def alloys(scaling: str, mode: str) -> Choice:
        def chosen(run: Run) -> bool:
            p = run.point
            plain = p.mg == 0 or (p.scaling, p.mode) == (scaling, mode)
            return plain and (p.law, p.current, p.temperature) == ("Aspinall2024", 0.31, 30)

        return chosen

    def base(run: Run) -> bool:
        p = run.point
        return (p.law, p.scaling, p.mode) == ("Aspinall2024", "none", "local")

    here = experiments["current_density [mA/cm^2]"] == 0.31
    mg = ("mg", "Mg content (at%)")
    _map(panels[0, 0], runs, alloys("none", "local"), mg, flaw, experiments[here], "Li creep for all, local $D$")
    _map(panels[0, 1], runs, alloys("hardness", "local"), mg, flaw, experiments[here], "hardness scaling, local $D$")
    shown = _map(panels[0, 2], runs, alloys("none", "initial"), mg, flaw, experiments[here], "Li creep, initial $D$")
    current = ("current", "current density (mA cm$^{-2}$)")
    for axes, content in ((panels[1, 0], 0), (panels[1, 1], 3)):
        points = experiments[experiments["mg [at%]"] == content]
        title = ("Li" if content == 0 else f"Li-{content}Mg") + ", 25 °C"
        _map(axes, runs, _fixed(base, mg=content, temperature=25), current, flaw, points, title)
    warm = ("temperature", "temperature (°C)")
    nothing = experiments[experiments["mg [at%]"] < 0]
    _map(panels[1, 2], runs, _fixed(base, mg=5, current=0.31), warm, flaw, nothing, "Li-5Mg, 0.31 mA cm$^{-2}$")
    return shown


def _fixed(choice: Choice, **values: float) -> Choice:
    return lambda run: choice(run) and all(getattr(run.point, key) == value for key, value in values.items())


def _map(
    axes: Any,
    runs: Sequence[Run],
    chosen: Choice,
    along: tuple[str, str],
    flaw: Flaw,
    experiments: pd.DataFrame,
    title: str,
) -> Any:
    """Capacity at the first death over a variable (a column for each run) and the stack pressure."""
    key, label = along
    columns = sorted((run for run in runs if chosen(run)), key=lambda run: getattr(run.point, key))
    edges = np.geomspace(LOWEST, HIGHEST, 161)
    middles = np.sqrt(edges[1:] * edges[:-1])
    values = np.full((len(middles), len(columns)), np.nan)
    for place, run in enumerate(columns):
        capacity, drop = run.sound(flaw)
        least = held_drop(capacity, drop, flaw.held)
        deaths = [death(capacity, least, flaw, pressure * 1e6, run.end) for pressure in middles]
        values[:, place] = [one.capacity if one.kind != "none" else np.nan for one in deaths]
    axes.set_facecolor("0.85")
    shown = axes.pcolormesh(
        np.arange(len(columns) + 1), edges, values, norm=CAPACITIES, cmap="viridis", rasterized=True
    )
    for place, run in enumerate(columns):
        critical, form = run.critical(flaw), run.closed_form(flaw)
        if critical > LOWEST:
            axes.add_patch(
                Rectangle(
                    (place, LOWEST), 1, critical - LOWEST, fill=False, hatch="/////", edgecolor="white", linewidth=0
                )
            )
            axes.plot([place, place + 1], [critical] * 2, color="black", linewidth=1.4, solid_capstyle="butt")
        if form > LOWEST:
            axes.plot([place, place + 1], [form] * 2, color="#D55E00", linewidth=1.0, linestyle=(0, (3, 1.5)))
    _measured(axes, key, [getattr(run.point, key) for run in columns], experiments)
    axes.set(yscale="log", ylim=(LOWEST, HIGHEST), xlabel=label, ylabel="stack pressure (MPa)")
    axes.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.set_xticks(np.arange(len(columns)) + 0.5, [f"{getattr(run.point, key):g}" for run in columns])
    axes.tick_params(top=False)
    axes.set_title(title, fontsize=7, loc="right")
    return shown


def _measured(axes: Any, key: str, columns: list[float], experiments: pd.DataFrame) -> None:
    """Measured points in the columns that they belong to."""
    name = {"mg": "mg [at%]", "current": "current_density [mA/cm^2]"}.get(key)
    for _, row in experiments.iterrows() if name else ():
        if row[name] not in columns:
            continue
        face = "white" if row["contact"] == "lost" else "black"
        axes.plot(
            columns.index(row[name]) + 0.5,
            row["stack_pressure [MPa]"],
            marker={"Aspinall2024": "o", "Zhao2025": "s"}[row["source"]],
            markersize=4,
            markerfacecolor=face,
            markeredgecolor="white" if face == "black" else "black",
            markeredgewidth=0.7,
            zorder=5,
        )


def _laws(axes: Any, runs: Sequence[Run], flaw: Flaw, scaling: str, title: str) -> None:
    """Critical stack pressure over Mg content for each creep law, the closed form beside it."""
    for law, colour in LAWS.items():
        points = [
            run
            for run in runs
            if (run.point.law, run.point.current, run.point.temperature, run.point.mode) == (law, 0.31, 30, "local")
            and (run.point.scaling == scaling or run.point.mg == 0)
        ]
        points.sort(key=lambda run: run.point.mg)
        mg = [run.point.mg for run in points]
        critical = np.array([run.critical(flaw) for run in points])
        form = np.array([run.closed_form(flaw) for run in points])
        axes.plot(mg, np.where(critical > 0, critical, np.nan), "o-", color=colour, markersize=2.5, label=law)
        axes.plot(mg, np.where(form > 0, form, np.nan), "--", color=colour, linewidth=0.8)
    axes.set(yscale="log", ylim=(LOWEST, HIGHEST), xlabel="Mg content (at%)", ylabel="critical stack pressure (MPa)")
    axes.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.set_title(title, fontsize=7, loc="right")
    axes.legend(loc="upper left" if scaling == "none" else "lower right", handlelength=1.4)


def _radii(axes: Any, runs: Sequence[Run], flaw: Flaw) -> None:
    """Critical stack pressure over the radius of the flaw."""
    for mg, colour in ALLOYS.items():
        for scaling, line in (("none", "-"), ("hardness", ":")):
            for run in runs:
                p = run.point
                if (p.mg, p.scaling, p.mode) != (mg, scaling, "local"):
                    continue
                if (p.law, p.current, p.temperature) != ("Aspinall2024", 0.31, 30):
                    continue
                radii = sorted(run.drops)
                values = np.array([run.critical(flaw._replace(radius=radius * 1e-6)) for radius in radii])
                label = None if scaling == "hardness" else "Li" if mg == 0 else f"{mg} at%"
                axes.plot(
                    radii, np.where(values > 0, values, np.nan), "o" + line, color=colour, markersize=2.5, label=label
                )
    axes.set(xscale="log", yscale="log", ylim=(LOWEST, HIGHEST), xlabel="flaw radius $R$ (µm)")
    axes.set_ylabel("critical stack pressure (MPa)")
    axes.set_xticks([0.5, 1, 2, 5, 10], ["0.5", "1", "2", "5", "10"])
    axes.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.minorticks_off()
    axes.set_title("solid: Li creep, dotted: hardness", fontsize=7, loc="right")
    axes.legend(loc="upper center", ncols=5, fontsize=5, handlelength=0.8, handletextpad=0.3, columnspacing=0.6)
