"""A foil with voids as Gmsh sees it: solid, names of its boundary, sizes of its cells. Lengths in um.

Gmsh itself is started and stopped in `femli.mesh_gmsh`; `femli.mesh_geometry` hands it over.
"""

import math
from typing import Any

import numpy as np

from femli.errors import MeshError
from femli.mesh_resolution import Resolution
from femli.seeding import SeededVoid


def tool(occ: Any, dimension: int, void: SeededVoid) -> tuple[int, int]:
    """The whole disk, ellipse, ball or ellipsoid whose part above the contact plane is the void."""
    rx = void.radius if void.shape == "cap" else void.half_width
    rz = void.radius if void.shape == "cap" else void.height
    centre = void.height - rz
    if dimension == 3:
        ball = (3, occ.addSphere(void.x, void.y, centre, rx))
        if rz != rx:
            occ.dilate([ball], void.x, void.y, centre, 1.0, 1.0, rz / rx)
        return ball
    if rz > rx:  # OpenCASCADE wants the major axis first
        return (2, occ.addDisk(void.x, centre, 0.0, rz, rx, zAxis=[0, 0, 1], xAxis=[0, 1, 0]))
    return (2, occ.addDisk(void.x, centre, 0.0, rx, rz, zAxis=[0, 0, 1], xAxis=[1, 0, 0]))


def named_boundary(gmsh: Any, metal: list[tuple[int, int]], extents: list[float], axisymmetric: bool) -> dict[int, str]:
    """Part of each boundary entity, told by the plane of the box in which it lies; the rest is void walls."""
    names = {}
    tolerance = 1e-5 * min(extents)  # OpenCASCADE pads bounding boxes by 1e-7
    for dim, tag in gmsh.model.getBoundary(metal, oriented=False):
        box = np.array(gmsh.model.getBoundingBox(dim, tag)).reshape(2, 3)[:, : dim + 1]
        names[tag] = "void"
        for axis in range(dim + 1):
            last = axis == dim
            low = "contact" if last else ("axis" if axisymmetric else "side")
            for plane, name in ((0.0, low), (extents[axis], "collector" if last else "side")):
                if (np.abs(box[:, axis] - plane) < tolerance).all():
                    names[tag] = name
    return names


def electrolyte_boundary(
    gmsh: Any, body: list[tuple[int, int]], named: dict[int, str], extents: list[float], depth: float, axis: bool
) -> dict[int, str]:
    """Part of each boundary entity of the electrolyte that the metal does not have: floors of voids are `void`."""
    names = {}
    tolerance = 1e-5 * min(*extents, depth)
    for dim, tag in gmsh.model.getBoundary(body, oriented=False):
        box = np.array(gmsh.model.getBoundingBox(dim, tag)).reshape(2, 3)[:, : dim + 1]
        if tag in named:
            continue
        if (np.abs(box[:, dim] + depth) < tolerance).all():
            names[tag] = "counter"
        elif (np.abs(box[:, dim]) < tolerance).all():
            names[tag] = "void"
        else:
            names[tag] = "axis" if axis and (np.abs(box[:, 0]) < tolerance).all() else "side"
    return names


def size_fields(
    gmsh: Any,
    dimension: int,
    voids: tuple[SeededVoid, ...],
    sizes: Resolution,
    boundary: dict[int, str],
    below: float = 0.0,
) -> None:
    """Cell sizes that grow by `growth` a cell away from contact, walls and void edges, up to `size`.

    Args:
        gmsh: holds the geometry.
        dimension: 2 or 3.
        voids: cut from the metal.
        sizes: of its cells.
        boundary: parts of the metal's boundary.
        below: the largest cell in the electrolyte, um; 0 without one.
    """
    field, slope = gmsh.model.mesh.field, sizes.growth - 1.0
    normal = "y" if dimension == 2 else "z"
    away = f"sqrt({normal} * {normal})" if below else normal
    fields = [field.add("MathEval")]
    field.setString(fields[0], "F", f"{sizes.interface:.17g} + {slope:.17g} * {away}")
    largest = max(below, sizes.size)
    if largest > sizes.size:
        fields.append(field.add("MathEval"))  # the metal keeps its own largest cell
        field.setString(fields[1], "F", f"{sizes.size:.17g} + {largest:.17g} * (1 - step({normal}))")
    walls = [tag for tag, name in boundary.items() if name == "void"]
    owner = {tag: _owner(gmsh, dimension - 1, tag, voids) for tag in walls}
    for k, (void, edge, wall) in enumerate(zip(voids, sizes.edges, sizes.walls, strict=True)):
        own = [tag for tag in walls if owner[tag] == k]
        if not own:
            raise MeshError(f"void {k + 1} at x = {void.x:.4g} um left no wall on the metal")
        lists = ("PointsList", "CurvesList", "SurfacesList")
        rim = _rim(gmsh, dimension, own, 1e-5 * void.half_width)
        for kind, tags, size in ((lists[dimension - 2], rim, edge), (lists[dimension - 1], own, wall)):
            fields.append(_growing(gmsh, kind, tags, 200 if dimension == 2 else 60, (size, largest, slope)))
    least = field.add("Min")
    field.setNumbers(least, "FieldsList", fields)
    field.setAsBackgroundMesh(least)
    gmsh.option.setNumber("Mesh.MeshSizeMax", largest)


def _growing(gmsh: Any, kind: str, tags: list[int], sampling: int, sizes: tuple[float, float, float]) -> int:
    """Add a field of cell sizes that grow with the distance from entities; returns its tag.

    Args:
        gmsh: holds the geometry.
        kind: of the entities, as Gmsh calls their list.
        tags: of the entities.
        sampling: points on each of them from which distances are measured.
        sizes: the least and the largest [um], and how the one grows to the other per distance [-].
    """
    field, (size, largest, slope) = gmsh.model.mesh.field, sizes
    distance, threshold = int(field.add("Distance")), int(field.add("Threshold"))
    field.setNumbers(distance, kind, sorted(set(tags)))
    field.setNumber(distance, "Sampling", sampling)
    for key, value in (
        ("InField", distance),
        ("SizeMin", size),
        ("SizeMax", max(largest, size)),
        ("DistMin", 0.0),
        ("DistMax", max(largest - size, 1e-3 * size) / max(slope, 1e-3)),
    ):
        field.setNumber(threshold, key, value)
    return threshold


def _rim(gmsh: Any, dimension: int, walls: list[int], tolerance: float) -> list[int]:
    """Where the walls of a void end at the contact, within a tolerance [um]: points, in 3D curves."""
    ends = gmsh.model.getBoundary([(dimension - 1, tag) for tag in walls], combined=False, oriented=False)
    return [tag for dim, tag in ends if abs(gmsh.model.getBoundingBox(dim, tag)[2 + dimension]) < tolerance]


def _owner(gmsh: Any, dim: int, tag: int, voids: tuple[SeededVoid, ...]) -> int:
    """Index of the void to which a piece of wall belongs: the nearest (boxes of dilated walls are loose)."""
    box = np.array(gmsh.model.getBoundingBox(dim, tag)).reshape(2, 3)
    middle = box.mean(axis=0)
    away = [math.hypot(middle[0] - void.x, (middle[1] - void.y) if dim == 2 else 0.0) / void.reach for void in voids]
    return int(np.argmin(away))
