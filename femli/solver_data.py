"""What goes into a step and what it took: the last state, the load of the stack, counts."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass
class Counts:
    """Iterations of one solve."""

    newton: int = 0
    linear: int = 0

    def __iadd__(self, other: "Counts") -> "Counts":
        self.newton += other.newton
        self.linear += other.linear
        return self


class StepData(NamedTuple):
    """What a step starts from.

    Attributes:
        positions: nodes before the step [um], (nodes, dim).
        x_old: composition before the step, local dofs.
        last_displacement: nodes' displacement of the step before, P1 vector dofs [um].
        last_increments: what the step before added to volume and host content, owned P1 dofs.
        rate, a2: the rate of a content is rate (increment) - a2 (last increment) [1/h].
        time: at the end of the step [h].
    """

    positions: Array
    x_old: Array
    last_displacement: Array
    last_increments: tuple[Array, Array]
    rate: float
    a2: float
    time: float


class Stack(NamedTuple):
    """How the stack pressure follows time and the thickness of the electrode; working units.

    p = pressure + rate (t - time) - stiffness (thickness - h), h the mean thickness; a spring cannot pull, so never
    below zero.
    """

    pressure: float
    rate: float = 0.0
    time: float = 0.0
    stiffness: float = 0.0
    thickness: float = 0.0

    def at(self, time: float, thickness: float) -> float:
        """Pressure [MPa] at a time [h] and a mean thickness [um]."""
        ramp = self.rate * (time - self.time)
        return max(self.pressure + ramp - self.stiffness * (self.thickness - thickness), 0.0)
