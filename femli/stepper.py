"""The one time loop: implicit BDF2 on the moving mesh, adapts, rejects and retries, hits asked times exactly.

Step sizes come from a fixed ladder, 2^(k/4) seconds, so that round-off cannot change them; only a step that has to hit
a time or a stop condition leaves it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
from numpy.typing import NDArray

from femli.case import Case
from femli.errors import SolveError
from femli.fields import largest, total
from femli.solver import Counts, Newton, StepData
from femli.solver_linear import NotConvergedError
from femli.units import TIME

Array = NDArray[np.float64]

GROWTH = 4  # a step is at most 2^(4/4) = 2 times the last one: BDF2 stays zero-stable (below 2.41)
SAFETY = 0.8
STRETCH = 0.2  # largest stretch of a cell in one step
EVENT_TRIES = 12
NO_RUNG = 1000  # higher than any
TOUCH = 0.02  # a wall node this low, over its height at the start, has come down on the electrolyte


class Level(NamedTuple):
    """The state at one time, in working units.

    Values of (v, p, x) on this rank, node positions, and what the step that led here did: the nodes' displacement and
    what it added to volume and host content.
    """

    time: float
    v: Array
    p: Array
    x: Array
    positions: Array
    displacement: Array
    increments: tuple[Array, Array]


class Event(NamedTuple):
    """A stop condition: `value()` is positive while the run goes on and is brought to zero exactly."""

    reason: str
    value: Callable[[], float]


@dataclass
class Step:
    """An accepted step; times in hours."""

    time: float
    dt: float
    counts: Counts
    rejected: int
    stop: str | None = None
    asked: bool = False


def bdf_weights(times: list[float]) -> Array:
    """Weights of the derivative at times[0] of the polynomial through all times, newest first [1/h].

    Two times give backward Euler, three variable-step BDF2.
    """
    t = np.asarray(times) - times[0]
    powers = np.vander(t, increasing=True).T  # sum_j w_j t_j^m = d/dt t^m at 0
    rhs = np.zeros(len(t))
    rhs[1] = 1.0
    scale = abs(t[-1])
    A = powers / scale ** np.arange(len(t))[:, None]
    return np.linalg.solve(A, rhs / scale ** np.arange(len(t)))


def extrapolation_weights(times: list[float], new: float) -> Array:
    """Lagrange weights of the polynomial through `times` at the time `new`."""
    w = np.ones(len(times))
    for i, ti in enumerate(times):
        for j, tj in enumerate(times):
            if i != j:
                w[i] *= (new - tj) / (ti - tj)
    return w


def error_fraction(times: list[float], new: float) -> float:
    """Share of (solution - predictor) that is the local error of the step to `new`; times newest first.

    Both are proportional to the same derivative: for BDF2 with a quadratic predictor (three old times) it is 2/11 on
    equal steps.
    """
    h = new - times[0]
    if len(times) == 1:
        return 1.0
    h1 = times[0] - times[1]
    if len(times) == 2:
        return h / (2 * h + h1)
    predictor = h * (new - times[1]) * (new - times[2]) / 6
    ratio = h / h1
    bdf = (1 + ratio) ** 2 / (6 * ratio * (1 + 2 * ratio)) * h**3
    return bdf / (predictor + bdf)


class Stepper:
    """Marches a state in time.

    Args:
        newton: solves one step.
        case: tolerances and limits.
        targets: function giving the next time [h] that must be hit, after a time.
        events: stop conditions brought to zero exactly.
    """

    def __init__(self, newton: Newton, case: Case, targets: Callable[[float], float], events: list[Event]) -> None:
        self.case, self.targets, self.events = case, targets, events
        self._take(newton)
        self.remeshed = False  # somebody renews the mesh where a wall comes down
        self.tolerance = case.solver.time_tolerance
        self.smallest = case.solver.smallest_step / TIME
        self.levels: list[Level] = []
        self.index = self._first_rung()  # rung of the ladder of the next step
        self.restart = NO_RUNG  # rung of the first step after the last restart
        self.restarted = False

    def _take(self, newton: Newton) -> None:
        self.newton, self.fields, self.motion, self.comm = newton, newton.fields, newton.motion, newton.comm

    def adopt(self, newton: Newton, time: float, drop: int) -> None:
        """Go on from the state of another solver at a time [h]: backward Euler first, `drop` rungs lower."""
        self._take(newton)
        self.levels = [self.capture(time)]
        wish = self.index - drop if self.restart == NO_RUNG else min(self.index, self.restart + GROWTH)
        self.index = max(wish, self._rung(self.smallest) + drop)
        self.restarted = True

    # --- levels -----------------------------------------------------------------------------------------------------

    def capture(self, time: float) -> Level:
        """The current state as a level."""
        u = self.fields.u
        v, p, x = (f.x.array.copy() for f in u)
        displacement = self.fields.displacement.x.array.copy()
        return Level(time, v, p, x, self.motion.positions(), displacement, self.newton.step_increments())

    def restore(self, stress: Array) -> None:
        """Back to the newest level."""
        level = self.levels[0]
        for f, values in zip(self.fields.u, level[1:4], strict=True):
            f.x.array[:] = values
        self.motion.place(level.positions)
        self.newton.set_stress(stress)

    def start(self) -> None:
        """The consistent state at t = 0, and the first step of the ladder."""
        self.newton.consistent()
        self.levels = [self.capture(0.0)]

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
                f"t = {self.levels[0].time * TIME:.6g} s; going on needs remeshing, which 3D and meshes from files "
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
        )
        times = [lv.time for lv in self.levels]
        predictor = extrapolation_weights(times, new)
        guess = [sum(w * lv[i] for w, lv in zip(predictor, self.levels, strict=True)) for i in (1, 2, 3)]
        for f, values in zip(self.fields.u, guess, strict=True):
            f.x.array[:] = values
        counts = self.newton.solve(step)
        return counts, self._error(guess, error_fraction(times, new))

    def _error(self, guess: list[Array], fraction: float) -> float:
        """Local error in units of the tolerance: of x anywhere, of S = p_stack - p on the contact, root mean square.

        Not the largest error of S: at the edge of a void the pressure is singular, and as good as the last Newton
        iteration left it however short the step.
        """
        u, p_stack = self.fields.u, float(self.fields.k.stack_pressure.value)
        (dx,) = largest(self.comm, np.max(np.abs(u.x.x.array - guess[2]), initial=0.0))
        share = self.newton.contact_shares
        p, before = u.p.x.array[: share.size], guess[1][: share.size]
        dp = np.sqrt(total(self.comm, float(share @ (p - before) ** 2)))
        s = np.sqrt(total(self.comm, float(share @ (p - p_stack) ** 2)))
        if float(self.fields.k.pressure_coupling.value) == 0:
            dp = 0.0  # then pressure drives nothing, and it is unbounded at t = 0
        return float(fraction * max(dx, dp / max(s, 1e-3)) / self.tolerance)

    def _rung(self, dt: float) -> int:
        """The highest rung not above dt [h]."""
        return int(np.floor(4 * np.log2(dt * TIME) + 1e-6))

    def _largest(self) -> float:
        """Upper bound of the next step [h]: cells keep their shape, and the user's own limit."""
        bound = STRETCH / max(self.motion.distortion_rate(), 1e-12)
        if len(self.levels) > 1:
            bound = min(bound, 2 * (self.levels[0].time - self.levels[1].time) * (1 + 1e-9))
        if self.case.solver.largest_step is not None:
            bound = min(bound, self.case.solver.largest_step / TIME)
        return bound

    def _first_rung(self) -> int:
        if self.case.solver.initial_step is not None:
            return self._rung(self.case.solver.initial_step / TIME)
        return self._rung(1e-5 / TIME)

    def advance(self) -> Step:
        """Take one accepted step.

        Raises:
            SolveError: no convergence at the smallest step; the newest level is restored.
        """
        self._check_walls()
        stress = self.newton.stress().copy()
        self.index = min(self.index, self._rung(self._largest()))
        landing = self.motion.landing_time() if self.remeshed else np.inf
        rejected = 0
        reason = "the mesh is stretched too fast"
        while True:
            dt, asked = self._clip(min(2.0 ** (self.index / 4) / TIME, landing))
            if dt < self.smallest and not asked:
                self.restore(stress)
                raise SolveError(
                    f"no convergence at the smallest time step, t = {self.levels[0].time * TIME:.6g} s, "
                    f"dt = {dt * TIME:.3g} s: {reason}"
                )
            try:
                counts, error = self.attempt(dt)
                reason = f"local error {error:.2g} times the tolerance"
            except NotConvergedError as failure:
                counts, error, reason = Counts(), np.inf, str(failure)
            if error <= 1.0:
                break
            rejected += 1
            self.restore(stress)
            drop = 4 if not np.isfinite(error) else int(np.ceil(4 / 3 * np.log2(error / SAFETY)))
            self.index = min(self._rung(dt), self.index) - max(1, min(drop, 16))
        return self._accept(dt, counts, error, rejected, asked, stress)

    def _accept(self, dt: float, counts: Counts, error: float, rejected: int, asked: bool, stress: Array) -> Step:
        stop = self._event(dt, stress)
        if stop is not None:
            dt, counts, asked = stop[1], stop[2], True
        if self.restarted:
            self.restart, self.restarted = self._rung(dt), False
        self.levels = [self.capture(self.levels[0].time + dt), *self.levels[:2]]
        growth = (SAFETY / max(error, 1e-9)) ** (1 / 3)
        wish = self._rung(dt * min(growth, 2.0))
        # A step shortened to hit a time says little against the rung it came from.
        self.index = max(wish, self.index - 4) if asked else min(wish, self.index + GROWTH)
        return Step(self.levels[0].time, dt, counts, rejected, stop[0] if stop else None, asked)

    def _clip(self, dt: float) -> tuple[float, bool]:
        """Shorten dt to hit the next asked time, or halve the way where one more step would leave a sliver."""
        left = self.targets(self.levels[0].time) - self.levels[0].time
        if dt >= left * (1 - 1e-9):
            return left, True
        return (left / 2, False) if 2 * dt > left else (dt, False)

    # --- stop conditions --------------------------------------------------------------------------------------------

    def _event(self, dt: float, stress: Array) -> tuple[str, float, Counts] | None:
        """If a stop condition was passed, solve again for the step that meets it exactly."""
        best: tuple[str, float, Counts] | None = None
        for event in self.events:
            # Judged at the earliest stop found so far: one that is not yet reached there comes later.
            if event.value() <= 0:
                best = (event.reason, *self._bring_to_zero(event, best[1] if best else dt, stress))
        return best

    def _bring_to_zero(self, event: Event, dt: float, stress: Array) -> tuple[float, Counts]:
        """Illinois root finding on the step size; the state is left at the root."""
        high, f_high = dt, event.value()
        self.restore(stress)
        low, f_low = 0.0, event.value()
        scale, side, counts = max(abs(f_low), abs(f_high)), 0, Counts()
        for _ in range(EVENT_TRIES):
            trial = high - f_high * (high - low) / (f_high - f_low)
            self.restore(stress)
            counts, _error = self.attempt(trial)
            value = event.value()
            if abs(value) <= 1e-10 * max(scale, 1.0):
                return trial, counts
            if value < 0:
                high, f_high = trial, value
                f_low *= 0.5 if side == -1 else 1.0
                side = -1
            else:
                low, f_low = trial, value
                f_high *= 0.5 if side == 1 else 1.0
                side = 1
        return trial, counts
