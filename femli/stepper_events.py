"""Stop conditions and the root finding that meets them exactly; plain numbers, no solver."""

from collections.abc import Callable
from typing import NamedTuple

EXACT = 1e-10  # what a condition is brought to, over its largest value in the step
REACHED = 1e-9  # within this a condition counts as met
FAST = 8  # attempts by secants alone; a smooth condition needs three to five
PATIENT = 32  # attempts after which the noise of the nonlinear solve is all that is asked for
NOISE = 1e-8
SLIVER = 1e-12  # smallest bracket over the step


class Event(NamedTuple):
    """A stop condition of the run, or of a step of its protocol.

    `value()` is positive while things go on and is brought to zero exactly.
    """

    reason: str
    value: Callable[[], float]
    of_step: bool = False


class Root(NamedTuple):
    """A step size and the value of the condition there."""

    at: float
    value: float


def bring_to_zero(solved: Callable[[float], float], f_low: float, high: float, f_high: float) -> Root:
    """Find the step size in (0, high] at which a condition becomes zero; the last call of `solved` is for the result.

    Illinois' secants, later with bisection in between; the bracket (positive at its low end, not at its high end) is
    always kept. Where the condition jumps there is no zero: then the low end of the last bracket is the result, the
    last state at which the condition is not met, or the high end where the low one is no step at all.

    Args:
        solved: makes a step and gives the condition after it.
        f_low: the condition without a step, positive.
        high: the step that was made.
        f_high: the condition after it, not positive.
    """
    low, side = 0.0, 0
    scale, sliver = max(abs(f_low), abs(f_high), 1.0), SLIVER * high
    last = Root(high, f_high)
    # Ends of the bracket; what Illinois halves is kept apart from the values.
    weight_low, weight_high = f_low, f_high
    tries = 0
    while high - low > sliver:
        trial = high - weight_high * (high - low) / (weight_high - weight_low)
        if (tries >= FAST and tries % 2) or tries >= PATIENT or not low < trial < high:
            trial = 0.5 * (low + high)
        last = Root(trial, solved(trial))
        tries += 1
        if abs(last.value) <= (EXACT if tries <= PATIENT else NOISE) * scale:
            return last
        if last.value < 0:
            high, f_high, weight_high = trial, last.value, last.value
            weight_low *= 0.5 if side == -1 else 1.0
            side = -1
        else:
            low, f_low, weight_low = trial, last.value, last.value
            weight_high *= 0.5 if side == 1 else 1.0
            side = 1
    end = low if low > 0.0 else high
    return last if last.at == end else Root(end, solved(end))
