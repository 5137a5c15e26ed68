"""Foils without voids: graded layers toward the interface, extruded columns. NumPy only, lengths in um.

Such a foil is laterally uniform (or nearly so), while the layer at the contact is nanometres to a tenth of a
micrometre thick. Its cells are therefore flat: fine along the normal, coarse along the contact.
"""

import math

import numpy as np

from femli.errors import MeshError
from femli.mesh_parts import BOUNDARIES, Floats, Integers, PartedMesh


def graded(thickness: float, first: float, growth: float, largest: float) -> Floats:
    """Points of a graded interval: cells grow from the interface by a constant factor up to a largest one.

    Args:
        thickness: length of the interval, um.
        first: cell at the interface, um; shrunk by less than `growth` so that a whole number of cells fits.
        growth: ratio of a cell to the one below it, >= 1.
        largest: largest cell, um.

    Returns:
        Coordinates from 0 to thickness, shape (cells + 1,), at least three cells.

    Raises:
        MeshError: a size is not positive, or growth < 1.
    """
    if min(thickness, first, largest) <= 0.0 or growth < 1.0:
        raise MeshError(
            f"a graded foil needs positive sizes and growth >= 1; got thickness {thickness:.6g} um, "
            f"first cell {first:.6g} um, largest cell {largest:.6g} um, growth {growth:.6g}"
        )
    largest = min(largest, thickness / 3.0)
    first = min(first, largest)
    rising = math.ceil(math.log(largest / first) / math.log(growth)) if growth > 1.0 else 0
    cells = np.minimum(first * growth ** np.arange(rising + 1), largest)
    rest = max(math.ceil((thickness - cells.sum()) / largest), 0)
    cells = np.append(cells, np.full(rest, largest))
    heights = np.cumsum(cells)
    count = int(np.searchsorted(heights, thickness * (1.0 - 1e-12))) + 1
    points = np.append(0.0, heights[:count]) * (thickness / heights[count - 1])
    points[-1] = thickness
    return points


def even(width: float, size: float) -> Floats:
    """Points of an interval in equal cells no larger than `size`, an even number of them (symmetry)."""
    return np.linspace(0.0, width, 2 * max(math.ceil(width / size / 2.0 * (1.0 - 1e-12)), 1) + 1)


def interval(heights: Floats) -> PartedMesh:
    """The 1D foil on the given points, shape (n,)."""
    count = len(heights)
    cells = np.column_stack([np.arange(count - 1), np.arange(1, count)])
    facets = np.array([[0], [count - 1]])
    return PartedMesh(heights[:, None], cells, facets, _tags(("contact", 1), ("collector", 1)))


def rectangle(x: Floats, heights: Floats, axisymmetric: bool = False) -> PartedMesh:
    """The 2D foil: rectangles halved by diagonals; at each corner of the foil one leaves the corner.

    So no cell has two outer edges, where velocity conditions could leave it no freedom.

    Args:
        x: lateral points (radius if axisymmetric), shape (n,), beginning at 0.
        heights: points along the normal, shape (m,), beginning at 0.
        axisymmetric: name the boundary x = 0 `axis`.
    """
    n, m = len(x), len(heights)
    number = np.arange(n * m).reshape(n, m)
    points = np.column_stack([np.repeat(x, m), np.tile(heights, n)])
    facets = [_pairs(number[:, 0]), _pairs(number[:, -1]), _pairs(number[0]), _pairs(number[-1])]
    left = "axis" if axisymmetric else "side"
    tags = _tags(("contact", n - 1), ("collector", n - 1), (left, m - 1), ("side", m - 1))
    return PartedMesh(points, _halved(number), np.concatenate(facets), tags)


def box(x: Floats, y: Floats, heights: Floats) -> PartedMesh:
    """The 3D foil: halved rectangles of the contact plane, extruded to prisms of three tetrahedra each.

    Args:
        x: lateral points, shape (n,), beginning at 0.
        y: lateral points, shape (k,), beginning at 0.
        heights: points along the normal, shape (m,), beginning at 0.
    """
    plane = np.arange(len(x) * len(y)).reshape(len(x), len(y))
    base = np.sort(_halved(plane), axis=1)
    rim = np.concatenate([_pairs(line) for line in (plane[0], plane[-1], plane[:, 0], plane[:, -1])])
    count, layers = plane.size, len(heights) - 1
    points = np.empty((count * (layers + 1), 3))
    points[:, 0] = np.tile(np.repeat(x, len(y)), layers + 1)
    points[:, 1] = np.tile(y, len(x) * (layers + 1))
    points[:, 2] = np.repeat(heights, count)
    cells, sides = [], []
    for layer in range(layers):
        # Corners in rising order give every shared rectangle the same diagonal on both of its prisms.
        below, above = layer * count, (layer + 1) * count
        a, b, c = base.T
        cells += [
            np.column_stack([a + below, b + below, c + below, c + above]),
            np.column_stack([a + below, b + below, b + above, c + above]),
            np.column_stack([a + below, a + above, b + above, c + above]),
        ]
        p, q = np.sort(rim, axis=1).T
        sides += [
            np.column_stack([p + below, q + below, q + above]),
            np.column_stack([p + below, p + above, q + above]),
        ]
    facets = np.concatenate([base, base + layers * count, *sides])
    tags = _tags(("contact", len(base)), ("collector", len(base)), ("side", len(facets) - 2 * len(base)))
    return PartedMesh(points, np.concatenate(cells), facets, tags)


def _halved(number: Integers) -> Integers:
    """Triangles of a grid of point numbers; diagonals mirrored about both middles."""
    a, b = number[:-1, :-1].ravel(), number[1:, :-1].ravel()
    d, c = number[:-1, 1:].ravel(), number[1:, 1:].ravel()
    i, j = np.indices((number.shape[0] - 1, number.shape[1] - 1))
    rising = ((i < i.shape[0] / 2) == (j < i.shape[1] / 2)).ravel()[:, None]
    first = np.where(rising, np.column_stack([a, b, c]), np.column_stack([a, b, d]))
    second = np.where(rising, np.column_stack([a, c, d]), np.column_stack([b, c, d]))
    return np.concatenate([first, second])


def _pairs(line: Integers) -> Integers:
    return np.column_stack([line[:-1], line[1:]])


def _tags(*counted: tuple[str, int]) -> Integers:
    return np.concatenate([np.full(count, BOUNDARIES[name]) for name, count in counted])
