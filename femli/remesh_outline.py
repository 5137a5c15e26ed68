"""The boundary of a 2D (plane or axisymmetric) electrode as ordered polylines. NumPy only, lengths in um.

From left to right the bottom alternates between contact, at z = 0, and the walls of voids; a void that the axis or a
side cuts begins or ends the bottom above z = 0. Sides and axis are straight, so collector and bottom say all.
"""

from typing import NamedTuple

import numpy as np

from femli.errors import MeshError
from femli.mesh_parts import Floats, Integers, PartedMesh

Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


class Outline(NamedTuple):
    """A boundary.

    Attributes:
        bottom: vertices from left to right, shape (n, 2), um.
        is_open: whether a segment of the bottom is the wall of a void, shape (n - 1,).
        collector: vertices from left to right, shape (m, 2), um.
        axisymmetric: the left side is the axis.
    """

    bottom: Floats
    is_open: Flags
    collector: Floats
    axisymmetric: bool

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
        return enclosed(loop, self.axisymmetric)

    def void(self, wall: tuple[int, int]) -> float:
        """Section of a void, um2; of a body of revolution its volume, um3."""
        line = self.bottom[wall[0] : wall[1] + 1]
        foot = line[[-1, 0]] * [1.0, 0.0]
        return -enclosed(np.concatenate([line, foot, line[:1]]), self.axisymmetric)

    def voids(self) -> float:
        """Section or volume of all voids."""
        return sum(self.void(wall) for wall in self.walls())

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
    """

    bottom: Integers
    is_open: Flags
    collector: Integers
    axisymmetric: bool

    def outline(self, points: Floats) -> Outline:
        """The outline where the nodes are at `points` [um], (points, 2)."""
        return Outline(points[self.bottom], self.is_open, points[self.collector], self.axisymmetric)


def chains(whole: PartedMesh, axisymmetric: bool) -> Chains:
    """Order the boundary of a mesh.

    Raises:
        MeshError: the bottom or the collector is not one line from side to side (voids inside the metal).
    """
    bottom = np.concatenate([whole.part("contact"), whole.part("void")])
    order, turns = _walk(bottom, whole.points, "contact and void walls")
    is_void = np.concatenate([np.zeros(len(whole.part("contact")), bool), np.ones(len(whole.part("void")), bool)])
    collector, _ = _walk(whole.part("collector"), whole.points, "collector")
    return Chains(order, is_void[turns], collector, axisymmetric)


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
    loop = np.concatenate([outline.bottom, outline.collector[::-1]])
    p, q = loop[:-1], loop[1:]  # the left side closes the loop; walls cannot pass it
    d = q - p
    gap = p[None, :, :] - p[:, None, :]
    cross = d[:, None, 0] * d[None, :, 1] - d[:, None, 1] * d[None, :, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        s = (gap[..., 0] * d[None, :, 1] - gap[..., 1] * d[None, :, 0]) / cross
        t = (gap[..., 0] * d[:, None, 1] - gap[..., 1] * d[:, None, 0]) / cross
    n = len(p)
    apart = np.abs(np.arange(n)[:, None] - np.arange(n)[None, :]) > 1
    hit = apart & (np.abs(cross) > 0) & (s > 0) & (s < 1) & (t > 0) & (t < 1)
    if not hit.any():
        return None
    i, j = np.argwhere(hit)[0]
    where = p[i] + s[i, j] * d[i]
    return float(where[0]), float(where[1])
