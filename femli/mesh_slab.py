"""The electrolyte under a 3D box of metal: they share the triangles of the contact. Lengths in um.

Gmsh itself is started and stopped in `femli.mesh_gmsh`.
"""

from typing import Any, NamedTuple

import numpy as np

from femli import mesh_fill
from femli.errors import MeshError
from femli.mesh_outline import Sizes, divided
from femli.mesh_parts import BOUNDARIES, Floats, Integers, PartedMesh
from femli.mesh_underlay import Underlay
from femli.remesh_surface import on_planes


class Mirrored(NamedTuple):
    """The sizes of the metal, seen in the mirror of the contact, up to the electrolyte's own largest one."""

    sizes: Sizes

    def at(self, points: Floats) -> Floats:
        """Wanted size at points (n, 3), shape (n,)."""
        return self.sizes.at(np.abs(points))


def filled(
    gmsh: Any,
    metal: PartedMesh,
    ground: Integers,
    box: tuple[tuple[float, float], tuple[float, float]],
    under: Underlay,
    sizes: Sizes,
) -> PartedMesh:
    """The electrolyte: all points, its cells, and the facets that the metal does not have.

    Args:
        gmsh: the session.
        metal: its mesh.
        ground: segments of the contact's boundary: the bottom edges of the box, and the edges of voids.
        box: lateral planes.
        under: the electrolyte.
        sizes: of the metal.

    Raises:
        MeshError: Gmsh cannot, or a void is cut by a side.
    """
    wanted = Mirrored(sizes._replace(size=under.largest))
    contact = metal.part("contact")
    outline = on_planes(metal.points, box)[:, :4]
    outer = outline[ground].all(axis=1).any(axis=1)
    if outline[ground[~outer]].any():
        raise MeshError("a void over an electrolyte has met a side")
    points, straight = _edges(metal.points, np.unique(ground), box, under.depth, wanted)
    facets, names = [contact], ["contact"]
    edges, planes = np.concatenate([ground[outer], straight]), on_planes(points, box)
    bottom = points[:, 2] == -under.depth
    tasks = [((2, 0.0), ground[~outer], "void"), ((2, -under.depth), edges[bottom[edges].all(axis=1)], "counter")]
    for k in range(4):
        own = edges[planes[edges].all(axis=1)[:, k]]
        tasks.append(((k // 2, box[k // 2][k % 2]), own, "side"))
    for where, own, name in tasks:
        for loop in _apart(own) if name == "void" else [own]:
            triangles, inner = mesh_fill.plane(gmsh, points, loop, where, wanted)
            points = np.concatenate([points, inner])
            facets.append(triangles)
            names.append(name)
    tags = [np.full(len(f), BOUNDARIES[name]) for f, name in zip(facets, names, strict=True)]
    points, cells = mesh_fill.body(gmsh, points, np.concatenate(facets), wanted)
    return PartedMesh(points, cells, np.concatenate(facets[1:]), np.concatenate(tags[1:]))


def _apart(segments: Integers) -> list[Integers]:
    """Segments loop by loop: each void has a floor of its own."""
    loops = mesh_fill.loops_of(segments) if len(segments) else []
    return [np.stack([loop, np.roll(loop, -1)], axis=1) for loop in loops]


def _edges(
    points: Floats,
    ground: Integers,
    box: tuple[tuple[float, float], tuple[float, float]],
    depth: float,
    wanted: Mirrored,
) -> tuple[Floats, Integers]:
    """Points with those that divide the edges below the contact, and the segments of these edges, shape (n, 2)."""
    top = []
    for x, y in ((0, 0), (1, 0), (1, 1), (0, 1)):
        corner = np.array([box[0][x], box[1][y], 0.0])
        top.append(int(ground[(points[ground] == corner).all(axis=1)][0]))
    low = len(points) + np.arange(4)
    every = [points, points[top] - [0.0, 0.0, depth]]
    segments, count = [], len(points) + 4
    known = np.concatenate(every)
    ends = np.concatenate([np.column_stack([top, low]), np.column_stack([low, np.roll(low, -1)])])
    for a, b in ends.tolist():
        line = divided(known[[a, b]], wanted)[1:-1]
        numbers = np.concatenate([[a], count + np.arange(len(line)), [b]])
        segments.append(np.stack([numbers[:-1], numbers[1:]], axis=1))
        every.append(line)
        count += len(line)
    return np.concatenate(every), np.concatenate(segments)
