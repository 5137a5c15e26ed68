"""Diffusion along the walls of voids, driven by differences of their curvature; the walls of the end of the step count.

The metal that flows along a wall moves it by -div_s j_s, j_s = B grad_s kappa (kappa > 0 for a convex void). Curvature
relaxes over a cell of size h in h^4/B; so that this does not bound the steps, kappa is that of the new wall. From the
wall at hand, b away from the new one along the normal, it is kappa - M_L^-1 K b + (kappa_1^2 + kappa_2^2) b (K, M, M_L:
stiffness, mass and lumped mass of P1 on the wall), and with what the walls are asked to move by,

    a0 M b = B K (kappa - M_L^-1 K b + (kappa_1^2 + kappa_2^2) b) + rest,

a small system on the nodes of walls. This is repeated until the wall stays where it is: then b is zero, and nothing of
the linearisation is left. Barrett, Garcke and Nuernberg (2007) solve for the same unknowns, position and curvature.
"""

from typing import Any

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
import ufl
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from numpy.typing import NDArray
from petsc4py import PETSc

from femli import forms, forms_wall, laws
from femli.fields import Fields, assemble, total
from femli.fields_forms import bound
from femli.motion import Motion
from femli.solver_linear import direct
from femli.walls import POLE, Curvature

Array = NDArray[np.float64]


