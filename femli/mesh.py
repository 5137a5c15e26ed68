"""From a case to a mesh: made whole on rank 0 (Gmsh runs there alone), then a partitioned DOLFINx mesh.

The last coordinate is normal to the interface: contact at 0, metal above, collector on top.
"""

import gc
from pathlib import Path
from typing import NamedTuple

from mpi4py import MPI  # before dolfinx: its wheel finds libmpi only through mpi4py

import basix.ufl
import dolfinx.mesh
import numpy as np
import numpy.typing as npt
import ufl
from dolfinx.graph import adjacencylist
from dolfinx.io.utils import distribute_entity_data
from dolfinx.mesh import GhostMode, create_cell_partitioner

from femli import mesh_electrolyte, mesh_gmsh
from femli.case import Case
from femli.errors import FemliError, MeshError
from femli.mesh_electrolyte import Regions
from femli.mesh_geometry import parted
from femli.mesh_parts import REGIONS, PartedMesh
from femli.seeding import SeededVoid
from femli.units import LENGTH

CELLS = {1: "interval", 2: "triangle", 3: "tetrahedron"}


class Domain(NamedTuple):
    """The meshed electrode.

    Attributes:
        mesh: coordinates in um, gdim == tdim; straight simplices.
        cell_tags: region of each cell.
        facet_tags: part of each boundary facet.
        cell_names: region -> tag.
        facet_names: part -> tag, of the parts that this mesh has; contact and collector always.
        kinematics: "uniaxial" (1D), "plane", "axisymmetric" or "full" (3D).
        voids: the seeded voids, um; empty for void-free foils, for a user's mesh and after a remeshing.
        electrolyte: what lies under the contact, or None.
        made: on rank 0 the mesh as it was made, all regions (its points do not move); None on the other ranks.
    """

    mesh: dolfinx.mesh.Mesh
    cell_tags: dolfinx.mesh.MeshTags
    facet_tags: dolfinx.mesh.MeshTags
    cell_names: dict[str, int]
    facet_names: dict[str, int]
    kinematics: str
    voids: tuple[SeededVoid, ...]
    electrolyte: "ElectrolyteDomain | None" = None
    made: PartedMesh | None = None


class ElectrolyteDomain(NamedTuple):
    """The meshed electrolyte, below the contact; distributed over all ranks like the electrode.

    Attributes:
        mesh: coordinates in um, last one not above 0.
        cell_tags, facet_tags: as in `Domain`.
        facet_names: part -> tag; contact and counter always, void where a void lies on it (insulated).
        kinematics: as in `Domain`.
        shared: input numbers of the contact's points in the electrode's and in this mesh, (points, 2), on every rank.
    """

    mesh: dolfinx.mesh.Mesh
    cell_tags: dolfinx.mesh.MeshTags
    facet_tags: dolfinx.mesh.MeshTags
    facet_names: dict[str, int]
    kinematics: str
    shared: npt.NDArray[np.int64]


def build(case: Case, comm: MPI.Intracomm) -> Domain:
    """Mesh a case and distribute it; collective.

    Args:
        case: the resolved case (lengths in m).
        comm: the ranks that share the mesh; only its rank 0 runs Gmsh.

    Raises:
        MeshError: on every rank, whatever went wrong on rank 0.
    """
    whole: PartedMesh | None = None
    voids: tuple[SeededVoid, ...] = ()
    failure: FemliError | None = None
    if comm.rank == 0:
        try:
            whole, voids = parted(case)
        except FemliError as error:
            failure = error
    failure = comm.bcast(failure)
    if failure is not None:
        raise failure
    return distribute(case, whole, voids, comm)


