"""What a sweep runs: the SWEEP.toml of the user's, read and spread out into members.

A member is the base case with some keys set. Keys and values are those of the case file, so a value carries its unit
there; a range is `{ from = "0.1 mA/cm^2", to = "2 mA/cm^2", count = 5, spacing = "log" }`.
"""

from __future__ import annotations

import copy
import difflib
import itertools
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from . import case_file
from .case import Case, made
from .errors import CaseError

Values = dict[str, Any]
NUMBER_UNIT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\D.*)?")


class Table(BaseModel):
    """A table of the sweep file: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Range(Table):
    """Values from one to another, both in the same unit."""

    start: float | int | str = Field(alias="from", description="First value, as in the case file.")
    stop: float | int | str = Field(alias="to", description="Last value, in the same unit.")
    count: int = Field(0, ge=0, description="Number of values, both ends included; not for [sample].")
    spacing: Literal["linear", "log"] = Field("linear", description="Equal steps or equal ratios.")

    @model_validator(mode="after")
    def _possible(self) -> Range:
        (first, unit), (last, other) = quantity(self.start), quantity(self.stop)
        if unit != other:
            raise ValueError(f'"from" and "to" have different units ("{unit}" and "{other}"); allowed: the same unit')
        if self.spacing == "log" and min(first, last) <= 0.0:
            raise ValueError('spacing = "log" goes through 0; allowed: ends above 0, or spacing = "linear"')
        return self

    def at(self, share: float) -> float | int | str:
        """The value at a share of the way from the first to the last [0..1]; whole numbers stay whole."""
        (first, unit), (last, _) = quantity(self.start), quantity(self.stop)
        if self.spacing == "log":
            number = math.exp((1.0 - share) * math.log(first) + share * math.log(last))
        else:
            number = (1.0 - share) * first + share * last
        # The ends themselves, and 12 digits between: what a user would have written.
        number = float(f"{number:.12g}")
        if unit:
            return f"{number:.12g} {unit}"
        whole = isinstance(self.start, int) and isinstance(self.stop, int) and number.is_integer()
        return int(number) if whole else number

    def values(self) -> list[float | int | str]:
        """All values, in order."""
        return [self.at(i / max(self.count - 1, 1)) for i in range(self.count)]


# Tables of keys as a user nests them, by dotted key.
Settings = Annotated[Values, BeforeValidator(lambda given: settings(given))]
Ranges = Annotated[dict[str, Range], BeforeValidator(lambda given: axes(given))]
Lists = Annotated[Values, BeforeValidator(lambda given: {k: _listed(k, v) for k, v in axes(given).items()})]


class Sample(Table):
    """Latin hypercube: each key's range is cut into `count` parts of which each is drawn from once."""

    count: int = Field(ge=1, description="Number of points.")
    seed: int = Field(1, ge=0, description="Of the random numbers.")
    keys: Ranges = Field(description="Ranges without count, by key.")


class Replicas(Table):
    """The same case with different seeds."""

    key: str = Field("geometry.voids.seed", description="Key that takes the seed.")
    seeds: list[int] = Field(min_length=1, description="Seeds.")


class Members(Table):
    """How members are run."""

    ranks: int = Field(1, ge=1, description="MPI ranks of each member.")
    engine: Literal["local", "slurm"] = Field(
        "local", description="Processes on this machine, or srun steps inside the Slurm allocation of this job."
    )
    srun: list[str] = Field([], description="Further words for srun.")
    pmi: str | None = Field("pmi2", description="Process manager that srun offers to MPI, with more than one rank.")
    keep: Literal["all", "history"] = Field(
        "all", description="What stays of a finished member; history: no fields and no checkpoint."
    )


