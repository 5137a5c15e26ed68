"""The iterative linear solve of three dimensions: FGMRES with a block preconditioner, multigrid on the velocity.

The matrix is [[A, C], [B, D]] with A the velocity block and D all other rows (pressure, composition, ...). The
preconditioner is the upper triangle of its block factorisation: first y = S^-1 r_trailing, S approximating the Schur
complement D - B A^-1 C (`forms_block.schur_block`), then v = A^-1 (r_v - C y) with one multigrid cycle for A^-1.
"""

from typing import Any, NamedTuple

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
from dolfinx import fem
from numpy.typing import NDArray
from petsc4py import PETSc

from femli.solver_cells import CellMatrix, CellVector, Kernel
from femli.solver_linear import (
    ExpertOptions,
    LinearSolver,
    LinearSystem,
    NotConvergedError,
    Options,
    matrix_form,
)
from femli.solver_multigrid import VelocityMultigrid

Array = NDArray[np.float64]

RTOL = 1e-3  # of the residual; Newton's iterations are then as many as with a direct solver
SPARE = 3  # Krylov iterations more than just after a set-up that are cheaper than a new one
USUAL = (5, 9)  # what counts as iterations just after a set-up, whatever an easy or a hard right-hand side took
SMOOTHER = 13  # Krylov iterations of a solve with a set-up above which the velocity is smoothed twice
ROUGHER = 10  # up to which it is smoothed once again
MOST = 100  # Krylov iterations before the solve counts as failed
TRAILING_LU = 60_000  # dofs of the trailing block up to which it is factorised
RESCUE_LU = 100_000  # dofs up to which MUMPS is tried where the Krylov solve failed


class Approximation(NamedTuple):
    """What the preconditioner is made of.

    Attributes:
        kernels: of the velocity block's cells on P2 and on P1; None for the compiled one.
        trailing: forms of the approximate Schur complement where it differs from the matrix, its first column.
        coarse: the velocity block on P1.
        space, coarse_space: P2 and P1 of the velocity.
        coarse_conditions: what holds the velocity, on P1.
    """

    kernels: tuple[Kernel | None, Kernel | None]
    trailing: list[Any]
    coarse: Any
    space: fem.FunctionSpace
    coarse_space: fem.FunctionSpace
    coarse_conditions: list[fem.DirichletBC]


