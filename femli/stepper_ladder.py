"""Sizes of time steps: a fixed ladder, 2^(k/4) seconds, so that round-off cannot change them."""

from typing import Any

import numpy as np

from femli.case import Case
from femli.units import TIME

FIRST = 1e-5  # s; the first step where the case does not say
GROWTH = 4  # a step is at most 2^(4/4) = 2 times the last one: BDF2 stays zero-stable (below 2.41)
SAFETY = 0.8
NO_RUNG = 1000  # higher than any
LEAP = 8  # rungs below the step before a restart that the second step after it may have: a factor of 4


class Ladder:
    """The rung of the next step, from the errors of those before it.

    A restart is a first step on another mesh, where backward Euler comes first; a run may have many.

    Args:
        case: the first and the smallest step.

    Attributes:
        index: the rung k of the next step.
        smallest: step [h] below which a run fails.
        leaping: whether the newest step was the first after a restart.
    """

    def __init__(self, case: Case) -> None:
        first = case.solver.initial_step
        self.first = (FIRST if first is None else first) / TIME
        self.smallest = case.solver.smallest_step / TIME
        self.index = rung(self.first)
        self.restart = NO_RUNG  # rung of the first step after the last restart
        self.restarted = False
        self.before = 0  # rung of the steps before the last restart
        self.leaping = False

    def begin(self) -> None:
        """Begin anew, at the first step of a run or after a jump of the load."""
        self.index = rung(self.first)

    def step(self) -> float:
        """Size of the next step [h]."""
        return float(2.0 ** (self.index / 4) / TIME)

    def stay_below(self, largest: float) -> None:
        """Let the next step be no longer than this [h]."""
        self.index = min(self.index, rung(largest))

    def restart_lower(self, drop: int) -> None:
        """Restart `drop` rungs lower; after another one no more than `GROWTH` above its first step."""
        if not self.restarted:
            self.before = self.index
        wish = self.index - drop if self.restart == NO_RUNG else min(self.index, self.restart + GROWTH)
        self.index = max(wish, rung(self.smallest) + drop)
        self.restarted = True

    def reject(self, dt: float, error: float) -> None:
        """After a step of dt [h] whose local error, over the tolerance, was too large, or infinite where it failed."""
        drop = 4 if not np.isfinite(error) else int(np.ceil(4 / 3 * np.log2(error / SAFETY)))
        self.index = min(rung(dt), self.index) - max(1, min(drop, 16))

    def accept(self, dt: float, error: float, asked: bool) -> None:
        """After a good step of dt [h]; `asked` if it was shortened to hit a time or a stop condition."""
        self.leaping = self.restarted
        if self.restarted:
            self.restart, self.restarted = rung(dt), False
        growth = (SAFETY / max(error, 1e-9)) ** (1 / 3)
        wish = rung(dt * min(growth, 2.0))
        # A step shortened to hit a time says little against the rung it came from.
        self.index = max(wish, self.index - 4) if asked else min(wish, self.index + GROWTH)
        if self.leaping:
            # The rates at the end of a short first step are known: BDF2 after it is nearly the trapezoidal rule, and
            # one long step does not harm its stability.
            self.index = max(self.index, self.before - LEAP)

    def pace(self) -> dict[str, int]:
        """What decides the next step besides the levels, for a checkpoint."""
        return {"rung": self.index, "restart": self.restart, "leaping": int(self.leaping)}

    def set_pace(self, numbers: dict[str, Any]) -> None:
        """Take what `pace` gave out of the numbers of a checkpoint."""
        self.index, self.restart = int(numbers.pop("rung")), int(numbers.pop("restart"))
        self.leaping = bool(numbers.pop("leaping", False))


def rung(dt: float) -> int:
    """The highest rung not above dt [h]."""
    return int(np.floor(4 * np.log2(dt * TIME) + 1e-6))
