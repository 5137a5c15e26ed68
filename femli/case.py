"""The frozen case model read from TOML; all defaults and ranges live here and in the other `case_*`.

A case holds plain SI floats (m, s, Pa, K, A/m2, C/m2). Each description below is what `femli schema` prints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BeforeValidator, Field, ValidationError, field_validator

from . import case_file, materials
from .case_electrode import ElectrodeSection
from .case_geometry import Geometry, Mesh, Radius, Void, Voids
from .case_quantities import (
    CurrentDensity,
    Duration,
    Interval,
    Length,
    OptionalCapacity,
    OptionalDuration,
    OptionalInterval,
    Pressure,
    PressureOrZero,
    Section,
    Temperature,
    preset,
    table,
)
from .errors import CaseError


class Interface(Section):
    """The contact with the electrolyte."""

    contact: Literal["free_slip", "no_slip"] = Field(
        "free_slip", description="Sliding of the metal on the electrolyte."
    )


def _one_current(value: object) -> object:
    if isinstance(value, list):
        raise ValueError("is a list of steps, which is not supported yet; allowed: one current density")
    return value


class Load(Section):
    """What is done to the electrode."""

    current_density: Annotated[CurrentDensity, BeforeValidator(_one_current)] = Field(
        description="Current per area of the foil; positive strips."
    )
    stack_pressure: PressureOrZero = preset("5 MPa", "Pressure on the current collector.")
    temperature: Temperature = preset("30 degC", "Uniform and constant.")
    plate: bool = Field(False, description="Rigid collector that carries the stack pressure on average.")
    void_pressure: PressureOrZero = preset("0 MPa", "Gas pressure inside voids.")


class Stop(Section):
    """When to stop; the first that is reached."""

    capacity: OptionalCapacity = Field(None, description="Charge passed per area of the foil.")
    time: OptionalDuration = Field(None, description="Time.")
    li_fraction: float | None = Field(
        0.31, ge=0.0, lt=1.0, description="Smallest Li fraction on the contact; 0 switches it off."
    )
    contact_fraction: float = Field(1e-3, ge=0.0, lt=1.0, description="Share of the interface still in contact.")
    thickness: Length = preset("1 um", "Mean thickness of the electrode.")

    @field_validator("li_fraction")
    @classmethod
    def _off(cls, value: float | None) -> float | None:
        return value or None


class Solver(Section):
    """Accuracy, and the bounds of the time step."""

    tolerance: float = Field(1e-8, gt=0.0, le=1e-2, description="Of the nonlinear solve, relative.")
    time_tolerance: float = Field(1e-4, gt=0.0, le=0.1, description="Local error of x and of S = p_stack - p.")
    initial_step: OptionalDuration = Field(None, description="First time step; automatic where left out.")
    smallest_step: Duration = preset("1e-9 s", "Below this the run fails.")
    largest_step: OptionalDuration = Field(None, description="No step is longer; no bound where left out.")
    regularisation_stress: Pressure = preset("0.01 MPa", "Equivalent stress below which creep becomes linear.")
    linear: Literal["automatic", "direct", "iterative"] = Field(
        "automatic",
        description="Linear solver: direct (MUMPS) in 1D, 2D and small 3D, else iterative (docs: numerics).",
    )
    petsc: dict[str, bool | int | float | str] = preset(
        {}, "Options of PETSc for the linear solver, without the dash; for experts (docs: numerics)."
    )
    max_iterations: int = Field(14, ge=3, le=200, description="Newton iterations before a step is rejected.")


class Output(Section):
    """What is written."""

    every: OptionalInterval = Field(
        None, description="Areal capacity or time between field snapshots; start and end only where left out."
    )

    @property
    def every_capacity(self) -> float | None:
        """Areal capacity between snapshots [C/m2]."""
        return None if self.every is None else self.every.capacity

    @property
    def every_time(self) -> float | None:
        """Time between snapshots [s]."""
        return None if self.every is None else self.every.time


class Expectation(Section):
    """What a key of the summary should be."""

    value: float | str = Field(description="Number, or text for stop_reason.")
    tolerance: float = Field(1e-2, ge=0.0, description="Relative.")


class Case(Section):
    """A case of femli; `load` makes one from a file."""

    title: str = Field("", description="For people.")
    geometry: Geometry = Field(description="What is meshed.")
    electrode: ElectrodeSection = preset({}, "The metal and its laws.")
    interface: Interface = preset({}, "The contact with the electrolyte.")
    load: Load = Field(description="What is done to the electrode.")
    stop: Stop = preset({}, "When to stop.")
    solver: Solver = preset({}, "Accuracy.")
    output: Output = preset({}, "What is written.")
    expect: dict[str, Expectation] = preset({}, "For tests: keys of the summary and their values.")

    def to_toml(self) -> str:
        """The resolved case, every default filled in; `load` of it gives an equal case."""
        return tomli_w.dumps(self._table())

    def _table(self) -> dict[str, Any]:
        data = table(self, self.geometry.dimension)
        data["stop"].setdefault("li_fraction", 0.0)
        return data

    def sha256(self) -> str:
        """Hash of what decides the result: no title, output, linear solver, expectations; a mesh file by content."""
        data = self._table()
        for key in ("title", "output", "expect"):
            data.pop(key, None)
        for key in ("linear", "petsc"):
            data["solver"].pop(key, None)
        digest = hashlib.sha256()
        file = data["geometry"].pop("file", None)
        if file is not None and Path(file).is_file():
            digest.update(Path(file).read_bytes())
        digest.update(tomli_w.dumps(data).encode())
        return digest.hexdigest()

    def electrode_properties(self) -> materials.Electrode:
        """The electrode's numbers for the solver, in SI."""
        return self.electrode.properties(self.load.temperature)


