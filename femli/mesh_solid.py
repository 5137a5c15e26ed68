"""A new mesh inside a given surface of a 3D box, by Gmsh in memory. Lengths in um.

The triangles of walls and collector become facets as they are, so what the mesh holds is what the surface encloses,
exactly. Contact and sides are planes: they are filled anew within the loops that walls, collector and the straight
edges of the box leave.
"""

from typing import NamedTuple

import numpy as np

from femli import mesh_electrolyte, mesh_fill, mesh_gmsh, mesh_parts, mesh_slab
from femli.errors import MeshError
from femli.mesh_outline import LEAST, Sizes, divided
from femli.mesh_parts import BOUNDARIES, REGIONS, Floats, Integers, PartedMesh
from femli.mesh_resolution import Resolution
from femli.mesh_underlay import Underlay
from femli.remesh_surface import Flags, Surface, on_planes, rim


class Fineness(NamedTuple):
    """How fine a void is meshed: cells on its half width along the edge, and on its wall; the smallest size is um."""

    edge: float
    wall: float
    smallest: float


def sizes_of(surface: Surface, first: Resolution, fineness: Fineness) -> Sizes:
    """The sizes around a surface, by the fineness of the first mesh for the present shape of each void."""
    sources, least = [], []
    for void in surface.voids():
        nodes = np.unique(surface.walls[void])
        half, height = surface.extents(void)
        edge = max(min(half / fineness.edge, height), LEAST * fineness.smallest)
        wall = max(edge, min(half, height) / fineness.wall)
        sources.append(surface.points[nodes])
        least.append(np.where(surface.points[nodes, 2] == 0.0, edge, wall))
    if not sources:
        return Sizes(first.interface, first.size, first.growth, np.empty((0, 3)), np.empty(0))
    return Sizes(first.interface, first.size, first.growth, np.concatenate(sources), np.concatenate(least))


def meshed(surface: Surface, sizes: Sizes, under: Underlay | None = None) -> PartedMesh:
    """Mesh the metal inside a surface, and an electrolyte under it.

    Raises:
        MeshError: Gmsh cannot, or the planes have no sound loops.
    """
    points, straight = box_edges(surface, sizes)
    segments = np.concatenate([rim(surface.walls), rim(surface.collector), straight])
    names = ["void", "collector"]
    facets = [surface.walls, surface.collector]
    flags = on_planes(points, surface.box)
    with mesh_gmsh.session("the metal could not be meshed anew") as gmsh:
        for k in range(5):
            own = segments[flags[segments].all(axis=1)[:, k]]
            if not len(own):
                continue
            where = (2, 0.0) if k == 4 else (k // 2, surface.box[k // 2][k % 2])
            triangles, inner = mesh_fill.plane(gmsh, points, own, where, sizes)
            points = np.concatenate([points, inner])
            facets.append(triangles)
            names.append("contact" if k == 4 else "side")
        tags = [np.full(len(f), BOUNDARIES[name]) for f, name in zip(facets, names, strict=True)]
        points, cells = mesh_fill.body(gmsh, points, np.concatenate(facets), sizes)
        whole = PartedMesh(points, cells, np.concatenate(facets), np.concatenate(tags))
        if under is not None:
            ground = segments[(points[segments, 2] == 0.0).all(axis=1)]
            lower = mesh_slab.filled(gmsh, whole, ground, surface.box, under, sizes)
            whole = PartedMesh(
                lower.points,
                np.concatenate([cells, lower.cells]),
                np.concatenate([whole.facets, lower.facets]),
                np.concatenate([whole.facet_tags, lower.facet_tags]),
                np.repeat([REGIONS["electrode"], REGIONS["electrolyte"]], [len(cells), len(lower.cells)]),
            )
    whole = mesh_parts.compact(whole)
    mesh_electrolyte.check(whole)
    return whole


class _Lines:
    """Straight lines between points, divided; new points are numbered on from those of a surface.

    Args:
        points: of the surface [um], (n, 3).
        sizes: wanted along the lines.

    Attributes:
        segments: of each line, (m, 2).
    """

    def __init__(self, points: Floats, sizes: Sizes) -> None:
        self.points, self.sizes, self.count = points, sizes, len(points)
        self.added: list[Floats] = []
        self.segments: list[Integers] = []

    def add(self, points: Floats) -> Integers:
        """Add points [um], (k, 3); returns their numbers."""
        self.added.append(points)
        self.count += len(points)
        return np.arange(self.count - len(points), self.count)

    def place(self, a: int) -> Floats:
        """A point by its number, one of those added included."""
        return self.points[a] if a < len(self.points) else np.concatenate(self.added)[a - len(self.points)]

    def draw(self, a: int, b: int) -> None:
        """A straight line between two points, divided."""
        between = self.add(divided(np.stack([self.place(a), self.place(b)]), self.sizes)[1:-1])
        numbers = np.concatenate([[a], between, [b]])
        self.segments.append(np.stack([numbers[:-1], numbers[1:]], axis=1))


def box_edges(surface: Surface, sizes: Sizes) -> tuple[Floats, Integers]:
    """Points with those that divide the straight edges of the box, and the segments of these edges, shape (n, 2).

    Raises:
        MeshError: voids have taken a corner or an edge in a way that leaves no box.
    """
    used = np.unique(np.concatenate([surface.walls.ravel(), surface.collector.ravel()]))
    flags = np.zeros((len(surface.points), 5), dtype=bool)
    flags[used] = surface.planes(used)
    lines = _Lines(surface.points, sizes)
    corners = _upright_edges(surface, flags, lines)
    _contact_edges(surface, flags, lines, corners)
    return np.concatenate([surface.points, *lines.added]), np.concatenate(lines.segments)


def _upright_edges(surface: Surface, flags: Flags, lines: _Lines) -> Integers:
    """Draw the edges between contact and collector; returns the corners of the contact, (2, 2), -1 where a void is."""
    of_wall = np.zeros(len(surface.points), dtype=bool)
    of_wall[surface.walls.ravel()] = True
    corners = np.full((2, 2), -1)
    for i in range(2):
        for j in range(2):
            edge = flags[:, i] & flags[:, 2 + j]
            top, bottom = np.flatnonzero(edge & ~of_wall), np.flatnonzero(edge & of_wall)
            if not len(top) and not len(bottom):
                continue  # two sides that do not meet
            if len(top) != 1 or len(bottom) > 1:
                raise MeshError("a corner of the box has lost its collector, or has walls above each other")
            if len(bottom):  # the corner is inside a void
                lines.draw(int(bottom[0]), int(top[0]))
                continue
            (corners[i, j],) = lines.add(np.array([[surface.box[0][i], surface.box[1][j], 0.0]]))
            lines.draw(int(corners[i, j]), int(top[0]))
    return corners


def _contact_edges(surface: Surface, flags: Flags, lines: _Lines, corners: Integers) -> None:
    """Draw the edges of the contact, where no void takes them."""
    for axis in (0, 1):
        for side in (0, 1):
            ends = corners[side] if axis == 0 else corners[:, side]
            on_edge = np.flatnonzero(flags[:, 2 * axis + side] & flags[:, 4])
            between = on_edge[np.argsort(surface.points[on_edge, 1 - axis])].tolist()
            stops = [*ends[:1][ends[:1] >= 0].tolist(), *between, *ends[1:][ends[1:] >= 0].tolist()]
            if len(stops) % 2:
                raise MeshError("walls of voids touch an edge of the box")
            for a, b in zip(stops[::2], stops[1::2], strict=True):
                lines.draw(int(a), int(b))
