"""Gmsh fills what is bounded already: planes within loops of segments, bodies within triangles. Lengths in um.

What is given becomes edges and facets as it is; Gmsh adds points inside only. The session is started and stopped in
`femli.mesh_gmsh`.
"""

from typing import Any, Protocol

import numpy as np

from femli import mesh_gmsh
from femli.errors import MeshError
from femli.mesh_parts import Floats, Integers


class Wanted(Protocol):
    """Says how large cells are to be."""

    def at(self, points: Floats) -> Floats:
        """Wanted size at points (n, 3), shape (n,)."""
        ...


def loops_of(segments: Integers) -> list[list[int]]:
    """Closed rows of point numbers along segments.

    Raises:
        MeshError: segments do not close, or cross in a point.
    """
    beside: dict[int, list[int]] = {}
    for a, b in segments.tolist():
        beside.setdefault(a, []).append(b)
        beside.setdefault(b, []).append(a)
    if any(len(own) != 2 for own in beside.values()):
        raise MeshError("the boundary of a plane part does not close, or touches itself")
    loops, left = [], set(beside)
    while left:
        start = min(left)
        loop, before, node = [start], start, beside[start][0]
        while node != start:
            loop.append(node)
            onward = beside[node]
            before, node = node, onward[0] if onward[1] == before else onward[1]
        loops.append(loop)
        left -= set(loop)
    return loops


def plane(
    gmsh: Any, points: Floats, segments: Integers, where: tuple[int, float], sizes: Wanted
) -> tuple[Integers, Floats]:
    """Triangles of a plane (axis, height) within loops, and the new points inside, numbered after `points`."""
    axis, height = where
    flat = [k for k in range(3) if k != axis]
    loops = loops_of(segments)
    loops.sort(key=lambda loop: -abs(_area(points[loop][:, flat])))
    gmsh.model.add("plane")
    geo = gmsh.model.geo
    number: dict[int, int] = {}
    curves = []
    for loop in loops:
        tags = [geo.addPoint(*points[node, flat].tolist(), 0.0) for node in loop]
        number |= dict(zip(tags, loop, strict=True))
        lines = [geo.addLine(a, b) for a, b in zip(tags, tags[1:] + tags[:1], strict=True)]
        for line in lines:
            geo.mesh.setTransfiniteCurve(line, 2)
        curves.append(geo.addCurveLoop(lines))
    patch = geo.addPlaneSurface(curves)
    geo.synchronize()

    def wanted(_dim: int, _tag: int, u: float, v: float, _w: float, _lc: float) -> float:
        """Gmsh asks for the size at a place of the plane."""
        at = np.full((1, 3), height)
        at[0, flat] = u, v
        return float(sizes.at(at)[0])

    gmsh.model.mesh.setSizeCallback(wanted)
    gmsh.model.mesh.generate(2)
    gmsh.model.mesh.removeSizeCallback()
    of_node = {int(gmsh.model.mesh.getNodes(0, tag)[0][0]): node for tag, node in number.items()}
    labels, places, _ = gmsh.model.mesh.getNodes(2, patch)
    inner = np.full((len(labels), 3), height)
    inner[:, flat] = places.reshape(-1, 3)[:, :2]
    of_node |= {int(label): len(points) + k for k, label in enumerate(labels)}
    triangles = gmsh.model.mesh.getElements(2, patch)[2][0]
    gmsh.model.remove()
    return np.array([of_node[int(label)] for label in triangles]).reshape(-1, 3), inner


def _area(loop: Floats) -> float:
    x, y = loop.T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2)


def body(gmsh: Any, points: Floats, facets: Integers, sizes: Wanted) -> tuple[Floats, Integers]:
    """Fill a closed surface of triangles with cells; the given points keep their numbers."""
    gmsh.model.add("body")
    mesh, used = gmsh.model.mesh, np.unique(facets)
    gmsh.option.setNumber("Mesh.Renumber", 0)
    shell = gmsh.model.addDiscreteEntity(2)
    mesh.addNodes(2, shell, used + 1, points[used].ravel())
    mesh.addElementsByType(shell, 2, [], (facets + 1).ravel())
    solid = gmsh.model.geo.addVolume([gmsh.model.geo.addSurfaceLoop([shell])])
    gmsh.model.geo.synchronize()
    mesh.setSizeCallback(lambda _d, _t, x, y, z, _lc: float(sizes.at(np.array([[x, y, z]]))[0]))
    mesh.generate(3)
    mesh.removeSizeCallback()
    labels, where, _ = mesh.getNodes(3, solid)
    if len(labels) and labels.min() <= len(points):
        raise MeshError("Gmsh numbers its points otherwise than it did")
    number = np.full(int(max(labels.max(initial=0), len(points))) + 1, -1)
    number[1 : len(points) + 1] = np.arange(len(points))
    number[labels.astype(np.int64)] = len(points) + np.arange(len(labels))
    kinds, _, nodes = mesh.getElements(3, solid)
    if list(kinds) != [mesh_gmsh.GMSH_SIMPLEX[3]]:
        raise MeshError("the inside of a surface could not be filled with tetrahedra")
    cells = number[np.asarray(nodes[0], dtype=np.int64)].reshape(-1, 4)
    gmsh.model.remove()
    return np.concatenate([points, where.reshape(-1, 3)]), cells
