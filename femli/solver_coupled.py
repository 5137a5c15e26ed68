"""The linear solve of electrode and electrolyte together: one matrix of four blocks, MUMPS."""

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
from numpy.typing import NDArray
from petsc4py import PETSc

from femli.electrolyte import Electrolyte
from femli.solver_linear import LinearSolver

Array = NDArray[np.float64]


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
