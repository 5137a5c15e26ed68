"""What happens to the voids of a 3D box: walls that land beside their edge, collapse. Lengths in um.

A surface is followed up to the first change of topology. A void that becomes too small is closed; a roof that comes
down away from its edge, walls that meet above, or two voids (a void and a side) that meet, end the run.
"""

from typing import NamedTuple

import numpy as np

from femli.errors import MeshError
from femli.mesh_parts import Floats, Integers, edge_lengths
from femli.remesh_events import TOUCH
from femli.remesh_outline import Happening
from femli.remesh_surface import Flags, Surface, crossing, mean_edges, rim

LOW = 0.1  # where one point lands, those this low beside the edge are laid down with it: fewer new meshes
THIN = 0.1  # a void whose volume over its opening is below this, over the smallest size, is closed
GAP = 0.3  # so near to each other, over the smallest size, the edges of two voids have met; or those of one void
TOPOLOGY = "3D runs are followed up to the first change of topology"


def low(surface: Surface, tolerance: float = TOUCH) -> Flags:
    """Points of walls off the contact that are lower than a share of the edges beside them, shape (points,)."""
    found = np.zeros(len(surface.points), dtype=bool)
    found[surface.walls.ravel()] = True
    z = surface.points[:, 2]
    return np.asarray(found & (z != 0.0) & (z <= tolerance * mean_edges(surface.points, surface.walls)))


def resolvable(surface: Surface, void: Integers, h: float) -> bool:
    """Whether a void is large enough to be followed with cells of size h [um]: volume and mean thickness."""
    triangles = surface.walls[void]
    volume, opening = -surface.under(triangles), -float(surface.areas(triangles)[:, 2].sum())
    return volume >= surface.share(void) * h**3 and volume >= THIN * h * opening


def due(surface: Surface, h: float) -> str | None:
    """What asks for a new mesh, if anything; h is the smallest size [um]."""
    if low(surface).any():
        return "a wall has come down on the electrolyte"
    if any(not resolvable(surface, void, h) for void in surface.voids()):
        return "a void has closed"
    if any(crossing(surface.points, surface.walls[void]) is not None for void in surface.voids()):
        return "walls have met"
    return met(surface, h)


