"""The boundary of a 2D (plane or axisymmetric) electrode as ordered polylines. NumPy only, lengths in um.

From left to right the bottom alternates between contact, at z = 0, and the walls of voids; a void that the axis or a
side cuts begins or ends the bottom above z = 0. Sides and axis are straight, so collector and bottom say all, but for
pores: voids that are closed in by metal, each a closed line. On all walls the metal is to the left.
"""

from typing import NamedTuple

import numpy as np

from femli.errors import MeshError
from femli.mesh_parts import Floats, Integers, PartedMesh
from femli.voids import components

Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


class Happening(NamedTuple):
    """One event.

    Attributes:
        kind: contact_advance, split, coalescence, enclosure, fold, reopening, collapse, debond or cavity.
        x: where, um.
        void: change of the voids' section or volume (um2 or um3).
    """

    kind: str
    x: float
    void: float


class Outline(NamedTuple):
    """A boundary.

    Attributes:
        bottom: vertices from left to right, shape (n, 2), um.
        is_open: whether a segment of the bottom is the wall of a void, shape (n - 1,).
        collector: vertices from left to right, shape (m, 2), um.
        axisymmetric: the left side is the axis.
        pores: vertices of each void inside the metal, shape (k, 2), um; the first follows the last.
    """

    bottom: Floats
    is_open: Flags
    collector: Floats
    axisymmetric: bool
    pores: tuple[Floats, ...] = ()

    @property
    def width(self) -> float:
        """Width of the interface, or outer radius, um."""
        return float(self.collector[-1, 0] - self.collector[0, 0])

    def walls(self) -> list[tuple[int, int]]:
        """First and last vertex of each void's wall, from left to right."""
        edges = np.diff(np.concatenate([[0], self.is_open.astype(int), [0]]))
        return [(int(a), int(b)) for a, b in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)]

    def contacts(self) -> list[tuple[int, int]]:
        """First and last vertex of each piece of the contact, from left to right."""
        edges = np.diff(np.concatenate([[0], (~self.is_open).astype(int), [0]]))
        return [(int(a), int(b)) for a, b in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)]

    def metal(self) -> float:
        """Section of the metal, um2; of a body of revolution its volume, um3."""
        loop = np.concatenate([self.bottom, self.collector[::-1], self.bottom[:1]])
        return enclosed(loop, self.axisymmetric) - sum(self.pore(line) for line in self.pores)

    def pore(self, line: Floats) -> float:
        """Section or volume inside a closed line with the metal on its left."""
        return -enclosed(np.concatenate([line, line[:1]]), self.axisymmetric)

    def void(self, wall: tuple[int, int]) -> float:
        """Section of a void, um2; of a body of revolution its volume, um3."""
        line = self.bottom[wall[0] : wall[1] + 1]
        foot = line[[-1, 0]] * [1.0, 0.0]
        return -enclosed(np.concatenate([line, foot, line[:1]]), self.axisymmetric)

    def voids(self) -> float:
        """Section or volume of all voids."""
        return sum(self.void(wall) for wall in self.walls()) + sum(self.pore(line) for line in self.pores)

    def footing(self) -> float:
        """Area of the interface: the width, or the area of the disc (um2)."""
        return float(np.pi * self.width**2) if self.axisymmetric else self.width


def enclosed(loop: Floats, axisymmetric: bool) -> float:
    """What a closed polyline (last vertex = first) encloses, counted positive if it runs counterclockwise.

    Exact for straight segments: the area, int x dz, or the volume of revolution, pi int x^2 dz.
    """
    x, dz = loop[:, 0], np.diff(loop[:, 1])
    if axisymmetric:
        return float(np.pi / 3 * np.sum((x[1:] ** 2 + x[1:] * x[:-1] + x[:-1] ** 2) * dz))
    return float(np.sum((x[1:] + x[:-1]) * dz) / 2)


class Chains(NamedTuple):
    """Which nodes of a mesh make up its outline; the same as long as the mesh lives.

    Attributes:
        bottom, collector: node numbers from left to right.
        is_open: whether a segment of the bottom is the wall of a void.
        axisymmetric: the left side is the axis.
        pores: node numbers around each void inside the metal.
    """

    bottom: Integers
    is_open: Flags
    collector: Integers
    axisymmetric: bool
    pores: tuple[Integers, ...] = ()

    def outline(self, points: Floats) -> Outline:
        """The outline where the nodes are at `points` [um], (points, 2)."""
        pores = tuple(points[loop] for loop in self.pores)
        return Outline(points[self.bottom], self.is_open, points[self.collector], self.axisymmetric, pores)


