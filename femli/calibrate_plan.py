"""What a calibration fits and to what: the FIT.toml of the user's and the measured numbers that it names."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from . import case_file
from .errors import CaseError
from .sweep_plan import Members, Range, Settings, Table, Values, axes, quantity, validated
from .sweep_table import read_json

Array = NDArray[np.float64]


class Parameter(Range):
    """What is fitted: a range of values of a key, and where to start."""

    begin: float | int | str | None = Field(None, alias="start", description="First guess; the middle where left out.")

    @model_validator(mode="after")
    def _inside(self) -> Parameter:
        if self.begin is not None:
            if quantity(self.begin)[1] != quantity(self.start)[1]:
                raise ValueError('"start" and "from" have different units; allowed: the same unit')
            if not 0.0 < self.share(quantity(self.begin)[0]) < 1.0:
                raise ValueError('"start" is not inside the range; allowed: between "from" and "to"')
        return self

    def share(self, number: float) -> float:
        """Where a number is in the range, 0 to 1."""
        first, last = quantity(self.start)[0], quantity(self.stop)[0]
        if self.spacing == "log":
            return math.log(number / first) / math.log(last / first) if number > 0.0 else -1.0
        return (number - first) / (last - first)

    def number(self, share: float) -> float:
        """The number at a share of the range."""
        return quantity(self.at(share))[0]


class Data(Table):
    """A table of measured numbers: a row is a run, whose keys are the columns that have a dot in their name."""

    file: str = Field(description="CSV, relative to the fit file.")
    output: str = Field("capacity_mAh_cm2", description="Key of summary.json, and the column with what was measured.")
    uncertainty: float | None = Field(None, gt=0.0, description="Standard deviation; else the column `uncertainty`.")
    error: Literal["relative", "absolute"] = Field(
        "relative", description="Whether the uncertainty is a share of what was measured, or in its unit."
    )


class Curve(Table):
    """A measured curve of one run."""

    file: str = Field(description="CSV with two columns named as in history.csv, relative to the fit file.")
    x: str = Field("capacity [mAh/cm^2]", description="Column along which both are compared.")
    y: str = Field(description="Column that is compared.")
    uncertainty: float = Field(gt=0.0, description="Standard deviation of each point, in the unit of y.")
    set: Settings = Field({}, description="Keys set in this run.")


class FitFile(Table):
    """A fit file."""

    title: str = Field("", description="For people.")
    case: str | dict[str, Any] = Field(description="Base case: a file, relative to this one, or the case itself.")
    set: Settings = Field({}, description="Keys set in every run.")
    parameters: Annotated[dict[str, Parameter], BeforeValidator(axes)] = Field(
        min_length=1, description="Ranges of what is fitted, by key."
    )
    data: list[Data] = Field([], description="Tables of measured numbers.")
    curves: list[Curve] = Field([], description="Measured curves.")
    members: Members = Field(default_factory=lambda: Members.model_validate({}), description="As in a sweep.")

    @model_validator(mode="after")
    def _measured(self) -> FitFile:
        if not self.data and not self.curves:
            raise ValueError("nothing was measured; allowed: [[data]] or [[curves]]")
        return self


class Measurement(NamedTuple):
    """One run that is compared with numbers.

    Attributes:
        inputs: keys set for it.
        label: for tables.
        value: measured, (points,).
        sigma: standard deviation of each, or of its logarithm.
        logarithmic: whether logarithms are compared (relative errors).
        model: from the result folder to the same numbers.
    """

    inputs: Values
    label: str
    value: Array
    sigma: Array
    logarithmic: bool
    model: Callable[[Path], Array]

    def residuals(self, folder: Path) -> Array:
        """(model - measured)/sigma, (points,)."""
        found = self.model(folder)
        difference = np.log(found / self.value) if self.logarithmic else found - self.value
        return np.asarray(difference / self.sigma, dtype=np.float64)

    def predicted(self, residuals: Array) -> Array:
        """The model's numbers that belong to residuals, (points,)."""
        if self.logarithmic:
            return np.asarray(self.value * np.exp(residuals * self.sigma), dtype=np.float64)
        return np.asarray(self.value + residuals * self.sigma, dtype=np.float64)


