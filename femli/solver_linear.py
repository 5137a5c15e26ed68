"""The linear solve inside a Newton iteration: one matrix, one right-hand side, MUMPS."""

from typing import Any

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from numpy.typing import NDArray
from petsc4py import PETSc

from femli.errors import SolveError

Array = NDArray[np.float64]


class NotConvergedError(SolveError):
    """One attempt at a step failed; the stepper retries with a smaller step."""


class LinearSolver:
    """One matrix, one right-hand side, MUMPS.

    Args:
        jacobian: 3 x 3 array of forms.
        residual: three forms.
        conditions: Dirichlet conditions of the increments.
    """

    def __init__(self, jacobian: Any, residual: Any, conditions: list[fem.DirichletBC], offsets: Array) -> None:
        self.a, self.L, self.conditions = fem.form(jacobian), fem.form(residual), conditions
        self.A = fem_petsc.create_matrix(self.a)
        self.b = fem_petsc.create_vector([form.function_spaces[0] for form in self.L])
        self.dx = self.A.createVecRight()
        self.workspace = 30
        self.ksp = self._create()
        held = [self._local(bc, offsets) for bc in conditions]
        self.held = np.unique(np.concatenate(held))

    def close(self) -> None:
        """Give back what PETSc holds; nothing works afterwards."""
        for owned in (self.ksp, self.A, self.b, self.dx):
            owned.destroy()

    def _local(self, bc: fem.DirichletBC, offsets: Array) -> NDArray[np.int64]:
        dofs, owned = bc.dof_indices()
        for row, form in enumerate(self.L):
            if bc._cpp_object.function_space.contains(form.function_spaces[0]) or form.function_spaces[0].contains(
                bc._cpp_object.function_space
            ):
                return dofs[:owned].astype(np.int64) + int(offsets[row])
        return np.zeros(0, dtype=np.int64)

    def _create(self) -> PETSc.KSP:
        ksp = PETSc.KSP().create(self.A.getComm())
        ksp.setOperators(self.A)
        ksp.setType("preonly")
        pc = ksp.getPC()
        pc.setType("lu")
        pc.setFactorSolverType("mumps")
        pc.setFactorSetUpSolverType()
        factor = pc.getFactorMatrix()
        factor.setMumpsIcntl(14, self.workspace)
        return ksp

    def assemble(self, history: list[tuple[slice, Array]]) -> None:
        """Residual and matrix at the current state; `history` adds owned vectors to slices of the residual."""
        self.A.zeroEntries()
        fem_petsc.assemble_matrix(self.A, self.a, bcs=self.conditions)
        self.A.assemble()
        self.residual(history)

    def residual(self, history: list[tuple[slice, Array]]) -> None:
        """Residual alone, in `b`; constrained rows are zero."""
        with self.b.localForm() as local:
            local.set(0.0)
        fem_petsc.assemble_vector(self.b, self.L)
        self.b.ghostUpdate(addv=PETSc.InsertMode.ADD, mode=PETSc.ScatterMode.REVERSE)
        values = self.b.array
        for where, vector in history:
            values[where] += vector
        values[self.held] = 0.0

    def solve(self) -> int:
        """Solve A dx = b; the increment is in `dx`.

        Raises:
            NotConvergedError: the matrix is not finite or cannot be factorised.
        """
        comm = self.A.getComm()
        if not np.isfinite(self.b.norm()) or not np.isfinite(self.A.norm()):
            raise NotConvergedError("the linear system is not finite")
        for attempt in range(3):
            self.ksp.solve(self.b, self.dx)
            reason = self.ksp.getConvergedReason()
            if self.ksp.is_converged and np.isfinite(self.dx.norm()):
                return 1
            infog = self.ksp.getPC().getFactorMatrix().getMumpsInfog(1)
            self.ksp.destroy()
            # Codes of too small a workspace; PETSc keeps the failed state, so the solver is made anew.
            self.workspace = self.workspace * 4 if infog in (-8, -9, -17, -20) else self.workspace
            self.ksp = self._create()
            if infog not in (-8, -9, -17, -20) or attempt == 2:
                raise NotConvergedError(f"the direct solver failed (MUMPS INFOG(1) = {infog}, PETSc reason {reason})")
        raise NotConvergedError(f"the direct solver failed on {comm.size} ranks")
