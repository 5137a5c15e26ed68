"""Parameters of a case fitted to measured numbers, with their uncertainty.

Each evaluation is a sweep: every measurement is a case, and the derivatives are differences of further cases, all of
which run side by side. What was run once is in the folder and is not run again. The fit itself is SciPy's
least_squares (trust region, bounds) in parameters scaled to [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .calibrate_plan import Array, FitFile, Measurement, Parameter
from .errors import SolveError
from .sweep_plan import Member, Plan, Values, members_of, quantity
from .sweep_table import folder_of

DIFFERENCE = 0.01  # of the range of a parameter: well above the scatter of adaptive time steps
TOLERANCE = 1e-4  # of the scaled parameters; of the sum of squares its square


class Fit(NamedTuple):
    """What came out.

    Attributes:
        values: fitted parameters as in the case file, by key.
        numbers, errors: the numbers and their standard deviations, (parameters,).
        correlation: (parameters, parameters).
        chi_square: sum of squared residuals.
        freedom: number of measured numbers less that of parameters.
        at_bound: keys that ended at an end of their range.
        residuals: of each measurement.
        runs: evaluations (of all measurements and derivatives).
    """

    values: Values
    numbers: Array
    errors: Array
    correlation: Array
    chi_square: float
    freedom: int
    at_bound: list[str]
    residuals: list[Array]
    runs: int


class Evaluation:
    """Residuals and their derivatives, each from one sweep.

    Args:
        file: the fit.
        path: of the fit file.
        measured: the measurements.
        run: runs a plan and raises SolveError where a member fails.
        out: folder of the runs.
    """

    def __init__(
        self, file: FitFile, path: Path, measured: list[Measurement], run: Callable[[Plan], None], out: Path
    ) -> None:
        self.file, self.path, self.measured, self.run, self.out = file, path, measured, run, out
        self.keys = list(file.parameters)
        self.known: dict[tuple[float, ...], tuple[Array, Array]] = {}

    def values(self, shares: Array) -> Values:
        """Parameters as in the case file."""
        return {key: self.file.parameters[key].at(float(s)) for key, s in zip(self.keys, shares, strict=True)}

    def at(self, shares: Array) -> tuple[Array, Array]:
        """Residuals (points,) and their derivatives to the shares, (points, parameters)."""
        place = tuple(float(share) for share in shares)
        if place not in self.known:
            # Differences point into the range.
            steps = np.where(shares < 0.5, DIFFERENCE, -DIFFERENCE)
            corners = [shares, *(shares + step * unit for step, unit in zip(steps, np.eye(len(shares)), strict=True))]
            members = self._members(corners)
            self.run(Plan(self.file.title or self.path.stem, members, self.file.members))
            count = len(self.measured)
            found = [self._residuals(members[i * count : (i + 1) * count]) for i in range(len(corners))]
            slopes = [(moved - found[0]) / step for moved, step in zip(found[1:], steps, strict=True)]
            self.known[place] = (found[0], np.stack(slopes, axis=1))
        return self.known[place]

    def _members(self, corners: list[Array]) -> list[Member]:
        spread = [measurement.inputs | self.values(c) for c in corners for measurement in self.measured]
        return members_of(self.file.case, self.path, dict(self.file.set), spread)

    def _residuals(self, members: list[Member]) -> Array:
        pairs = zip(self.measured, members, strict=True)
        return np.concatenate([one.residuals(folder_of(member, self.out)) for one, member in pairs])


def fit(evaluation: Evaluation) -> Fit:
    """Fit the parameters.

    Raises:
        SolveError: the optimiser did not come to an end, or the data do not determine the parameters.
    """
    from scipy.optimize import least_squares

    parameters = list(evaluation.file.parameters.values())
    begin = np.array([0.5 if p.begin is None else p.share(quantity(p.begin)[0]) for p in parameters])
    result = least_squares(
        lambda shares: evaluation.at(shares)[0],
        begin,
        jac=lambda shares: evaluation.at(shares)[1],
        bounds=(0.0, 1.0),
        xtol=TOLERANCE,
        ftol=TOLERANCE**2,
        gtol=1e-8,
        max_nfev=50,
    )
    if not result.success:
        raise SolveError(f"{evaluation.path}: the fit did not come to an end: {result.message}")
    residuals, slopes = evaluation.at(result.x)
    if np.linalg.matrix_rank(slopes, tol=1e-6 * max(float(np.linalg.norm(slopes, 2)), 1e-300)) < len(parameters):
        raise SolveError(f"{evaluation.path}: the data do not determine all of {', '.join(evaluation.keys)}")
    covariance = np.linalg.inv(slopes.T @ slopes)
    deviation = np.sqrt(np.diag(covariance))
    numbers = np.array([p.number(float(s)) for p, s in zip(parameters, result.x, strict=True)])
    # From shares to numbers: the slope of the range.
    stretch = [_stretch(p, float(s)) for p, s in zip(parameters, result.x, strict=True)]
    ends = [len(one.value) for one in evaluation.measured]
    return Fit(
        values=evaluation.values(result.x),
        numbers=numbers,
        errors=deviation * np.array(stretch),
        correlation=covariance / np.outer(deviation, deviation),
        chi_square=float(residuals @ residuals),
        freedom=len(residuals) - len(parameters),
        at_bound=[k for k, s in zip(evaluation.keys, result.x, strict=True) if not 1e-3 < s < 1.0 - 1e-3],
        residuals=np.split(residuals, np.cumsum(ends)[:-1]),
        runs=len(evaluation.known),
    )


def _stretch(parameter: Parameter, share: float) -> float:
    """|d number/d share| of a parameter."""
    first, last = quantity(parameter.start)[0], quantity(parameter.stop)[0]
    if parameter.spacing == "log":
        return abs(parameter.number(share) * math.log(last / first))
    return abs(last - first)
