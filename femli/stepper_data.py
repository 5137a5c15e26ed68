"""What the stepper keeps of a time, and what it tells of a step."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from femli.solver_data import Counts

Array = NDArray[np.float64]


class Level(NamedTuple):
    """The state at one time, in working units.

    Values of (v, p, x) on this rank, node positions, and what the step that led here did: the nodes' displacement and
    what it added to volume and host content. `charge` is what has been passed, as volume of Li over the whole interface
    [um], and `charge_increment` what that step passed. `phi` is the potential of an electrolyte, empty without one;
    `layer` what a layer on the contact holds of host and what the step added to it, likewise.
    """

    time: float
    v: Array
    p: Array
    x: Array
    positions: Array
    displacement: Array
    increments: tuple[Array, Array]
    charge: float
    charge_increment: float
    stack_pressure: float
    phi: Array
    layer: tuple[Array, Array] = (np.zeros(0), np.zeros(0))


@dataclass
class Step:
    """An accepted step; times in hours.

    `counts` holds every solve since the last accepted step: also the rejected ones, those that looked for a stop
    condition, and the consistent state after a jump. `stop` is a stop condition of the run that was met, `ended` one of
    the protocol's step.
    """

    time: float
    dt: float
    counts: Counts
    rejected: int
    stop: str | None = None
    ended: str | None = None
    asked: bool = False
