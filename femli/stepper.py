"""The one time loop: implicit BDF2 on the moving mesh, adapts, rejects and retries, hits asked times exactly.

Step sizes come from a fixed ladder; only a step that has to hit a time or a stop condition leaves it.
"""

import logging
from collections.abc import Callable
from functools import partial

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
from numpy.typing import NDArray

from femli.case import Case
from femli.errors import SolveError
from femli.fields import largest, total
from femli.solver import Newton
from femli.solver_data import Counts, StepData
from femli.solver_linear import NotConvergedError
from femli.stepper_bdf import bdf_weights, error_fraction, extrapolation_weights
from femli.stepper_data import Level, Step
from femli.stepper_events import NOISE, REACHED, Event, bring_to_zero
from femli.stepper_ladder import Ladder
from femli.units import TIME

log = logging.getLogger("femli")

Array = NDArray[np.float64]

STRETCH = 0.2  # largest stretch of a cell in one step
TOUCH = 0.02  # a wall node this low, over its height at the start, has come down on the electrolyte


class Stepper:
    """Marches a state in time.

    Args:
        newton: solves one step.
        case: tolerances and limits.

    Attributes:
        targets: function giving the next time [h] that must be hit, after a time; set by the protocol.
        ladder: where the size of the next step comes from.
        events: stop conditions brought to zero exactly, of the protocol too; on a tie the earlier in the list counts.
    """

    def __init__(self, newton: Newton, case: Case) -> None:
        self.case = case
        self.targets: Callable[[float], float] = lambda _time: np.inf
        self.events: list[Event] = []
        self._take(newton)
        self.remeshed = False  # somebody renews the mesh where a wall comes down
        self.tolerance = case.solver.time_tolerance
        self.levels: list[Level] = []
        self.ladder = Ladder(case)
        self.passed = 0.0  # by the attempt at hand, of charge [um]
        self.spent = Counts()  # solves since the last accepted step

    def _take(self, newton: Newton) -> None:
        self.newton, self.fields, self.motion, self.comm = newton, newton.fields, newton.motion, newton.comm

    def adopt(self, newton: Newton, drop: int) -> None:
        """Go on from the state of another solver at the time at hand: backward Euler first, `drop` rungs lower."""
        self._take(newton)
        self.passed = 0.0
        self.spent += newton.counts
        self.levels = [self.capture(self.levels[0].time)]
        self.ladder.restart_lower(drop)

    # --- levels -----------------------------------------------------------------------------------------------------

    def capture(self, time: float) -> Level:
        """The current state as a level."""
        v, p, x = (f.x.array.copy() for f in self.fields.u)
        electrolyte, layer = self.newton.electrolyte, self.newton.layer
        return Level(
            time=time,
            v=v,
            p=p,
            x=x,
            positions=self.motion.positions(),
            displacement=self.fields.displacement.x.array.copy(),
            increments=self.newton.contents.step_increments(),
            charge=self.charge(),
            charge_increment=self.passed,
            stack_pressure=float(self.fields.k.stack_pressure.value),
            phi=np.zeros(0) if electrolyte is None else electrolyte.phi.x.array.copy(),
            layer=(np.zeros(0), np.zeros(0)) if layer is None else (layer.content, layer.added),
        )

    def charge(self) -> float:
        """Charge passed up to the state at hand, as volume of Li over the whole interface [um]; stripping positive."""
        return (self.levels[0].charge if self.levels else 0.0) + self.passed

    def restore(self, stress: Array) -> None:
        """Back to the newest level."""
        level = self.levels[0]
        for f, values in zip(self.fields.u, level[1:4], strict=True):
            f.x.array[:] = values
        self.motion.place(level.positions)
        self.newton.set_stress(stress)
        self.fields.k.stack_pressure.value = level.stack_pressure
        self.passed = 0.0
        if self.newton.layer is not None:
            self.newton.layer.set(*level.layer)
        if self.newton.electrolyte is not None:
            self.newton.electrolyte.set(level.phi)

    def start(self) -> None:
        """The consistent state of the load that is set, at t = 0 or where it jumps; levels and step sizes begin anew.

        Velocity and pressure follow a jump at once, at the composition that is there.

        Raises:
            SolveError: there is none; the newest level is restored.
        """
        time, stress = (self.levels[0].time if self.levels else 0.0), self.newton.stress().copy()
        self.passed = 0.0
        try:
            self.spent += self.newton.consistent(time)
        except NotConvergedError as failure:
            if self.levels:
                self.restore(stress)
            raise SolveError(f"{failure}, t = {time * TIME:.6g} s") from failure
        self.levels = [self.capture(time)]
        self.ladder.begin()

    def _check_walls(self) -> None:
        """Stop where a void wall has come down: what follows needs a new mesh.

        Raises:
            SolveError: with the place.
        """
        if self.remeshed:
            return
        height, where = self.motion.wall_height()
        if height < TOUCH * self.motion.first_wall_height:
            raise SolveError(
                f"a void wall has come down on the electrolyte at x = {where:.4g} um, "
                f"t = {self.levels[0].time * TIME:.6g} s; going on needs remeshing, which meshes from files "
                "do not have; a higher void, a harder alloy or a lower stack pressure keeps it open longer"
            )

    # --- one step ---------------------------------------------------------------------------------------------------

    def attempt(self, dt: float) -> tuple[Counts, float]:
        """Solve one step of dt [h] from the newest levels; returns counts and local error over the tolerance."""
        new = self.levels[0].time + dt
        last = self.levels[0]
        weights = bdf_weights([new, *(lv.time for lv in self.levels[:2])])
        step = StepData(
            positions=last.positions,
            x_old=last.x,
            last_displacement=last.displacement,
            last_increments=last.increments,
            rate=float(weights[0]),
            a2=float(weights[2]) if len(weights) > 2 else 0.0,
            time=new,
        )
        times = [lv.time for lv in self.levels]
        predictor = extrapolation_weights(times, new)
        guess = [sum(w * lv[i] for w, lv in zip(predictor, self.levels, strict=True)) for i in (1, 2, 3)]
        # The pressure follows the stack's own changes at once, so it is p - p_stack that is extrapolated.
        guess[1] -= sum(w * lv.stack_pressure for w, lv in zip(predictor, self.levels, strict=True))
        for f, values in zip(self.fields.u, guess, strict=True):
            f.x.array[:] = values
        if self.newton.electrolyte is not None:
            potentials = zip(predictor, self.levels, strict=True)
            self.newton.electrolyte.phi.x.array[:] = sum(w * lv.phi for w, lv in potentials)
            self.newton.electrolyte.refresh()
        self.fields.u.p.x.array[:] += self.newton.load_stack(new)
        try:
            counts = self.newton.solve(step)
        finally:
            self.spent += self.newton.counts
        self.passed = (self.newton.flux() + step.a2 * last.charge_increment) / step.rate
        return counts, self._error(guess, error_fraction(times, new))

    def _error(self, guess: list[Array], fraction: float) -> float:
        """Local error in units of the tolerance: of x anywhere, of S = p_stack - p on the contact, root mean square.

        Not the largest error of S: at the edge of a void the pressure is singular, and as good as the last Newton
        iteration left it however short the step.

        Args:
            guess: extrapolated v, p - p_stack and x.
            fraction: share of the difference that is the error.
        """
        u, p_stack = self.fields.u, float(self.fields.k.stack_pressure.value)
        (dx,) = largest(self.comm, np.max(np.abs(u.x.x.array - guess[2]), initial=0.0))
        share = self.newton.contents.contact_shares
        drop, before = u.p.x.array[: share.size] - p_stack, guess[1][: share.size]
        dp = np.sqrt(total(self.comm, float(share @ (drop - before) ** 2)))
        s = np.sqrt(total(self.comm, float(share @ drop**2)))
        if float(self.fields.k.pressure_coupling.value) == 0:
            dp = 0.0  # then pressure drives nothing, and it is unbounded at t = 0
        return float(fraction * max(dx, dp / max(s, 1e-3)) / self.tolerance)

    def _largest(self) -> float:
        """Upper bound of the next step [h]: cells keep their shape, and the user's own limit."""
        bound = STRETCH / max(self.motion.distortion_rate(), 1e-12)
        if len(self.levels) > 1 and not self.ladder.leaping:
            bound = min(bound, 2 * (self.levels[0].time - self.levels[1].time) * (1 + 1e-9))
        if self.case.solver.largest_step is not None:
            bound = min(bound, self.case.solver.largest_step / TIME)
        return bound

    def advance(self) -> Step:
        """Take one accepted step.

        Raises:
            SolveError: no convergence at the smallest step; the newest level is restored.
        """
        self._check_walls()
        stress = self.newton.stress().copy()
        self.ladder.stay_below(self._largest())
        armed = [(event, event.value()) for event in self.events]
        armed = [(event, value) for event, value in armed if value > REACHED]
        landing = self.motion.landing_time() if self.remeshed else np.inf
        rejected = 0
        reason = "the mesh is stretched too fast"
        while True:
            dt, asked = self._clip(min(self.ladder.step(), landing))
            if dt < self.ladder.smallest and not asked:
                self.restore(stress)
                raise SolveError(
                    f"no convergence at the smallest time step, t = {self.levels[0].time * TIME:.6g} s, "
                    f"dt = {dt * TIME:.3g} s: {reason}"
                )
            try:
                error = self.attempt(dt)[1]
                reason = f"local error {error:.2g} times the tolerance"
                stop = self._event(dt, armed, stress) if error <= 1.0 else None
            except NotConvergedError as failure:
                error, reason = np.inf, str(failure)
            if error <= 1.0:
                break
            rejected += 1
            self.restore(stress)
            self.ladder.reject(dt, error)
        return self._accept(dt, error, rejected, asked, stop)

    def _accept(self, dt: float, error: float, rejected: int, asked: bool, stop: tuple[Event, float] | None) -> Step:
        event = None
        if stop is not None:
            event, dt, asked = stop[0], stop[1], True
        self.levels = [self.capture(self.levels[0].time + dt), *self.levels[:2]]
        self.passed = 0.0
        self.ladder.accept(dt, error, asked)
        counts, self.spent = self.spent, Counts()
        step = Step(self.levels[0].time, dt, counts, rejected, asked=asked)
        if event is not None and event.of_step:
            step.ended = event.reason
        elif event is not None:
            step.stop = event.reason
        return step

    def _clip(self, dt: float) -> tuple[float, bool]:
        """Shorten dt to hit the next asked time, or halve the way where one more step would leave a sliver."""
        left = self.targets(self.levels[0].time) - self.levels[0].time
        if dt >= left * (1 - 1e-9):
            return left, True
        return (left / 2, False) if 2 * dt > left else (dt, False)

    # --- stop conditions --------------------------------------------------------------------------------------------

    def _event(self, dt: float, armed: list[tuple[Event, float]], stress: Array) -> tuple[Event, float] | None:
        """If a stop condition was passed, solve again for the step [h] that meets it exactly; the earliest counts.

        Args:
            dt: the step at hand.
            armed: conditions that were not met before it, with their values there.
            stress: where each attempt starts from.

        Raises:
            NotConvergedError: one of the attempts; the whole step is then to be tried smaller.
        """
        best: tuple[Event, float] | None = None
        for event, before in armed:
            value = event.value()
            # Judged at the earliest stop found so far: one that is not yet reached there comes later.
            if value > (0.0 if best is None else -REACHED):
                continue
            root = bring_to_zero(partial(self._value_after, event, stress), before, best[1] if best else dt, value)
            if abs(root.value) > NOISE:
                log.warning(
                    "warning: stop condition %s jumps at t = %.6g s (to %.3g): the state beside the jump is taken",
                    event.reason,
                    (self.levels[0].time + root.at) * TIME,
                    root.value,
                )
            best = (event, root.at)
        return best

    def _value_after(self, event: Event, stress: Array, dt: float) -> float:
        """Value of a stop condition after one more attempt, of a step of dt [h] from the newest level."""
        self.restore(stress)
        self.attempt(dt)
        return event.value()
