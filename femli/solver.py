"""The nonlinear solve of one time step: primal-dual Newton with a pointwise projection onto the creep law.

Each iteration is one linear solve for (v, p, x) about the stress state T at quadrature points, then (a) T is set to the
projection of the linear step onto the creep law, (b) the mesh is moved to where its boundaries now are. No line search,
no continuation in the exponent. The start is one solve with uniform viscosity and x held.
"""

from typing import Literal

from mpi4py import MPI

import numpy as np
from numpy.typing import NDArray

from femli.case import Case
from femli.creep import PowerLaw
from femli.electrolyte import Electrolyte
from femli.fields import Fields, create, flux_of_current, largest, total
from femli.fields_layer import LayerState
from femli.materials_electrode import Electrode
from femli.mesh import Domain
from femli.motion import Motion
from femli.solver_contents import Contents
from femli.solver_data import Counts, Stack, StepData
from femli.solver_linear import LinearSystem, NotConvergedError
from femli.solver_points import Points
from femli.solver_systems import systems
from femli.units import STRESS, TIME
from femli.walls import Curvature, Exchange
from femli.walls_surface import SurfaceDiffusion

Array = NDArray[np.float64]

SUNK = 0.02  # a wall may sink this much into the electrolyte, over the size of its facets, before it is laid on it
WALL_ITERATIONS = 10  # between walls and the curvature of where they go, with surface diffusion,
WALL_STILL = 1e-10  # or until they move by this of their way: the metal behind them is so much slower
STILL = 1e-7  # um; a mesh that moves less in a step is at rest, and only round-off is left in its motion