class SurfaceDiffusion:
    """Keeps `fields.frame.driving`, the curvature that drives Li and host along walls, and tells the mesh motion.

    Args:
        fields, motion: of the run.
        curvature: of its walls.
    """

    def __init__(self, fields: Fields, motion: Motion, curvature: Curvature) -> None:
        self.fields, self.motion, self.curvature = fields, motion, curvature
        f, Q = fields.frame, fields.u.p.function_space
        q, a = ufl.TestFunction(Q), ufl.TrialFunction(Q)
        self.driving = f.driving
        self.supply = bound(forms_wall.surface_supply(q, 1, fields.k, f))
        self.gap = bound(f.weight * ufl.dot(fields.u.v - f.w, f.n) * q * f.ds(f.parts["void"]))
        self.speed = bound(forms_wall.wall_speed(q, f))
        growth = fields.k.rate * forms.volume_growth(f) - ufl.tr(laws.velocity_gradient(f.w, f.kinematics, f.r))
        self.misfit_form = bound(f.weight * growth * q * f.dx)
        self.misfit = np.zeros(motion.owned)
        ds = f.ds(f.parts["void"])
        self.stiffness_form = bound(f.weight * ufl.dot(forms_wall.along(a, f), forms_wall.along(q, f)) * ds)
        self.mass_form = bound(f.weight * a * q * ds)
        # Filled by a form on the cells, so that every row has its diagonal entry; its values are not used.
        whole = bound(a * q * f.dx)
        self.stiffness, self.mass = (fem_petsc.assemble_matrix(whole) for _ in range(2))
        for matrix in (self.stiffness, self.mass):
            matrix.assemble()
        first = Q.dofmap.index_map.local_range[0]
        self.wall = motion.on_void[: motion.owned]
        self.factor = np.where(curvature.pole[: motion.owned], POLE, 1.0)  # see `Curvature.scalar`
        self.elsewhere = np.flatnonzero(~self.wall).astype(np.int32) + first
        self.work = fem.Function(Q)
        self.x, self.b = self.mass.createVecs()
        motion.release_edges()  # hard metal does not carry them, and they have to come to their angle

    def close(self) -> None:
        """Give back what PETSc holds; nothing works afterwards."""
        for owned in (self.stiffness, self.mass, self.x, self.b):
            owned.destroy()

    def _assembled(self, form: Any) -> Array:
        """Assembled linear form, owned dofs."""
        assemble(self.work, form)
        return self.work.x.array[: self.motion.owned].copy()

    def _owned(self, form: Any) -> Array:
        """The same on the nodes of walls, zero elsewhere."""
        return np.where(self.wall, self._assembled(form), 0.0)

    def flow(self) -> Array:
        """What the nodes of walls are to move by beside the metal, owned P1 dofs [um^dim/h]."""
        return self._owned(self.supply) - self._on_walls(self.misfit)

    def _on_walls(self, amounts: Array) -> Array:
        """The sum of what nodes have, shared by the nodes of walls by their area; collective."""
        area = np.where(self.wall, self.curvature.area.x.array[: self.motion.owned], 0.0)
        comm = self.motion.mesh.comm
        return total(comm, float(amounts.sum())) / total(comm, float(area.sum())) * area

    def measure(self, last: Array) -> None:
        """Find the volumes that a step of finite length is off: its increments less what w does at the new mesh.

        A wall that moves by diffusion is much faster than the metal behind it. These volumes are of second order, but
        metal that has to make up for them node by node answers with megapascals. The rows of volume and host leave them
        to the walls instead (`rows`), which keeps both contents.

        Args:
            last: increments of volume of earlier steps, as in the row of the volume balance.
        """
        self.misfit = self._assembled(self.misfit_form) + last

    def rows(self) -> tuple[Array, Array]:
        """What the rows of volume and host get for the `misfit`, each zero in sum, owned P1 dofs; collective."""
        k = self.fields.k
        numbers = k._replace(volume_ratio=float(k.volume_ratio.value))
        phi = laws.li_volume_fraction(self.fields.u.x.x.array[: self.motion.owned], numbers)
        host = (1 - phi) * self.misfit
        return self._on_walls(self.misfit) - self.misfit, self._on_walls(host) - host

    def expect(self, last: Array, a2: float) -> None:
        """Before a step, with the mesh still where the last one left it: all of its way is to come.

        Args:
            last: displacement of the step before, at P1 dofs [um].
            a2: of the time discretisation [1/h].
        """
        self.fields.w.x.array[:] = -a2 * last
        self.misfit = np.zeros(self.motion.owned)

    def correct(self) -> None:
        """Set the driving curvature to that of the wall that the velocities at hand will lead to; collective."""
        self.curvature.update()
        wall = self.motion.on_void
        kappa = self.driving.x
        kappa.array[:] = 0.0
        kappa.array[wall] = self.curvature.scalar()
        kappa.scatter_forward()
        rest = self._owned(self.gap) if self.motion.supply is None else self.motion.supply - self._owned(self.speed)
        self.b.array[:] = np.where(self.wall, self.flow() + rest, 0.0)
        changes = self._change_of_curvature(kappa.array)
        kappa.array[: self.motion.owned] += changes
        kappa.scatter_forward()
        self.motion.surface = self.flow()

    def _change_of_curvature(self, kappa: Array) -> Array:
        """Solve for the way to the new wall; returns the change of curvature that goes with it, owned dofs [1/um]."""
        wall, owned = self.motion.on_void, self.motion.owned
        K, M, k = self.stiffness, self.mass, self.fields.k
        for matrix, form in ((K, self.stiffness_form), (M, self.mass_form)):
            matrix.zeroEntries()
            fem_petsc.assemble_matrix(matrix, form)
            matrix.assemble()
        curving = K.copy()  # M_L^-1 K - kappa_1^2 - kappa_2^2
        area = self.curvature.area.x.array[:owned]
        self.x.array[:] = np.where(self.wall, self.factor / np.where(self.wall, area, 1.0), 0.0)
        curving.diagonalScale(L=self.x)
        bending = np.zeros_like(kappa)
        bending[wall] = self.curvature.bending(kappa[wall])
        self.x.array[:] = -bending[:owned]
        curving.setDiagonal(self.x, addv=PETSc.InsertMode.ADD)
        system = K.matMult(curving)
        system.scale(float(k.surface_mobility.value))
        system.axpy(float(k.rate.value), M, structure=PETSc.Mat.Structure.DIFFERENT_NONZERO_PATTERN)
        system.zeroRows(self.elsewhere, diag=1.0)
        ksp = direct(system)
        ksp.solve(self.b, self.x)
        curving.mult(self.x, self.b)
        for used in (ksp, system, curving):
            used.destroy()
        return -np.asarray(self.b.array)
