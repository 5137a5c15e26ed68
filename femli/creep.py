"""Power-law creep at quadrature points: the pointwise half of the nonlinear solver, in NumPy.

The deviatoric stress T is a state at quadrature points with the flow law d = k(T) T,
k = (3/2) A (sigma_eq^2 + s_reg^2)^((n-1)/2). After each linear solve the pair (linearised stress, strain rate) is
projected back onto that law; this keeps Newton's method short for n = 6 to 7 where other choices stall.
Arrays are (points, components) with the components of `laws.deviator`; working units (MPa, 1/h).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Metric M with T:S = T^T M S for the independent components of a symmetric trace-free tensor.
METRIC = {
    "uniaxial": np.array([[1.5]]),
    "plane": np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 2.0]]),
    "full": np.array(
        [
            [2.0, 1.0, 0.0, 0.0, 0.0],
            [1.0, 2.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 2.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 2.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 2.0],
        ]
    ),
}
METRIC["axisymmetric"] = METRIC["plane"]

_TINY = 1e-300  # keeps quotients finite where metal is at rest


class PowerLaw:
    """Power-law creep with one regularisation, a small stress added in quadrature.

    Args:
        prefactor: A in rate = A sigma_eq^n [MPa^-n/h].
        exponent: n [-].
        regularisation: s_reg [MPa].
        kinematics: which components a deviator has.
    """

    def __init__(self, prefactor: float, exponent: float, regularisation: float, kinematics: str) -> None:
        self.A, self.n, self.s_reg = prefactor, exponent, regularisation
        self.metric = METRIC[kinematics]

    def inner(self, a: Array, b: Array) -> Array:
        """Double contraction a:b of two arrays of deviators, one number a point."""
        return np.einsum("pi,pi->p", a @ self.metric, b)

    def equivalent(self, t: Array) -> Array:
        """Equivalent stress sqrt(3/2 T:T) [MPa]."""
        return np.sqrt(1.5 * self.inner(t, t))

    def fluidity(self, sigma_eq: Array) -> Array:
        """The factor k in d = k T [1/(MPa h)] at equivalent stress sigma_eq [MPa]."""
        return 1.5 * self.A * (sigma_eq**2 + self.s_reg**2) ** ((self.n - 1) / 2)

    def tangent(self, t: Array) -> tuple[Array, Array]:
        """Coefficients (1/k, c) of the inverse tangent C = (I - c T x T)/k at stress T."""
        tt = self.inner(t, t)
        u = 1.5 * (self.n - 1) / (1.5 * tt + self.s_reg**2)
        return 1 / self.fluidity(np.sqrt(1.5 * tt)), u / (1 + u * tt)

    def apply_tangent(self, t: Array, inverse_rate: Array, rank_one: Array, r: Array) -> Array:
        """C(T)[r] for an array of strain rates r [1/h]."""
        return inverse_rate[:, None] * (r - (rank_one * self.inner(t, r))[:, None] * t)

    def resolvent(self, y: Array, r: Array) -> Array:
        """The stress T with T + r D(T) = y, for each point (y [MPa], r [MPa h] >= 0).

        T is parallel to y, so one scalar equation a + r k(a) a = |y|_eq a point is left; it is increasing and convex,
        and Newton from above converges monotonically.
        """
        size = self.equivalent(y)
        with np.errstate(divide="ignore", over="ignore"):
            guess = (size / np.maximum(1.5 * r * self.A, _TINY)) ** (1 / self.n)
        a = np.minimum(size, guess)
        for _ in range(60):
            q = a**2 + self.s_reg**2
            k = 1.5 * self.A * q ** ((self.n - 1) / 2)
            g = a + r * k * a - size
            step = g / (1 + r * k * (1 + (self.n - 1) * a**2 / q))
            a = np.maximum(a - step, 0.0)
            if np.all(np.abs(step) <= 1e-14 * (a + self.s_reg)):
                break
        return (a / np.maximum(size, _TINY))[:, None] * y

    def stress(self, d: Array) -> Array:
        """The inverse law: the stress [MPa] that flows at strain rate d [1/h].

        Solves k(a) a = |d|_eq-like as the resolvent with a very large r, in scaled form.
        """
        size = np.sqrt(1.5 * self.inner(d, d))  # = k(a) a
        a = (size / (1.5 * self.A)) ** (1 / self.n)
        for _ in range(60):
            q = a**2 + self.s_reg**2
            k = 1.5 * self.A * q ** ((self.n - 1) / 2)
            step = (k * a - size) / (k * (1 + (self.n - 1) * a**2 / q))
            # From above the function is convex only in part: keep a positive, halve at most.
            a = np.maximum(a - step, 0.5 * a)
            if np.all(np.abs(step) <= 1e-14 * (a + self.s_reg)):
                break
        return (a / np.maximum(size, _TINY))[:, None] * d

    def project(self, t: Array, inverse_rate: Array, rank_one: Array, d: Array) -> tuple[Array, Array]:
        """Bring the linear step back onto the creep law.

        Args:
            t: stress about which the law was linearised.
            inverse_rate: 1/k there.
            rank_one: c there.
            d: strain rate of the linear solve.

        Returns:
            the projected stress, and the linearised stress of the step (in equilibrium with its pressure).
        """
        excess = d - t / inverse_rate[:, None]
        linear = t + self.apply_tangent(t, inverse_rate, rank_one, excess)
        dd, ll = self.inner(d, d), self.inner(linear, linear)
        cosine = self.inner(linear, d) / np.sqrt(np.maximum(dd * ll, _TINY))
        # The secant viscosity of the new point weighs the pair; where stress and rate oppose, rate is not trusted.
        r = np.maximum(cosine, 0.0) * np.sqrt(ll / np.maximum(dd, _TINY))
        return self.resolvent(linear + r[:, None] * d, r), linear

    def graph_distance(self, t: Array, linear: Array, d: Array, weights: Array) -> tuple[float, float]:
        """Squared energy distance of (linear stress, rate) to the law at T, and the dissipation, summed over points.

        Their quotient's root is the dimensionless measure of convergence; the error of a result goes as its square.
        """
        inverse_rate, rank_one = self.tangent(t)
        rate = t / inverse_rate[:, None]
        ds, dd = linear - t, d - rate
        tt = self.inner(t, t)
        u = rank_one / np.maximum(1 - rank_one * tt, _TINY)
        forward = (ds + (u * self.inner(t, ds))[:, None] * t) / inverse_rate[:, None]
        gap = self.inner(ds, forward) + self.inner(dd, self.apply_tangent(t, inverse_rate, rank_one, dd))
        return float(weights @ gap), float(weights @ self.inner(t, rate))