class Newton:
    """Solves steps on one mesh.

    Args:
        fields: unknowns and constants.
        motion: the mesh velocity of the same mesh.
        case, electrode: the numbers.

    Attributes:
        mechanical: whether velocity and pressure are solved for.
        applied_flux: areal current over the whole interface as volume flux of Li [um/h].
        electrolyte: or None; the current is then uniform over the contact that is left.
        control, applied_voltage: "current", or "voltage" to hold the cell voltage [V] (with an electrolyte).
        contents: what the mesh holds, its areas and its thickness.
        points: where the stress is a state.
    """

    mechanical = True

    def __init__(self, fields: Fields, motion: Motion, case: Case, electrode: Electrode) -> None:
        self.fields, self.motion, self.comm = fields, motion, fields.domain.mesh.comm
        self.law = PowerLaw(
            *working_creep(electrode), case.solver.regularisation_stress / STRESS, fields.domain.kinematics
        )
        self.accuracy = float(np.sqrt(case.solver.tolerance))
        self.max_iterations = case.solver.max_iterations
        self.applied_flux = flux_of_current(case.load.current_density, electrode)
        # What drives a step: the flux, or with an electrolyte the voltage of the cell.
        self.control: Literal["current", "voltage"] = "current"
        self.applied_voltage = 0.0
        self.stack = Stack(case.load.stack_pressure / STRESS)
        self.electrolyte = Electrolyte(fields, case, electrode) if fields.domain.electrolyte is not None else None
        self.curvature = Curvature(fields, motion, case)
        self.exchange: Exchange | None = None
        self.layer = LayerState(fields) if fields.frame.layer is not None else None
        driven = fields.frame.driving is not None
        self.surface = SurfaceDiffusion(fields, motion, self.curvature) if driven else None
        self._rows()
        self._forms(case, electrode)
        self._parts()
        self.counts = Counts()
        self.potential_change = 0.0  # of the last iteration, over R T/F

    def close(self) -> None:
        """Give back what PETSc holds, for the mesh motion as well; nothing works afterwards."""
        for system in (self.step_system, self.frozen_system, self.motion):
            system.close()
        for part in (self.electrolyte, self.surface):
            if part is not None:
                part.close()

    def _rows(self) -> None:
        spaces = [u.function_space for u in self.fields.u]
        sizes = [V.dofmap.index_map.size_local * V.dofmap.index_map_bs for V in spaces]
        self.offsets = np.concatenate([[0], np.cumsum(sizes)])
        self.slices = [slice(a, b) for a, b in zip(self.offsets[:-1], self.offsets[1:], strict=True)]

    def _forms(self, case: Case, electrode: Electrode) -> None:
        made = systems(case, self.fields, self.curvature, self.electrolyte, self.offsets)
        self.step_system, self.frozen_system, self.exchange = made

    def _parts(self) -> None:
        self.contents = Contents(self.fields, self.layer)
        self.points = Points(self.fields)

    # --- the state at quadrature points ---------------------------------------------------------------------------

    def stress(self) -> Array:
        """Deviatoric stress at the state's points [MPa], (points, components)."""
        s = self.fields.state.stress
        return s.x.array.reshape(-1, s.function_space.dofmap.index_map_bs)[self.points.dofs]

    def set_stress(self, t: Array) -> None:
        """Linearise the creep law about stresses t [MPa], (points, components)."""
        self._set_state(t, *self.law.tangent(t))

    def _set_state(self, t: Array, inverse_rate: Array, rank_one: Array) -> None:
        s = self.fields.state
        s.stress.x.array.reshape(-1, t.shape[1])[self.points.dofs] = t
        s.inverse_rate.x.array[self.points.dofs] = inverse_rate
        s.rank_one.x.array[self.points.dofs] = rank_one

    def _project(self) -> float:
        """Project the last linear step; returns its distance to the creep law, relative to the dissipation."""
        s = self.fields.state
        t, d = self.stress(), self.points.strain_rate()
        new, linear = self.law.project(
            t, s.inverse_rate.x.array[self.points.dofs], s.rank_one.x.array[self.points.dofs], d
        )
        gap, dissipation = self.law.graph_distance(new, linear, d, self.points.weights())
        self.set_stress(new)
        gap, dissipation = total(self.comm, gap), total(self.comm, dissipation)
        return float(np.sqrt(max(gap, 0.0) / max(dissipation, 1e-300)))

    # --- contents ---------------------------------------------------------------------------------------------------

    def flux(self) -> float:
        """Volume of Li that leaves through the contact, over the whole interface [um/h], at the state at hand."""
        if self.electrolyte is None:
            return self.applied_flux
        return self.electrolyte.flux()

    def load_stack(self, time: float) -> float:
        """Set the stack pressure of a time [h] and of the thickness on the mesh; returns it [MPa]."""
        k, stack = self.fields.k, self.stack
        k.spring.value = stack.stiffness
        k.stack_pressure.value = stack.at(time, self.contents.thickness() if stack.stiffness else stack.thickness)
        return float(k.stack_pressure.value)

    def _share_current(self) -> None:
        """The given areal current flows over the contact that is left; an electrolyte says where."""
        area = self.contents.area_of_contact()
        if area <= 0:
            raise NotConvergedError("no contact is left")
        if self.electrolyte is not None:
            self.electrolyte.follower.follow()
            if not self.comm.allreduce(self.electrolyte.follower.upright(), op=MPI.LAND):
                raise NotConvergedError("the mesh of the electrolyte turned inside out")
            self.electrolyte.condition(self.control, self.applied_flux * self.contents.full_area, self.applied_voltage)
            self.electrolyte.share()
            return
        self.fields.k.contact_flux.value = self.applied_flux * self.contents.full_area / area

    def _dress_walls(self) -> None:
        """What void walls carry on the present mesh: curvature, and with exchange the pressure that goes with it."""
        self.curvature.update()
        if self.exchange is not None:
            self.exchange.set_pressure()

    # --- solves -----------------------------------------------------------------------------------------------------

    def _increment(self, system: LinearSystem) -> tuple[float, float]:
        """Solve, update (v, p, x); returns max |dx| and max |dv| over max |v|."""
        self.counts.linear += system.solve()
        self.counts.newton += 1
        values = system.dx.array
        sizes = []
        for u, where in zip(self.fields.u, self.slices[:3], strict=True):
            part = values[where]
            u.x.array[: part.size] -= part
            u.x.scatter_forward()
            sizes.append((np.max(np.abs(part), initial=0.0), np.max(np.abs(u.x.array[: part.size]), initial=0.0)))
        change = 0.0 if self.electrolyte is None else self.electrolyte.update(values[self.offsets[3] :])
        dv, v, dx, self.potential_change = largest(self.comm, sizes[0][0], sizes[0][1], sizes[2][0], change)
        return dx, dv / max(v, 1e-300)

    def at_rest(self) -> None:
        """Set the stress state to none, with a uniform viscosity of the order of the real one."""
        law = self.law
        s0 = max(np.sqrt(3) * float(self.fields.k.stack_pressure.value) / law.n, 1.5)
        viscosity = s0 / (3 * law.A * s0**law.n)
        n = len(self.points.dofs)
        self._set_state(np.zeros((n, law.metric.shape[0])), np.full(n, 2 * viscosity), np.zeros(n))

    def consistent(self, time: float = 0.0, stress: Array | None = None) -> Counts:
        """Velocity, pressure and stress at the given composition: at t = 0, after a jump of the load, on a new mesh.

        Args:
            time: of the state [h], for the stack pressure.
            stress: a guess at the state's points [MPa]; without one, uniform viscosity.

        Raises:
            NotConvergedError: after 40 iterations.
        """
        self.counts = Counts()
        if self.layer is not None:
            self.layer.hold()
        self.load_stack(time)
        self._share_current()
        self._dress_walls()
        if stress is not None:
            self.set_stress(stress)
        else:
            self.at_rest()
            self.frozen_system.assemble([])
            self._increment(self.frozen_system)
            self.set_stress(self.law.stress(self.points.strain_rate()))
        for _ in range(40):
            self.frozen_system.assemble([])
            before = self.fields.u.p.x.array.copy()
            self._increment(self.frozen_system)
            p = self.fields.u.p.x.array
            change, drop = largest(
                self.comm,
                np.max(np.abs(p - before), initial=0.0),
                np.max(np.abs(p - float(self.fields.k.stack_pressure.value)), initial=0.0),
            )
            # The creep law is judged by its work, which says little of the pressure where nearly all metal rests; where
            # pressure drives nothing, it is unbounded at a jump and does not matter.
            steady = change < 0.1 * self.accuracy * max(drop, 1e-3) or float(self.fields.k.pressure_coupling.value) == 0
            steady = steady and self.potential_change < 1e-2 * self.accuracy
            if self._project() < 0.1 * self.accuracy and steady:
                self._share_current()
                return self.counts
        raise NotConvergedError("velocity and pressure at given composition did not converge in 40 iterations")

    def solve(self, step: StepData) -> Counts:
        """One implicit step on the moving mesh; `fields.u` holds the guess and then the solution.

        Raises:
            NotConvergedError: with the reason.
        """
        self.counts = Counts()
        rows = [(where, -step.a2 * last) for where, last in zip(self.slices[1:3], step.last_increments, strict=True)]
        self.fields.k.rate.value = step.rate
        self.fields.x_old.x.array[:] = step.x_old
        if self.layer is not None:
            self.layer.begin(step.rate, step.a2)
        if self.exchange is not None:
            self._share_current()  # a resumed run has not done so yet
            self.exchange.expect()
        if self.surface is not None:
            self.surface.expect(step.last_displacement, step.a2)
        # Walls that move by themselves are held to more: what the last move is off in volume nothing makes up for.
        settled = self.accuracy if self.surface is None else 1e-2 * self.accuracy
        self.place(step)
        for _ in range(self.max_iterations):
            own = () if self.surface is None else zip(self.slices[1:3], self.surface.rows(), strict=True)
            self.step_system.assemble([*rows, *own, (self.slices[1], -self.motion.mismatch)])
            dx, dv = self._increment(self.step_system)
            if not np.isfinite(dx) or dx > 5:
                raise NotConvergedError(f"the composition runs away (largest change {dx:.2g} in one iteration)")
            distance = self._project()
            if self.exchange is not None:
                misfit = 0.0 if self.surface is None else self.surface.misfit
                self.exchange.correct(-step.a2 * step.last_increments[0] - misfit)
            moved = self.place(step)
            still = max(dx, self.potential_change) < 1e-2 * self.accuracy
            if distance < 0.1 * self.accuracy and still and moved < settled:
                if self.layer is not None:
                    self.layer.end()
                return self.counts
        raise NotConvergedError(
            f"not converged in {self.max_iterations} iterations (creep law {distance:.1e}, Li fraction {dx:.1e}, "
            f"velocity {dv:.1e}, mesh {moved:.1e})"
        )

    def place(self, step: StepData) -> float:
        """Let the mesh follow the metal; returns by how much that changed the step of a node, relative."""
        U = self.fields.displacement.x.array
        old = U.copy()
        way = np.inf
        for _ in range(WALL_ITERATIONS):
            before = U.copy()
            if self.surface is not None:
                self.surface.correct()
            self.motion.follow()
            self.motion.advance(step.positions, step.last_displacement, step.rate, step.a2)
            if not self.comm.allreduce(bool(np.all(self.motion.volumes() > 0)), op=MPI.LAND):
                raise NotConvergedError("the mesh turned inside out")
            if self.surface is None:
                break
            self.surface.measure(-step.a2 * step.last_increments[0])
            last, way = way, self._way(before)
            if way < WALL_STILL or way > last:  # a guess of velocities may lead nowhere
                break
        depth, where = self.motion.wall_depth()
        if depth > SUNK:
            raise NotConvergedError(f"a void wall goes through the electrolyte at {where:.4g} um")
        if self.layer is not None:
            self.layer.spread()
        self._share_current()
        pressure = float(self.fields.k.stack_pressure.value)
        pushed = abs(self.load_stack(step.time) - pressure) / max(pressure, 1.0)
        self._dress_walls()
        return max(self._way(old), pushed)

    def _way(self, old: Array) -> float:
        """By how much displacements differ from `old` ones, over the largest; collective."""
        U = self.fields.displacement.x.array
        change, size = largest(self.comm, np.max(np.abs(U - old), initial=0.0), np.max(np.abs(U), initial=0.0))
        return change / max(size, STILL)


def on_mesh(domain: Domain, case: Case, electrode: Electrode) -> Newton:
    """Fields, mesh motion and solver of a case on a mesh, the composition as it is at the start."""
    fields = create(domain, case, electrode)
    return Newton(fields, Motion(fields), case, electrode)


def working_creep(electrode: Electrode) -> tuple[float, float]:
    """Creep prefactor [MPa^-n/h] and exponent of an electrode."""
    n = electrode.creep_exponent
    return electrode.creep_prefactor * STRESS**n * TIME, n
