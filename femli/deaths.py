"""Which death comes first: depletion of the contact, or voids, from the history of a laterally uniform run.

Depletion is found by the run itself: the contact reaches `stop.li_fraction`. Voids are judged afterwards: a flaw of
radius R, of surface energy gamma_s, grows where the metal around it is in hydrostatic tension p < -2 gamma_s/R. The
pressure is taken at the depth R, and the state has to last for some capacity. With S = p_stack - p this is
p_stack < S(R) - 2 gamma_s/R, and as the stack pressure shifts p and changes nothing else, one run serves them all.
It is necessary for cavity growth in this model, not a law of nucleation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SURFACE_ENERGY = 0.416  # J/m2, Li: Young and Dupre with W_ad = 0.39 J/m2 and 93.6 degrees of Zhao2025
HELD = 0.01  # mAh/cm2 for which the tension has to last


class Flaw(NamedTuple):
    """A cavity that is there from the start.

    Attributes:
        radius: R [m].
        surface_energy: gamma_s [J/m2].
        held: capacity for which the tension has to last [mAh/cm2].
    """

    radius: float
    surface_energy: float = SURFACE_ENERGY
    held: float = HELD

    @property
    def strength(self) -> float:
        """Tension 2 gamma_s/R [Pa] above which the flaw grows."""
        return 2.0 * self.surface_energy / self.radius


class Death(NamedTuple):
    """How a discharge ends.

    Attributes:
        kind: "voiding", "depletion" or "none" (the foil is used up, or the capacity asked for is reached).
        capacity: [mAh/cm2].
    """

    kind: str
    capacity: float


def sound(thickness: Array, flaw: Flaw) -> int:
    """Number of rows of a history in which the foil [m] is still twice as thick as the flaw is deep."""
    thin = np.flatnonzero(thickness < 2.0 * flaw.radius)
    return int(thin[0]) if len(thin) else len(thickness)


def held_drop(capacity: Array, drop: Array, held: float) -> Array:
    """Least of S over the window of `held` that ends at each row [Pa]; -inf in rows that come before its end.

    Args:
        capacity: of each row [mAh/cm2], increasing from 0.
        drop: S = p_stack - p at the flaw [Pa], linear between rows.
        held: length of the window [mAh/cm2].
    """
    least = np.full(len(capacity), -np.inf)
    for row in np.flatnonzero(capacity >= held * (1.0 - 1e-9)):
        start = max(capacity[row] - held, 0.0)
        inside = drop[(capacity > start) & (capacity <= capacity[row])]
        least[row] = min(float(np.interp(start, capacity, drop)), float(inside.min(initial=np.inf)))
    return least


def critical_pressure(capacity: Array, drop: Array, flaw: Flaw) -> float:
    """Stack pressure [Pa] below which the flaw grows some time in the discharge; not positive where it never does."""
    least = held_drop(capacity, drop, flaw.held)
    return float(least.max()) - flaw.strength if np.isfinite(least).any() else -np.inf


def death(capacity: Array, least: Array, flaw: Flaw, stack_pressure: float, end: Death) -> Death:
    """The first death of a discharge at a stack pressure.

    Args:
        capacity: of each row of the history [mAh/cm2], as long as it is sound.
        least: from `held_drop`, of each row [Pa].
        flaw: the cavity.
        stack_pressure: [Pa].
        end: how it ends where no flaw grows.
    """
    limit = stack_pressure + flaw.strength
    grown = np.flatnonzero(least > limit)
    if len(grown) == 0:
        return end
    row = int(grown[0])
    low, high = least[row - 1], least[row]
    if not np.isfinite(low):
        return Death("voiding", flaw.held)
    share = (limit - low) / (high - low)
    return Death("voiding", float(capacity[row - 1] + share * (capacity[row] - capacity[row - 1])))