def met(surface: Surface, h: float) -> str | None:
    """Which edges of voids have met each other, themselves or a side, with the place, if any."""
    feet = []
    for void in surface.voids():
        edges = rim(surface.walls[void])
        if -surface.areas(surface.walls[void])[:, 2].sum() < surface.share(void) * (GAP * h) ** 2:
            return f"the mouth of a void has closed {_at(surface.points[edges].mean(axis=(0, 1))[:2])}"
        feet.append(surface.points[edges[(surface.points[edges, 2] == 0.0).all(axis=1)]][..., :2])
        foot, cut = feet[-1], surface.planes(np.unique(surface.walls[void]))[:, :4].any(axis=0)
        for k in np.flatnonzero(~cut):
            away = np.abs(foot[:, 0, k // 2] - surface.box[k // 2][k % 2])
            if len(away) and away.min() < GAP * h:
                return f"a void has met a side {_at(foot[int(away.argmin()), 0])}"
    for i, one in enumerate(feet):
        for other in feet[:i]:
            for corners, sides in ((one[:, 0], other), (other[:, 0], one)):
                apart = distances(corners, sides)
                if apart.size and apart.min() < GAP * h:
                    return f"two voids have met {_at(corners[int(apart.min(axis=1).argmin())])}"
    return None


def distances(points: Floats, segments: Floats) -> Floats:
    """Distances of points (n, 2) from segments (m, 2, 2), shape (n, m)."""
    start, along = segments[:, 0], segments[:, 1] - segments[:, 0]
    away = points[:, None] - start[None]
    t = np.clip(np.einsum("nmk,mk->nm", away, along) / np.sum(along**2, axis=1), 0.0, 1.0)
    return np.asarray(np.linalg.norm(away - t[..., None] * along[None], axis=2))


def _at(place: Floats) -> str:
    return f"at ({', '.join(f'{value:.4g}' for value in place)}) um"


def settled(surface: Surface, h: float) -> tuple[Surface, list[Happening]]:
    """The surface after everything that has happened to it; h is the smallest size [um].

    Raises:
        MeshError: a change of topology that is not followed.
    """
    old = surface.voids()
    owner = {int(node): k for k, void in enumerate(old) for node in np.unique(surface.walls[void])}
    middles = [float(_middle(surface, void)[0]) for void in old]
    surface, found = touched(surface)
    surface, closed = collapsed(surface, h)
    left = [owner[int(surface.walls[void][0, 0])] for void in surface.voids()]
    for k in set(left):
        if left.count(k) > 1:
            where = _middle(surface, surface.voids()[left.index(k)])[:2]
            raise MeshError(f"a void has been divided {_at(where)}; {TOPOLOGY}")
    for node, event in closed:  # what is cut off beside a larger piece is part of the advance
        found.append(event._replace(kind="contact_advance") if owner[node] in left else event)
    landed = set(range(len(old))) - set(left) - {owner[node] for node, _ in closed}
    found += [Happening("collapse", middles[k], 0.0) for k in sorted(landed)]
    for void in surface.voids():
        fold = crossing(surface.points, surface.walls[void])
        if fold is not None:
            raise MeshError(f"the walls of a void touch each other {_at(fold)}; {TOPOLOGY}")
    fault = met(surface, h)
    if fault is not None:
        raise MeshError(f"{fault}; {TOPOLOGY}")
    return surface, found


def _middle(surface: Surface, void: Integers) -> Floats:
    return np.asarray(surface.points[np.unique(surface.walls[void])].mean(axis=0))


def collapsed(surface: Surface, h: float) -> tuple[Surface, list[tuple[int, Happening]]]:
    """Voids too small to be followed are closed; so is a thin one whose walls have met. Each with one of its nodes."""
    found, gone = [], []
    for void in surface.voids():
        folded = crossing(surface.points, surface.walls[void]) is not None
        if not resolvable(surface, void, 2 * h if folded else h):
            triangles, x = surface.walls[void], float(_middle(surface, void)[0])
            found.append((int(triangles[0, 0]), Happening("collapse", x, surface.under(triangles))))
            gone.append(void)
    walls = np.delete(surface.walls, np.concatenate(gone), axis=0) if gone else surface.walls
    return surface._replace(walls=walls), found


class Landed(NamedTuple):
    """Heights and triangles of walls while they come down."""

    points: Floats
    walls: Integers


def touched(surface: Surface) -> tuple[Surface, list[Happening]]:
    """Walls that have come down beside their edge become contact.

    A triangle with two corners on the edge and the third one low is laid down. A landed point that only reaches the
    edge by one side of a triangle is drawn into the edge.

    Raises:
        MeshError: a roof has come down away from its edge, or a wall touches itself at its edge.
    """
    landed, down = low(surface), low(surface, LOW)
    if not landed.any():
        return surface, []
    before, middle = surface.under(surface.walls), float(surface.points[landed, 0].mean())
    now = Landed(surface.points.copy(), surface.walls)
    now.points[down & (now.points[:, 2] < 0.0), 2] = 1e-12  # sunk within the tolerance
    for _ in range(len(surface.walls)):
        laid = _laid(now, _waiting(now, down))
        if laid is None and not len(_waiting(now, landed)):
            break
        now = laid or _drawn(now, _waiting(now, landed))
    made = surface._replace(points=now.points, walls=now.walls)
    _check_rim(made)
    return made, [Happening("contact_advance", middle, before - made.under(made.walls))]


def _waiting(now: Landed, down: Flags) -> Integers:
    used = np.unique(now.walls)
    return used[down[used] & (now.points[used, 2] != 0.0)]


def _laid(now: Landed, waiting: Integers) -> Landed | None:
    """Lay down the low points of triangles whose other corners are on the edge, and these triangles; None: no such."""
    on_contact = now.points[now.walls, 2] == 0.0
    low_ones = np.isin(now.walls, waiting)
    ready = (on_contact.sum(axis=1) == 2) & low_ones.any(axis=1)
    if not ready.any():
        return None
    points = now.points.copy()
    points[now.walls[ready][low_ones[ready]], 2] = 0.0
    return Landed(points, now.walls[(points[now.walls, 2] != 0.0).any(axis=1)])


def _drawn(now: Landed, waiting: Integers) -> Landed:
    """Draw one low point into its nearest neighbour on the edge."""
    for node in waiting.tolist():
        own = now.walls[(now.walls == node).any(axis=1)]
        beside = np.unique(own[now.points[own, 2] == 0.0])
        beside = beside[beside != node]
        if not len(beside):
            continue
        apart = np.linalg.norm(now.points[beside] - now.points[node], axis=1)
        target = int(beside[int(apart.argmin())])
        walls = np.where(now.walls == node, target, now.walls)
        sound = (walls[:, 0] != walls[:, 1]) & (walls[:, 1] != walls[:, 2]) & (walls[:, 2] != walls[:, 0])
        return Landed(now.points, walls[sound & (now.points[walls, 2] != 0.0).any(axis=1)])
    where = now.points[int(waiting[0]), :2]
    raise MeshError(f"the roof of a void has come down away from its edge {_at(where)}; {TOPOLOGY}")


def _check_rim(surface: Surface) -> None:
    """At every point of the rim two edges of it meet."""
    nodes, count = np.unique(rim(surface.walls), return_counts=True)
    if (count != 2).any():
        where = surface.points[int(nodes[count != 2][0]), :2]
        raise MeshError(f"the edge of a void touches itself {_at(where)}; {TOPOLOGY}")


def shapes(points: Floats, cells: Integers) -> Floats:
    """Mean ratio of each tetrahedron, 12 (3 V)^(2/3) over its squared edges: 1 regular, 0 flat, shape (cells,)."""
    edges = points[cells[:, 1:]] - points[cells[:, :1]]
    volume = np.abs(np.linalg.det(edges)) / 6
    return np.asarray(12 * (3 * volume) ** (2 / 3) / np.sum(edge_lengths(points, cells) ** 2, axis=1))