def chains(whole: PartedMesh, axisymmetric: bool) -> Chains:
    """Order the boundary of a mesh.

    Raises:
        MeshError: the bottom or the collector is not one line from side to side (voids inside the metal).
    """
    walls, pores = _pores(whole)
    bottom = np.concatenate([whole.part("contact"), walls])
    order, turns = _walk(bottom, whole.points, "contact and void walls")
    is_void = np.concatenate([np.zeros(len(whole.part("contact")), bool), np.ones(len(walls), bool)])
    collector, _ = _walk(whole.part("collector"), whole.points, "collector")
    return Chains(order, is_void[turns], collector, axisymmetric, pores)


def _pores(whole: PartedMesh) -> tuple[Integers, tuple[Integers, ...]]:
    """Wall facets of voids that are open to the contact or a side, and the nodes around each of the others."""
    walls = whole.part("void")
    label = components(walls)
    kept, pores = np.ones(len(walls), bool), []
    for k in range(int(label.max(initial=-1)) + 1):
        own = walls[label == k]
        if len(np.unique(own)) > len(own):  # a line with two ends
            continue
        kept[label == k] = False
        loop, _ = _walk(own[1:], whole.points, "wall of a void")
        closed = whole.points[np.append(loop, loop[0])]
        pores.append(loop if enclosed(closed, False) < 0 else loop[::-1])
    return walls[kept], tuple(pores)


def _walk(facets: Integers, points: Floats, what: str) -> tuple[Integers, Integers]:
    """Nodes and facets of one line, from its left end to its right one."""
    at: dict[int, list[int]] = {}
    for k, facet in enumerate(facets.tolist()):
        for node in facet:
            at.setdefault(node, []).append(k)
    ends = [node for node, own in at.items() if len(own) == 1]
    if len(ends) != 2 or max(len(own) for own in at.values()) > 2:
        raise MeshError(f"{what} are not one line from side to side; such a boundary cannot be followed")
    node = min(ends, key=lambda n: points[n, 0])
    nodes, turns = [node], [at[node][0]]
    while True:
        a, b = facets[turns[-1]].tolist()
        node = b if a == nodes[-1] else a
        nodes.append(node)
        onward = [k for k in at[node] if k != turns[-1]]
        if not onward:
            break
        turns.append(onward[0])
    if len(turns) != len(facets):
        raise MeshError(f"{what}: {len(facets) - len(turns)} facets are apart from the line that joins the sides")
    return np.array(nodes), np.array(turns)


def crossing(outline: Outline) -> tuple[float, float] | None:
    """Where the boundary meets itself (um), or None."""
    # The left side closes the loop; walls cannot pass it.
    loop = np.concatenate([outline.bottom, outline.collector[::-1]])
    lines = [loop, *(np.concatenate([line, line[:1]]) for line in outline.pores)]
    met = meetings(np.concatenate([line[:-1] for line in lines]), np.concatenate([line[1:] for line in lines]))
    return None if not len(met.first) else (float(met.where[0, 0]), float(met.where[0, 1]))


class Meetings(NamedTuple):
    """Pairs of segments that cross, first < second, and where (k, 2)."""

    first: Integers
    second: Integers
    where: Floats


def meetings(p: Floats, q: Floats) -> Meetings:
    """Which of the segments from p to q, shape (n, 2), cross each other; a common end is no crossing."""
    low, high = np.minimum(p, q), np.maximum(p, q)
    near = (low[:, None, 0] <= high[None, :, 0]) & (low[None, :, 0] <= high[:, None, 0])
    near &= (low[:, None, 1] <= high[None, :, 1]) & (low[None, :, 1] <= high[:, None, 1])
    i, j = np.nonzero(np.triu(near, 1))
    d = q - p
    gap = p[j] - p[i]
    cross = d[i, 0] * d[j, 1] - d[i, 1] * d[j, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        s = (gap[:, 0] * d[j, 1] - gap[:, 1] * d[j, 0]) / cross
        t = (gap[:, 0] * d[i, 1] - gap[:, 1] * d[i, 0]) / cross
    joined = (q[i] == p[j]).all(axis=1) | (q[j] == p[i]).all(axis=1)
    hit = ~joined & (np.abs(cross) > 0) & (s > 0) & (s < 1) & (t > 0) & (t < 1)
    return Meetings(i[hit], j[hit], p[i[hit]] + s[hit][:, None] * d[i[hit]])
