"""Where electrode and electrolyte meet: values carried between the two meshes, and the one following the other.

The meshes share the points of the contact. A sparse 0/1 matrix R, built once, takes potentials from the electrolyte's
P1 dofs to the electrode's, and its transpose takes fluxes back; the ranks may own them as they like.
"""

from typing import Any

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
import ufl
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from numpy.typing import NDArray
from petsc4py import PETSc

from femli import bcs
from femli.fields import Fields, cell_determinants, nodes_of_dofs
from femli.mesh import ElectrolyteDomain
from femli.solver_linear import direct

Array = NDArray[np.float64]


def _points_of_dofs(space: fem.FunctionSpace) -> NDArray[np.int64]:
    """Input number of the point of each owned P1 dof."""
    nodes = nodes_of_dofs(space)[: space.dofmap.index_map.size_local]
    return np.asarray(space.mesh.geometry.input_global_indices)[nodes]


def trace_matrix(above: fem.FunctionSpace, below: fem.FunctionSpace, shared: NDArray[np.int64]) -> PETSc.Mat:
    """R: electrode's P1 dofs from the electrolyte's, 1 where both are the same point of the contact; collective.

    Args:
        above: P1 space of the electrode.
        below: P1 space of the electrolyte.
        shared: input numbers of the contact's points in both, (points, 2).
    """
    comm = above.mesh.comm
    rows, columns = above.dofmap.index_map, below.dofmap.index_map
    points = _points_of_dofs(below)
    mine = np.flatnonzero(np.isin(points, shared[:, 1]))
    numbered = np.concatenate(
        comm.allgather(np.column_stack([points[mine], mine + columns.local_range[0]]).astype(np.int64))
    )
    column_of = dict(zip(numbered[:, 0].tolist(), numbered[:, 1].tolist(), strict=True))
    partner = {int(a): column_of[int(b)] for a, b in shared}
    R = PETSc.Mat().createAIJ(((rows.size_local, None), (columns.size_local, None)), nnz=(1, 1), comm=comm)
    for dof, point in enumerate(_points_of_dofs(above).tolist()):
        if point in partner:
            R.setValue(dof + rows.local_range[0], partner[point], 1.0)
    R.assemble()
    return R


class Follower:
    """Moves the electrolyte's points with those of the contact, laterally; the plane of the contact is held.

    Void floors are stretched between the triple lines (harmonic in their plane: left free, the points beside a triple
    line would be drawn over each other), sides and counter stay, the rest is harmonic on the first mesh.

    Args:
        fields: the electrode.
        domain: the electrolyte.
        space: its P1 space.
        back: transpose of the trace matrix.
    """

    def __init__(self, fields: Fields, domain: ElectrolyteDomain, space: fem.FunctionSpace, back: PETSc.Mat) -> None:
        self.fields, self.mesh, self.space, self.back = fields, domain.mesh, space, back
        self.dim = self.mesh.geometry.dim
        self.owned = space.dofmap.index_map.size_local
        self.nodes = nodes_of_dofs(space)
        self.first_above = self._contact_points().copy()
        self.first = self.mesh.geometry.x[:, : self.dim].copy()
        self.orientation = np.sign(cell_determinants(self.mesh))
        self.slip, self.moved = back.createVecRight(), back.createVecLeft()
        self.slip.array[:] = 1.0
        back.mult(self.slip, self.moved)
        on_contact = self.moved.array > 0.5
        q, a = ufl.TestFunction(space), ufl.TrialFunction(space)
        form = fem.form(ufl.dot(ufl.grad(a), ufl.grad(q)) * ufl.dx(self.mesh))
        laplace = fem_petsc.assemble_matrix(form)
        laplace.assemble()
        vectors = fem.functionspace(self.mesh, ("Lagrange", 1, (self.dim,)))
        floor = np.zeros(self.owned, dtype=bool)
        plane = self._floor(domain, a, q, floor)
        held = bcs.fixed_components(domain, vectors, sticking=False)
        counter = fem.locate_dofs_topological(
            space, self.dim - 1, domain.facet_tags.find(domain.facet_names["counter"])
        )
        self.fixed, self.solvers = [], []
        for c in range(self.dim - 1):
            fixed = np.zeros(self.owned, dtype=bool)
            for dofs in (held[c], counter):
                fixed[dofs[dofs < self.owned]] = True
            fixed |= on_contact
            matrix, start = laplace.copy(), space.dofmap.index_map.local_range[0]
            matrix.zeroRows(np.flatnonzero(fixed | floor).astype(np.int32) + start, diag=1.0)
            if plane is not None:
                rows, inside = plane.copy(), floor & ~fixed
                rows.zeroRows(np.flatnonzero(~inside).astype(np.int32) + start, diag=0.0)
                matrix.zeroRows(np.flatnonzero(inside).astype(np.int32) + start, diag=0.0)
                matrix.axpy(1.0, rows)
            self.fixed.append(fixed)
            self.solvers.append(direct(matrix))
        self.lateral = fem.Function(space)
        self.work, self.solution = laplace.createVecs()

    def _floor(self, domain: ElectrolyteDomain, a: Any, q: Any, floor: NDArray[np.bool_]) -> PETSc.Mat | None:
        """Laplace operator in the plane of the void floors, whose owned dofs are marked; None without voids."""
        if "void" not in domain.facet_names:
            return None
        tag = domain.facet_names["void"]
        dofs = fem.locate_dofs_topological(self.space, self.dim - 1, domain.facet_tags.find(tag))
        floor[dofs[dofs < self.owned]] = True
        ds = ufl.Measure("ds", self.mesh, subdomain_data=domain.facet_tags)(tag)
        along = sum(a.dx(c) * q.dx(c) for c in range(self.dim - 1))
        # Nothing in value, but it gives every row its diagonal entry.
        diagonal = fem.Constant(self.mesh, 0.0) * a * q * ufl.dx
        plane = fem_petsc.assemble_matrix(fem.form(along * ds + diagonal))
        plane.assemble()
        return plane

    def upright(self) -> bool:
        """Whether no cell of this rank has turned inside out."""
        return bool(np.all(self.orientation * cell_determinants(self.mesh) > 0))

    def close(self) -> None:
        """Give back what PETSc holds; nothing works afterwards."""
        for owned in (*self.solvers, self.slip, self.moved, self.work, self.solution):
            owned.destroy()

    def _contact_points(self) -> Array:
        """Places of the electrode's owned P1 dofs [um], (dofs, dim)."""
        owned = self.fields.u.p.function_space.dofmap.index_map.size_local
        return self.fields.domain.mesh.geometry.x[self.fields.node_of_dof[:owned], : self.dim]

    def follow(self) -> None:
        """Place the electrolyte's points for where the electrode's now are; collective."""
        slip = self._contact_points() - self.first_above
        for c, (fixed, ksp) in enumerate(zip(self.fixed, self.solvers, strict=True)):
            self.slip.array[:] = slip[:, c]
            self.back.mult(self.slip, self.moved)
            # Rows of fixed points say where they are; the others are harmonic.
            self.work.array[:] = np.where(fixed, self.moved.array, 0.0)
            values = self.lateral.x
            ksp.solve(self.work, self.solution)
            values.array[: self.owned] = self.solution.array
            values.scatter_forward()
            self.mesh.geometry.x[self.nodes, c] = self.first[self.nodes, c] + values.array
