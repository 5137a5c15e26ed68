"""Walls moved so that voids have the opening and the volume that they had: what edits took is given back."""

import numpy as np

from femli.mesh_parts import Floats, Integers
from femli.remesh_surface import Surface, area_vectors, mean_edges, rim

MOST = 0.2  # a wall is moved at a time by no more than this times its shortest edges
PASSES = 5  # and so often


def filled_as(new: Surface, old: Surface) -> Surface:
    """New walls with the opening and the volume that each void had: edges moved in the contact, then the rest.

    A void is known by the vertices that it has kept; one whose vertices all lie on its rim keeps its opening only.
    """
    before = [(set(np.unique(old.walls[void]).tolist()), old.walls[void]) for void in old.voids()]
    points = new.points.copy()
    for void in new.voids():
        triangles = new.walls[void]
        nodes = np.unique(triangles)
        kept, own = max(before, key=lambda pair: len(pair[0] & set(nodes.tolist())))
        if kept & set(nodes.tolist()):
            _reopen(points, new, triangles, -float(old.areas(own)[:, 2].sum()))
            _refill(points, new, triangles, -old.under(own))
    return new._replace(points=points)


def _reopen(points: Floats, new: Surface, triangles: Integers, target: float) -> None:
    """Move the edge of one void in the plane of the contact until its opening has an area [um2]; a part of an edge.

    Contracting the edges of a convex opening makes it smaller, and its wall would be pushed out for it.
    """
    edge = np.unique(rim(triangles))
    edge = edge[points[edge, 2] == 0.0]
    planes = new.planes(edge)
    for _ in range(PASSES):
        slope = np.zeros((len(points), 2))  # of the opening, by the place of each point; zero but on the edge
        a, b, c = (points[triangles[:, k], :2] for k in range(3))
        for k, across in enumerate((c - b, a - c, b - a)):
            np.add.at(slope, triangles[:, k], np.stack([across[:, 1], -across[:, 0]], axis=1) / 2)
        for axis in (0, 1):
            slope[edge[planes[:, 2 * axis : 2 * axis + 2].any(axis=1)], axis] = 0.0
        length = np.linalg.norm(slope[edge], axis=1)
        lack = target + float(area_vectors(points, triangles)[:, 2].sum())
        if abs(lack) <= 1e-14 * target or not length.any():
            return
        most = MOST * float(mean_edges(points, triangles)[edge].min())
        shift = np.clip(lack / float(length.sum()), -most, most)
        points[edge, :2] += shift * slope[edge] / np.maximum(length, 1e-300)[:, None]


def _refill(points: Floats, new: Surface, triangles: Integers, target: float) -> None:
    """Move the points of one wall until its void has a volume [um3]; at a time by no more than part of a triangle."""
    for _ in range(PASSES):
        normal, free = _directions(points, new, triangles)
        if not len(free):
            return
        most = MOST * float(mean_edges(points, triangles)[free].min())
        shift = 0.0
        for _ in range(6):
            trial = points.copy()
            trial[free] += shift * normal[free]
            moved = new._replace(points=trial)
            lack = target + moved.under(triangles)
            front = float(np.sum(np.einsum("ij,ij->i", moved.areas(triangles), normal[triangles].mean(axis=1))))
            if abs(lack) <= 1e-14 * abs(target) or front <= 0.0:
                break
            shift -= lack / front  # out of the metal: the void shrinks
            if abs(shift) > most:
                break
        points[free] += np.clip(shift, -most, most) * normal[free]
        if abs(shift) <= most:
            return


def _directions(points: Floats, new: Surface, triangles: Integers) -> tuple[Floats, Integers]:
    """Unit normals at the points of one wall, in the planes of sides and zero on its edge, and which are not zero."""
    areas = area_vectors(points, triangles)
    normal = np.zeros_like(points)
    for k in range(3):
        np.add.at(normal, triangles[:, k], areas)
    nodes = np.unique(triangles)
    planes = new.planes(nodes)
    for axis in (0, 1):
        normal[nodes[planes[:, 2 * axis : 2 * axis + 2].any(axis=1)], axis] = 0.0
    normal[nodes[planes[:, 4]]] = 0.0
    length = np.linalg.norm(normal, axis=1)
    free = nodes[length[nodes] > 0]
    normal[free] /= length[free][:, None]
    return normal, free
