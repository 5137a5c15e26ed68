"""The mesh velocity inside: the harmonic extension of what is given on the boundary."""

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
import ufl
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from dolfinx.mesh import Mesh
from numpy.typing import NDArray
from petsc4py import PETSc

from femli.fields_forms import bound
from femli.solver_linear import direct


def iterative(matrix: PETSc.Mat, kind: str, pc: str) -> PETSc.KSP:
    """A Krylov solver (PETSc's names) that goes down to round-off."""
    ksp = PETSc.KSP().create(matrix.getComm())
    ksp.setOperators(matrix)
    ksp.setType(kind)
    ksp.getPC().setType(pc)
    ksp.setTolerances(rtol=1e-14, atol=1e-50, max_it=500)
    return ksp


class HarmonicExtension:
    """Laplace operators on the mesh as it is when they are made, factorised once; one a component.

    Args:
        mesh: of the run.
        space: P1, scalar.
        fixed: flags of the local dofs whose values are given, one array a component.
    """

    def __init__(self, mesh: Mesh, space: fem.FunctionSpace, fixed: list[NDArray[np.bool_]]) -> None:
        self.owned, self.dim = space.dofmap.index_map.size_local, len(fixed)
        q, a = ufl.TestFunction(space), ufl.TrialFunction(space)
        form = bound(ufl.dot(ufl.grad(a), ufl.grad(q)) * ufl.dx(mesh))
        self.laplace = fem_petsc.assemble_matrix(form)
        self.laplace.assemble()
        self.solvers, self.fixed = [], [flags[: self.owned] for flags in fixed]
        for flags in fixed:
            bc = fem.dirichletbc(np.float64(0.0), np.flatnonzero(flags).astype(np.int32), space)
            matrix = fem_petsc.assemble_matrix(form, bcs=[bc])
            matrix.assemble()
            self.solvers.append(direct(matrix) if self.dim < 3 else iterative(matrix, "cg", "gamg"))
        self.work = self.laplace.createVecRight()
        self.result = self.laplace.createVecRight()

    def close(self) -> None:
        """Give back what PETSc holds; nothing works afterwards."""
        for owned in (*self.solvers, self.laplace, self.work, self.result):
            owned.destroy()

    def extend(self, given: fem.Function, extended: fem.Function) -> None:
        """Set P1 vectors from the given values of others; collective."""
        target = given.x.array.reshape(-1, self.dim)
        values = extended.x.array.reshape(-1, self.dim)
        for c, fixed in enumerate(self.fixed):
            self.work.array[:] = np.where(fixed, target[: self.owned, c], 0.0)
            self.laplace.mult(self.work, self.result)
            self.work.array[:] = np.where(fixed, self.work.array, -self.result.array)
            self.solvers[c].solve(self.work, self.result)
            # Given values exactly: an iterative solver leaves round-off in them, and planes have to stay planes.
            values[: self.owned, c] = np.where(fixed, target[: self.owned, c], self.result.array)
        extended.x.scatter_forward()
