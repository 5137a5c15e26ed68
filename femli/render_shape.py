"""Geometry behind the pictures: boundary of a frame, its voids, plane drawings, sections, contact."""

from typing import NamedTuple

import numpy as np
import pyvista
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from femli.render_read import Array, Frame

FLAT = 1e-6  # a boundary node belongs to a flat side when it is this near, relative to the size of the block


class Outline(NamedTuple):
    """Boundary facets of a frame, (m, d) node numbers each, sorted by where they lie."""

    contact: Array
    voids: tuple[Array, ...]
    sides: Array
    collector: Array


class Plane(NamedTuple):
    """What a plane picture draws.

    Attributes:
        points: (n, 2) in um, second coordinate = distance from the interface.
        triangles: (m, 3).
        fields: point arrays; vectors have their two components in the plane, (n, 2).
        outline: as drawn (the mirrored half has its own facets, the axis none).
        label: name of the horizontal coordinate.
    """

    time: float
    capacity: float | None
    points: Array
    triangles: Array
    fields: dict[str, Array]
    outline: Outline
    label: str

    @property
    def width(self) -> tuple[float, float]:
        """Smallest and largest horizontal coordinate (um)."""
        return float(self.points[:, 0].min()), float(self.points[:, 0].max())

    @property
    def height(self) -> float:
        """Thickness of the electrode (um)."""
        return float(self.points[:, 1].max())


def outline(points: Array, cells: Array) -> Outline:
    """Sort the boundary facets of a simplex mesh that stands on the plane where the last coordinate is 0.

    What is neither on the contact, nor on a side, nor connected to the highest node is a void.
    """
    dimension = points.shape[1]
    facets = np.concatenate([np.delete(cells, corner, axis=1) for corner in range(dimension + 1)])
    ordered = np.sort(facets, axis=1)
    _, first, count = np.unique(ordered, axis=0, return_index=True, return_counts=True)
    boundary = facets[first[count == 1]]
    tolerance = FLAT * float(np.ptp(points, axis=0).max())
    corners = points[boundary]  # (m, d, d): facet, node, coordinate
    contact = (np.abs(corners[..., -1]) < tolerance).all(axis=1)
    side = np.zeros(len(boundary), dtype=bool)
    for axis in range(dimension - 1):
        for end in (points[:, axis].min(), points[:, axis].max()):
            side |= (np.abs(corners[..., axis] - end) < tolerance).all(axis=1)
    side &= ~contact
    free = boundary[~contact & ~side]
    part = _components(free, len(points))
    top = part[int(np.argmax(points[free][..., -1].max(axis=1)))] if len(free) else -1
    voids = tuple(free[part == number] for number in np.unique(part) if number != top)
    ordered_voids = tuple(sorted(voids, key=lambda facets: tuple(points[facets].mean(axis=(0, 1)))))
    return Outline(boundary[contact], ordered_voids, boundary[side], free[part == top])


def _components(facets: Array, nodes: int) -> Array:
    """Number of the connected patch that each facet belongs to."""
    if len(facets) == 0:
        return np.zeros(0, dtype=int)
    start, end = np.repeat(facets[:, 0], facets.shape[1]), facets.ravel()
    graph = coo_array((np.ones(len(end)), (start, end)), shape=(nodes, nodes))
    _, part = connected_components(graph, directed=False)
    return part[facets[:, 0]]


def plane(frame: Frame, *, axisymmetric: bool = False) -> Plane:
    """The drawing of a two-dimensional frame; an axisymmetric one is mirrored at r = 0."""
    points, triangles = frame.points, frame.cells
    fields = {name: values if values.ndim == 1 else values[:, :2] for name, values in frame.fields.items()}
    shape = outline(points, triangles)
    if not axisymmetric:
        return Plane(frame.time, frame.capacity, points, triangles, fields, shape, "$x$ (µm)")
    count = len(points)
    off_axis = [facet for facet in shape.sides if points[facet, 0].max() > FLAT * np.ptp(points[:, 0])]
    sides = np.array(off_axis, dtype=int).reshape(-1, 2)
    voids = [*(_joined(void, points, count) for void in shape.voids)]
    mirrored = Outline(
        np.concatenate([shape.contact, shape.contact + count]),
        tuple(part for pair in voids for part in pair),
        np.concatenate([sides, sides + count]),
        np.concatenate([shape.collector, shape.collector + count]),
    )
    return Plane(
        frame.time,
        frame.capacity,
        np.concatenate([points, points * [-1.0, 1.0]]),
        np.concatenate([triangles, triangles[:, ::-1] + count]),
        {
            name: np.concatenate([values, values if values.ndim == 1 else values * [-1.0, 1.0]])
            for name, values in fields.items()
        },
        mirrored,
        "$r$ (µm)",
    )