def read(path: Path) -> tuple[FitFile, list[Measurement]]:
    """Read a fit file and its data.

    Raises:
        CaseError: with one sentence for each fault.
    """
    file = validated(FitFile, case_file.read(path), path)
    measured = [m for table in file.data for m in _table(table, path.parent / table.file)]
    measured += [_curve(curve, path.parent / curve.file) for curve in file.curves]
    return file, measured


def _csv(file: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            lines = list(csv.DictReader(line for line in stream if not line.startswith("#")))
    except (OSError, UnicodeDecodeError) as err:
        raise CaseError(f"{file}: cannot be read: {str(err).lower()}") from None
    have = list(lines[0]) if lines else []
    missing = [name for name in needed if name not in have]
    if missing or not lines:
        raise CaseError(f"{file}: lacks {', '.join(missing) or 'rows'}; it has the columns {', '.join(have) or 'none'}")
    return lines


def _number(text: str | None, file: Path, row: int, name: str) -> float:
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise CaseError(f'{file}: row {row}: {name}: "{text}": allowed: a number')
    return number


def _table(table: Data, file: Path) -> list[Measurement]:
    """Measurements of a table."""
    needed = (table.output,) if table.uncertainty is not None else (table.output, "uncertainty")
    found = []
    for row, line in enumerate(_csv(file, needed), start=1):
        value = _number(line[table.output], file, row, table.output)
        sigma = table.uncertainty or _number(line["uncertainty"], file, row, "uncertainty")
        relative = table.error == "relative"
        if sigma <= 0.0 or (relative and value <= 0.0):
            raise CaseError(f"{file}: row {row}: a relative error needs a number above 0, any error one above 0")
        inputs = {key: item for name, text in line.items() if text for key, item in _input(name, text)}
        label = ", ".join(f"{key} = {item}" for key, item in inputs.items())
        model = partial(_summary_value, file, table.output)
        found.append(Measurement(inputs, label, np.array([value]), np.array([sigma]), relative, model))
    return found


def _summary_value(file: Path, name: str, folder: Path) -> Array:
    """What a result folder's summary has under a name, (1,); `file` is the one that asks for it."""
    summary = read_json(folder / "summary.json") or {}
    if not isinstance(summary.get(name), int | float):
        raise CaseError(f"{file}: {name}: is no number of summary.json; it has {', '.join(summary)}")
    return np.array([summary[name]], dtype=np.float64)


def _input(name: str, text: str) -> list[tuple[str, Any]]:
    """A key and its value from a column; `load.temperature [degC]` has its unit in the heading."""
    key, _, unit = name.partition(" [")
    if "." not in key or " " in key:
        return []
    return [(key, f"{text} {unit.rstrip(']')}" if unit else case_file.overrides([f"{key}={text}"])[key])]


def _curve(curve: Curve, file: Path) -> Measurement:
    """A measured curve as a measurement."""
    lines = _csv(file, (curve.x, curve.y))
    x, y = (
        np.array([_number(line[name], file, row, name) for row, line in enumerate(lines, start=1)])
        for name in (curve.x, curve.y)
    )
    model = partial(_history_values, curve, x)
    return Measurement(dict(curve.set), file.name, y, np.full(len(y), curve.uncertainty), False, model)


def _history_values(curve: Curve, x: Array, folder: Path) -> Array:
    """What a result folder's history has at the places x of a measured curve, (points,)."""
    history = _csv(folder / "history.csv", (curve.x, curve.y))
    along, values = (np.array([float(line[name]) for line in history]) for name in (curve.x, curve.y))
    # A run that ended earlier than the measured curve keeps its last value.
    return np.asarray(np.interp(x, along, values), dtype=np.float64)
