"""Statistics of voids from voids.csv: box plots of width and height, contact loss, tracks with their events."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import LogNorm
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from femli.errors import OutputError
from femli.render_curves import BLUE, CAPACITY, GREEN, ORANGE, TIME, capacity_axis, time_axis
from femli.render_read import Array, Run, table
from femli.render_style import PAGE, Margins, save, sheet

FILE = "voids.csv"
VOID, EVENT, PARENTS, X, WIDTH, HEIGHT = "void [-]", "event [-]", "parents [-]", "x [m]", "width [m]", "height [m]"
NEEDED = (TIME, CAPACITY, VOID, X, WIDTH, HEIGHT, PARENTS, EVENT)
FAR = 12.0  # largest over median void above which the axis of sizes is logarithmic
BOXES = 20  # a box plot shows at most so many frames
# Event -> marker, colour and name of the legend, in the order of the legend.
MARKS = {
    "nucleate": ("o", GREEN, "appears"),
    "coalesce": ("^", "black", "coalesces"),
    "split": ("v", ORANGE, "splits"),
    "collapse": ("X", "#cc3377", "collapses"),
}


class Course(NamedTuple):
    """What the pictures are drawn from: rows of voids.csv with the abscissa `at`, and the name of that axis."""

    rows: pd.DataFrame
    label: str
    history: pd.DataFrame | None


def course(run: Run) -> Course | None:
    """Read voids.csv of a result folder; None where there is none or no void was ever seen.

    The abscissa is the capacity, or the time where the capacity does not rise from frame to frame (rest, plating).

    Raises:
        OutputError: the file is damaged.
    """
    path = run.folder / FILE
    if not path.exists():
        return None
    rows = table(path, complete=False, words=(PARENTS, EVENT))
    missing = [name for name in NEEDED if name not in rows]
    if missing:
        raise OutputError(f"{path}: lacks the column {missing[0]!r}; it may be damaged")
    if rows[WIDTH].notna().sum() == 0:
        return None
    frames = rows.drop_duplicates(TIME)
    rising = len(frames) == 1 or bool((frames[CAPACITY].diff().iloc[1:] > 0.0).all())
    factor, label = capacity_axis(rows[CAPACITY].to_numpy()) if rising else time_axis(float(rows[TIME].max()))
    rows["at"] = rows[CAPACITY if rising else TIME] * factor
    history = None
    if run.history is not None and {CAPACITY, "contact_loss [-]"} <= set(run.history):
        history = run.history.assign(at=run.history[CAPACITY if rising else TIME] * factor)
    return Course(rows, label, history)


def summary(seen: Course, path: Path) -> Path:
    """void_statistics.csv: a row a frame, number, smallest, quartiles, largest, mean and standard deviation.

    Raises:
        OutputError: the file cannot be written.
    """
    found = []
    for time, frame in seen.rows.groupby(TIME):
        row = {TIME: time, CAPACITY: frame[CAPACITY].iloc[0], "seen [-]": int(frame[WIDTH].notna().sum())}
        for name in ("width", "height"):
            values = frame[f"{name} [m]"].dropna()
            for key, value in (
                *zip(("min", "q1", "median", "q3", "max"), values.quantile([0, 0.25, 0.5, 0.75, 1]), strict=True),
                ("mean", values.mean()),
                ("std", values.std()),
            ):
                row[f"{name}_{key} [m]"] = value
        found.append(row)
    try:
        pd.DataFrame(found).to_csv(path, index=False, float_format="%.9g")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error})") from error
    return path


def statistics(seen: Course, path: Path) -> Path:
    """Box plots of width and height, and the contact loss with the number of voids, over a page's width."""
    margins = Margins(11.0, 3.0, 9.0, 5.5)
    inner = PAGE / 3 - margins.left - margins.right - 3.0
    fig, axes = sheet(inner, [0.85 * inner], 3, margins, Margins(0.0, 9.0, 0.0, 0.0))
    for ax, name, label in zip(axes[0], (WIDTH, HEIGHT), ("width (µm)", "height (µm)"), strict=False):
        _boxes(ax, seen, name)
        ax.set_ylabel(label)
    _loss(axes[0, 2], seen)
    for ax, name in zip(axes[0], "abc", strict=True):
        ax.set_xlabel(seen.label)
        ax.set_title(rf"$\bf{{{name}}}$", loc="left")
    return save(fig, path)