def load(path: str | Path, overrides: Sequence[str] | Mapping[str, Any] = ()) -> Case:
    """Read a case.

    Args:
        path: the TOML file.
        overrides: texts `section.key=VALUE`, or a table of the same.

    Raises:
        CaseError: with one sentence for each fault found.
    """
    path = Path(path)
    data = case_file.read(path)
    flat = case_file.overrides(overrides)
    case_file.apply(data, flat)
    try:
        case = Case.model_validate(data, context={"dimension": case_file.at(data, ("geometry", "dimension"))})
    except ValidationError as err:
        raise CaseError(*case_file.faults(err, Case, data, path, flat)) from None
    faults = [f"{path}: {fault}" for fault in contradictions(case)]
    if faults:
        raise CaseError(*faults)
    return _resolved(case, path)


def _resolved(case: Case, path: Path) -> Case:
    """Fill in what depends on other keys: the depth, and the mesh file as a full path."""
    geometry = case.geometry
    update: dict[str, Any] = {}
    if geometry.dimension == 3 and geometry.depth is None:
        update["depth"] = geometry.width
    if geometry.file is not None:
        update["file"] = str((path.parent / geometry.file).resolve())
    return case.model_copy(update={"geometry": geometry.model_copy(update=update)})


def contradictions(case: Case) -> list[str]:
    """What is wrong between sections, as `key: value: what, allowed`."""
    found = []
    fault = case.electrode.prefactor_fault()
    if fault:
        return [fault]
    current, stop = case.load.current_density, case.stop
    x0 = case.electrode_properties().li_fraction
    if current == 0.0 and stop.time is None:
        found.append("load.current_density: 0: never reaches a stop; allowed: a current, or stop.time")
    if current < 0.0 and stop.time is None and stop.capacity is None:
        found.append("load.current_density: plating has no end; allowed: stop.capacity or stop.time")
    if stop.li_fraction is not None and stop.li_fraction >= x0:
        found.append(f"stop.li_fraction: {stop.li_fraction:g}: the metal starts at {x0:g}; allowed: less than that")
    if stop.thickness >= case.geometry.electrode_thickness:
        found.append("stop.thickness: the electrode is no thicker from the start; allowed: less than its thickness")
    return found


def schema() -> dict[str, Any]:
    """JSON schema of the case file, for completion in editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Case.model_json_schema()}


# The sections are one model in several files; other rooms take them from here.
__all__ = [
    "Case",
    "ElectrodeSection",
    "Expectation",
    "Geometry",
    "Interface",
    "Interval",
    "Load",
    "Mesh",
    "Output",
    "Radius",
    "Solver",
    "Stop",
    "Void",
    "Voids",
    "contradictions",
    "load",
    "schema",
]