def distribute(case: Case, whole: PartedMesh | None, voids: tuple[SeededVoid, ...], comm: MPI.Intracomm) -> Domain:
    """Give every rank its share of the mesh that rank 0 holds; collective.

    Args:
        case: for dimension and kind of the geometry.
        whole: on rank 0 the mesh, None on the others.
        voids: on rank 0 the seeded voids.
        comm: the ranks that share the mesh.

    Raises:
        MeshError: on every rank; there are fewer cells than ranks.
    """
    regions: Regions | None = None
    failure: FemliError | None = None
    if whole is not None:
        try:
            regions = mesh_electrolyte.split(whole)
            for part in filter(None, regions[:2]):
                if len(part.cells) < comm.size:
                    raise MeshError(f"the mesh has {len(part.cells)} cells for {comm.size} ranks; use fewer ranks")
        except FemliError as error:
            failure = error
    names = [] if regions is None else [part.names() for part in regions[:2] if part is not None]
    shared = None if regions is None else regions.shared
    failure, names, voids, shared = comm.bcast((failure, names, voids, shared))
    if failure is not None:
        raise failure
    dimension = case.geometry.dimension
    metal, below = (None, None) if regions is None else regions[:2]
    kinematics = {1: "uniaxial", 2: "plane", 3: "full"}[dimension]
    if "axis" in names[0] or case.geometry.kind == "axisymmetric":
        kinematics = "axisymmetric"
    electrolyte = None
    if len(names) > 1:
        parts = _distributed(below, "electrolyte", dimension, comm)
        electrolyte = ElectrolyteDomain(*parts, names[1], kinematics, shared)
    parts = _distributed(metal, "electrode", dimension, comm)
    regions_here = {"electrode": REGIONS["electrode"]}
    return Domain(*parts, regions_here, names[0], kinematics, voids, electrolyte, whole)


def electrolyte_alone(made: PartedMesh, axisymmetric: bool, comm: MPI.Intracomm) -> ElectrolyteDomain:
    """An electrolyte without an electrode, for questions of its own; every rank hands over the same whole mesh."""
    dimension = made.dimension
    kinematics = "axisymmetric" if axisymmetric else {1: "uniaxial", 2: "plane", 3: "full"}[dimension]
    parts = _distributed(made if comm.rank == 0 else None, "electrolyte", dimension, comm)
    return ElectrolyteDomain(*parts, made.names(), kinematics, np.zeros((0, 2), dtype=np.int64))


def write(case: Case, path: str | Path) -> PartedMesh:
    """Mesh a case on this rank alone and write it as a .msh in metres with named parts, fit for kind = file.

    Returns:
        The mesh, for counting its cells.

    Raises:
        MeshError: the mesh cannot be made, the name does not end in .msh, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".msh":
        raise MeshError(f"{path}: a mesh is written as Gmsh's .msh; give a name that ends in .msh")
    if not path.parent.is_dir():
        raise MeshError(f"{path}: there is no folder {path.parent}")
    whole, _ = parted(case)
    mesh_gmsh.save(whole, path, LENGTH)
    return whole


def _distributed(
    whole: PartedMesh | None, region: str, dimension: int, comm: MPI.Intracomm
) -> tuple[dolfinx.mesh.Mesh, dolfinx.mesh.MeshTags, dolfinx.mesh.MeshTags]:
    """Partition the mesh that rank 0 holds; the other ranks pass None."""
    # The rooms of a run hold 10 to 70 communicators, of which MPI has 2,000, and refer to each other: Python would free
    # those of earlier runs late (after some sixty too late), and on each rank at a time of its own.
    gc.collect()
    if whole is None:
        whole = PartedMesh(
            np.empty((0, dimension)),
            np.empty((0, dimension + 1), dtype=np.int64),
            np.empty((0, dimension), dtype=np.int64),
            np.empty(0, dtype=np.int64),
        )
    coordinates = ufl.Mesh(basix.ufl.element("Lagrange", CELLS[dimension], 1, shape=(dimension,)))
    partitioner = create_cell_partitioner(GhostMode.none, 2)
    mesh = dolfinx.mesh.create_mesh(comm, whole.cells.astype(np.int64), coordinates, whole.points, partitioner)
    cells = np.arange(mesh.topology.index_map(dimension).size_local, dtype=np.int32)
    cell_tags = dolfinx.mesh.meshtags(mesh, dimension, cells, np.full_like(cells, REGIONS[region]))
    entities, values = distribute_entity_data(
        mesh, dimension - 1, whole.facets.astype(np.int64), whole.facet_tags.astype(np.int32)
    )
    mesh.topology.create_connectivity(dimension - 1, 0)
    mesh.topology.create_connectivity(dimension - 1, dimension)
    facet_tags = dolfinx.mesh.meshtags_from_entities(
        mesh, dimension - 1, adjacencylist(entities), values.astype(np.int32)
    )
    cell_tags.name, facet_tags.name = "regions", "parts"
    return mesh, cell_tags, facet_tags
