"""The electrolyte under an outline, in the Gmsh model of the metal: the two share the lines of the contact.

Lengths in um. Gmsh itself is started and stopped in `femli.mesh_gmsh`.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from femli import mesh_foil
from femli.mesh_parts import Floats
from femli.remesh_outline import Outline


class Underlay(NamedTuple):
    """Thickness of an electrolyte and its largest cell, um."""

    depth: float
    largest: float


class Drawn(NamedTuple):
    """Lines of the metal's loop as Gmsh has them: tags of the points at which they begin, and of the lines."""

    points: list[int]
    lines: list[int]


def surface(
    gmsh: Any, outline: Outline, drawn: Drawn, under: Underlay, divided: Callable[[Floats], Floats]
) -> tuple[int, dict[int, str]]:
    """Add the electrolyte; returns its surface and the part of each line that the metal does not have.

    Args:
        gmsh: the session.
        outline: of the metal; floors of its voids are insulated.
        drawn: its lines, those of the bottom first.
        under: the electrolyte.
        divided: divides a straight line (2, 2) as the sizes want it.
    """
    geo, named, loop = gmsh.model.geo, {}, []

    def path(first: int, line: Floats, last: int | None, name: str) -> int:
        """Lines along points (n, 2) between two points that are there (or a new last one)."""
        tags = [first, *[geo.addPoint(float(x), float(z), 0.0) for x, z in line[1:-1]]]
        tags.append(geo.addPoint(float(line[-1, 0]), float(line[-1, 1]), 0.0) if last is None else last)
        for a, b in pairwise(tags):
            tag = geo.addLine(a, b)
            geo.mesh.setTransfiniteCurve(tag, 2)
            named[tag] = name
            loop.append(tag)
        return tags[-1]

    bottom, n = outline.bottom, len(outline.bottom) - 1
    # Wall that lies on the electrolyte shares no point with it.
    held = np.append(~outline.is_open, False) | np.append(False, ~outline.is_open)
    ground: dict[int, int] = {int(k): drawn.points[k] for k in np.flatnonzero(held)}
    for k in (0, n):  # a void that a side cuts
        if k not in ground:
            ground[k] = geo.addPoint(float(bottom[k, 0]), 0.0, 0.0)
    k = 0
    while k < n:
        if not outline.is_open[k]:
            loop.append(drawn.lines[k])
            k += 1
            continue
        end = next(i for i in range(k + 1, n + 1) if i in ground)
        floor = divided(np.array([[bottom[k, 0], 0.0], [bottom[end, 0], 0.0]]))
        path(ground[k], floor, ground[end], "void")
        k = end
    left, right = float(bottom[0, 0]), float(bottom[-1, 0])
    first = float(np.linalg.norm(np.diff(divided(np.array([[right, 0.0], [right, -under.depth]])), axis=0)[0]))
    depths = -mesh_foil.graded(under.depth, min(first, under.largest), 1.3, under.largest)
    lower = path(ground[n], np.column_stack([np.full_like(depths, right), depths]), None, "side")
    across = right - mesh_foil.even(right - left, under.largest)
    corner = path(lower, np.column_stack([across, np.full_like(across, -under.depth)]), None, "counter")
    up = depths[::-1]
    path(corner, np.column_stack([np.full_like(up, left), up]), ground[0], "axis" if outline.axisymmetric else "side")
    # Against the clock, as the metal's loop.
    return geo.addPlaneSurface([geo.addCurveLoop([-tag for tag in reversed(loop)])]), named
