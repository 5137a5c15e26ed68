"""A mesh as plain arrays with named parts, and what femli demands of it: NumPy only, no DOLFINx, no Gmsh.

Lengths are in micrometres. The last coordinate is normal to the interface: contact at 0, metal above,
collector on top; an electrolyte, where there is one, below. Every way of making a mesh (layers, Gmsh, a file)
ends in a `PartedMesh` that passes `check`, an electrolyte's in one that passes `check_electrolyte`.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from femli.errors import MeshError

REGIONS: dict[str, int] = {"electrode": 1, "electrolyte": 2}
BOUNDARIES: dict[str, int] = {"contact": 1, "void": 2, "collector": 3, "side": 4, "axis": 5, "counter": 6}
REQUIRED: tuple[str, ...] = ("contact", "collector")
FLATNESS = 1e-6  # a plane part deviates by less than this share of the mesh's largest extent

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class PartedMesh(NamedTuple):
    """A mesh of simplices (intervals, triangles, tetrahedra) whose boundary is divided into named parts.

    Attributes:
        points: coordinates, shape (points, d), um.
        cells: point numbers of each cell, shape (cells, d + 1).
        facets: point numbers of each boundary facet, shape (facets, d); the contact between two regions is one too.
        facet_tags: values of `BOUNDARIES`, shape (facets,).
        regions: values of `REGIONS`, shape (cells,); None where all cells are of one region.
    """

    points: Floats
    cells: Integers
    facets: Integers
    facet_tags: Integers
    regions: Integers | None = None

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


def edge_lengths(points: Floats, cells: Integers) -> Floats:
    """Lengths of the edges of each cell, shape (cells, edges), um."""
    corners = points[cells]
    pairs = [(i, j) for i in range(cells.shape[1]) for j in range(i)]
    return np.stack([np.linalg.norm(corners[:, i] - corners[:, j], axis=1) for i, j in pairs], axis=1)


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
        mesh: a mesh anywhere in space, contact below the metal.
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
        for plane in (float(points[:, axis].min()), float(points[:, axis].max()), 0.0):
            points[np.abs(points[:, axis] - plane) < FLATNESS * scale, axis] = plane
    return mesh._replace(points=points)


def check(mesh: PartedMesh) -> None:
    """Refuse a mesh on which the boundary conditions of femli would mean something else than they say.

    Raises:
        MeshError: a required part is missing, a boundary facet has no part or two, a part lies inside the
            metal, cells are degenerate, the contact is not the plane at the bottom, the collector does not
            lie over all of the interface, a side is no axis-aligned plane at the edge of the mesh, the axis
            is not r = 0.
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
    if "axis" in mesh.names():
        _check_plane(mesh, "axis", 0, [0.0], "r = 0, the first coordinate")
        if mesh.points[:, 0].min() < 0.0:
            raise MeshError(f"an axisymmetric mesh has r >= 0, not {mesh.points[:, 0].min():.6g} um")
    _check_sides(mesh)
    _check_collector(mesh)


def check_electrolyte(mesh: PartedMesh) -> None:
    """Refuse an electrolyte on which its boundary conditions would mean something else than they say.

    Raises:
        MeshError: contact or counter is missing, the contact is not on the plane 0, at the top, the counter is not the
            plane at the bottom, a boundary facet has no part, a side is no axis-aligned plane at the edge.
    """
    missing = [name for name in ("contact", "counter") if name not in mesh.names()]
    if missing:
        raise MeshError(f"the electrolyte has no part named {' or '.join(missing)}; it needs contact and counter")
    if "collector" in mesh.names():
        raise MeshError("the electrolyte touches the collector; it has to lie below the contact")
    _check_boundary(mesh)
    last = mesh.dimension - 1
    _check_plane(mesh, "contact", last, [0.0], "the top of the electrolyte")
    if mesh.points[:, last].max() > 0.0:
        raise MeshError(
            f"the electrolyte reaches {mesh.points[:, last].max():.6g} um above the contact; it is below it"
        )
    _check_plane(mesh, "counter", last, [mesh.points[:, last].min()], "the smallest last coordinate")
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
    label = labels(faces)
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


def labels(faces: Integers) -> Integers:
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


def upward_areas(mesh: PartedMesh, name: str) -> Floats:
    """Area vectors' last component of each facet of a part, pointing out of the metal, shape (facets,), um^(d-1)."""
    facets = mesh.part(name)
    if mesh.dimension == 1:
        vectors = np.ones((len(facets), 1))
    else:
        edges = mesh.points[facets[:, 1:]] - mesh.points[facets[:, :1]]
        if mesh.dimension == 2:
            vectors = edges[:, 0, ::-1] * np.array([1.0, -1.0])
        else:
            vectors = np.cross(edges[:, 0], edges[:, 1]) / 2
    inward = opposite(mesh, facets) - mesh.points[facets[:, 0]]
    return vectors[:, -1] * -np.sign(np.einsum("ij,ij->i", vectors, inward))


def opposite(mesh: PartedMesh, facets: Integers) -> Floats:
    """For each boundary facet the corner of its cell that is not on it, shape (facets, d)."""
    corners = mesh.dimension + 1
    faces = np.concatenate([facets] + [np.delete(mesh.cells, k, axis=1) for k in range(corners)])
    label = labels(faces)
    tips = np.concatenate([mesh.cells[:, k] for k in range(corners)])
    of_label = np.empty(int(label.max()) + 1, dtype=np.int64)
    of_label[label[len(facets) :]] = tips
    return mesh.points[of_label[label[: len(facets)]]]


def _check_collector(mesh: PartedMesh) -> None:
    """The collector looks up everywhere and spans the mesh: its projection is the interface. It may be curved."""
    up = upward_areas(mesh, "collector")
    if up.min() <= 0.0:
        where = _place(mesh, mesh.part("collector")[int(np.argmin(up))])
        raise MeshError(f"part collector has to face away from the contact everywhere; it does not {where}")
    nodes = np.unique(mesh.part("collector"))
    for axis in range(mesh.dimension - 1):
        whole, own = np.ptp(mesh.points[:, axis]), np.ptp(mesh.points[nodes, axis])
        if whole - own > FLATNESS * whole:
            raise MeshError(f"part collector spans {own:.6g} of the {whole:.6g} um along coordinate {axis + 1}")


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
