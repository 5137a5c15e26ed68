"""The film of a discharge: frames of one size as an .mp4, or a .gif where ffmpeg is not available."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import imageio_ffmpeg
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from femli.errors import OutputError
from femli.render_curves import BLUE, CAPACITY, ORANGE, TIME, capacity_axis
from femli.render_plane import Window, around, axis_labels, bar, paint, seen, telling, whole, worst_void
from femli.render_read import Array, Frame, Run
from femli.render_shape import Plane, void_box
from femli.render_style import COMPOSITION, PRESSURE, STRESS, Colours, Quantity, when

SIZE, DOTS = (8.0, 4.5), 160  # inches, dots an inch: 1280 x 720, even numbers as the codec wants
WIDE, GAP = 0.84, 0.05  # of the figure: a strip of the interface, and the room below it
LONGEST = 12.0  # s, of the whole film; slower than 2 frames a second looks like a slide show


def write(images: Iterable[Array], count: int, path: Path) -> Path:
    """Write a film of RGB images (height, width, 3); returns the file, .mp4 or .gif.

    Raises:
        OutputError: the file cannot be written.
    """
    rate = float(np.clip(count / LONGEST, 2.0, 25.0))
    try:
        imageio_ffmpeg.get_ffmpeg_exe()
        target = path.with_suffix(".mp4")
        options: dict[str, Any] = {
            "fps": rate,
            "codec": "libx264",
            "quality": 8,
            "macro_block_size": 2,
            "ffmpeg_log_level": "error",
        }
    except RuntimeError:  # no ffmpeg for this machine
        target, options = path.with_suffix(".gif"), {"duration": 1000.0 / rate, "loop": 0}
    try:
        film: Any = imageio.get_writer(target, **options)
        with film:
            for image in images:
                film.append_data(image)
    except (OSError, RuntimeError) as error:
        raise OutputError(f"{target}: cannot be written ({error})") from error
    return target


def plane_images(
    shapes: Iterable[Plane], scales: Sequence[Colours], tallest: Window, history: pd.DataFrame | None
) -> Iterable[Array]:
    """One image a frame: the whole electrode, the pressure near the contact, and the history so far.

    Args:
        shapes: the frames.
        scales: colours of the composition and of the pressure, kept through the film.
        tallest: window that holds the electrode at its thickest.
        history: rows for the curve below, or None.
    """
    for shape in shapes:
        fig = _figure()
        left, right, below = (fig.add_axes(box) for box in _boxes())
        bar(fig, left, paint(left, shape, COMPOSITION, scales[0], tallest, 500), COMPOSITION, scales[0])
        zoom = around(shape, worst_void(shape), 0.6)
        near = telling(shape)
        bar(fig, right, paint(right, shape, near, scales[1], zoom, 500), near, scales[1])
        for ax in (left, right):
            axis_labels(ax, shape)
        left.set_title(when(shape.time, shape.capacity), loc="left")
        _progress(below, history, shape.time)
        yield _image(fig)


def interface_images(shapes: Iterable[Plane], shades: Colours, views: Sequence[Window], run: Run) -> Iterable[Array]:
    """One image a frame: the pressure along the whole interface, enlarged, and contact loss and widths so far.

    Args:
        shapes: the frames.
        shades: colours of the pressure, kept through the film.
        views: from `enlarged`, one below the other.
        run: for the history.
    """
    high = WIDE * SIZE[0] / SIZE[1] * views[0].ratio
    for shape in shapes:
        fig = _figure()
        for number, view in enumerate(views):
            ax = fig.add_axes((0.06, 0.94 - high - number * (high + GAP), WIDE, high))
            drawn = paint(ax, shape, PRESSURE, shades, view, 1000)
            ax.tick_params(labelsize=7)
            if number == 0:
                ax.set_title(when(shape.time, shape.capacity), loc="left")
            if number == len(views) // 2:
                ax.set_ylabel("height (µm)")
        ax.set_xlabel(shape.label)
        bar(fig, ax, drawn, PRESSURE, shades)
        _interface_so_far(fig, run.history, shape.time)
        yield _image(fig)


def enlarged(shapes: Sequence[Plane]) -> list[Window]:
    """The zone of the voids over the whole interface, cut into as many pieces as show it largest."""
    left, right = shapes[0].width
    highest = max((void_box(shape, void)[3] for shape in shapes for void in shape.outline.voids), default=0.0)
    top = min(max(2.0 * highest, 0.02 * (right - left)), min(shape.height for shape in shapes))
    ratio, room = 1.15 * top / (right - left), 0.56 * SIZE[1]
    count = max(n for n in (1, 2, 3, 4) if n == 1 or n * (WIDE * SIZE[0] * ratio * n + GAP * SIZE[1]) < room)
    # What room is left shows more of the metal above.
    fill = (room / count - GAP * SIZE[1]) / (WIDE * SIZE[0]) * (right - left) / count / 1.15
    top = min(max(top, fill), min(shape.height for shape in shapes))
    ends = np.linspace(left, right, count + 1)
    return [Window(a, b, -0.15 * top, top) for a, b in pairwise(ends.tolist())]


def _interface_so_far(fig: Figure, history: pd.DataFrame | None, time: float) -> None:
    """Contact loss, and median and largest width of the voids, with a dot at the present."""
    names = ("contact_loss [-]", "void_width_median [m]", "void_width_max [m]")
    if history is None or not {CAPACITY, *names} <= set(history):
        return
    factor, label = capacity_axis(history[CAPACITY].to_numpy())
    now = float(np.interp(time, history[TIME], history[CAPACITY])) * factor
    axes = [fig.add_axes(box) for box in ((0.08, 0.115, 0.36, 0.19), (0.56, 0.115, 0.36, 0.19))]
    for ax, name, scale, colour, short in (
        (axes[0], names[0], 100.0, BLUE, None),
        (axes[1], names[1], 1e6, BLUE, "median"),
        (axes[1], names[2], 1e6, ORANGE, "largest"),
    ):
        values = history[name] * scale
        ax.plot(history[CAPACITY] * factor, values, color=colour, lw=1.0, label=short)
        ax.plot([now], [np.interp(time, history[TIME], values)], "o", color=colour, ms=4)
        ax.set_xlabel(label)
    axes[0].set(ylabel="contact loss (%)", ylim=(0.0, 100.0))
    axes[1].set_ylabel("width (µm)")
    axes[1].set_ylim(0.0, 1.5e6 * float(history[names[2]].max()) or 1.0)
    axes[1].legend(loc="upper left", ncols=2)


def depth_images(frames: Iterable[Frame], limits: dict[str, tuple[float, float]], first: float) -> Iterable[Array]:
    """One image a frame of a laterally uniform case: three fields against depth (log axis)."""
    shown: list[Quantity] = [q for q in (COMPOSITION, PRESSURE, STRESS) if q.array in limits]
    for frame in frames:
        fig = _figure()
        for number, quantity in enumerate(shown):
            ax = fig.add_axes((0.075 + 0.325 * number, 0.14, 0.25, 0.72))
            order = np.argsort(frame.points[:, 0])
            values = quantity.values(frame.fields)[order]
            ax.plot(frame.points[order, 0][1:], values[1:], color=BLUE)
            ax.plot([0.7 * first], values[:1], ">", color=BLUE, ms=5, clip_on=False)  # the contact itself
            ax.set_xscale("log")
            ax.set(
                xlim=(0.7 * first, None),
                ylim=limits[quantity.array],
                xlabel="depth (µm)",
                ylabel=quantity.label,
            )
            if number == 0:
                ax.set_title(when(frame.time, frame.capacity), loc="left")
        yield _image(fig)


def _boxes() -> tuple[tuple[float, float, float, float], ...]:
    return (0.07, 0.12, 0.36, 0.78), (0.58, 0.52, 0.32, 0.40), (0.58, 0.12, 0.32, 0.26)


def _figure() -> Figure:
    fig = Figure(figsize=SIZE, dpi=DOTS)
    FigureCanvasAgg(fig)
    return fig


def _image(fig: Figure) -> Array:
    canvas = fig.canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[attr-defined]


def _progress(ax: Axes, history: pd.DataFrame | None, time: float) -> None:
    """Smallest composition and pressure at the contact so far, with a dot at the present."""
    names = ("li_fraction_interface_min [-]", "pressure_interface_min [Pa]")
    if history is None or CAPACITY not in history or names[0] not in history:
        ax.remove()
        return
    now = float(np.interp(time, history[TIME], history[CAPACITY]))
    curves = [(ax, names[0], 1.0, BLUE, "smallest $x$")]
    if names[1] in history:
        curves.append((ax.twinx(), names[1], 1e-6, ORANGE, "smallest $p$ (MPa)"))
    for axis, name, factor, colour, label in curves:
        values = history[name] * factor
        axis.plot(history[CAPACITY], values, color=colour, lw=1.0)
        axis.plot([now], [np.interp(time, history[TIME], values)], "o", color=colour, ms=4)
        axis.set_ylabel(label, color=colour)
        axis.tick_params(axis="y", colors=colour)
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.set_xlabel("capacity (mAh/cm²)")


def tall_window(shapes: Sequence[Plane]) -> Window:
    """The window that holds every frame."""
    return whole(max(shapes, key=lambda shape: shape.height))


def zoom_colours(shapes: Sequence[Plane]) -> Colours:
    """One scale for the pressure (or what tells most) near the contact through the film."""
    tallest = max(shapes, key=lambda shape: shape.height)
    return seen(shapes, telling(tallest), around(tallest, worst_void(tallest), 0.6))


def depth_limits(frames: Iterable[Frame]) -> tuple[dict[str, tuple[float, float]], float]:
    """Limits of each quantity over the film, with a margin, and the smallest depth above 0 (um)."""
    limits: dict[str, tuple[float, float]] = {}
    first = np.inf
    for frame in frames:
        first = min(first, float(np.sort(frame.points[:, 0])[1]))
        for quantity in (COMPOSITION, PRESSURE, STRESS):
            if quantity.array in frame.fields:
                values = quantity.values(frame.fields)
                low, high = limits.get(quantity.array, (np.inf, -np.inf))
                limits[quantity.array] = (min(low, float(values.min())), max(high, float(values.max())))
    wide = {name: 0.05 * (high - low) or 0.05 * abs(high) or 1.0 for name, (low, high) in limits.items()}
    return {name: (low - wide[name], high + wide[name]) for name, (low, high) in limits.items()}, first
