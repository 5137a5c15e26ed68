"""A new mesh inside a given outline (2D plane and axisymmetric), by Gmsh in memory. Lengths in um.

The vertices of the outline become nodes as they are, so what the mesh holds is what the outline encloses, exactly.
Sizes grow away from contact, walls and void edges as in the first mesh; each void has those of its present shape.
"""

from typing import Any, NamedTuple

import numpy as np

from femli import mesh_electrolyte, mesh_gmsh, mesh_parts, mesh_underlay
from femli.mesh_fill import Wanted
from femli.mesh_parts import Floats, PartedMesh
from femli.mesh_resolution import COARSEST_EDGE, EDGE_SHARE, WALL_SHARE, Resolution
from femli.mesh_underlay import Underlay
from femli.remesh_outline import Outline

LONG = 1.5  # a segment longer than this times the wanted size is divided
SHORT = 0.6  # a vertex goes where both segments beside it are shorter than this times the wanted size
LEAST = 0.5  # no cell is wanted smaller than this times the smallest size


class Sizes(NamedTuple):
    """Wanted sizes, um.

    Attributes:
        interface, size, growth: as in `Resolution`.
        sources: points (k, 2), in 3D (k, 3), from which sizes grow, and the size there (k,).
    """

    interface: float
    size: float
    growth: float
    sources: Floats
    least: Floats

    def at(self, points: Floats) -> Floats:
        """Wanted size at points (n, 2) or (n, 3), shape (n,)."""
        slope = self.growth - 1.0
        wanted = np.minimum(self.interface + slope * np.maximum(points[:, -1], 0.0), self.size)
        if not len(self.least):
            return wanted
        away = np.linalg.norm(points[:, None, :] - self.sources[None, :, :], axis=2)
        return np.asarray(np.minimum(wanted, (self.least[None, :] + slope * away).min(axis=1)))


def smallest_size(resolution: Resolution) -> float:
    """The size that decides what can be resolved: the finest void edge of the first mesh, um."""
    return min(resolution.edges)


def sizes_of(outline: Outline, first: Resolution) -> Sizes:
    """The sizes around an outline, by the rules of the first mesh for the present shape of each void."""
    h = smallest_size(first)
    sources, least = [], []
    for a, b in outline.walls():
        line = outline.bottom[a : b + 1]
        height = float(line[:, 1].max())
        cut = int(line[0, 1] > 0) + int(line[-1, 1] > 0)
        half = float(np.ptp(line[:, 0])) * (0.5 if cut == 0 else 1.0)
        edge = min(max(half / EDGE_SHARE[2], h), half / COARSEST_EDGE, height)
        edge = max(edge, LEAST * h)
        wall = max(edge, min(half, height) / WALL_SHARE[2])
        sources.append(line)
        size = np.full(len(line), wall)
        size[[k for k in (0, -1) if line[k, 1] == 0.0]] = edge
        least.append(size)
    for line in outline.pores:
        half = min(np.ptp(line[:, 0]), np.ptp(line[:, 1])) / 2
        sources.append(line)
        least.append(np.full(len(line), max(h, half / WALL_SHARE[2])))
    if not sources:
        return Sizes(first.interface, first.size, first.growth, np.empty((0, 2)), np.empty(0))
    return Sizes(first.interface, first.size, first.growth, np.concatenate(sources), np.concatenate(least))


def resampled(outline: Outline, sizes: Sizes) -> Outline:
    """The outline with vertices as the sizes want them; walls and collector keep theirs where they can."""
    pieces, flags = [], []
    both = sorted([(a, b, True) for a, b in outline.walls()] + [(a, b, False) for a, b in outline.contacts()])
    for a, b, is_wall in both:
        line = outline.bottom[a : b + 1]
        line = edited(line, sizes) if is_wall else divided(line[[0, -1]], sizes)
        pieces.append(line[:-1])
        flags.append(np.full(len(line) - 1, is_wall))
    bottom = np.concatenate([*pieces, outline.bottom[-1:]])
    pores = tuple(edited(np.concatenate([line, line[:1]]), sizes)[:-1] for line in outline.pores)
    collector = edited(outline.collector, sizes)
    return outline._replace(bottom=bottom, is_open=np.concatenate(flags), collector=collector, pores=pores)


def divided(ends: Floats, sizes: Wanted) -> Floats:
    """A straight line (2, 2) divided so that each part has about the wanted size there, shape (n, 2)."""
    length = float(np.linalg.norm(ends[1] - ends[0]))
    t = np.linspace(0.0, 1.0, 2001)
    density = length / sizes.at(ends[0] + t[:, None] * (ends[1] - ends[0]))
    count = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(t))])
    parts = max(int(np.ceil(count[-1] - 1e-9)), 1)
    at = np.interp(np.linspace(0.0, count[-1], parts + 1), count, t)
    line = ends[0] + at[:, None] * (ends[1] - ends[0])
    line[0], line[-1] = ends
    return np.asarray(line)


