"""Two-level multigrid for the velocity: P2 smoothed, P1 on the same cells solved or left to algebraic multigrid."""

from mpi4py import MPI  # before dolfinx

import numpy as np
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from numpy.typing import NDArray
from petsc4py import PETSc

from femli.solver_cells import CellMatrix

Array = NDArray[np.float64]

# Of the largest eigenvalue, what one or two Chebyshev steps damp; each is a symmetric SOR sweep, before and after the
# coarse solve. One is the faster where the approximate Schur complement limits the iterations, two on poorer meshes.
RANGES = {1: (0.7, 1.1), 2: (0.2, 1.1)}
PROBES = 10  # GMRES iterations that estimate it on several ranks; five may find 1.0 where it is 1.8, and all is lost
CYCLES = 2  # of the algebraic multigrid, a tenth of the smoother's time each
# P1 velocity dofs up to which the coarse level is factorised, on one rank; on several multigrid is the faster one.
COARSE_LU = 30_000


class VelocityMultigrid:
    """Multigrid for the velocity block.

    Args:
        fine: the block on P2; its values may change later, then `renew` is due.
        space, coarse_space: P2 and P1 of the velocity.
        coarse: the block on P1.
        conditions: what holds components on P2.
        prefix: of PETSc options.
    """

    def __init__(
        self,
        fine: PETSc.Mat,
        space: fem.FunctionSpace,
        coarse_space: fem.FunctionSpace,
        coarse: CellMatrix,
        conditions: list[fem.DirichletBC],
        prefix: str,
    ) -> None:
        self.fine, self.block, self.coarse = fine, coarse, coarse.matrix
        self.coarse.setNearNullSpace(rigid_motions(self.coarse, coarse_space))
        self.pc = PETSc.PC().create(fine.getComm())
        self.pc.setOptionsPrefix(prefix)
        self.pc.setOperators(fine)
        self.pc.setType("mg")
        self.pc.setMGLevels(2)
        self.pc.setMGInterpolation(1, prolongation(space, coarse_space, conditions, coarse.conditions))
        smoother = self.pc.getMGSmoother(1)
        smoother.setOperators(fine)
        smoother.setType("chebyshev")
        smoother.getPC().setType("sor")
        # Symmetric Gauss-Seidel of a positive matrix has no eigenvalue above 1.
        self.set_ups, self.largest, self.estimated = 0, 1.0, True
        self.smooth(1)
        bottom = self.pc.getMGCoarseSolve()
        bottom.setOperators(self.coarse)
        if fine.getComm().size == 1 and self.coarse.getSize()[0] <= COARSE_LU:
            bottom.setType("preonly")
            bottom.getPC().setType("lu")
            bottom.getPC().setFactorSolverType("mumps")
        else:
            bottom.setType("richardson")
            bottom.setTolerances(max_it=CYCLES)
            bottom.setNormType(PETSc.KSP.NormType.NONE)  # type: ignore[arg-type]
            bottom.getPC().setType("gamg")
        self.pc.setFromOptions()

    def renew(self) -> None:
        """Assemble the coarse matrix at the current state and set up its solver."""
        self.block.fill()
        self.pc.getMGCoarseSolve().setOperators(self.coarse)
        self.set_ups += 1
        # At the first, second, fourth, eighth, ... set-up: soon the matrix changes little, and it is the costly part.
        self.estimated = self.fine.getComm().size == 1 or self.set_ups & (self.set_ups - 1) > 0

    def refresh(self) -> None:
        """Set up what is due for the current matrices: the smoother, and after `renew` the coarse solver."""
        # PETSc 3.25 keeps the inverted diagonal blocks of earlier values; zeroing no rows makes it drop them.
        self.fine.setOption(PETSc.Mat.Option.KEEP_NONZERO_PATTERN, False)  # type: ignore[arg-type]
        self.fine.zeroRows([])
        if not self.estimated:
            self.largest = max(self.largest, self._largest())
            self.smooth(self.steps)
            self.estimated = True
        self.pc.setOperators(self.fine)
        self.pc.getMGSmoother(1).setOperators(self.fine)
        self.pc.setUp()
        self.pc.getMGSmoother(1).setUp()
        self.pc.getMGCoarseSolve().setUp()

    def smooth(self, steps: int) -> None:
        """Set how many steps smooth, 1 or 2, and what eigenvalues they are for, where an expert has not."""
        self.steps = steps
        smoother = self.pc.getMGSmoother(1)
        smoother.setTolerances(max_it=steps)
        given, name = PETSc.Options(smoother.getOptionsPrefix()), "ksp_chebyshev_eigenvalues"
        expert = given.hasName(name)
        if not expert:
            given.setValue(name, ",".join(str(share * self.largest) for share in RANGES[steps]))
        smoother.setFromOptions()
        if not expert:
            given.delValue(name)

    def _largest(self) -> float:
        """Largest eigenvalue of the block after Gauss-Seidel on each rank, which ranks side by side take beyond 1.

        PETSc would estimate it for every matrix; the largest of a few is enough.
        """
        probe = PETSc.KSP().create(self.fine.getComm())
        probe.setOperators(self.fine)
        probe.setType("gmres")
        probe.getPC().setType("sor")
        probe.setTolerances(rtol=1e-12, max_it=PROBES)
        probe.setComputeEigenvalues(True)
        b, x = self.fine.createVecLeft(), self.fine.createVecRight()
        b.array[:] = np.random.default_rng(self.fine.getComm().rank).standard_normal(b.getLocalSize())
        probe.solve(b, x)
        found = float(np.max(probe.computeEigenvalues().real))
        for owned in (b, x, probe):
            owned.destroy()
        return found


