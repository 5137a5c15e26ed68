"""Plane pictures in Matplotlib: fields with void outlines, arrows, zooms, and the figure of one field."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyvista
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from femli.render_read import Array
from femli.render_shape import Plane, contact_lines, void_box
from femli.render_style import (
    COLUMN,
    COMPOSITION,
    MM,
    PRESSURE,
    SPEED,
    Colours,
    Margins,
    Quantity,
    colours,
    save,
    sheet,
    when,
)

ELECTROLYTE = "#d9d9d9"


class Window(NamedTuple):
    """A part of the plane (um)."""

    left: float
    right: float
    bottom: float
    top: float

    @property
    def ratio(self) -> float:
        """Height over width."""
        return (self.top - self.bottom) / (self.right - self.left)


def whole(shape: Plane) -> Window:
    """All of the electrode, with a strip of the electrolyte beneath."""
    left, right = shape.width
    return Window(left, right, -0.03 * max(shape.height, right - left), shape.height)


def strip(shape: Plane) -> Window:
    """The lowest part of the electrode over its whole width, at least an eighth of the width high."""
    left, right = shape.width
    highest = max((void_box(shape, void)[3] for void in shape.outline.voids), default=0.0)
    top = min(shape.height, max(2.5 * highest, 0.125 * (right - left)))
    return Window(left, right, -0.12 * top, top)


def around(shape: Plane, void: Array | None, ratio: float = 0.6) -> Window:
    """The neighbourhood of a void, or without one the contact's middle, a few um wide."""
    left, right = shape.width
    if void is None:
        middle, span = 0.5 * (left + right), min(10.0, right - left)
    else:
        low, high, _, top = void_box(shape, void)
        middle, span = 0.5 * (low + high), min(max(2.5 * (high - low), 2.6 * top / ratio), right - left)
    start = min(max(middle - 0.5 * span, left), right - span)
    top = min(shape.height, 0.9 * ratio * span)
    return Window(start, start + span, top - ratio * span if top < shape.height else -0.1 * ratio * span, top)


def telling(shape: Plane) -> Quantity:
    """What tells most near the contact: the pressure, or the composition where a run has no mechanics."""
    return PRESSURE if PRESSURE.array in shape.fields else COMPOSITION


def worst_void(shape: Plane) -> Array | None:
    """The void with the smallest pressure on its wall: where the metal is pulled hardest."""
    if not shape.outline.voids:
        return None
    pressure = shape.fields[PRESSURE.array]
    return min(shape.outline.voids, key=lambda void: pressure[np.unique(void)].min())


def seen(shapes: Sequence[Plane], quantity: Quantity, window: Window | None = None) -> Colours:
    """One scale of colours for several drawings, by what shows in the window."""
    values, weights = [], []
    for shape in shapes:
        corners = shape.points[shape.triangles]
        edge, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        area = 0.5 * np.abs(edge[:, 0] * other[:, 1] - edge[:, 1] * other[:, 0])
        weight = np.bincount(shape.triangles.ravel(), np.repeat(area / 3, 3), len(shape.points))
        inside = np.ones(len(shape.points), dtype=bool)
        if window is not None:
            x, y = shape.points.T
            inside = (x >= window.left) & (x <= window.right) & (y >= window.bottom) & (y <= window.top)
        if not inside.any():
            inside[:] = True
        values.append(quantity.values(shape.fields)[inside])
        weights.append(weight[inside])
    return colours(quantity, np.concatenate(values), np.concatenate(weights))


