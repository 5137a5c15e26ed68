"""A new mesh inside a given surface of a 3D box, by Gmsh in memory. Lengths in um.

The triangles of walls and collector become facets as they are, so what the mesh holds is what the surface encloses,
exactly. Contact and sides are planes: they are filled anew within the loops that walls, collector and the straight
edges of the box leave.
"""

from typing import Any, NamedTuple

import numpy as np

from femli import mesh_electrolyte, mesh_gmsh, mesh_parts
from femli.errors import MeshError
from femli.mesh_outline import LEAST, Sizes, divided
from femli.mesh_parts import BOUNDARIES, Floats, Integers, PartedMesh
from femli.mesh_resolution import Resolution
from femli.remesh_surface import Surface, on_planes, rim


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


def meshed(surface: Surface, sizes: Sizes) -> PartedMesh:
    """Mesh the metal inside a surface.

    Raises:
        MeshError: Gmsh cannot, or the planes have no sound loops.
    """
    points, straight = box_edges(surface, sizes)
    curved = np.concatenate([rim(surface.walls), rim(surface.collector)])
    segments = np.concatenate([curved, straight])
    tags = [np.full(len(surface.walls), BOUNDARIES["void"]), np.full(len(surface.collector), BOUNDARIES["collector"])]
    facets = [surface.walls, surface.collector]
    flags = on_planes(points, surface.box)
    with mesh_gmsh.session("the metal could not be meshed anew") as gmsh:
        for plane in range(5):
            own = segments[flags[segments].all(axis=1)[:, plane]]
            if not len(own):
                continue
            triangles, inner = _filled(gmsh, points, own, plane, surface, sizes)
            points = np.concatenate([points, inner])
            facets.append(triangles)
            tags.append(np.full(len(triangles), BOUNDARIES["contact" if plane == 4 else "side"]))
        every = np.concatenate(facets)
        points, cells = _solid(gmsh, points, every, sizes)
    whole = mesh_parts.compact(PartedMesh(points, cells, every, np.concatenate(tags)))
    mesh_electrolyte.check(whole)
    return whole


def box_edges(surface: Surface, sizes: Sizes) -> tuple[Floats, Integers]:
    """Points with those that divide the straight edges of the box, and the segments of these edges, shape (n, 2)."""
    points = surface.points
    used = np.unique(np.concatenate([surface.walls.ravel(), surface.collector.ravel()]))
    flags = np.zeros((len(points), 5), dtype=bool)
    flags[used] = surface.planes(used)
    of_wall = np.zeros(len(points), dtype=bool)
    of_wall[surface.walls.ravel()] = True
    added: list[Floats] = []
    segments: list[Integers] = []
    count = len(points)

    def draw(a: int, b: int) -> None:
        """A straight line between two points, divided."""
        nonlocal count
        line = divided(np.stack([place(a), place(b)]), sizes)[1:-1]
        numbers = np.concatenate([[a], np.arange(count, count + len(line)), [b]])
        added.append(line)
        count += len(line)
        segments.append(np.stack([numbers[:-1], numbers[1:]], axis=1))

    def place(a: int) -> Floats:
        return points[a] if a < len(points) else np.concatenate(added)[a - len(points)]

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
                draw(int(bottom[0]), int(top[0]))
                continue
            added.append(np.array([[surface.box[0][i], surface.box[1][j], 0.0]]))
            corners[i, j] = count
            count += 1
            draw(int(corners[i, j]), int(top[0]))
    for axis in (0, 1):
        for side in (0, 1):
            ends = corners[side] if axis == 0 else corners[:, side]
            on_edge = np.flatnonzero(flags[:, 2 * axis + side] & flags[:, 4])
            between = on_edge[np.argsort(points[on_edge, 1 - axis])].tolist()
            stops = [*ends[:1][ends[:1] >= 0].tolist(), *between, *ends[1:][ends[1:] >= 0].tolist()]
            if len(stops) % 2:
                raise MeshError("walls of voids touch an edge of the box")
            for a, b in zip(stops[::2], stops[1::2], strict=True):
                draw(int(a), int(b))
    return np.concatenate([points, *added]), np.concatenate(segments)


def _loops(segments: Integers) -> list[list[int]]:
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


def _filled(
    gmsh: Any, points: Floats, segments: Integers, plane: int, surface: Surface, sizes: Sizes
) -> tuple[Integers, Floats]:
    """Triangles of one plane within its loops, and the new points inside, numbered after `points`."""
    axis = 2 if plane == 4 else plane // 2
    height = 0.0 if plane == 4 else surface.box[axis][plane % 2]
    flat = [k for k in range(3) if k != axis]
    loops = _loops(segments)
    loops.sort(key=lambda loop: -abs(_area(points[loop][:, flat])))
    gmsh.model.add(f"plane {plane}")
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
        at = np.full((1, 3), height)
        at[0, flat] = u, v
        return float(sizes.at(at)[0])

    gmsh.model.mesh.setSizeCallback(wanted)
    gmsh.model.mesh.generate(2)
    gmsh.model.mesh.removeSizeCallback()
    of_node = {int(gmsh.model.mesh.getNodes(0, tag)[0][0]): node for tag, node in number.items()}
    labels, where, _ = gmsh.model.mesh.getNodes(2, patch)
    inner = np.full((len(labels), 3), height)
    inner[:, flat] = where.reshape(-1, 3)[:, :2]
    of_node |= {int(label): len(points) + k for k, label in enumerate(labels)}
    triangles = gmsh.model.mesh.getElements(2, patch)[2][0]
    gmsh.model.remove()
    return np.array([of_node[int(label)] for label in triangles]).reshape(-1, 3), inner


def _area(loop: Floats) -> float:
    x, y = loop.T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2)


def _solid(gmsh: Any, points: Floats, facets: Integers, sizes: Sizes) -> tuple[Floats, Integers]:
    """Fill a closed surface of triangles with cells; the given points keep their numbers."""
    gmsh.model.add("solid")
    mesh, used = gmsh.model.mesh, np.unique(facets)
    gmsh.option.setNumber("Mesh.Renumber", 0)
    shell = gmsh.model.addDiscreteEntity(2)
    mesh.addNodes(2, shell, used + 1, points[used].ravel())
    mesh.addElementsByType(shell, 2, [], (facets + 1).ravel())
    body = gmsh.model.geo.addVolume([gmsh.model.geo.addSurfaceLoop([shell])])
    gmsh.model.geo.synchronize()
    mesh.setSizeCallback(lambda _d, _t, x, y, z, _lc: float(sizes.at(np.array([[x, y, z]]))[0]))
    mesh.generate(3)
    mesh.removeSizeCallback()
    labels, where, _ = mesh.getNodes(3, body)
    if len(labels) and labels.min() <= len(points):
        raise MeshError("Gmsh numbers its points otherwise than it did")
    number = np.full(int(max(labels.max(initial=0), len(points))) + 1, -1)
    number[1 : len(points) + 1] = np.arange(len(points))
    number[labels.astype(np.int64)] = len(points) + np.arange(len(labels))
    kinds, _, nodes = mesh.getElements(3, body)
    if list(kinds) != [mesh_gmsh.GMSH_SIMPLEX[3]]:
        raise MeshError("the metal could not be filled with tetrahedra")
    cells = number[np.asarray(nodes[0], dtype=np.int64)].reshape(-1, 4)
    gmsh.model.remove()
    return np.concatenate([points, where.reshape(-1, 3)]), cells
