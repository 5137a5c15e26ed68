"""A mesh as plain arrays with named parts, and what femli demands of it: NumPy only, no DOLFINx, no Gmsh.

Lengths are in micrometres. The last coordinate is normal to the interface: contact at 0, metal above,
collector on top. Every way of making a mesh (layers, Gmsh, a file) ends in a `PartedMesh` that passes
`check`.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from femli.errors import MeshError

REGIONS: dict[str, int] = {"electrode": 1}
BOUNDARIES: dict[str, int] = {"contact": 1, "void": 2, "collector": 3, "side": 4, "axis": 5}
REQUIRED: tuple[str, ...] = ("contact", "collector")
FLATNESS = 1e-6  # a plane part deviates by less than this share of the mesh's largest extent

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class PartedMesh(NamedTuple):
    """A mesh of simplices (intervals, triangles, tetrahedra) whose boundary is divided into named parts.

    Attributes:
        points: coordinates, shape (points, d), um.
        cells: point numbers of each cell, shape (cells, d + 1); all of them are region `electrode`.
        facets: point numbers of each boundary facet, shape (facets, d).
        facet_tags: values of `BOUNDARIES`, shape (facets,).
    """

    points: Floats
    cells: Integers
    facets: Integers
    facet_tags: Integers

    @property
    def dimension(self) -> int:
        """Space dimension, 1 to 3."""
        return int(self.points.shape[1])

    def part(self, name: str) -> Integers:
        """Facets of one part, shape (n, d)."""
        return self.facets[self.facet_tags == BOUNDARIES[name]]

    def names(self) -> dict[str, int]:
        """The boundary parts that this mesh has, with their tags."""
        present = set(np.unique(self.facet_tags).tolist())
        return {name: tag for name, tag in BOUNDARIES.items() if tag in present}


def cell_measures(mesh: PartedMesh) -> Floats:
    """Signed length, area or volume of each cell, shape (cells,), um^d."""
    edges = mesh.points[mesh.cells[:, 1:]] - mesh.points[mesh.cells[:, :1]]
    return np.linalg.det(edges) / (1.0, 1.0, 2.0, 6.0)[mesh.dimension]


def facet_measures(mesh: PartedMesh, name: str) -> Floats:
    """Size of each facet of a part: 1 in 1D, length (um) in 2D, area (um2) in 3D."""
    facets = mesh.part(name)
    if mesh.dimension == 1:
        return np.ones(len(facets))
    edges = mesh.points[facets[:, 1:]] - mesh.points[facets[:, :1]]
    gram = edges @ edges.transpose(0, 2, 1)
    return np.sqrt(np.linalg.det(gram)) / (1.0, 1.0, 1.0, 2.0)[mesh.dimension]


def smallest_angles(mesh: PartedMesh) -> Floats:
    """Smallest angle of each triangle of a 2D mesh, shape (cells,), degrees."""
    corners = mesh.points[mesh.cells]
    angles = []
    for k in range(3):
        a = corners[:, (k + 1) % 3] - corners[:, k]
        b = corners[:, (k + 2) % 3] - corners[:, k]
        cross = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
        angles.append(np.degrees(np.arctan2(cross, np.einsum("ij,ij->i", a, b))))
    return np.min(angles, axis=0)


def compact(mesh: PartedMesh) -> PartedMesh:
    """The mesh without points that no cell uses (Gmsh leaves centres of circles and the like)."""
    used, cells = np.unique(mesh.cells, return_inverse=True)
    number = np.full(len(mesh.points), -1)
    number[used] = np.arange(len(used))
    facets = number[mesh.facets]
    if (facets < 0).any():
        raise MeshError("the mesh has boundary facets that belong to no cell of the region electrode")
    return mesh._replace(points=mesh.points[used], cells=cells.reshape(mesh.cells.shape), facets=facets)


def placed(mesh: PartedMesh, axisymmetric: bool = False) -> PartedMesh:
    """The mesh moved so that the contact lies at 0 and the lateral coordinates begin at 0, with exact planes.

    Meshers leave round-off in the coordinates; planes are made exact so that later rooms can compare with ==.

    Args:
        mesh: a mesh anywhere in space, contact at its smallest last coordinate.
        axisymmetric: leave the radius where it is.
    """
    points = mesh.points.copy()
    scale = float(np.ptp(points, axis=0).max())
    contact = mesh.part("contact")
    if not len(contact):
        raise MeshError(_missing(["contact"]))
    for axis in range(mesh.dimension):
        last = axis == mesh.dimension - 1
        origin = points[contact, -1].mean() if last else (0.0 if axisymmetric else points[:, axis].min())
        points[:, axis] -= origin
        for plane in (0.0, float(points[:, axis].max())):
            points[np.abs(points[:, axis] - plane) < FLATNESS * scale, axis] = plane
    return mesh._replace(points=points)


def check(mesh: PartedMesh, bent: bool = False) -> None:
    """Refuse a mesh on which the boundary conditions of femli would mean something else than they say.

    Args:
        mesh: the mesh.
        bent: the collector may be bent, as it is in the course of a run.

    Raises:
        MeshError: a required part is missing, a boundary facet has no part or two, a part lies inside the
            metal, cells are degenerate, the contact is not the plane at the bottom, the collector is not
            the plane on top, a side is no axis-aligned plane at the edge of the mesh, the axis is not r = 0.
    """
    missing = [name for name in REQUIRED if name not in mesh.names()]
    if missing:
        raise MeshError(_missing(missing))
    smallest = np.abs(cell_measures(mesh)).min()
    if smallest <= 1e-14 * float(np.ptp(mesh.points, axis=0).max()) ** mesh.dimension:
        raise MeshError(f"the mesh has a cell without volume ({smallest:.3g} um^{mesh.dimension})")
    _check_boundary(mesh)
    last = mesh.dimension - 1
    _check_plane(mesh, "contact", last, [0.0], "the smallest last coordinate of the mesh")
    if mesh.points[:, last].min() < 0.0:
        raise MeshError(
            f"part contact is not the bottom of the mesh: metal lies {-mesh.points[:, last].min():.6g} um "
            "below it along the last coordinate"
        )
    if not bent:
        _check_plane(mesh, "collector", last, [mesh.points[:, last].max()], "the largest last coordinate")
    if "axis" in mesh.names():
        _check_plane(mesh, "axis", 0, [0.0], "r = 0, the first coordinate")
        if mesh.points[:, 0].min() < 0.0:
            raise MeshError(f"an axisymmetric mesh has r >= 0, not {mesh.points[:, 0].min():.6g} um")
    _check_sides(mesh)


def _missing(names: list[str]) -> str:
    return (
        f"the mesh has no part named {' or '.join(names)}; a mesh needs region electrode and boundaries "
        f"contact and collector, and may have void, side and (2D axisymmetric) axis"
    )


def _check_boundary(mesh: PartedMesh) -> None:
    """Every facet of one cell only must carry exactly one name, and no other facet may."""
    corners = mesh.dimension + 1
    faces = np.concatenate([np.delete(mesh.cells, k, axis=1) for k in range(corners)] + [mesh.facets])
    label = _labels(faces)
    split, size = len(faces) - len(mesh.facets), int(label.max()) + 1
    cells = np.bincount(label[:split], minlength=size)
    names = np.bincount(label[split:], minlength=size)
    example = np.empty(size, dtype=np.int64)
    example[label] = np.arange(len(faces))
    for wrong, complaint in (
        (names > 1, "facets belong to two boundary parts"),
        ((names > 0) & (cells != 1), "facets of the boundary parts lie inside the metal or on no cell"),
        ((names == 0) & (cells == 1), f"boundary facets carry no name (allowed: {', '.join(BOUNDARIES)})"),
    ):
        if wrong.any():
            first = _place(mesh, faces[example[np.flatnonzero(wrong)[0]]])
            raise MeshError(f"{int(wrong.sum())} {complaint}, the first {first}")


def _labels(faces: Integers) -> Integers:
    """A number for each row, the same for rows of the same points, shape (rows,)."""
    rows = np.sort(faces, axis=1)
    order = np.lexsort(rows.T)
    fresh = (rows[order][1:] != rows[order][:-1]).any(axis=1)
    labels = np.empty(len(rows), dtype=np.int64)
    labels[order] = np.append(0, np.cumsum(fresh))
    return labels


def _place(mesh: PartedMesh, face: Integers) -> str:
    middle = mesh.points[face].mean(axis=0)
    return "at (" + ", ".join(f"{value:.6g}" for value in middle) + ") um"


def _check_plane(mesh: PartedMesh, name: str, axis: int, planes: list[float], where: str) -> None:
    values = mesh.points[mesh.part(name), axis]
    off = np.min([np.abs(values - plane) for plane in planes], axis=0)
    if off.max() > FLATNESS * float(np.ptp(mesh.points, axis=0).max()):
        raise MeshError(
            f"part {name} has to be a plane at {where} ({', '.join(f'{p:.6g}' for p in planes)} um); it "
            f"spans {values.min():.6g} to {values.max():.6g} um there"
        )


def _check_sides(mesh: PartedMesh) -> None:
    """Each side facet lies in one of the planes that bound the mesh laterally (v.n = 0 is one component)."""
    sides = mesh.part("side")
    if not len(sides):
        return
    if mesh.dimension == 1:
        raise MeshError("a 1D mesh has no part side: it is laterally uniform by itself")
    flat = np.zeros(len(sides), dtype=bool)
    for axis in range(mesh.dimension - 1):
        values = mesh.points[sides, axis]
        for plane in (mesh.points[:, axis].min(), mesh.points[:, axis].max()):
            flat |= (values == plane).all(axis=1)
    if not flat.all():
        raise MeshError(
            f"{int((~flat).sum())} facets of part side do not lie in an axis-aligned plane that bounds the "
            f"mesh, the first {_place(mesh, sides[~flat][0])}"
        )