class SweepFile(Table):
    """A sweep file."""

    title: str = Field("", description="For people.")
    case: str | dict[str, Any] = Field(description="Base case: a file, relative to this one, or the case itself.")
    set: Settings = Field({}, description="Keys set in every member.")
    grid: Lists = Field({}, description="Lists or ranges of which every combination is run.")
    zip: Lists = Field({}, description="Lists or ranges of one length that go side by side.")
    sample: Sample | None = Field(None, description="Points of a Latin hypercube.")
    replicas: Replicas | None = Field(None, description="Seeds.")
    members: Members = Field(default_factory=lambda: Members.model_validate({}), description="How members are run.")

    @model_validator(mode="after")
    def _consistent(self) -> SweepFile:
        lengths = {key: len(values) for key, values in self.zip.items()}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{key} has {n}" for key, n in lengths.items())
            raise ValueError(f"zip: lists of different length ({shown}); allowed: one length")
        seen: list[str] = [*self.grid, *self.zip, *(self.sample.keys if self.sample else {})]
        seen += [self.replicas.key] if self.replicas else []
        twice = sorted({key for key in seen if seen.count(key) > 1})
        if twice:
            raise ValueError(
                f"{', '.join(twice)}: varied in more than one place; allowed: one of grid, zip, sample, ..."
            )
        if not seen:
            raise ValueError("nothing is varied; allowed: [grid], [zip], [sample] or [replicas]")
        return self

    def spread(self) -> list[Values]:
        """The varied keys of each member; the last list of the grid runs fastest, then zip, sample and seeds."""
        grid = [dict(zip(self.grid, point, strict=True)) for point in itertools.product(*self.grid.values())]
        rows = [dict(zip(self.zip, row, strict=True)) for row in zip(*self.zip.values(), strict=True)] or [{}]
        points = hypercube(self.sample) if self.sample else [{}]
        seeds = [{self.replicas.key: seed} for seed in self.replicas.seeds] if self.replicas else [{}]
        return [a | b | c | d for a, b, c, d in itertools.product(grid, rows, points, seeds)]


class Member(NamedTuple):
    """One case of a sweep.

    Attributes:
        number: place in the sweep, from 1.
        inputs: the varied keys with their values as in the case file.
        case: the resolved case.
    """

    number: int
    inputs: Values
    case: Case


class Plan(NamedTuple):
    """A sweep that was read and found right."""

    title: str
    members: list[Member]
    how: Members


def quantity(value: float | int | str) -> tuple[float, str]:
    """The number and the unit of a value of a case file ("" for none); ValueError if it is none."""
    if isinstance(value, int | float):
        return float(value), ""
    match = NUMBER_UNIT.fullmatch(value)
    if match is None:
        raise ValueError(f'"{value}" is not a number with a unit')
    return float(match[1]), (match[2] or "").strip()


def axes(given: Any) -> Values:
    """Lists and ranges by dotted key; tables are gone through down to them."""
    if not isinstance(given, Mapping):
        raise ValueError("allowed: a table of keys")
    flat: Values = {}
    for key, value in given.items():
        if isinstance(value, Mapping) and "from" not in value:
            flat |= {f"{key}.{inner}": item for inner, item in axes(value).items()}
        else:
            flat[key] = value
    return flat


def settings(given: Any, place: tuple[str, ...] = ()) -> Values:
    """Values by dotted key; sections of a case are gone through, a value that is a table (a material) is left whole."""
    if not isinstance(given, Mapping):
        raise ValueError("allowed: a table of keys")
    flat: Values = {}
    for key, value in given.items():
        here = (*place, *key.split("."))
        if isinstance(value, Mapping) and _inner(Case, list(here)) is not None:
            flat |= settings(value, here)
        else:
            flat[".".join(here)] = value
    return flat


def _listed(key: str, value: Any) -> list[Any]:
    """The values of an axis."""
    if isinstance(value, Mapping):
        try:
            found = Range.model_validate(value)
        except ValidationError as err:
            raise ValueError(f"{key}: {'; '.join(findings(err, Range))}") from None
        if found.count == 0:
            raise ValueError(f"{key}: a range without count; allowed: count = 1 or more")
        return list(found.values())
    if not isinstance(value, list) or not value:
        raise ValueError(
            f"{key}: {case_file.shown(value)}: allowed: a list, or {{ from = ..., to = ..., count = ... }}"
        )
    return value


