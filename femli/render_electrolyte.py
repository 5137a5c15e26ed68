"""Pictures of the cell around the electrode: potential and current in the electrolyte, the voltage and its parts."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.ticker import MaxNLocator
from matplotlib.tri import LinearTriInterpolator, Triangulation

from femli.render_plane import Window, axis_labels, bar, letter, outlines, worst_void
from femli.render_read import Array, Frame, Run
from femli.render_shape import Plane, void_box
from femli.render_style import COLUMN, PAGE, Margins, Quantity, colours, save, sheet, when, widened

POTENTIAL = Quantity("potential [V]", "potential against the metal (mV)", 1e3, "viridis", "linear")
CURRENT = Quantity("current_density [A/m^2]", "current density (mA/cm²)", 0.1, "magma", "linear")
# Okabe and Ito: told apart by the colour-blind too.
PARTS = {
    "ohmic": "#0072b2",
    "interface": "#d55e00",
    "constriction": "#cc79a7",
    "composition": "#009e73",
    "stress": "#e69f00",
    "counter": "#56b4e9",
}
METAL = "#c8c8c8"
PIXELS = 500
STREAMS = 26  # points of a grid across for the lines


def electrolyte(shape: Plane, below: Frame, path: Path) -> Path:
    """Potential in the whole electrolyte with lines of current, and the current around the worst void.

    Args:
        shape: the electrode at the same time.
        below: the electrolyte.
        path: the picture.
    """
    left, right = shape.width
    depth = -float(below.points[:, 1].min())
    high = min(shape.height, 0.15 * max(depth, right - left))
    whole = Window(left, right, -min(depth, 3.0 * (right - left)), high)
    zoom = _around(shape, worst_void(shape), depth)
    margins = Margins(left=14.0)
    inner = COLUMN - margins.left - margins.right
    ratios = [min(max(inner * whole.ratio, 25.0), 110.0), inner * zoom.ratio]
    fig, axes = sheet(inner, ratios, 1, margins)
    for ax, view, quantity, name in zip(axes[:, 0], (whole, zoom), (POTENTIAL, CURRENT), "ab", strict=True):
        drawn, shades = _paint(ax, below, quantity, view)
        _metal(ax, shape)
        outlines(ax, shape, view)
        _streams(ax, below, view)
        ax.set(xlim=(view.left, view.right), ylim=(view.bottom, view.top))
        bar(fig, ax, drawn, quantity, shades)
        axis_labels(ax, shape)
        letter(ax, name, when(shape.time, shape.capacity) if name == "a" else "")
    return save(fig, path)


def _around(shape: Plane, void: Array | None, depth: float) -> Window:
    """The void's surroundings below it, or the whole width at the contact without one."""
    left, right = shape.width
    if void is None:
        return Window(left, right, -min(depth, 0.5 * (right - left)), 0.1 * (right - left))
    low, high, _, _ = void_box(shape, void)
    span = min(2.5 * (high - low), right - left)
    start = min(max(0.5 * (low + high) - 0.5 * span, left), right - span)
    return Window(start, start + span, -min(0.5 * span, depth), 0.25 * span)


def _grid(below: Frame, view: Window, across: int) -> tuple[Array, Array]:
    """Coordinates of a grid of square steps over the part of a window that lies in the electrolyte."""
    step = (view.right - view.left) / across
    x = view.left + (np.arange(across) + 0.5) * step
    bottom = max(view.bottom, float(below.points[:, 1].min()))
    count = max(int(-bottom / step), 2)
    return x, bottom + (np.arange(count) + 0.5) * (-bottom / count)


def _at(below: Frame, values: Array, x: Array, y: Array) -> Array:
    triangles = Triangulation(below.points[:, 0], below.points[:, 1], below.cells)
    return np.ma.filled(LinearTriInterpolator(triangles, values)(*np.meshgrid(x, y)), np.nan)


def _paint(ax: Axes, below: Frame, quantity: Quantity, view: Window) -> tuple[Any, Any]:
    x, y = _grid(below, view, PIXELS)
    image = _at(below, quantity.values(below.fields), x, y)
    shades = colours(quantity, image[np.isfinite(image)])
    extent = (view.left, view.right, max(view.bottom, float(below.points[:, 1].min())), 0.0)
    drawn = ax.imshow(
        image, extent=extent, origin="lower", cmap=shades.name, norm=shades.norm, interpolation="nearest", zorder=0.8
    )
    return drawn, shades


def _metal(ax: Axes, shape: Plane) -> None:
    """The metal as a grey ground, which leaves the voids white."""
    corners = shape.points[shape.triangles]
    ax.add_collection(PolyCollection(list(corners), facecolors=METAL, edgecolors=METAL, linewidths=0.3), autolim=False)


def _streams(ax: Axes, below: Frame, view: Window) -> None:
    """Lines along which the current flows."""
    current = below.fields[CURRENT.array]
    if float(np.abs(current).max()) <= 0.0:
        return
    x, y = _grid(below, view, 4 * STREAMS)
    across, up = (_at(below, current[:, k], x, y) for k in (0, 1))
    lines = STREAMS // 2
    start_x = view.left + (np.arange(lines) + 0.5) * (view.right - view.left) / lines
    starts = np.column_stack([start_x, np.full(lines, y[0])])
    ax.streamplot(
        x, y, across, up, start_points=starts, color="white", linewidth=0.5, arrowsize=0.5, density=8.0, zorder=1.5
    )


def voltage(run: Run, path: Path) -> Path:
    """The voltage of the cell, the parts of its overpotential, and how the current focuses, against capacity."""
    rows = run.history if run.history is not None else pd.DataFrame()
    capacity, unit = rows["capacity [mAh/cm^2]"].to_numpy(), "mAh/cm²"
    if float(np.abs(capacity).max()) < 0.1:
        capacity, unit = 1e3 * capacity, "µAh/cm²"
    around = Margins(12.5, 3.0)
    inner = PAGE / 3 - around.left - around.right
    fig, axes = sheet(inner, [0.9 * inner], 3, around)
    total, parts, focusing = axes[0]
    total.plot(capacity, 1e3 * rows["cell_voltage [V]"], color="black")
    total.set_ylabel("cell voltage (mV)")
    parts.plot(capacity, 1e3 * rows["overpotential [V]"], color="black", label="sum")
    for name, colour in PARTS.items():
        values = 1e3 * rows[f"overpotential_{name} [V]"]
        if values.abs().max() > 1e-6:
            parts.plot(capacity, values, color=colour, label=name)
    parts.set_ylabel("overpotential (mV)")
    parts.legend(handlelength=1.3, labelspacing=0.2, borderpad=0.2, ncols=2, columnspacing=0.8)
    parts.margins(y=0.25)
    focusing.plot(capacity, rows["current_focusing [-]"], color="black")
    focusing.set_ylabel("largest over mean current")
    for ax, name in zip(axes[0], "abc", strict=True):
        ax.set_xlabel(f"capacity ({unit})")
        ax.set_ylim(widened(*ax.get_ylim()))
        if capacity.max() > 0.0:
            ax.set_xlim(0.0, capacity.max())
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        letter(ax, name)
    return save(fig, path)
