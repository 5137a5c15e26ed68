"""The nonlinear solve of one time step where diffusion is all: Newton's method for x, the mesh in closed form.

For laterally uniform foils whose stress drives nothing (`electrode.mechanics = "none"`). It stands in for `Newton`
before stepper, protocol and recorder; velocity and pressure in `fields.u` are no unknowns and mean nothing.
"""

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
import ufl
from dolfinx import fem
from numpy.typing import NDArray

from femli import forms_diffusion, laws
from femli.case import Case
from femli.fields import Fields, create, largest, total
from femli.fields_forms import bound
from femli.forms import DILUTE
from femli.materials_electrode import Electrode
from femli.mesh import Domain
from femli.motion_level import LevelMotion
from femli.solver import Newton, on_mesh
from femli.solver_contents import Contents
from femli.solver_data import Counts, StepData
from femli.solver_linear import LinearSolver, NotConvergedError

Array = NDArray[np.float64]

CLOSE = 1e-4  # an increment of x below which the matrix at hand serves on,
FALL = 0.1  # as long as each increment is no more than this share of the one before


class HostContents(Contents):
    """Contents of one mesh whose volume is known.

    Args:
        fields: unknowns and constants.
    """

    def __init__(self, fields: Fields) -> None:
        super().__init__(fields, None)
        f = fields.frame
        self.host = bound(f.weight * (1 - laws.li_volume_fraction(fields.u.x, fields.k)) * f.dx)

    def step_increments(self) -> tuple[Array, Array]:
        """What the step added to the host, tested with P1, owned dofs [um^dim]; that of volume is not asked for."""
        host = self._owned(self.increments[1])
        return np.zeros_like(host), host

    def totals(self) -> tuple[float, float]:
        """Li and host content over all ranks [um^dim of Li volume, of host volume]; Li is the rest of the volume."""
        host = total(self.comm, fem.assemble_scalar(self.host))
        return self.thickness() * self.full_area - host, host


class Diffusion(Newton):
    """Solves steps on one mesh for the Li fraction alone.

    Args:
        domain: mesh and named parts; a foil between two planes.
        case, electrode: the numbers.
    """

    mechanical = False

    def __init__(self, domain: Domain, case: Case, electrode: Electrode) -> None:
        fields = create(domain, case, electrode)
        self.level = LevelMotion(fields)
        super().__init__(fields._replace(frame=self.level.frame), self.level, case, electrode)

    def close(self) -> None:
        """Give back what PETSc holds; nothing works afterwards."""
        self.system.close()

    def _rows(self) -> None:
        self.owned = self.fields.u.x.x.index_map.size_local
        self.offsets = np.array([0, self.owned])
        self.slices = [slice(0, self.owned)]

    def _forms(self, case: Case, electrode: Electrode) -> None:
        fl, k = self.fields, self.fields.k
        q, dx = (make(fl.u.x.function_space) for make in (ufl.TestFunction, ufl.TrialFunction))
        # Stripped of Li, the metal is nowhere richer in it than at the start.
        upwind = electrode.li_fraction > 1 - DILUTE or any(leg.step.current < 0 for leg in case.legs())
        F = forms_diffusion.host_balance(q, fl.u.x, fl.x_old, k, fl.frame, upwind)
        J = ufl.derivative(F, fl.u.x, dx)
        self.system = LinearSolver(J, [F], [], self.offsets, "diffusion", case.solver.petsc)

    def _parts(self) -> None:
        self.contents = HostContents(self.fields)  # and there is no state at quadrature points

    def stress(self) -> Array:
        """None, (0, components)."""
        return np.zeros((0, self.law.metric.shape[0]))

    def set_stress(self, t: Array) -> None:
        """There is none."""

    def consistent(self, time: float = 0.0, stress: Array | None = None) -> Counts:
        """The load of a time [h]; nothing follows it at once."""
        self.counts = Counts()
        self.load_stack(time)
        self.fields.k.contact_flux.value = self.applied_flux
        self.motion.follow()
        return self.counts

    def solve(self, step: StepData) -> Counts:
        """One implicit step on the moving mesh; `fields.u.x` holds the guess and then the solution.

        Raises:
            NotConvergedError: with the reason.
        """
        self.counts = Counts()
        self.fields.k.rate.value = step.rate
        self.fields.x_old.x.array[:] = step.x_old
        self.place(step)
        history = [(self.slices[0], -step.a2 * step.last_increments[1])]
        last, small = np.inf, 1e-2 * self.accuracy
        for _ in range(self.max_iterations):
            # Close to the solution the matrix of the iteration before is as good as a new one.
            if last < CLOSE:
                self.system.residual(history)
            else:
                self.system.assemble(history)
            change = self._increment_x()
            if not np.isfinite(change) or change > 5:
                raise NotConvergedError(f"the composition runs away (largest change {change:.2g} in one iteration)")
            if change < small:
                return self.counts
            last = change if change < FALL * last else np.inf
        raise NotConvergedError(f"not converged in {self.max_iterations} iterations (Li fraction {change:.1e})")

    def _increment_x(self) -> float:
        """Solve, update x; returns max |dx|."""
        self.counts.linear += self.system.solve()
        self.counts.newton += 1
        x, part = self.fields.u.x.x, self.system.dx.array
        x.array[: self.owned] -= part
        x.scatter_forward()
        return largest(self.comm, np.max(np.abs(part), initial=0.0))[0]

    def place(self, step: StepData) -> float:
        """Put the mesh where it is at the end of the step, which the current alone decides; returns no change."""
        self.fields.k.contact_flux.value = self.applied_flux
        self.motion.follow()
        self.motion.advance(step.positions, step.last_displacement, step.rate, step.a2)
        if self.level.height() <= 0.0:
            raise NotConvergedError("no metal is left")
        self.load_stack(step.time)
        return 0.0


def solver_of(domain: Domain, case: Case, electrode: Electrode) -> Newton:
    """Fields, mesh motion and solver of a case on a mesh: of all unknowns, or of x where the case has no mechanics."""
    if case.electrode.mechanics == "none":
        return Diffusion(domain, case, electrode)
    return on_mesh(domain, case, electrode)
