"""What the contact holds where: adhesion strength and flaws along it, drawn from a seed. NumPy and SciPy, um and MPa.

Functions of the place and the case alone: the same on every rank, after a restart and on every mesh.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import log_ndtr

from femli.case import Case
from femli.mesh_parts import Floats
from femli.units import LENGTH, STRESS

SHARE = 4  # normal numbers in a correlation length
REACH = 6.0  # correlation lengths beyond which a number has no influence


class Strength:
    """Tension that the contact carries at a place.

    With a Weibull modulus m the strength is scale (-ln P(u > g))^(1/m): g is a normal score, the sum of independent
    normal numbers on a lattice, weighed with exp(-d^2/l^2) and scaled to unit variance at every place, so that its
    correlation is exp(-d^2/(2 l^2)) and each strength by itself is Weibull, exactly.

    Args:
        case: with `interface.adhesion_strength`.
    """

    def __init__(self, case: Case) -> None:
        self.scale = (case.interface.adhesion_strength or 0.0) / STRESS
        self.modulus: float | None = None
        asked = case.opening
        if asked is None or asked.weibull_modulus is None or asked.correlation_length is None:
            return
        self.modulus, self.length = asked.weibull_modulus, asked.correlation_length / LENGTH
        step = self.length / SHARE
        count = int(np.ceil(case.geometry.width / LENGTH / step)) + 2 * int(np.ceil(REACH * SHARE)) + 1
        self.lattice = (np.arange(count) - np.ceil(REACH * SHARE)) * step
        self.numbers = np.random.default_rng([asked.seed, 1]).standard_normal(count)

    def at(self, x: Floats) -> Floats:
        """Strength at places along the interface (n,) [um], shape (n,), MPa."""
        if self.modulus is None:
            return np.full(len(x), self.scale)
        weight = np.exp(-(((x[:, None] - self.lattice) / self.length) ** 2))
        score = weight @ self.numbers / np.sqrt((weight**2).sum(axis=1))
        return np.asarray(self.scale * (-log_ndtr(-score)) ** (1 / self.modulus))


class Flaws(NamedTuple):
    """Places (n,) along the interface and radii (n,), um, from left to right."""

    x: Floats
    radius: Floats


def flaws(case: Case) -> Flaws:
    """The flaws of a case, as many as a Poisson process of its density has; none where it has no density."""
    asked = case.opening
    if asked is None or asked.flaw_density is None or asked.flaw_radius is None:
        return Flaws(np.zeros(0), np.zeros(0))
    rng = np.random.default_rng([asked.seed, 2])
    count = int(rng.poisson(asked.flaw_density * case.geometry.width))
    x = np.sort(rng.uniform(0.0, case.geometry.width / LENGTH, count))
    spread = np.log1p((asked.flaw_radius.std / asked.flaw_radius.mean) ** 2)
    mean = np.log(asked.flaw_radius.mean / LENGTH) - spread / 2
    return Flaws(x, np.exp(mean + np.sqrt(spread) * rng.standard_normal(count)))
