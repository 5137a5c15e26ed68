"""The linear solves of electrode and electrolyte together: (v, p, x) bordered by the potential.

Direct: one matrix of four blocks, MUMPS. Iterative: as without an electrolyte, the potential being a further row of the
trailing block. The contact couples it to pressure and composition alone, so the Schur complement gains its rows and
columns as they are.
"""

from typing import Any

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
from numpy.typing import NDArray
from petsc4py import PETSc

from femli.electrolyte import Blocks, Electrolyte
from femli.solver_block import TRAILING_LU, BlockSolver
from femli.solver_linear import LinearSolver, LinearSystem

Array = NDArray[np.float64]


class Bordered[Metal: LinearSystem](LinearSystem):
    """What both solvers share: the right-hand side, on each rank that of (v, p, x) and after it the potential's."""

    metal: Metal
    electrolyte: Electrolyte

    def residual(self, history: list[tuple[slice, Array]]) -> None:
        """Residual alone, in `b`."""
        self.metal.residual(history)
        self._join()

    def _join(self) -> None:
        self.b.array[:] = np.concatenate([self.metal.b.array, self.electrolyte.residual()])


class CoupledSolver(Bordered[LinearSolver], LinearSolver):
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


class CoupledBlockSolver(Bordered[BlockSolver], BlockSolver):
    """The same system, not copied into one matrix; solved as `BlockSolver` does, set-ups kept and renewed as there.

    Args:
        metal: the system of (v, p, x), whose volume balance holds the electrolyte's contact flux. Its solvers become
            those of the whole.
        electrolyte: the rest of it.
    """

    def __init__(self, metal: BlockSolver, electrolyte: Electrolyte) -> None:
        self.metal, self.electrolyte = metal, electrolyte
        self.expert, self.keep, self.most = metal.expert, metal.keep, metal.most
        self.ksp, self.schur, self.multigrid = metal.ksp, metal.schur, metal.multigrid
        self.split = metal.split
        self.r_velocity, self.v, self.coupled = metal.r_velocity, metal.v, metal.coupled
        self.pressure = metal.pressure
        self.rescue = None
        self.reference, self.due = 0, True
        self.A = PETSc.Mat()  # made at the first assembly: electrolytes have no blocks before

    def close(self) -> None:
        """Give back what PETSc holds; nothing works afterwards."""
        self.metal.close()
        if self.rescue is not None:
            self.rescue.close()
        if self.A:
            for owned in (self.b, self.dx, self.A, self.S, self.below, self.beside, self.r_trailing, self.y):
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

    def _make(self, blocks: Blocks) -> None:
        metal, own, comm = self.metal, blocks.own, self.metal.A.getComm()
        self.A = PETSc.Mat().createNest([[metal.A, blocks.columns], [blocks.rows, own]], comm=comm)
        self.A.setUp()
        self.border = blocks
        self.parts = metal.parts | {(1, 3): blocks.columns, (3, 1): blocks.rows, (3, 3): own}
        self.b = PETSc.Vec().createMPI((metal.b.getLocalSize() + own.getLocalSize()[0], None), comm=comm)
        self.dx = self.b.duplicate()
        self.ksp.setOperators(self.A)
        self.ksp.getPC().setPythonContext(self)
        first, last = blocks.columns.getOwnershipRange()
        behind = PETSc.IS().createStride(last - first - self.split, first + self.split, comm=comm)
        first, last = own.getOwnershipRange()
        self.places = behind, PETSc.IS().createStride(last - first, first, comm=comm)
        self.below, self.beside, self.S = PETSc.Mat(), PETSc.Mat(), PETSc.Mat()
        self._complement()
        self.r_trailing, self.y = self.S.createVecLeft(), self.S.createVecRight()
        if self.S.getSize()[0] > TRAILING_LU:
            self._divide()

    def _complement(self) -> None:
        """The Schur complement of pressure, composition and potential at the current state, in one matrix."""
        self.metal._complement()
        behind, own = self.places
        border = self.border
        self.below = border.rows.createSubMatrix(own, behind, self.below if self.below else None)
        self.beside = border.columns.createSubMatrix(behind, own, self.beside if self.beside else None)
        nest = PETSc.Mat().createNest([[self.metal.S, self.beside], [self.below, border.own]])
        nest.convert("aij", self.S)
        nest.destroy()

    def _divide(self) -> None:
        """Too large to be factorised: ILU of all rows for what couples them nearby, multigrid for the potential."""
        pc: Any = self.schur.getPC()  # petsc4py's stubs say that it returns nothing
        start, end = self.S.getOwnershipRange()
        middle = start + self.metal.S.getLocalSize()[0]
        pc.setType("composite")
        pc.setCompositeType(PETSc.PC.CompositeType.MULTIPLICATIVE)
        for kind in ("bjacobi", "fieldsplit"):
            pc.addCompositePCType(kind)
        for name, first, last in (("metal", start, middle), ("potential", middle, end)):
            rows = PETSc.IS().createStride(last - first, first, comm=self.S.getComm())
            pc.getCompositePC(1).setFieldSplitIS((name, rows))
        with self.expert:
            self.schur.setFromOptions()
        multigrid, given = "trailing_sub_1_fieldsplit_potential_pc_type", self.expert.database
        if pc.getType() == "composite" and not given.hasName(multigrid):
            given.setValue(multigrid, "gamg")  # read at the first set-up

    def _direct(self) -> int:
        if self.rescue is None:
            m = self.metal
            metal = LinearSolver(m.a, m.L, m.conditions, m.offsets, "rescue")
            self.rescue = CoupledSolver(metal, self.electrolyte)
        self.rescue.assemble(self.history)
        iterations = self.rescue.solve()
        self.dx.array[:] = self.rescue.dx.array
        return iterations