def prolongation(
    space: fem.FunctionSpace,
    coarse_space: fem.FunctionSpace,
    conditions: list[fem.DirichletBC],
    coarse_conditions: list[fem.DirichletBC],
) -> PETSc.Mat:
    """Interpolation from P1 to P2 between free dofs; held ones neither give nor take."""
    P = fem_petsc.interpolation_matrix(coarse_space, space)
    P.assemble()
    masks = []
    for vector, held in ((P.createVecLeft(), conditions), (P.createVecRight(), coarse_conditions)):
        vector.set(1.0)
        for bc in held:
            dofs, owned = bc.dof_indices()
            vector.array[dofs[:owned]] = 0.0
        masks.append(vector)
    P.diagonalScale(*masks)
    return P


def rigid_motions(matrix: PETSc.Mat, space: fem.FunctionSpace) -> PETSc.NullSpace:
    """Motions without deviatoric strain that P1 holds: translations, rotations, and uniform growth (orthonormal)."""
    dim = space.dofmap.index_map_bs
    size = space.dofmap.index_map.size_local
    x = space.tabulate_dof_coordinates()[:size, :dim]
    comm = matrix.getComm().tompi4py()
    low, high = np.min(x, axis=0, initial=np.inf), np.max(x, axis=0, initial=-np.inf)
    comm.Allreduce(MPI.IN_PLACE, low, op=MPI.MIN)
    comm.Allreduce(MPI.IN_PLACE, high, op=MPI.MAX)
    x = (x - (low + high) / 2) / np.max(high - low)
    motions = [np.tile(np.eye(dim)[c], (size, 1)) for c in range(dim)]
    for a in range(dim):
        for b in range(a):
            turn = np.zeros((size, dim))
            turn[:, a], turn[:, b] = -x[:, b], x[:, a]
            motions.append(turn)
    motions.append(x)
    basis: list[PETSc.Vec] = []
    for motion in motions:
        vector = matrix.createVecRight()
        vector.array[:] = motion.ravel()
        for other in basis:
            vector.axpy(-vector.dot(other), other)
        vector.normalize()
        basis.append(vector)
    return PETSc.NullSpace().create(vectors=basis, comm=matrix.getComm())