def edited(line: Floats, sizes: Sizes) -> Floats:
    """A curved line with vertices dropped where they crowd and set, on a smooth curve, where they are missing."""
    keep = [0]
    wanted = sizes.at(line)
    for i in range(1, len(line) - 1):
        before = float(np.linalg.norm(line[i] - line[keep[-1]]))
        after = float(np.linalg.norm(line[i + 1] - line[i]))
        if before >= SHORT * wanted[i] or before + after > LONG * wanted[i]:
            keep.append(i)
    if len(keep) > 1 and np.linalg.norm(line[-1] - line[keep[-1]]) < SHORT * wanted[-1] and len(keep) > 2:
        keep.pop()
    line = line[[*keep, len(line) - 1]]
    chord = np.diff(line, axis=0)
    length = np.linalg.norm(chord, axis=1)
    tangent = _tangents(chord, length)
    out = [line[:1]]
    for i, size in enumerate(sizes.at((line[1:] + line[:-1]) / 2)):
        parts = 1 if length[i] <= LONG * size else int(np.ceil(length[i] / size))
        t = (np.arange(1, parts + 1) / parts)[:, None]
        new = line[i] + t * chord[i]
        # The cubic through both ends with the tangents there, less the chord.
        bulge = (t * (1 - t) ** 2) * (tangent[i] * length[i] - chord[i])
        bulge -= (t**2 * (1 - t)) * (tangent[i + 1] * length[i] - chord[i])
        new += bulge
        new[-1] = line[i + 1]
        out.append(new)
    return np.concatenate(out)


def _tangents(chord: Floats, length: Floats) -> Floats:
    """Derivatives by length at the vertices of a line: of the parabola through each three neighbours."""
    slope = chord / length[:, None]
    if len(chord) == 1:
        return np.repeat(slope, 2, axis=0)
    w = (length[1:] / (length[1:] + length[:-1]))[:, None]
    inner = w * slope[:-1] + (1 - w) * slope[1:]
    return np.concatenate([[2 * slope[0] - inner[0]], inner, [2 * slope[-1] - inner[-1]]])


def meshed(outline: Outline, sizes: Sizes, under: Underlay | None = None) -> PartedMesh:
    """Mesh the metal inside an outline, and an electrolyte under it.

    Raises:
        MeshError: Gmsh cannot.
    """
    left, right = (np.stack([outline.bottom[k], outline.collector[k]]) for k in (0, -1))
    loop = [
        *_segments(outline.bottom, np.where(outline.is_open, "void", "contact").tolist()),
        *_segments(divided(right, sizes), "side"),
        *_segments(outline.collector[::-1], "collector"),
        *_segments(divided(left, sizes)[::-1], "axis" if outline.axisymmetric else "side"),
    ]
    with mesh_gmsh.session("the metal could not be meshed anew") as gmsh:
        points, boundary = _lines(gmsh, loop)
        holes = [_lines(gmsh, _segments(line[[*range(len(line)), 0]], "void"))[1] for line in outline.pores]
        loops = [gmsh.model.geo.addCurveLoop(list(lines)) for lines in (boundary, *holes)]
        surface = gmsh.model.geo.addPlaneSurface(loops)
        bodies = {surface: "electrode"}
        if under is not None:
            drawn = mesh_underlay.Drawn(points, list(boundary))
            below, more = mesh_underlay.surface(gmsh, outline, drawn, under, lambda ends: divided(ends, sizes))
            bodies[below], boundary = "electrolyte", boundary | more
        for lines in holes:
            boundary |= lines
        gmsh.model.geo.synchronize()
        _grow(gmsh, list(boundary), sizes, sizes.size if under is None else max(sizes.size, under.largest))
        gmsh.model.mesh.generate(2)
        whole = mesh_gmsh.arrays(gmsh, 2, bodies, boundary)
    whole = mesh_parts.compact(whole)
    whole = whole._replace(points=_exact(whole.points, outline))
    mesh_electrolyte.check(whole)
    return whole


def _segments(line: Floats, names: str | list[str]) -> list[tuple[Floats, str]]:
    """Begin and name of each segment of a line."""
    named = [names] * (len(line) - 1) if isinstance(names, str) else names
    return list(zip(line[:-1], named, strict=True))


def _lines(gmsh: Any, loop: list[tuple[Floats, str]]) -> tuple[list[int], dict[int, str]]:
    """A Gmsh line for each segment, not to be divided: points at which they begin; name by tag, in loop order."""
    geo = gmsh.model.geo
    points = [geo.addPoint(float(begin[0]), float(begin[1]), 0.0) for begin, _ in loop]
    boundary = {}
    for k, (_, name) in enumerate(loop):
        line = geo.addLine(points[k], points[(k + 1) % len(points)])
        geo.mesh.setTransfiniteCurve(line, 2)
        boundary[line] = name
    return points, boundary


def _grow(gmsh: Any, lines: list[int], sizes: Sizes, largest: float) -> None:
    """Cells grow away from the boundary's own segments, up to a largest size."""
    field = gmsh.model.mesh.field
    extend = field.add("Extend")
    field.setNumbers(extend, "CurvesList", lines)
    field.setNumber(extend, "DistMax", largest / max(sizes.growth - 1.0, 1e-3))
    field.setNumber(extend, "SizeMax", largest)
    field.setAsBackgroundMesh(extend)
    gmsh.option.setNumber("Mesh.MeshSizeMax", largest)


def _exact(points: Floats, outline: Outline) -> Floats:
    """Points with the planes of contact and sides exact, for later rooms that compare with ==."""
    points = points.copy()
    near = 1e-9 * outline.width
    for axis, planes in ((0, outline.collector[[0, -1], 0]), (1, (0.0,))):
        for plane in planes:
            points[np.abs(points[:, axis] - plane) < near, axis] = plane
    return points
