"""Sections of a run: what is done to the electrode, when that ends, how accurately it is solved, what is written."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from .case_quantities import (
    CurrentDensity,
    Depths,
    Duration,
    Length,
    OptionalCapacity,
    OptionalDuration,
    OptionalInterval,
    OptionalPolarisation,
    OptionalStiffness,
    OptionalVoltage,
    Pressure,
    PressureOrZero,
    Section,
    Temperature,
    preset,
)


def _one_current(value: object, info: ValidationInfo) -> object:
    """One current density, or none where there is a protocol; the reader tells of that as context."""
    protocol = (info.context or {}).get("protocol", False)
    if isinstance(value, list):
        raise ValueError("is a list of steps; allowed: one current density, or steps as [[protocol]] tables")
    if value is not None and protocol:
        raise ValueError("is given beside [[protocol]]; allowed: one of them")
    if value is None and not protocol:
        raise PydanticCustomError("missing", "is missing")
    return "0 A/m^2" if value is None else value


class Load(Section):
    """What is done to the electrode."""

    current_density: Annotated[CurrentDensity, BeforeValidator(_one_current)] = preset(
        None, "Current per area of the foil; positive strips. Required, unless there is a protocol."
    )
    stack_pressure: PressureOrZero = preset("5 MPa", "Pressure on the current collector, at the start.")
    spring: OptionalStiffness = Field(
        None, description="Stack behind a spring: the pressure falls by this per thinning. Held where left out."
    )
    temperature: Temperature = preset("30 degC", "Uniform and constant.")
    plate: bool = Field(False, description="Rigid collector that carries the stack pressure on average.")
    void_pressure: PressureOrZero = preset("0 MPa", "Gas pressure inside voids.")


class Stop(Section):
    """When to stop; the first that is reached."""

    capacity: OptionalCapacity = Field(None, description="Charge passed per area of the foil.")
    time: OptionalDuration = Field(None, description="Time.")
    li_fraction: float | None = Field(
        0.31, ge=0.0, lt=1.0, description="Smallest Li fraction on the contact; 0: until no Li is left there."
    )
    contact_fraction: float = Field(1e-3, ge=0.0, lt=1.0, description="Share of the interface still in contact.")
    thickness: Length = preset("1 um", "Mean thickness of the electrode.")
    voltage: OptionalVoltage = Field(
        None, description="Cell voltage (with an electrolyte); from below when stripping, from above when plating."
    )
    polarisation: OptionalPolarisation = Field(
        None,
        description="Overpotential less what the intact cell needs, i (t/kappa + R_interface + R_counter).",
    )

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
        description="Linear solver: MUMPS in 1D, 2D, small 3D, with a layer; else iterative (docs: numerics).",
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
    void_detection: Length = preset(
        "0.2 um", "Voids whose width or height is below are in no statistics and not in voids.csv."
    )
    depths: Depths = Field(
        (), description="Distances from the contact at which the history shows the pressure (dimension 1 only)."
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
