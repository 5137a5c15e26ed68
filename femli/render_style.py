"""The look of the pictures: sizes, fonts, colours, units and labels of every quantity; saving a figure."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from femli.errors import OutputError
from femli.render_read import Array

MM = 1 / 25.4  # inches in one millimetre
COLUMN, PAGE = 85.0, 180.0  # widths of journal figures in mm
NARROWEST = 4e-3  # least span of a scale over its largest value: numbers on axes keep to five digits
DPI = 300
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "mathtext.fontset": "dejavusans",
    "axes.formatter.useoffset": False,
}


class Quantity(NamedTuple):
    """How an array is shown: what it is called, in which unit (shown = SI * factor), in which colours.

    `scale` is "linear", "log" (where the values span more than a decade) or "signed" (centred at 0 where both
    signs occur).
    """

    array: str
    label: str
    factor: float
    colours: str
    scale: str

    def values(self, fields: dict[str, Array]) -> Array:
        """The numbers to show; the magnitude of a vector."""
        values = np.asarray(fields[self.array], dtype=float) * self.factor
        return values if values.ndim == 1 else np.linalg.norm(values, axis=1)


COMPOSITION = Quantity("li_fraction [-]", "Li fraction $x$", 1.0, "viridis", "linear")
PRESSURE = Quantity("pressure [Pa]", "pressure (MPa)", 1e-6, "cividis", "signed")
STRESS = Quantity("equivalent_stress [Pa]", r"$\sigma_\mathrm{eq}$ (MPa)", 1e-6, "inferno", "log")
SPEED = Quantity("velocity [m/s]", "velocity (nm/s)", 1e9, "cividis", "linear")
RATE = Quantity("strain_rate [1/s]", r"strain rate (s$^{-1}$)", 1.0, "inferno", "log")


class Colours(NamedTuple):
    """A colour map with its limits, and which ends of the colour bar are open."""

    name: str
    norm: Normalize
    extend: str


def colours(quantity: Quantity, values: Array, weights: Array | None = None) -> Colours:
    """Choose the limits of a colour map from the values seen, each weighted by the area that shows it.

    The outermost 0.2 % of the area at either end are left out: stress and pressure peak at the void edges.
    """
    weights = np.ones_like(values) if weights is None else weights
    low, high = _quantiles(values, weights, 0.002, 0.998)
    smallest, largest = float(values.min()), float(values.max())
    if high - low < 1e-6 * max(abs(low), abs(high), 1e-30):  # uniform: a band around the value, not noise in colours
        margin = 0.01 * abs(high) or 1.0
        low, high = low - margin, high + margin
    low, high = widened(low, high)
    slack = 0.01 * (high - low)
    under, over = smallest < low - slack, largest > high + slack
    if quantity.scale == "signed" and smallest < -0.02 * abs(high):
        # Tension anywhere: white is zero, so that even a small patch of it shows its sign.
        # A little beyond the largest value, as the ends of the map are too dark to show outlines.
        bound = 1.15 * max(abs(low), abs(high))
        return Colours("RdBu_r", Normalize(-bound, bound), _extend(smallest < -bound - slack, largest > bound + slack))
    if quantity.scale == "log" and smallest >= 0.0 and high > 10.0 * max(low, 1e-300):
        low = max(low, 1e-4 * high)
        return Colours(quantity.colours, LogNorm(low, high), _extend(smallest < low, over))
    return Colours(quantity.colours, Normalize(low, high), _extend(under, over))


def widened(low: float, high: float, least: float = 0.0) -> tuple[float, float]:
    """Limits moved apart where they are closer than `least` or than `NARROWEST` of the larger value.

    What varies less is shown as the constant that it nearly is, and tick labels stay short enough for their place.
    """
    missing = max(least, NARROWEST * max(abs(low), abs(high))) - (high - low)
    return (low - 0.5 * missing, high + 0.5 * missing) if missing > 0.0 else (low, high)


def _extend(under: bool, over: bool) -> str:
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[under, over]


def _quantiles(values: Array, weights: Array, *levels: float) -> list[float]:
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    if share[-1] <= 0.0:
        return [float(np.quantile(values, level)) for level in levels]
    return [float(values[order][min(np.searchsorted(share, level * share[-1]), len(order) - 1)]) for level in levels]


class Margins(NamedTuple):
    """Room around a panel for its labels and colour bar, in mm."""

    left: float = 11.0
    right: float = 15.0
    bottom: float = 9.0
    top: float = 5.5


EDGELESS = Margins(0.0, 0.0, 0.0, 0.0)


def sheet(
    inner: float, heights: Sequence[float], columns: int, around: Margins, edge: Margins = EDGELESS
) -> tuple[Figure, Array]:
    """A figure of panels placed by hand in mm, which keeps equal scales and equal widths.

    Args:
        inner: width of every panel.
        heights: height of the panels of each row, from the top.
        columns: panels in a row.
        around: room around every panel.
        edge: further room along the edges of the figure.

    Returns:
        The figure and its axes, (rows, columns).
    """
    width = edge.left + columns * (around.left + inner + around.right) + edge.right
    total = edge.top + sum(heights) + len(heights) * (around.bottom + around.top) + edge.bottom
    fig = Figure(figsize=(width * MM, total * MM))
    FigureCanvasAgg(fig)
    axes = np.empty((len(heights), columns), dtype=object)
    above = edge.top
    for row, height in enumerate(heights):
        above += around.top + height
        for column in range(columns):
            left = edge.left + column * (around.left + inner + around.right) + around.left
            box = (left / width, 1.0 - above / total, inner / width, height / total)
            axes[row, column] = fig.add_axes(box)
        above += around.bottom
    return fig, axes


def save(drawing: Figure, path: Path) -> Path:
    """Write a figure at print resolution.

    Raises:
        OutputError: the folder is not writable or the disk is full.
    """
    try:
        drawing.savefig(path, dpi=DPI)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error})") from error
    return path


def when(time: float, capacity: float | None) -> str:
    """A moment for a title: capacity where known, and the time in a fitting unit."""
    unit, size = next((u, s) for u, s in (("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 0.0)) if time >= s)
    text = f"{time / (size or 1e-3):.3g} {unit}" if time > 0 else "0 s"
    return text if capacity is None else f"{capacity:.3g} mAh/cm², {text}"
