"""Curves: the history against capacity with a measured overlay; depth profiles of laterally uniform cases."""

import difflib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from femli.errors import CaseError
from femli.render_read import Array, Frame, Run, table
from femli.render_style import COMPOSITION, PAGE, PRESSURE, SPEED, STRESS, Margins, save, sheet, when, widened

CAPACITY, TIME, CONTACT = "capacity [mAh/cm^2]", "time [s]", "contact_fraction [-]"
STEP = "step [-]"
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"  # apart for colour-blind readers too


class Panel(NamedTuple):
    """Curves that share an axis: label, factor from the file's unit, column -> short name, log axis, least span."""

    label: str
    factor: float
    columns: dict[str, str]
    log: bool = False
    least: float = 0.0


PANELS = (
    Panel(
        "Li fraction $x$ at contact",
        1.0,
        {"li_fraction_interface_mean [-]": "mean", "li_fraction_interface_min [-]": "smallest"},
    ),
    Panel(
        "pressure (MPa)",
        1e-6,
        {
            "pressure_interface_mean [Pa]": "contact, mean",
            "pressure_interface_min [Pa]": "contact, smallest",
            "pressure_min [Pa]": "anywhere, smallest",
        },
    ),
    Panel(r"depth of $p_\mathrm{min}$ (µm)", 1e6, {"pressure_min_depth [m]": ""}, least=0.1),
    Panel("contact fraction", 1.0, {CONTACT: ""}),
    Panel("area of voids (µm²)", 1e12, {"void_area [m^2]": ""}),
    Panel("volume of voids (µm³)", 1e18, {"void_volume [m^3]": ""}),
    Panel("width of voids (µm)", 1e6, {"void_width_median [m]": "median", "void_width_max [m]": "largest"}),
    Panel("height of voids (µm)", 1e6, {"void_height_median [m]": "median", "void_height_max [m]": "largest"}),
    Panel("voltage (mV)", 1e3, {"cell_voltage [V]": "cell", "overpotential [V]": "overpotential"}),
    Panel("net charge (mAh/cm²)", 1.0, {CAPACITY: ""}),
    Panel("stack pressure (MPa)", 1e-6, {"stack_pressure [Pa]": ""}, least=0.1),
    Panel("electrode thickness (µm)", 1e6, {"electrode_thickness [m]": ""}),
    Panel("time step (s)", 1.0, {"dt [s]": ""}, log=True),
    Panel("balance error", 1.0, {"li_balance_error [-]": "Li", "host_balance_error [-]": "host"}, log=True),
)


def measured(path: Path, history: pd.DataFrame) -> pd.DataFrame:
    """A user's curve: CSV with columns named as in history.csv, against capacity or time.

    Raises:
        CaseError: no such file, a column that history.csv does not know, or neither capacity nor time.
    """
    if not Path(path).is_file():
        raise CaseError(f"{path}: no such file; allowed: a CSV file with columns named as in history.csv")
    curve = table(Path(path))
    known = [CAPACITY, TIME, *(name for panel in PANELS for name in panel.columns)]
    faults = []
    for name in curve.columns:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            faults.append(f"{path}: column {name!r}: unknown{hint}; allowed: {', '.join(known)}")
    if CAPACITY not in curve and TIME not in curve:
        faults.append(f"{path}: has neither {CAPACITY!r} nor {TIME!r}: one of them is needed as abscissa")
    if not faults and not set(curve.columns) - {CAPACITY, TIME}:
        faults.append(f"{path}: has nothing to draw; allowed: {', '.join(known[2:])}")
    if faults:
        raise CaseError(*faults)
    if CAPACITY not in curve:
        curve[CAPACITY] = np.interp(curve[TIME], history[TIME], history[CAPACITY])
    if TIME not in curve:
        if abscissa(history).column == TIME:
            raise CaseError(f"{path}: has no column {TIME!r}: a charge is passed more than once in this run")
        curve[TIME] = np.interp(curve[CAPACITY], history[CAPACITY], history[TIME])
    return curve


