"""The boundary of a 3D box of metal as triangles: walls of voids and collector. NumPy only, lengths in um.

Contact (z = 0) and sides are planes, so walls and collector say all: what the metal holds, each void, and the loops
within which the planes are to be filled.
"""

from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from femli import mesh_parts, voids
from femli.mesh_parts import Floats, Integers, PartedMesh

Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


class Surface(NamedTuple):
    """What bounds the metal besides planes.

    Attributes:
        points: shape (n, 3), um; some may be in use by no triangle.
        walls: triangles of all voids, shape (m, 3), turned so that their normals leave the metal.
        collector: triangles, turned likewise.
        box: lateral planes, ((x low, x high), (y low, y high)); infinite where the metal has no side there.
    """

    points: Floats
    walls: Integers
    collector: Integers
    box: tuple[tuple[float, float], tuple[float, float]]

    def metal(self) -> float:
        """Volume of the metal, um3: int z n_z over its boundary, to which contact and sides add nothing."""
        return self.under(self.walls) + self.under(self.collector)

    def under(self, triangles: Integers) -> float:
        """Integral of z n_z over triangles, um3."""
        return float(np.sum(self.points[triangles, 2].mean(axis=1) * self.areas(triangles)[:, 2]))

    def areas(self, triangles: Integers) -> Floats:
        """Area vectors, shape (triangles, 3), um2."""
        return area_vectors(self.points, triangles)

    def footing(self) -> float:
        """Area of the interface, the shadow of the collector, um2."""
        return float(self.areas(self.collector)[:, 2].sum())

    def voids(self) -> list[Integers]:
        """Numbers of the wall triangles of each void."""
        label = voids.components(self.walls)
        return [np.flatnonzero(label == k) for k in range(int(label.max(initial=-1)) + 1)]

    def planes(self, nodes: Integers) -> Flags:
        """On which planes (x low, x high, y low, y high, contact) points lie, shape (nodes, 5)."""
        return on_planes(self.points[nodes], self.box)

    def share(self, void: Integers) -> float:
        """Part of a void that lies in the model: 1, 1/2 or 1/4, sides being mirrors."""
        cut = self.planes(np.unique(self.walls[void]))[:, :4].any(axis=0).reshape(2, 2)
        return float(np.prod(np.where(cut.sum(axis=1) == 1, 0.5, 1.0)))

    def extents(self, void: Integers) -> tuple[float, float]:
        """Half the width of a whole void (the smaller one), and its height, um."""
        nodes = np.unique(self.walls[void])
        cut = self.planes(nodes)[:, :4].any(axis=0).reshape(2, 2)
        wide = np.ptp(self.points[nodes, :2], axis=0) * np.where(cut.sum(axis=1) == 1, 1.0, 0.5)
        return float(wide.min()), float(self.points[nodes, 2].max())


def area_vectors(points: Floats, triangles: Integers) -> Floats:
    """Area vectors of triangles, shape (triangles, 3)."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return np.asarray(np.cross(b - a, c - a) / 2)


def on_planes(points: Floats, box: tuple[tuple[float, float], tuple[float, float]]) -> Flags:
    """On which planes (x low, x high, y low, y high, contact) points (n, 3) lie, shape (n, 5)."""
    flags = [points[:, axis] == plane for axis in (0, 1) for plane in box[axis]]
    return np.stack([*flags, points[:, 2] == 0.0], axis=1)


def surface(whole: PartedMesh) -> Surface:
    """The surface of a mesh of metal."""
    sides = whole.points[whole.part("side")]
    planes = []
    for axis in (0, 1):
        ends = (float(whole.points[:, axis].min()), float(whole.points[:, axis].max()))
        planes.append([end if (sides[..., axis] == end).all(axis=1).any() else np.inf for end in ends])
    box = (planes[0][0], planes[0][1]), (planes[1][0], planes[1][1])
    return Surface(whole.points, _turned(whole, "void"), _turned(whole, "collector"), box)


def _turned(whole: PartedMesh, name: str) -> Integers:
    """Triangles of a part, turned so that their normals leave the metal."""
    facets = whole.part(name).copy()
    if len(facets):
        inner = mesh_parts.opposite(whole, facets) - whole.points[facets[:, 0]]
        inward = np.einsum("ij,ij->i", area_vectors(whole.points, facets), inner) > 0
        facets[inward] = facets[inward][:, [0, 2, 1]]
    return facets


def edges_of(triangles: Integers) -> tuple[Integers, Integers]:
    """The edges of triangles, shape (edges, 2), smaller number first, and how many triangles each has."""
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    found, count = np.unique(np.sort(pairs, axis=1), axis=0, return_counts=True)
    return found.reshape(-1, 2), count


def rim(triangles: Integers) -> Integers:
    """Edges that belong to one triangle only, shape (edges, 2)."""
    edges, count = edges_of(triangles)
    return edges[count == 1]


def mean_edges(points: Floats, triangles: Integers) -> Floats:
    """Mean length of the edges at each point, zero where there is none, shape (points,)."""
    edges, _ = edges_of(triangles)
    length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    total, count = np.zeros(len(points)), np.zeros(len(points))
    for k in (0, 1):
        np.add.at(total, edges[:, k], length)
        np.add.at(count, edges[:, k], 1.0)
    return total / np.maximum(count, 1.0)


def crossing(points: Floats, triangles: Integers) -> Floats | None:
    """Where an edge of triangles goes through another one of them (x, y, z), or None."""
    edges, _ = edges_of(triangles)
    p, d = points[edges[:, 0]], points[edges[:, 1]] - points[edges[:, 0]]
    reach = float(np.linalg.norm(d, axis=1).max(initial=0.0))
    near = KDTree(points[triangles].mean(axis=1)).query_ball_point(p + d / 2, 1.2 * reach)
    e = np.repeat(np.arange(len(edges)), [len(own) for own in near])
    t = np.concatenate([np.asarray(own, dtype=np.int64) for own in near])
    apart = ~(edges[e][:, :, None] == triangles[t][:, None, :]).any(axis=(1, 2))
    e, t = e[apart], t[apart]
    origin = points[triangles[t, 0]]
    u, v = points[triangles[t, 1]] - origin, points[triangles[t, 2]] - origin
    matrix = np.stack([-d[e], u, v], axis=2)
    sound = np.abs(np.linalg.det(matrix)) > 1e-9 * reach**3  # parallel ones touch, if at all, at other edges
    where = np.linalg.solve(matrix[sound], (p[e] - origin)[sound][..., None])[..., 0]
    inside = (where[:, 0] >= 0) & (where[:, 0] <= 1) & (where[:, 1:] >= 0).all(axis=1) & (where[:, 1:].sum(axis=1) <= 1)
    if not inside.any():
        return None
    k = int(np.flatnonzero(inside)[0])
    return np.asarray(p[e][sound][k] + where[k, 0] * d[e][sound][k])
