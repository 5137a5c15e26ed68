"""Who meets the share of nodes that the metal carries: their neighbours on the wall."""

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
from dolfinx import fem
from dolfinx.mesh import entities_to_geometry
from numpy.typing import NDArray
from petsc4py import PETSc

from femli.fields import Fields, add_ghosts


def sharing_matrix(fields: Fields, carried: NDArray[np.bool_]) -> PETSc.Mat:
    """Matrix that adds the rows of carried nodes, in equal parts, to those of their neighbours on the wall.

    Args:
        fields: what the run owns.
        carried: flags of the local P1 dofs.
    """
    domain, space = fields.domain, fields.u.p.function_space
    dim, index_map = domain.mesh.geometry.dim, space.dofmap.index_map
    owned, local = index_map.size_local, index_map.size_local + index_map.num_ghosts
    facets = np.zeros(0, dtype=np.int32)
    if "void" in domain.facet_names:
        facets = domain.facet_tags.find(domain.facet_names["void"])
    nodes = entities_to_geometry(domain.mesh, dim - 1, facets)
    dof_of_node = np.empty(local, dtype=np.int32)
    dof_of_node[fields.node_of_dof] = np.arange(local)
    dofs = dof_of_node[nodes] if len(facets) else np.zeros((0, dim), np.int32)
    pairs = [(j, t) for row in dofs for t in row[carried[row]] for j in row[~carried[row]]]
    count = fem.Function(space)
    for _, t in pairs:
        count.x.array[t] += 1.0
    add_ghosts(count)
    whole = index_map.local_to_global(np.arange(local, dtype=np.int32))
    sharing = PETSc.Mat().createAIJ(((owned, None), (owned, None)), nnz=16, comm=domain.mesh.comm)
    sharing.setOption(PETSc.Mat.Option.NEW_NONZERO_ALLOCATION_ERR, False)  # type: ignore[arg-type]
    for i in range(owned):
        sharing.setValue(whole[i], whole[i], 0.0 if carried[i] else 1.0)
    sharing.assemblyBegin(PETSc.Mat.AssemblyType.FLUSH)
    sharing.assemblyEnd(PETSc.Mat.AssemblyType.FLUSH)
    for j, t in pairs:
        sharing.setValue(whole[j], whole[t], 1 / count.x.array[t], addv=PETSc.InsertMode.ADD)
    sharing.assemble()
    return sharing