class BlockSolver(LinearSystem):
    """FGMRES with the block preconditioner; falls back on MUMPS where it fails and the problem is small.

    Args:
        jacobian, residual, conditions, offsets: as in `LinearSystem`; the first row is the velocity's.
        approximation: for the preconditioner.
        name: of the solver; the prefix of its options.
        options: PETSc options of the outer solver, `velocity_` (multigrid) and `trailing_`.
        keep: go on with the set-up of an earlier matrix while that costs few iterations.
    """

    def __init__(
        self,
        jacobian: Any,
        residual: Any,
        conditions: list[fem.DirichletBC],
        offsets: Array,
        approximation: Approximation,
        name: str,
        options: Options,
        keep: bool,
    ) -> None:
        super().__init__(jacobian, residual, conditions, offsets)
        self.keep = keep
        self.near, self.split = approximation, int(offsets[1])
        self.dimension = self.L[0].mesh.topology.dim
        rows = range(len(self.a))
        # In 3D the velocity enters the volume row as minus the transpose of the pressure force, to the last digit.
        mirrored = self.dimension == 3
        self.blocks: dict[tuple[int, int], CellMatrix] = {}
        for i, row in enumerate(self.a):
            for j, plain in enumerate(row):
                if plain.integral_types and not (mirrored and (i, j) == (1, 0)):
                    # Blocked storage of the velocity halves the time of assembly, and index traffic afterwards.
                    kernel, kind = (approximation.kernels[0], "baij") if i == j == 0 else (None, None)
                    self.blocks[i, j] = CellMatrix(jacobian[i][j], plain, conditions, kernel, kind)
        self.rows = [CellVector(*pair) for pair in zip(residual, self.L, strict=True)]
        self.parts = {at: block.matrix for at, block in self.blocks.items()}
        whole: list[list[Any]] = [[self.parts.get((i, j)) for j in rows] for i in rows]
        if mirrored:
            whole[1][0] = minus_transpose(self.parts[0, 1])
        self.A = PETSc.Mat().createNest(whole, comm=self.parts[0, 0].getComm())
        self.A.setUp()
        self.trailing = [self._block(form, conditions) for form in approximation.trailing]
        columns = [[column.matrix, *whole[i][2:]] for i, column in enumerate(self.trailing, start=1)]
        self.schur_nest = PETSc.Mat().createNest(columns, comm=self.A.getComm())
        self.S = self.schur_nest.convert("aij", PETSc.Mat())
        self.dx = self.b.duplicate()
        self.expert = ExpertOptions(f"femli_{name}_", options)
        with self.expert:
            self._solvers()
        self.rescue: LinearSolver | None = None
        self.reference = 0  # Krylov iterations just after the last set-up
        self.due = True  # whether the next solve begins with a set-up

    def close(self) -> None:
        """Give back what PETSc holds; nothing works afterwards."""
        super().close()
        if self.rescue is not None:
            self.rescue.close()
        # The outer solver holds this object as its preconditioner: undone here, or nothing of it is ever freed.
        for owned in (self.ksp, self.schur, self.multigrid.pc, self.A, self.schur_nest, self.S):
            owned.destroy()
        for block in (*self.blocks.values(), *self.trailing, self.multigrid.block):
            block.matrix.destroy()

    def _block(self, form: Any, conditions: list[fem.DirichletBC], kernel: Kernel | None = None) -> CellMatrix:
        return CellMatrix(form, matrix_form(form, self.dimension), conditions, kernel)

    def _solvers(self) -> None:
        prefix, comm, near = self.expert.prefix, self.A.getComm(), self.near
        velocity = [bc for bc in self.conditions if near.space._cpp_object.contains(bc._cpp_object.function_space)]
        self.multigrid = VelocityMultigrid(
            self.parts[0, 0],
            near.space,
            near.coarse_space,
            self._block(near.coarse, near.coarse_conditions, near.kernels[1]),
            velocity,
            f"{prefix}velocity_",
        )
        self.schur = PETSc.KSP().create(comm)
        self.schur.setOptionsPrefix(f"{prefix}trailing_")
        self.schur.setOperators(self.S)
        self.schur.setType("preonly")
        if self.S.getSize()[0] <= TRAILING_LU:
            self.schur.getPC().setType("lu")
            self.schur.getPC().setFactorSolverType("mumps")
        else:
            self.schur.getPC().setType("bjacobi")  # ILU(0) on each rank
        self.schur.setFromOptions()
        self.ksp = PETSc.KSP().create(comm)
        self.ksp.setOptionsPrefix(prefix)
        self.ksp.setOperators(self.A)
        self.ksp.setType("fgmres")
        self.ksp.setGMRESRestart(50)
        self.ksp.setTolerances(rtol=RTOL, atol=1e-50, max_it=MOST)
        self.ksp.getPC().setType("python")
        self.ksp.getPC().setPythonContext(self)
        self.ksp.setFromOptions()
        self.most = self.ksp.max_it
        self.r_trailing, self.y = self.S.createVecLeft(), self.S.createVecRight()
        fine = self.parts[0, 0]
        self.r_velocity, self.v, self.coupled = fine.createVecLeft(), fine.createVecRight(), fine.createVecLeft()
        self.pressure = self.parts[0, 1].createVecRight()

    def assemble(self, history: list[tuple[slice, Array]]) -> None:
        """Residual, matrix and preconditioner at the current state, as in `LinearSystem`."""
        for block in self.blocks.values():
            block.fill()
        self.A.assemble()
        self.history = history
        self.residual(history)

    def _integrate_rows(self) -> None:
        with self.b.localForm() as local:
            values, ghosts = local.array_w, int(self.offsets[-1])
            for row, at in zip(self.rows, self.offsets[:-1], strict=True):
                row.fill()
                values[at : at + row.owned] = row.values[: row.owned]
                beyond = len(row.values) - row.owned
                values[ghosts : ghosts + beyond] = row.values[row.owned :]
                ghosts += beyond

    def solve(self) -> int:
        """Solve A dx = b to a relative residual; the increment is in `dx`. Returns the Krylov iterations.

        Raises:
            NotConvergedError: the system is not finite, or neither Krylov nor, where small, direct solver succeed.
            CaseError: an expert option that nothing reads.
        """
        if not np.isfinite([self.b.norm(), *(part.norm() for part in self.parts.values())]).all():
            raise NotConvergedError("the linear system is not finite")
        iterations = 0
        self.ksp.setInitialGuessNonzero(False)
        if not self.due:
            # The set-up of an earlier matrix, as long as it is worth it.
            iterations = self._krylov(self.reference + 2 * SPARE)
            self.due = iterations > self.reference + SPARE
            if self.solved:
                return iterations
            self.ksp.setInitialGuessNonzero(bool(np.isfinite(self.dx.norm())))
        self._set_up()
        more = self._krylov(self.most)
        self.reference = min(max(more, USUAL[0]), USUAL[1])
        self.due = not (self.keep and self.solved)
        iterations += more
        if iterations > SMOOTHER or iterations <= ROUGHER:
            self.multigrid.smooth(2 if iterations > SMOOTHER else 1)
        if self.solved:
            return iterations
        if self.b.getSize() > RESCUE_LU:
            raise NotConvergedError(
                f"the iterative solver failed after {iterations} iterations "
                f"(PETSc reason {self.ksp.getConvergedReason()})"
            )
        return iterations + self._direct()

    @property
    def solved(self) -> bool:
        """Whether the last Krylov solve found the increment."""
        return bool(self.ksp.is_converged and np.isfinite(self.dx.norm()))

    def _complement(self) -> None:
        """Bring the approximate Schur complement to the current state."""
        for block in self.trailing:
            block.fill()
        self.schur_nest.convert("aij", self.S)

    def _set_up(self) -> None:
        self._complement()
        self.schur.setOperators(self.S)
        self.schur.setUp()
        self.multigrid.renew()

    def _krylov(self, most: int) -> int:
        with self.expert:
            self.multigrid.refresh()
            self.ksp.max_it = min(most, self.most)
            self.ksp.solve(self.b, self.dx)
        self.expert.check()
        return int(self.ksp.getIterationNumber())

    def _direct(self) -> int:
        if self.rescue is None:
            self.rescue = LinearSolver(self.a, self.L, self.conditions, self.offsets, "rescue")
        self.rescue.assemble(self.history)
        iterations = self.rescue.solve()
        self.rescue.dx.copy(self.dx)
        return iterations

    def apply(self, pc: PETSc.PC, r: PETSc.Vec, z: PETSc.Vec) -> None:
        """The preconditioner; PETSc calls it (r, z: all rows)."""
        values, out = r.array_r, z.array_w
        self.r_trailing.array[:] = values[self.split :]
        self.schur.solve(self.r_trailing, self.y)
        out[self.split :] = self.y.array_r
        self.pressure.array[:] = self.y.array_r[: self.pressure.getLocalSize()]
        self.parts[0, 1].mult(self.pressure, self.coupled)
        self.r_velocity.array[:] = values[: self.split]
        self.r_velocity.axpy(-1.0, self.coupled)
        self.multigrid.pc.apply(self.r_velocity, self.v)
        out[: self.split] = self.v.array_r


class _MinusTranspose:
    """What PETSc asks of a matrix that is minus the transpose of another."""

    def __init__(self, matrix: PETSc.Mat) -> None:
        self.matrix = matrix

    def mult(self, whole: PETSc.Mat, x: PETSc.Vec, y: PETSc.Vec) -> None:
        """Minus the transpose times x, in y."""
        self.matrix.multTranspose(x, y)
        y.scale(-1.0)


def minus_transpose(matrix: PETSc.Mat) -> PETSc.Mat:
    """Minus the transpose of a matrix, with the values that it has when used; PETSc's own cannot be scaled."""
    rows, columns = matrix.getSizes()
    return PETSc.Mat().createPython((columns, rows), _MinusTranspose(matrix), comm=matrix.getComm())