def history(run: Run, path: Path, overlay: Path | None = None) -> Path:
    """Every column of the history that the case has, against capacity; a measured curve as circles.

    Raises:
        CaseError: the overlay is not usable.
        OutputError: the file cannot be written.
    """
    rows = _with_capacity(run)
    curve = measured(overlay, rows) if overlay is not None else None
    drawn = [panel for panel in PANELS if any(name in rows for name in panel.columns)]
    if "void_count [-]" not in rows:
        drawn = [panel for panel in drawn if CONTACT not in panel.columns]  # all of it, all the time
    if abscissa(rows).column == CAPACITY:
        drawn = [panel for panel in drawn if CAPACITY not in panel.columns]
    if curve is not None:
        extra = [panel for panel in PANELS if panel not in drawn and any(name in curve for name in panel.columns)]
        drawn += extra
    columns = 3
    count = -(-len(drawn) // columns)
    around = Margins(12.5, 3.0)
    inner = PAGE / columns - around.left - around.right
    fig, axes = sheet(inner, [0.75 * inner] * max(count, 1), columns, around)
    for ax, panel, name in zip(axes.ravel(), drawn, "abcdefghijklmn", strict=False):
        _panel(ax, panel, rows, curve, Path(overlay).stem if overlay else "")
        ax.set_title(rf"$\bf{{{name}}}$", loc="left")
    for ax in axes.ravel()[len(drawn) :]:
        ax.remove()
    return save(fig, path)


def _with_capacity(run: Run) -> pd.DataFrame:
    rows = run.history if run.history is not None else pd.DataFrame({TIME: run.times})
    return rows if CAPACITY in rows else rows.assign(**{CAPACITY: rows[TIME]})


class Abscissa(NamedTuple):
    """What curves are drawn against: column, factor from the file's unit, label."""

    column: str
    factor: float
    label: str


def abscissa(rows: pd.DataFrame) -> Abscissa:
    """Capacity; time where the run has steps or the charge goes back and forth, so that no curve runs over itself."""
    if STEP in rows or not (np.diff(np.abs(rows[CAPACITY])) > 0.0).all():
        return Abscissa(TIME, *time_axis(float(rows[TIME].max())))
    return Abscissa(CAPACITY, *capacity_axis(rows[CAPACITY].to_numpy()))


def time_axis(last: float) -> tuple[float, str]:
    """Factor and name for an axis of times up to the last (s)."""
    factor, unit = (1 / 3600.0, "h") if last > 3600.0 else (1 / 60.0, "min") if last > 60.0 else (1.0, "s")
    return factor, f"time ({unit})"


def capacity_axis(capacity: Array) -> tuple[float, str]:
    """Factor and name for an axis of capacities (mAh/cm2): in µAh/cm2 where they are small."""
    if float(np.abs(capacity).max()) < 0.1:
        return 1e3, "capacity (µAh/cm²)"
    return 1.0, "capacity (mAh/cm²)"


def _panel(ax: Axes, panel: Panel, rows: pd.DataFrame, curve: pd.DataFrame | None, source: str) -> None:
    against = abscissa(rows)
    along = rows[against.column].to_numpy() * against.factor
    names, hidden = _short_names(panel, rows)
    for (name, short), colour in zip(names.items(), (BLUE, ORANGE, GREEN), strict=False):
        if name in rows and name not in hidden:
            values = rows[name].to_numpy() * panel.factor
            if panel.log:
                values = np.where(np.abs(values) > 0.0, np.abs(values), np.nan)  # row 0 has no step and no error
            style = "--" if name.startswith("pressure_min") and len(panel.columns) > 1 else "-"
            ax.plot(along, values, style, color=colour, label=short or None)
        if curve is not None and name in curve:
            name_of_curve = source if name == next(n for n in panel.columns if n in curve) else None
            points = curve[name] * panel.factor
            places = curve[against.column] * against.factor
            ax.plot(places, points, "o", ms=3, mfc="none", mec=colour, mew=0.8, label=name_of_curve)
    if panel.log and any(name in rows and (rows[name].abs() > 0).any() for name in panel.columns):
        ax.set_yscale("log")
        low, high = np.log10(ax.get_ylim())
        if high - low < 2:  # round-off over less than a decade: whole powers of ten read better
            ax.set_ylim(10 ** np.floor(low), 10 ** max(np.ceil(high), np.floor(low) + 2))
    else:
        ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        ax.set_ylim(widened(*ax.get_ylim(), panel.least))
    low, high = ax.get_ylim()
    if panel.label.startswith("pressure") and low < 0.0 < high:
        ax.axhspan(low, 0.0, color="#f0f0f0", lw=0, zorder=0)
        place: Any = {"xytext": (3, -2), "textcoords": "offset points", "va": "top", "fontsize": 7, "color": "0.4"}
        ax.annotate("tension", (0.0, 0.0), xycoords=("axes fraction", "data"), **place)
        ax.set_ylim(low, high)
    ends = [float(along.max())] + ([float(curve[against.column].max()) * against.factor] if curve is not None else [])
    if max(ends) > 0.0 and along.min() >= 0.0:
        ax.set_xlim(0.0, max(ends))
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.set(xlabel=against.label, ylabel=panel.label)
    names_shown = ax.get_legend_handles_labels()[1]
    if names_shown:
        if len(names_shown) > 2 and not panel.log:  # three lines of names lie on the curves of most runs
            low, high = ax.get_ylim()
            ax.set_ylim(low, high + 0.55 * (high - low))
        ax.legend(handlelength=1.3, labelspacing=0.2, borderpad=0.2)


def _short_names(panel: Panel, rows: pd.DataFrame) -> tuple[dict[str, str], set[str]]:
    """Names for the legend, and columns that would lie under another curve: in 1D the smallest is the mean."""
    names, hidden = dict(panel.columns), set[str]()
    present = [name for name in names if name in rows]
    for first, second in pairwise(present):
        where, what = names[second].rpartition(", ")[::2]
        same_place = names[first].rpartition(", ")[0] == where
        if same_place and first not in hidden and np.allclose(rows[first], rows[second], rtol=1e-9, atol=0.0):
            names[first] += f" and {what}"
            hidden.add(second)
    return names, hidden


def depth_profiles(frames: Sequence[Frame], stack_pressure: float | None, path: Path) -> Path:
    """Composition, pressure, stress and velocity against depth at several times, laterally uniform.

    The depth axis is logarithmic: the stress decays over a tenth of a um, the composition over tens.
    Values at the contact itself are marked on the left edge.
    """
    quantities = [q for q in (COMPOSITION, PRESSURE, STRESS, SPEED) if q.array in frames[-1].fields]
    around = Margins(12.5, 5.0)
    inner = PAGE / 2 - around.left - around.right
    fig, axes = sheet(inner, [0.62 * inner] * 2, 2, around, Margins(0.0, 0.0, 0.0, 7.0))
    shades = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.88, len(frames)))
    edge = 0.7 * min(float(np.sort(frame.points[:, 0])[1]) for frame in frames)
    for ax, quantity, name in zip(axes.ravel(), quantities, "abcd", strict=False):
        for frame, shade in zip(frames, shades, strict=True):
            order = np.argsort(frame.points[:, 0])
            depth, values = frame.points[order, 0], quantity.values(frame.fields)[order]
            ax.plot(depth[1:], values[1:], color=shade, lw=1.0, label=when(frame.time, frame.capacity))
            ax.plot([edge], values[:1], ">", color=shade, ms=3.5, clip_on=False)
        ax.set_xscale("log")
        ax.set(xlim=(edge, None), xlabel="depth from the contact (µm)", ylabel=quantity.label)
        if quantity is STRESS and _spans_a_decade([frame.fields[STRESS.array] for frame in frames]):
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            ax.yaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_minor_formatter(NullFormatter())
        else:
            ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        ax.set_title(rf"$\bf{{{name}}}$", loc="left")
    if stack_pressure is not None and PRESSURE in quantities:
        _drop_axis(axes.ravel()[quantities.index(PRESSURE)], stack_pressure)
    for ax in axes.ravel()[len(quantities) :]:
        ax.remove()
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, ncols=4, loc="upper center", handlelength=1.2, columnspacing=1.2, borderpad=0.1)
    return save(fig, path)