def _joined(void: Array, points: Array, count: int) -> list[Array]:
    """A void and its mirror image: one void where it touches the axis, else two."""
    touches = points[void][..., 0].min() <= FLAT * np.ptp(points[:, 0])
    return [np.concatenate([void, void + count])] if touches else [void, void + count]


def section(frame: Frame) -> Frame:
    """Cut a 3D frame at right angles to y, through the middle of its largest void or of the block."""
    grid = block(frame)
    cut = grid.slice(normal="y", origin=(0.0, section_position(frame), 0.0)).triangulate().clean()
    triangles = cut.faces.reshape(-1, 4)[:, 1:]
    fields = {name: np.asarray(cut.point_data[name]) for name in frame.fields}
    fields = {name: values if values.ndim == 1 else values[:, [0, 2, 1]] for name, values in fields.items()}
    points = np.asarray(cut.points, dtype=float)[:, [0, 2]]
    return Frame(frame.time, frame.capacity, points, triangles, fields)


def section_position(frame: Frame) -> float:
    """The y (um) of `section`: just off the middle, so that the cut does not run along faces of the mesh."""
    low, high = frame.points[:, 1].min(), frame.points[:, 1].max()
    voids = outline(frame.points, frame.cells).voids
    if voids:
        corners = frame.points[max(voids, key=lambda void: np.ptp(frame.points[void][..., 0]))]
        middle = 0.5 * (corners[..., 1].min() + corners[..., 1].max())
    else:
        middle = 0.5 * (low + high)
    return float(np.clip(middle, low, high - 1e-3 * (high - low)) + 1.234e-5 * (high - low))


def contact_plane(frame: Frame) -> Plane:
    """The contact of a three-dimensional frame seen from the electrolyte, (x, y)."""
    facets = outline(frame.points, frame.cells).contact
    nodes, triangles = np.unique(facets, return_inverse=True)
    triangles = triangles.reshape(-1, 3)
    points = frame.points[nodes][:, :2]
    empty = np.zeros((0, 2), dtype=int)
    edges = np.concatenate([np.delete(triangles, corner, axis=1) for corner in range(3)])
    _, first, count = np.unique(np.sort(edges, axis=1), axis=0, return_index=True, return_counts=True)
    rim = Outline(empty, (), empty, edges[first[count == 1]])
    fields = {name: v[nodes] if v.ndim == 1 else v[nodes][:, :2] for name, v in frame.fields.items()}
    return Plane(frame.time, frame.capacity, points, triangles, fields, rim, "$x$ (µm)")


def block(frame: Frame) -> pyvista.UnstructuredGrid:
    """The frame as a PyVista grid of linear simplices."""
    points = np.zeros((len(frame.points), 3))
    points[:, : frame.dimension] = frame.points
    kind = {1: pyvista.CellType.LINE, 2: pyvista.CellType.TRIANGLE, 3: pyvista.CellType.TETRA}[frame.dimension]
    grid = pyvista.UnstructuredGrid({kind: frame.cells}, points)
    for name, values in frame.fields.items():
        grid.point_data[name] = values
    return grid


def contact_nodes(frame: Frame) -> Array:
    """Nodes of the contact, by rising first coordinate (then second); in 1D every node, by depth."""
    if frame.dimension == 1:
        return np.argsort(frame.points[:, 0])
    nodes = np.unique(outline(frame.points, frame.cells).contact)
    return nodes[np.lexsort(frame.points[nodes][:, -2::-1].T)]


def contact_lines(shape: Plane) -> list[Array]:
    """The contact of a plane drawing as runs of nodes from left to right, one a stretch between voids."""
    edges = shape.outline.contact
    part = _components(edges, len(shape.points))
    runs = [np.unique(edges[part == number]) for number in np.unique(part)]
    runs = [run[np.argsort(shape.points[run, 0])] for run in runs]
    return sorted(runs, key=lambda run: float(shape.points[run[0], 0]))


def void_box(shape: Plane, void: Array) -> tuple[float, float, float, float]:
    """Extent (um) of a void: left, right, bottom, top."""
    corners = shape.points[np.unique(void)]
    (left, bottom), (right, top) = corners.min(axis=0), corners.max(axis=0)
    return float(left), float(right), float(bottom), float(top)
