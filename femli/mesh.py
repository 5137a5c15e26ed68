"""From a case to a mesh: made whole on rank 0 (Gmsh runs there alone), then a partitioned DOLFINx mesh.

The last coordinate is normal to the interface: contact at 0, metal above, collector on top.
"""

from pathlib import Path
from typing import NamedTuple

from mpi4py import MPI  # before dolfinx: its wheel finds libmpi only through mpi4py

import basix.ufl
import dolfinx.mesh
import numpy as np
import ufl
from dolfinx.graph import adjacencylist
from dolfinx.io.utils import distribute_entity_data
from dolfinx.mesh import GhostMode, create_cell_partitioner

from femli import mesh_gmsh
from femli.case import Case
from femli.errors import FemliError, MeshError
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
        whole: on rank 0 the mesh as it was made (its points do not move); None on the other ranks.
    """

    mesh: dolfinx.mesh.Mesh
    cell_tags: dolfinx.mesh.MeshTags
    facet_tags: dolfinx.mesh.MeshTags
    cell_names: dict[str, int]
    facet_names: dict[str, int]
    kinematics: str
    voids: tuple[SeededVoid, ...]
    whole: PartedMesh | None = None


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
            if len(whole.cells) < comm.size:
                raise MeshError(f"the mesh has {len(whole.cells)} cells for {comm.size} ranks; use fewer ranks")
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
    """
    names, voids = comm.bcast((None if whole is None else whole.names(), voids))
    dimension = case.geometry.dimension
    mesh, cell_tags, facet_tags = _distributed(whole, dimension, comm)
    kinematics = {1: "uniaxial", 2: "plane", 3: "full"}[dimension]
    if "axis" in names or case.geometry.kind == "axisymmetric":
        kinematics = "axisymmetric"
    return Domain(mesh, cell_tags, facet_tags, dict(REGIONS), names, kinematics, voids, whole)


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
    whole: PartedMesh | None, dimension: int, comm: MPI.Intracomm
) -> tuple[dolfinx.mesh.Mesh, dolfinx.mesh.MeshTags, dolfinx.mesh.MeshTags]:
    """Partition the mesh that rank 0 holds; the other ranks pass None."""
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
    cell_tags = dolfinx.mesh.meshtags(mesh, dimension, cells, np.full_like(cells, REGIONS["electrode"]))
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
