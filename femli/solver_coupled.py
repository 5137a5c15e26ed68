"""The linear solves of electrode and electrolyte together: (v, p, x) bordered by the potential.

The matrix is [[M, c], [r, K]]: M the metal's, K the Laplace operator of the electrolyte with the slope of the contact
law on the contact. Direct: one matrix of four blocks, MUMPS. Iterative: FGMRES, and as preconditioner the upper
triangle, y = K^-1 r_potential and then one application of the metal's own to r_metal - c y.
"""

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
from numpy.typing import NDArray
from petsc4py import PETSc

from femli.electrolyte import Blocks, Electrolyte
from femli.solver_block import BlockSolver
from femli.solver_linear import LinearSolver

Array = NDArray[np.float64]

POTENTIAL_LU = 30_000  # dofs of the potential up to which its block is factorised


class CoupledSolver(LinearSolver):
    """A system of (v, p, x), bordered by the electrolyte's potential.

    Each rank holds its rows of (v, p, x) and after them those of the potential.

    Args:
        metal: the system of (v, p, x), whose volume balance holds the electrolyte's contact flux.
        electrolyte: the rest of it.
    """

    def __init__(self, metal: LinearSolver, electrolyte: Electrolyte) -> None:
        self.metal, self.electrolyte = metal, electrolyte
        self.workspace, self.expert = metal.workspace, metal.expert
        self.A = PETSc.Mat()  # made at the first assembly: its pattern is that of assembled blocks

    def close(self) -> None:
        """Give back what PETSc holds; nothing works afterwards."""
        self.metal.close()
        if self.A:
            super().close()

    def assemble(self, history: list[tuple[slice, Array]]) -> None:
        """Residual and matrix at the current state."""
        self.metal.assemble(history)
        blocks = self.electrolyte.assemble()
        nest = PETSc.Mat().createNest([[self.metal.A, blocks.columns], [blocks.rows, blocks.own]])
        first = not self.A
        nest.convert("aij", self.A)
        nest.destroy()
        if first:
            self.dx, self.b = self.A.createVecs()
            self.ksp = self._create()
        self._join()

    def residual(self, history: list[tuple[slice, Array]]) -> None:
        """Residual alone, in `b`."""
        self.metal.residual(history)
        self._join()

    def _join(self) -> None:
        self.b.array[:] = np.concatenate([self.metal.b.array, self.electrolyte.residual()])


class CoupledBlockSolver(BlockSolver):
    """The same system, not copied into one matrix; solved as `BlockSolver` does, set-ups kept and renewed as there.

    Args:
        metal: the system of (v, p, x), whose volume balance holds the electrolyte's contact flux. Its Krylov solver
            becomes that of the whole.
        electrolyte: the rest of it.
    """

    def __init__(self, metal: BlockSolver, electrolyte: Electrolyte) -> None:
        self.metal, self.electrolyte = metal, electrolyte
        self.split = metal.b.getLocalSize()
        self.expert, self.keep, self.most = metal.expert, metal.keep, metal.most
        self.ksp, self.multigrid = metal.ksp, metal.multigrid
        self.rescue = None
        self.reference, self.due = 0, True
        self.A = PETSc.Mat()  # made at the first assembly: electrolytes have no blocks before

    def close(self) -> None:
        """Give back what PETSc holds; nothing works afterwards."""
        self.metal.close()
        if self.rescue is not None:
            self.rescue.close()
        if self.A:
            super().close()
            for owned in (self.A, self.conduction, self.r_metal, self.z_metal, self.r_own, self.y, self.coupled):
                owned.destroy()

    def assemble(self, history: list[tuple[slice, Array]]) -> None:
        """Residual and matrix at the current state."""
        self.metal.assemble(history)
        blocks = self.electrolyte.assemble()
        if not self.A:
            self._make(blocks)
        self.A.assemble()
        self.history = history
        self._join()

    def residual(self, history: list[tuple[slice, Array]]) -> None:
        """Residual alone, in `b`."""
        self.metal.residual(history)
        self._join()

    def _join(self) -> None:
        self.b.array[:] = np.concatenate([self.metal.b.array, self.electrolyte.residual()])

    def _make(self, blocks: Blocks) -> None:
        comm = self.metal.A.getComm()
        self.A = PETSc.Mat().createNest([[self.metal.A, blocks.columns], [blocks.rows, blocks.own]], comm=comm)
        self.A.setUp()
        self.parts = self.metal.parts | {(1, 3): blocks.columns, (3, 1): blocks.rows, (3, 3): blocks.own}
        self.columns, self.own = blocks.columns, blocks.own
        self.b = PETSc.Vec().createMPI((self.split + self.own.getLocalSize()[0], None), comm=comm)
        self.dx = self.b.duplicate()
        self.r_metal, self.z_metal = self.metal.b.duplicate(), self.metal.b.duplicate()
        self.y, self.r_own = self.own.createVecRight(), self.own.createVecLeft()
        self.coupled = self.columns.createVecLeft()
        self.ksp.setOperators(self.A)
        self.ksp.getPC().setPythonContext(self)
        self.conduction = PETSc.KSP().create(comm)
        self.conduction.setOptionsPrefix(f"{self.expert.prefix}potential_")
        self.conduction.setOperators(self.own)
        self.conduction.setType("preonly")
        pc = self.conduction.getPC()
        if self.own.getSize()[0] <= POTENTIAL_LU:
            pc.setType("lu")
            pc.setFactorSolverType("mumps")
        else:
            pc.setType("gamg")
        with self.expert:
            self.conduction.setFromOptions()

    def _set_up(self) -> None:
        self.metal._set_up()
        pc = self.conduction.getPC()
        pc.setReusePreconditioner(False)
        self.conduction.setOperators(self.own)
        self.conduction.setUp()
        pc.setReusePreconditioner(True)  # the block changes with every assembly, its solver at the next set-up

    def _direct(self) -> int:
        if self.rescue is None:
            m = self.metal
            metal = LinearSolver(m.a, m.L, m.conditions, m.offsets, "rescue")
            self.rescue = CoupledSolver(metal, self.electrolyte)
        self.rescue.assemble(self.history)
        iterations = self.rescue.solve()
        self.dx.array[:] = self.rescue.dx.array
        return iterations

    def apply(self, pc: PETSc.PC, r: PETSc.Vec, z: PETSc.Vec) -> None:
        """The preconditioner; PETSc calls it (r, z: all rows)."""
        values, out = r.array_r, z.array_w
        self.r_own.array[:] = values[self.split :]
        self.conduction.solve(self.r_own, self.y)
        out[self.split :] = self.y.array_r
        self.columns.mult(self.y, self.coupled)
        self.r_metal.array[:] = values[: self.split]
        self.r_metal.axpy(-1.0, self.coupled)
        self.metal.apply(pc, self.r_metal, self.z_metal)
        out[: self.split] = self.z_metal.array_r
