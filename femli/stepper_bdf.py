"""Numbers of variable-step BDF2: weights of the derivative, of the predictor, and the share that is the local error."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


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