def _drop_axis(ax: Axes, stack_pressure: float) -> None:
    """A dotted line at the stack pressure: the distance to it is the drop S."""
    level = stack_pressure * PRESSURE.factor
    ax.axhline(level, color="0.5", lw=0.6, ls=":")
    ax.annotate(r"$p_\mathrm{stack}$", (0.02, level), xycoords=("axes fraction", "data"), va="bottom", color="0.4")
    ax.margins(y=0.12)


def _spans_a_decade(values: Sequence[Array]) -> bool:
    joined = np.concatenate([np.ravel(part) for part in values])
    return bool(joined.min() > 0.0 and joined.max() > 10.0 * joined.min())


def profile_table(frame: Frame, nodes: Array) -> pd.DataFrame:
    """The values at the given nodes of one frame, a row each.

    Columns: time [s], capacity where known, then depth [um] in 1D, x [um] in 2D (the radius where
    axisymmetric), x [um] and y [um] in 3D, then every scalar point array and the speed.
    """
    columns: dict[str, Array] = {TIME: np.full(len(nodes), frame.time)}
    if frame.capacity is not None:
        columns[CAPACITY] = np.full(len(nodes), frame.capacity)
    names = {1: ["depth [um]"], 2: ["x [um]"], 3: ["x [um]", "y [um]"]}[frame.dimension]
    columns |= {name: frame.points[nodes, axis] for axis, name in enumerate(names)}
    columns |= {name: values[nodes] for name, values in frame.fields.items() if values.ndim == 1}
    if SPEED.array in frame.fields:
        columns["speed [m/s]"] = np.linalg.norm(frame.fields[SPEED.array][nodes], axis=1)
    return pd.DataFrame(columns)