def hypercube(sample: Sample) -> list[Values]:
    """Points of a Latin hypercube, by key."""
    from scipy.stats import qmc  # takes a second to load

    shares = qmc.LatinHypercube(d=len(sample.keys), rng=sample.seed).random(sample.count)
    return [
        {key: span.at(float(share)) for (key, span), share in zip(sample.keys.items(), row, strict=True)}
        for row in shares
    ]


def validated[T: Table](model: type[T], data: dict[str, Any], path: Path) -> T:
    """A file of the user's as its model.

    Raises:
        CaseError: a sentence for each fault.
    """
    try:
        return model.model_validate(data)
    except ValidationError as err:
        raise CaseError(*(f"{path}: {fault}" for fault in findings(err, model))) from None


def findings(error: ValidationError, model: type[Table]) -> list[str]:
    """Pydantic's findings as sentences: key, what is wrong, what is allowed."""
    sentences = []
    for finding in error.errors(include_url=False):
        place = [step for step in finding["loc"] if step not in ("str", "dict[str,any]")]
        key, kind = ".".join(map(str, place)), finding["type"]
        if kind == "extra_forbidden":
            inner = _inner(model, place[:-1])
            names = [field.alias or name for name, field in inner.model_fields.items()] if inner else []
            near = difflib.get_close_matches(str(place[-1]), names, 1)
            message = f"unknown key; did you mean {near[0]}?" if near else f"unknown key; allowed: {', '.join(names)}"
        elif kind == "missing":
            message = "is missing"
        elif kind == "value_error":
            message = str(finding["ctx"]["error"])
        else:
            message = f"{case_file.shown(finding['input'])}: {finding['msg'][0].lower()}{finding['msg'][1:]}"
        sentences.append(f"{key}: {message}" if key else message)
    return list(dict.fromkeys(sentences))


def _inner(model: type[BaseModel], place: list[Any]) -> type[BaseModel] | None:
    """The table of the model at a place."""
    inner: type[BaseModel] | None = model
    for step in place:
        field = inner.model_fields.get(str(step)) if inner is not None else None
        parts = (field.annotation, *get_args(field.annotation)) if field is not None else ()
        inner = next((part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)), None)
    return inner


def read(path: str | Path) -> Plan:
    """Read a sweep file; every member's case is checked before anything is run.

    Raises:
        CaseError: with one sentence for each fault.
    """
    path = Path(path)
    file = validated(SweepFile, case_file.read(path), path)
    return Plan(file.title or path.stem, members_of(file.case, path, file.set, file.spread()), file.members)


def members_of(base: str | Values, path: Path, common: Values, spread: list[Values]) -> list[Member]:
    """The members of a sweep, each case checked.

    Args:
        base: the file of the base case, relative to `path`, or its tables.
        path: the file that asks for it.
        common: keys set in every member.
        spread: keys set in each member.

    Raises:
        CaseError: with one sentence for each fault, and the first member that has it.
    """
    named = path.parent / base if isinstance(base, str) else path
    data = case_file.read(named) if isinstance(base, str) else base
    members: list[Member] = []
    faults: dict[str, int] = {}
    for number, inputs in enumerate(spread, start=1):
        try:
            members.append(Member(number, inputs, made(copy.deepcopy(data), named, common | inputs)))
        except CaseError as err:
            for fault in err.faults:
                faults.setdefault(fault.removeprefix(f"{named}: ").removeprefix(f"{case_file.OVERRIDE}: "), number)
    if faults:
        raise CaseError(*(f"{path}: member {number}: {fault}" for fault, number in faults.items()))
    return members