def _shown(places: Array) -> list[int]:
    """Frames for boxes: at most BOXES, none nearer to the one before than half of the usual distance."""
    numbers = sorted({*range(0, len(places), -(-len(places) // BOXES)), len(places) - 1})
    usual = float(np.median(np.diff(places[numbers]))) if len(numbers) > 1 else 1.0
    kept: list[int] = []
    for number in numbers:
        if kept and places[number] - places[kept[-1]] < 0.5 * usual:
            kept.pop()
        kept.append(number)
    return kept


def _boxes(ax: Axes, seen: Course, name: str) -> None:
    """Boxes from quartile to quartile with the median, whiskers to the extremes, the mean as a diamond, all voids."""
    frames = [(at, f[name].dropna().to_numpy() * 1e6) for at, f in seen.rows.groupby("at")]
    places = np.array([at for at, _ in frames])
    shown = _shown(places)
    wide = 0.55 * float(np.diff(places[shown]).min()) if len(shown) > 1 else 0.5 * (places[0] or 1.0)
    rng = np.random.default_rng(1)  # scatter of the points, the same in each picture
    for number in shown:
        at, values = frames[number]
        if not len(values):
            continue
        line = {"color": BLUE, "lw": 0.8}
        box: dict[str, Any] = {"boxprops": {"fc": "#cfe3f1", "ec": BLUE, "lw": 0.8}, "medianprops": line | {"lw": 1.4}}
        mean: dict[str, Any] = {"marker": "D", "mfc": "white", "mec": ORANGE, "ms": 2.8, "mew": 0.8}
        ax.boxplot(
            [values],
            positions=[at],
            widths=wide,
            whis=(0, 100),
            showmeans=True,
            meanprops=mean,
            patch_artist=True,
            manage_ticks=False,
            whiskerprops=line,
            capprops=line,
            **box,
        )
        x = at + wide * rng.uniform(-0.3, 0.3, len(values))
        ax.plot(x, values, ".", color="0.35", ms=1.8, mew=0, alpha=0.7, zorder=3)
    ax.set_xlim(places[0] - wide, places[-1] + wide)
    every = seen.rows[name].dropna().to_numpy()
    _ticks(ax)
    if every.max() > FAR * np.median(every):  # one gap would press all the others flat
        ax.set_yscale("log")
        _plain_log(ax)
    else:
        ax.set_ylim(bottom=0.0)


def _ticks(ax: Axes) -> None:
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def _plain_log(ax: Axes) -> None:
    """Ticks of a logarithmic ordinate as 1, 2, 5, 10."""
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter("{x:g}")


def _loss(ax: Axes, seen: Course) -> None:
    """Contact loss of every time step, and at the right the number of voids that are seen at the snapshots."""
    number = seen.rows.groupby("at")[WIDTH].count()
    if seen.history is not None:
        ax.plot(seen.history["at"], 100 * seen.history["contact_loss [-]"], color=BLUE)
        ax.set_ylabel("contact loss (%)", color=BLUE)
        ax.set_ylim(0.0, 100.0)
        ax.tick_params(axis="y", colors=BLUE)
        second = ax.twinx()
        second.yaxis.set_label_position("right")
    else:
        second = ax
    second.plot(number.index, number.to_numpy(), "o", color=ORANGE, ms=3, clip_on=False)
    second.set_ylabel("number of voids", color=ORANGE)
    second.tick_params(axis="y", colors=ORANGE)
    second.set_ylim(0, max(1.15 * number.max(), 2))
    second.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    if len(number) > 1:
        ax.set_xlim(number.index[0], number.index[-1])
        ax.margins(x=0.02)


def tracks(seen: Course, window: tuple[float, float], section: bool, path: Path) -> Path | None:
    """The place of every void against capacity, its colour the width, its events marked; None for a single frame.

    In a plane section each void is as broad as it is; in 3D, where voids lie behind one another, it is a line.

    Args:
        seen: rows.
        window: lateral extent of the drawing (um).
        section: whether voids are drawn as broad as they are.
        path: file.
    """
    if seen.rows["at"].nunique() < 2:
        return None
    alive = seen.rows[seen.rows[WIDTH].notna()]
    happened = seen.rows[EVENT].str.contains("|".join(MARKS)).any()
    margins = Margins(13.0, 19.0, 9.0, 7.0 if happened else 2.0)
    inner = PAGE - margins.left - margins.right
    fig, axes = sheet(inner, [0.42 * inner], 1, margins)
    ax = axes[0, 0]
    low, high = (1e6 * float(value) for value in (alive[WIDTH].min(), alive[WIDTH].max()))
    norm = LogNorm(0.95 * low, 1.05 * high)
    shapes, shades = _strokes(alive, section)
    style: Any = {"cmap": "viridis_r", "norm": norm, "array": np.array(shades)}
    if section:
        drawn: Any = PolyCollection(shapes, lw=0.3, edgecolors="face", **style)
    else:
        drawn = LineCollection(shapes, linewidths=1.4, **style)
    ax.add_collection(drawn)
    ax.add_collection(LineCollection(_joints(seen.rows), colors="0.3", linewidths=0.7, linestyles="dotted"))
    handles = _marks(ax, seen.rows)
    ax.set(xlim=(seen.rows["at"].min(), seen.rows["at"].max()), ylim=window, xlabel=seen.label, ylabel="$x$ (µm)")
    _ticks(ax)
    place = ax.inset_axes((1.015, 0.0, 2.0 / inner, 1.0))
    made = fig.colorbar(drawn, cax=place)
    made.set_label("width (µm)", labelpad=2)
    made.outline.set_linewidth(0.5)
    _plain_log(place)
    if handles:
        ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, handletextpad=0.2)
    return save(fig, path)


def _strokes(alive: pd.DataFrame, section: bool) -> tuple[list[Array], list[float]]:
    """A stroke for each void from frame to frame, (corners, 2), and its width (um)."""
    shapes, shades = [], []
    short = 0.004 * float(np.ptp(alive["at"]))  # half the length that a void of a single frame is drawn with
    for _, rows in alive.groupby(VOID):
        if len(rows) == 1:
            rows = pd.concat([rows.assign(at=rows["at"] - short), rows.assign(at=rows["at"] + short)])
        at, x, width = (rows["at"].to_numpy(), 1e6 * rows[X].to_numpy(), 1e6 * rows[WIDTH].to_numpy())
        low, high = x - 0.5 * width, x + 0.5 * width
        for k in range(len(rows) - 1):
            if section:
                corners = [(at[k], low[k]), (at[k + 1], low[k + 1]), (at[k + 1], high[k + 1]), (at[k], high[k])]
            else:
                corners = [(at[k], x[k]), (at[k + 1], x[k + 1])]
            shapes.append(np.array(corners))
            shades.append(0.5 * (width[k] + width[k + 1]))
    return shapes, shades


def _joints(rows: pd.DataFrame) -> list[Array]:
    """Lines to a void from the parents whose number it does not bear, between the points that are nearest."""
    frames = {at: frame.set_index(VOID) for at, frame in rows[rows[WIDTH].notna()].groupby("at")}
    joints = []
    for before, at in pairwise(sorted(frames)):
        old, new = frames[before], frames[at]
        for number, x, width, parents in new[[X, WIDTH, PARENTS]].itertuples():
            for parent in (int(word) for word in parents.split("+") if word.isdigit()):
                if parent != number and parent in old.index:
                    y, span = old[X][parent], old[WIDTH][parent]
                    start = np.clip(x, y - 0.5 * span, y + 0.5 * span)
                    end = np.clip(y, x - 0.5 * width, x + 0.5 * width)
                    joints.append(np.array([(before, 1e6 * start), (at, 1e6 * end)]))
    return joints


def _marks(ax: Axes, rows: pd.DataFrame) -> Sequence[Any]:
    """Markers of the events that happened; returns what a legend needs."""
    handles = []
    for event, (marker, colour, name) in MARKS.items():
        there = rows[rows[EVENT].str.split("+").map(lambda words, event=event: event in words)]
        if len(there):
            options: dict[str, Any] = {"ms": 4.5, "mfc": colour, "mec": "white", "mew": 0.5, "clip_on": False}
            drawn = ax.plot(there["at"], 1e6 * there[X], marker, zorder=4, label=name, **options)
            handles += drawn
    return handles


def draw(run: Run, window: tuple[float, float], section: bool) -> list[Path]:
    """All pictures of voids.csv, into the result folder; none where it has no voids."""
    seen = course(run)
    if seen is None:
        return []
    made: list[Path] = [
        summary(seen, run.folder / "void_statistics.csv"),
        statistics(seen, run.folder / "void_statistics.png"),
    ]
    drawn = tracks(seen, window, section, run.folder / "void_tracks.png")
    return made if drawn is None else [*made, drawn]