def paint(ax: Axes, shape: Plane, quantity: Quantity, shades: Colours, window: Window, pixels: int = 700) -> Any:
    """Draw one field with the outlines of contact and voids; returns what a colour bar needs.

    The field is interpolated to pixels: shading triangles by colour shows their edges and mixes colours off
    the map.
    """
    image, extent = raster(shape, quantity, window, pixels)
    drawn = ax.imshow(image, extent=extent, origin="lower", cmap=shades.name, norm=shades.norm, interpolation="nearest")
    if shades.name == "RdBu_r" and np.nanmin(image) < 0.0 < np.nanmax(image):
        x, y = (np.linspace(extent[k], extent[k + 1], image.shape[1 - k // 2]) for k in (0, 2))
        ax.contour(x, y, image, levels=[0.0], colors="black", linewidths=0.6, linestyles="dashed")
    outlines(ax, shape, window)
    return drawn


def raster(
    shape: Plane, quantity: Quantity, window: Window, pixels: int
) -> tuple[Array, tuple[float, float, float, float]]:
    """A field on square pixels of a window, NaN outside the metal; and the extent of the picture (um)."""
    bottom = max(window.bottom, 0.0)
    size = max(window.right - window.left, window.top - bottom) / pixels
    across = max(int(np.ceil((window.right - window.left) / size)), 2)
    up = max(int(np.ceil((window.top - bottom) / size)), 2)
    x = window.left + (np.arange(across) + 0.5) * (window.right - window.left) / across
    y = bottom + (np.arange(up) + 0.5) * (window.top - bottom) / up
    places = np.stack([g.ravel() for g in np.meshgrid(x, y)], axis=1)
    values, inside = sample(shape, quantity.array, places)
    image = np.where(inside, quantity.values({quantity.array: values}), np.nan)
    return image.reshape(up, across), (window.left, window.right, bottom, window.top)


def outlines(ax: Axes, shape: Plane, window: Window) -> None:
    """Void walls and contact in black, the rest of the boundary thin, the electrolyte as a grey ground."""
    if window.bottom < 0.0:
        ax.axhspan(window.bottom, 0.0, color=ELECTROLYTE, lw=0, zorder=0.5)
    for facets, width in (
        (shape.outline.sides, 0.4),
        (shape.outline.collector, 0.4),
        (shape.outline.contact, 0.6),
    ):
        ax.add_collection(LineCollection(list(shape.points[facets]), colors="black", linewidths=width), autolim=False)
    for void in shape.outline.voids:
        lines = LineCollection(list(shape.points[void]), colors="black", linewidths=0.9, capstyle="round")
        ax.add_collection(lines, autolim=False)
    ax.set(xlim=(window.left, window.right), ylim=(window.bottom, window.top), aspect="equal")
    wide, high = size_of(ax)
    ax.xaxis.set_major_locator(_ticks(wide, 8.0, 5))
    ax.yaxis.set_major_locator(_ticks(high, 6.0, 5))


def size_of(ax: Axes) -> tuple[float, float]:
    """Width and height (mm) of a panel after equal scales have shrunk it."""
    ax.apply_aspect()
    box = ax.get_position()
    wide, high = ax.figure.get_size_inches()  # type: ignore[union-attr]
    return float(box.width * wide / MM), float(box.height * high / MM)


def _ticks(length: float, room: float, most: int) -> MaxNLocator:
    """Ticks at round numbers, each with room (mm) for its label."""
    return MaxNLocator(int(np.clip(length / room, 1, most)), steps=[1, 2, 5, 10])


def arrows(ax: Axes, shape: Plane, window: Window, across: int = 12) -> None:
    """Velocity arrows on a regular grid, as long as the metal is fast; none where it hardly moves."""
    step = (window.right - window.left) / across
    x = np.arange(window.left + 0.5 * step, window.right, step)
    y = np.arange(max(window.bottom, 0.0) + 0.4 * step, min(window.top, shape.height) - 0.5 * step, step)
    grid = np.stack([g.ravel() for g in np.meshgrid(x, y)], axis=1)
    velocity, inside = sample(shape, SPEED.array, grid)
    if not inside.any():
        return
    speed = np.linalg.norm(velocity, axis=1)
    largest = float(np.quantile(speed[inside], 0.95))
    if largest <= 0.0:
        return
    length = velocity * (0.8 * step / largest)
    ends = [sample(shape, SPEED.array, grid + sign * 0.5 * length)[1] for sign in (-1, 1)]
    drawn = inside & ends[0] & ends[1] & (speed > 0.1 * largest)
    ax.quiver(
        *grid[drawn].T,
        *length[drawn].T,
        angles="xy",
        scale_units="xy",
        scale=1.0,
        units="inches",
        width=0.35 * MM,
        headwidth=3.5,
        headlength=4.0,
        headaxislength=3.5,
        minlength=0.2,
        color="white",
        edgecolor="black",
        linewidth=0.3,
        pivot="mid",
    )


def sample(shape: Plane, name: str, places: Array) -> tuple[Array, Array]:
    """A field at places (n, 2) in the plane, and which of them lie in the metal."""
    flat = np.zeros((len(shape.points), 3))
    flat[:, :2] = shape.points
    surface = pyvista.PolyData(flat, np.column_stack([np.full(len(shape.triangles), 3), shape.triangles]).ravel())
    values = shape.fields[name]
    surface.point_data[name] = np.pad(values, ((0, 0), (0, 1))) if values.ndim == 2 else values
    probes = pyvista.PolyData(np.column_stack([places, np.zeros(len(places))]))
    found = probes.sample(surface)
    values = np.asarray(found.point_data[name])
    return values[:, :2] if values.ndim == 2 else values, np.asarray(found.point_data["vtkValidPointMask"], dtype=bool)


def bar(fig: Figure, ax: Axes, drawn: Any, quantity: Quantity, shades: Colours) -> None:
    """A colour bar as high as the panel at its right."""
    width, height = size_of(ax)
    wide = 2.0 / width
    place = ax.inset_axes((1.0 + 0.8 * wide, 0.0, wide, 1.0))
    made = fig.colorbar(drawn, cax=place, extend=shades.extend, extendfrac=0.04)
    made.set_label(quantity.label, labelpad=2)
    made.outline.set_linewidth(0.5)
    if isinstance(shades.norm, LogNorm):
        spread = float(shades.norm.vmax or 1.0) / float(shades.norm.vmin or 1.0)
        place.yaxis.set_major_locator(LogLocator(subs=(1.0,) if spread > 100.0 else (1.0, 2.0, 5.0)))
        place.yaxis.set_minor_locator(NullLocator())
        if spread <= 100.0:
            place.yaxis.set_major_formatter("{x:g}")
    else:
        place.yaxis.set_major_locator(_ticks(height, 4.0, 6))


def letter(ax: Axes, text: str, title: str = "") -> None:
    """The panel's letter and title above its upper left corner."""
    ax.set_title(rf"$\bf{{{text}}}$  {title}", loc="left")


def axis_labels(ax: Axes, shape: Plane) -> None:
    """Coordinates in um; the height is the distance from the electrolyte."""
    ax.set_xlabel(shape.label)
    ax.set_ylabel("height (µm)")


def profile(ax: Axes, shape: Plane, quantity: Quantity, **options: Any) -> None:
    """A quantity along the contact, with gaps at the voids."""
    values = quantity.values(shape.fields)
    for number, run in enumerate(contact_lines(shape)):
        ax.plot(
            shape.points[run, 0],
            values[run],
            **{**options, "label": options.get("label") if number == 0 else None},
        )


def field(shape: Plane, quantity: Quantity, path: Path) -> Path:
    """One field in a column's width: the whole electrode above, the worst void (or the contact) below."""
    zoom = around(shape, worst_void(shape))
    window = whole(shape)
    margins = Margins()
    inner = COLUMN - margins.left - margins.right
    fig, axes = sheet(inner, [min(max(inner * window.ratio, 8.0), 90.0), inner * zoom.ratio], 1, margins)
    for ax, view, name in zip(axes[:, 0], (window, zoom), "ab", strict=True):
        shades = seen([shape], quantity, view)
        bar(fig, ax, paint(ax, shape, quantity, shades, view, 900), quantity, shades)
        if quantity is SPEED:
            arrows(ax, shape, view)
        axis_labels(ax, shape)
        letter(ax, name, when(shape.time, shape.capacity) if name == "a" else "")
    frame_of(axes[0, 0], zoom)
    return save(fig, path)


def frame_of(ax: Axes, view: Window) -> None:
    """Mark the part of a picture that another one enlarges."""
    bottom = max(view.bottom, 0.0)
    ax.add_patch(
        Rectangle(
            (view.left, bottom),
            view.right - view.left,
            view.top - bottom,
            fill=False,
            ec="red",
            lw=0.8,
            zorder=5,
        )
    )
