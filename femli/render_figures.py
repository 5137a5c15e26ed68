"""Figures of several panels over a page's width: overview, interface, voids, course of the composition."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes

from femli.render_plane import (
    Window,
    around,
    arrows,
    axis_labels,
    bar,
    frame_of,
    letter,
    paint,
    profile,
    seen,
    strip,
    telling,
    whole,
    worst_void,
)
from femli.render_shape import Plane, void_box
from femli.render_style import (
    COMPOSITION,
    PAGE,
    PRESSURE,
    SPEED,
    STRESS,
    Colours,
    Margins,
    Quantity,
    save,
    sheet,
    when,
    widened,
)

SHOWN = (COMPOSITION, PRESSURE, STRESS, SPEED)


def present(shape: Plane, quantities: Sequence[Quantity] = SHOWN) -> list[Quantity]:
    """The quantities that a result holds, in order."""
    return [quantity for quantity in quantities if quantity.array in shape.fields]


def overview(shapes: Sequence[Plane], path: Path) -> Path:
    """The last frame: the whole electrode, then four fields at the worst void, and profiles."""
    last = shapes[-1]
    zoom = around(last, worst_void(last), 0.8)
    margins = Margins(12.0, 15.5)
    inner = PAGE / 3 - margins.left - margins.right
    upper = min(max(whole(last).ratio, zoom.ratio), 1.3)
    fig, grid = sheet(inner, [inner * upper, inner * zoom.ratio], 3, margins)
    axes = grid.ravel()
    shades = seen([last], COMPOSITION)
    bar(fig, axes[0], paint(axes[0], last, COMPOSITION, shades, whole(last)), COMPOSITION, shades)
    frame_of(axes[0], zoom)
    letter(axes[0], "a", when(last.time, last.capacity))
    for ax, quantity, name in zip(axes[1:5], present(last), "bcde", strict=False):
        shades = seen([last], quantity, zoom)
        bar(fig, ax, paint(ax, last, quantity, shades, zoom), quantity, shades)
        if quantity is SPEED:
            arrows(ax, last, zoom)
        letter(ax, name)
    shown = 1 + len(present(last))
    for ax in axes[:shown]:
        axis_labels(ax, last)
    for ax in axes[shown:5]:
        ax.remove()
    course(axes[5], shapes, telling(last))
    letter(axes[5], "f", "along the contact")
    return save(fig, path)


def course(ax: Axes, shapes: Sequence[Plane], quantity: Quantity, legend: bool = True) -> None:
    """A quantity along the contact at several times, dark to light."""
    colour = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.85, len(shapes)))
    for shape, shade in zip(shapes, colour, strict=True):
        profile(ax, shape, quantity, color=shade, lw=0.9, label=moment(shape))
    ax.set(xlabel=shapes[0].label, ylabel=quantity.label, xlim=shapes[0].width)
    ax.margins(y=0.1)
    ax.set_ylim(widened(*ax.get_ylim()))
    if legend:
        title = "mAh/cm²" if shapes[0].capacity is not None else "time (s)"
        style = {"handlelength": 0.8, "borderpad": 0.2, "borderaxespad": 0.3, "alignment": "left"}
        ax.legend(title=title, loc="upper left", bbox_to_anchor=(1.0, 1.03), **style)


def moment(shape: Plane) -> str:
    """Short name of a frame in a legend."""
    return f"{shape.capacity if shape.capacity is not None else shape.time:.3g}"


def interface(shapes: Sequence[Plane], path: Path) -> Path:
    """The zone at the contact over the whole width: a strip a field, with profiles on the same axis."""
    last = shapes[-1]
    view = strip(last)
    fields, curves = present(last), present(last, (COMPOSITION, PRESSURE))
    inner = PAGE - 32.0
    heights = [max(inner * view.ratio, 13.0)] * len(fields) + [24.0] * len(curves)
    fig, grid = sheet(inner, heights, 1, Margins(0.0, 0.0, 2.0, 4.5), Margins(13.0, 19.0, 8.0, 1.0))
    axes = grid[:, 0]
    for ax, quantity in zip(axes, fields, strict=False):
        shades = seen([last], quantity, view)
        bar(fig, ax, paint(ax, last, quantity, shades, view, 1700), quantity, shades)
        if quantity is SPEED:
            arrows(ax, last, view, 45)
        ax.set_ylabel("height (µm)")
    for ax, quantity in zip(axes[len(fields) :], curves, strict=True):
        course(ax, shapes, quantity, legend=quantity is COMPOSITION)
    for ax in axes[:-1]:
        ax.set_xlabel("")
        ax.tick_params(labelbottom=False)
    for ax, name in zip(axes, "abcdefgh", strict=False):
        letter(ax, name, when(last.time, last.capacity) if name == "a" else "")
    return save(fig, path)


def voids(last: Plane, path: Path, most: int = 3) -> Path:
    """Composition, pressure, stress and velocity around the voids pulled hardest, from left to right."""
    pressure = last.fields[PRESSURE.array]
    worst = sorted(last.outline.voids, key=lambda void: pressure[np.unique(void)].min())[:most]
    chosen = sorted(worst, key=lambda void: void_box(last, void)[0])
    fields = present(last)
    views = [around(last, void, 0.62) for void in chosen]
    inner = (PAGE - 19.0) / 3 - 9.0
    heights = [inner * 0.62] * len(fields)
    fig, rows = sheet(inner, heights, len(views), Margins(6.5, 2.5, 5.0, 2.0), Margins(4.0, 15.0, 4.0, 4.0))
    for row, quantity in zip(rows, fields, strict=True):
        shades = _common(last, quantity, views)
        for ax, view in zip(row, views, strict=True):
            drawn = paint(ax, last, quantity, shades, view)
            if quantity is SPEED:
                arrows(ax, last, view)
        bar(fig, row[-1], drawn, quantity, shades)
        row[0].set_ylabel("height (µm)")
    for ax, void, name in zip(rows[0], chosen, "abcdef", strict=False):
        letter(ax, name, f"{last.label[:3]} = {0.5 * sum(void_box(last, void)[:2]):.3g} µm")
    for ax in rows[-1]:
        ax.set_xlabel(last.label)
    return save(fig, path)


def _common(last: Plane, quantity: Quantity, views: Sequence[Window]) -> Colours:
    """One scale for all voids, by what shows in any of their windows."""
    x, y = last.points.T
    parts = []
    for view in views:
        inside = (x >= view.left) & (x <= view.right) & (y >= view.bottom) & (y <= view.top)
        parts.append(last.triangles[inside[last.triangles].any(axis=1)])
    return seen([last._replace(triangles=np.concatenate(parts))], quantity)


def discharge(shapes: Sequence[Plane], path: Path) -> Path:
    """The composition of the whole electrode at several times on one scale: it thins and depletes."""
    window = whole(max(shapes, key=lambda shape: shape.height))
    inner = (PAGE - 19.0) / len(shapes) - 10.0
    fig, axes = sheet(
        inner,
        [min(inner * window.ratio, 110.0)],
        len(shapes),
        Margins(7.0, 3.0),
        Margins(4.0, 15.0, 0.0, 0.0),
    )
    shades = seen(shapes, COMPOSITION)
    for ax, shape, name in zip(axes[0], shapes, "abcdefgh", strict=False):
        drawn = paint(ax, shape, COMPOSITION, shades, window)
        ax.set_xlabel(shape.label)
        letter(ax, name, when(shape.time, shape.capacity))
    axes[0, 0].set_ylabel("height (µm)")
    bar(fig, axes[0, -1], drawn, COMPOSITION, shades)
    return save(fig, path)


def contact(shape: Plane, path: Path) -> Path:
    """The contact of a 3D case seen from the electrolyte: composition and pressure, voids left white."""
    (left, right), low, high = shape.width, float(shape.points[:, 1].min()), shape.height
    window = Window(left, right, low, high)
    margins = Margins()
    inner = PAGE / 2 - margins.left - margins.right
    quantities = present(shape, (COMPOSITION, PRESSURE))
    fig, axes = sheet(inner, [min(inner * window.ratio, 120.0)], len(quantities), margins)
    for ax, quantity, name in zip(axes[0], quantities, "ab"[: len(quantities)], strict=True):
        shades = seen([shape], quantity)
        bar(fig, ax, paint(ax, shape, quantity, shades, window, 900), quantity, shades)
        ax.set(xlabel=shape.label, ylabel="$y$ (µm)")
        letter(ax, name, when(shape.time, shape.capacity) if name == "a" else "")
    return save(fig, path)
