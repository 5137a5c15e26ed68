"""The figure of studies/void_fate.py."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import aspinall2024
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

STYLE: dict[Any, Any] = {**aspinall2024.STYLE, "xtick.top": False, "ytick.right": False, "legend.fontsize": 7}
VOIDS = {"hemisphere": "#0072B2", "half cylinder": "#D55E00"}
RADII = {0.2: "#56B4E9", 0.5: "#0072B2", 1.0: "#009E73", 2.0: "#E69F00", 5.0: "#D55E00"}
FATES = {
    "grow": ("o", "#D55E00"),
    "split": ("D", "#0072B2"),
    "collapse at once": ("s", "0.7"),
    "collapse from its edges": ("v", "0.3"),
}


def draw(table: pd.DataFrame, critical: pd.DataFrame, slits: pd.DataFrame, path: Path) -> None:
    """Master curves, critical pressures of Li and of Li-5Mg, fates of slits."""
    with mpl.rc_context(STYLE):
        fig, axes = plt.subplots(2, 3, figsize=(180 / 25.4, 115 / 25.4))
        _master(axes[0, 0], table)
        _pressures(axes[0, 1], critical, "Li", "exchange")
        axes[0, 1].set_title(r"$\bf{b}$  Li, exchange", loc="left", fontsize=7)
        _pressures(axes[0, 2], critical, "Li-5Mg, hardness", "blocked")
        axes[0, 2].set_title(r"$\bf{c}$  Li-5Mg at the start, blocked", loc="left", fontsize=7)
        loads = list(slits.groupby(["walls", "i [mA/cm^2]", "p_stack [MPa]"], sort=False).groups)
        chosen = [loads[0], loads[2], loads[1]]
        for letter, axis, load in zip("def", axes[1], chosen, strict=True):
            _slits(axis, slits, load)
            title = f"{load[0]}, {load[1]:g} mA/cm², {load[2]:g} MPa"
            axis.set_title(rf"$\bf{{{letter}}}$  {title}", loc="left", fontsize=7)
        axes[1, 0].set_ylabel("spacing (µm)")
        handles, labels = axes[1, 0].get_legend_handles_labels()
        fig.legend(handles, labels, ncols=4, loc="outside lower center")
        fig.savefig(path)
        plt.close(fig)


def _master(axis: Axes, table: pd.DataFrame) -> None:
    for (void, walls), rows in table.groupby(["void", "walls"], sort=False):
        good = rows[np.isfinite(rows["P_c/S0 [-]"])]
        style = "-" if walls == "exchange" else "--"
        axis.plot(good["R/l [-]"], good["P_c/S0 [-]"], style, color=VOIDS[void], label=f"{void}, {walls}")
    axis.axhline(1.0, color="0.6", lw=0.6)
    axis.set(xscale="log", ylim=(0, 1.7), xlabel="radius over layer, $R/l$", ylabel=r"critical load over $S_0$")
    axis.legend(loc="upper right")
    axis.set_title(r"$\bf{a}$  lone voids", loc="left", fontsize=7)


def _pressures(axis: Axes, critical: pd.DataFrame, metal: str, walls: str) -> None:
    rows = critical[(critical["metal"] == metal) & (critical["walls"] == walls) & (critical["void"] == "hemisphere")]
    for radius, own in rows.groupby("R [um]"):
        i, colour = own["i [mA/cm^2]"], RADII[float(radius)]
        axis.plot(i, own["p_c without tension [MPa]"], color=colour, label=f"{radius:g} µm")
        axis.plot(i, own["p_c [MPa]"].where(own["p_c [MPa]"] > 0), ":", color=colour, lw=1.8)
        axis.plot(i, own["S0 - m gamma/R [MPa]"], "--", color=colour, lw=0.8)
    one = rows[rows["R [um]"] == rows["R [um]"].iloc[0]]
    axis.plot(one["i [mA/cm^2]"], one["S0 [MPa]"], color="black", lw=0.8)
    place = one.iloc[2 * len(one) // 3]
    axis.annotate("$S_0$", (place["i [mA/cm^2]"], place["S0 [MPa]"]), (-8, 4), textcoords="offset points")
    axis.set(xscale="log", xlabel="current density (mA/cm²)", ylabel="critical stack pressure (MPa)")
    axis.set_ylim(0, 1.05 * one["S0 [MPa]"].max())
    axis.legend(title="radius", loc="upper left")


def _slits(axis: Axes, slits: pd.DataFrame, load: tuple[str, float, float]) -> None:
    walls, current, pressure = load
    rows = slits[(slits["walls"] == walls) & (slits["i [mA/cm^2]"] == current) & (slits["p_stack [MPa]"] == pressure)]
    for end, (marker, colour) in FATES.items():
        own = rows[rows["fate"] == end]
        axis.plot(own["width [um]"], own["spacing [um]"], marker, color=colour, ms=6, label=end)
    axis.set(xscale="log", yscale="log", xlim=(0.7, 45), ylim=(7, 300), xlabel="width of the slit (µm)")
