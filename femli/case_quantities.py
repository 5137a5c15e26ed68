"""Field types of the case file: quantities with units, read to SI floats and written back with units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from . import units
from .units import Kind


class Section(BaseModel):
    """A section of the case file: frozen, strict, no unknown keys, defaults as users write them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False)


def preset(text: str | dict[str, Any] | tuple[()] | None, description: str) -> Any:
    """A field whose default is written as a user would write it, unit included; it is read as a user's is."""
    return Field(default=text, description=description)


@dataclass(frozen=True)
class Quantity:
    """Marks a float field that is written with a unit.

    Args:
        kind: what it holds.
        sign: "positive", "not negative" or "any".
        low, high: further closed bounds in SI, and `bounds` the same in words.
    """

    kind: Kind
    sign: str = "positive"
    low: float | None = None
    high: float | None = None
    bounds: str = ""

    def read(self, value: object, info: ValidationInfo) -> float | None:
        """The SI number of what a user wrote; None passes. ValueError says what is allowed."""
        if value is None:
            return None
        number, _ = units.parse(value, *self.kinds(info))
        if self.sign == "positive" and number <= 0.0:
            raise ValueError("must be positive")
        if self.sign == "not negative" and number < 0.0:
            raise ValueError("must not be negative")
        if (self.low is not None and number < self.low) or (self.high is not None and number > self.high):
            raise ValueError(f"is out of range; allowed: {self.bounds}")
        return number

    def kinds(self, info: ValidationInfo) -> tuple[Kind, ...]:
        """Kinds allowed here."""
        return (self.kind,)

    def write(self, number: float, dimension: int) -> str:
        """Text that reads back to the same number, in a case of the given dimension."""
        return units.show(number, self.kind)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "examples": [self.kind.example]}


@dataclass(frozen=True)
class Density(Quantity):
    """Number of voids per length of the interface in 2D, per area in 3D."""

    kind: Kind = units.LINE_DENSITY_KIND

    def kinds(self, info: ValidationInfo) -> tuple[Kind, ...]:
        """The kind that the dimension of the case asks for; the reader hands it over as context."""
        context = info.context or {}
        return (units.AREA_DENSITY_KIND if context.get("dimension") == 3 else units.LINE_DENSITY_KIND,)

    def write(self, number: float, dimension: int) -> str:
        """Text that reads back to the same number."""
        return units.show(number, units.AREA_DENSITY_KIND if dimension == 3 else units.LINE_DENSITY_KIND)


class Interval(NamedTuple):
    """A distance between outputs: an areal capacity [C/m2] or a time [s]; the other is None."""

    capacity: float | None
    time: float | None


@dataclass(frozen=True)
class Every:
    """Marks a field that is an areal capacity or a time."""

    def read(self, value: object) -> Interval | None:
        """The interval that a user wrote; None passes."""
        if value is None:
            return None
        number, kind = units.parse(value, units.CAPACITY_KIND, units.TIME_KIND)
        if number <= 0.0:
            raise ValueError("must be positive")
        return Interval(number, None) if kind is units.CAPACITY_KIND else Interval(None, number)

    def write(self, interval: Interval, dimension: int) -> str:
        """Text that reads back to the same interval."""
        if interval.capacity is not None:
            return units.show(interval.capacity, units.CAPACITY_KIND)
        return units.show(interval.time or 0.0, units.TIME_KIND)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "examples": ["0.02 mAh/cm^2", "600 s"]}


@dataclass(frozen=True)
class Lengths:
    """Marks a field that is a list of positive lengths."""

    def read(self, value: object) -> tuple[float, ...]:
        """The lengths [m] that a user wrote."""
        if isinstance(value, tuple):
            return value
        if not isinstance(value, list):
            raise ValueError('allowed: a list of lengths such as ["1 um", "2 um"]')
        found = tuple(units.parse(item, units.LENGTH_KIND)[0] for item in value)
        if min(found, default=1.0) <= 0.0:
            raise ValueError("must be positive")
        return found

    def write(self, lengths: tuple[float, ...], dimension: int) -> list[str]:
        """Texts that read back to the same lengths."""
        return [units.show(length, units.LENGTH_KIND) for length in lengths]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string", "examples": [units.LENGTH_KIND.example]}}


# bcc lithium melts at 453.7 K; below 200 K none of the laws was ever measured.
_SOLID = Quantity(units.TEMPERATURE_KIND, "positive", 200.0, 453.0, "200 K to 453 K (solid lithium)")
_ANGLE = Quantity(units.ANGLE_KIND, "positive", 10.0, 170.0, "10 deg to 170 deg")

Length = Annotated[float, Quantity(units.LENGTH_KIND)]
UnitLength = Annotated[float, Quantity(units.UNIT_LENGTH_KIND)]
OptionalLength = Annotated[float | None, Quantity(units.LENGTH_KIND)]
LengthOrZero = Annotated[float, Quantity(units.LENGTH_KIND, "not negative")]
Position = Annotated[float, Quantity(units.LENGTH_KIND, "any")]
OptionalPosition = Annotated[float | None, Quantity(units.LENGTH_KIND, "any")]
Duration = Annotated[float, Quantity(units.TIME_KIND)]
OptionalDuration = Annotated[float | None, Quantity(units.TIME_KIND)]
Pressure = Annotated[float, Quantity(units.PRESSURE_KIND)]
PressureOrZero = Annotated[float, Quantity(units.PRESSURE_KIND, "not negative")]
SurfaceEnergyOrZero = Annotated[float, Quantity(units.SURFACE_ENERGY_KIND, "not negative")]
Temperature = Annotated[float, _SOLID]
CurrentDensity = Annotated[float, Quantity(units.CURRENT_KIND, "any")]
OptionalCurrentDensity = Annotated[float | None, Quantity(units.CURRENT_KIND, "any")]
OptionalPressureOrZero = Annotated[float | None, Quantity(units.PRESSURE_KIND, "not negative")]
OptionalStiffness = Annotated[float | None, Quantity(units.STIFFNESS_KIND)]
OptionalCapacity = Annotated[float | None, Quantity(units.CAPACITY_KIND)]
OptionalPressure = Annotated[float | None, Quantity(units.PRESSURE_KIND)]
Angle = Annotated[float, _ANGLE]
OptionalAngle = Annotated[float | None, _ANGLE]
OptionalDiffusivity = Annotated[float | None, Quantity(units.DIFFUSIVITY_KIND)]
OptionalMolarVolume = Annotated[float | None, Quantity(units.MOLAR_VOLUME_KIND)]
OptionalConductivity = Annotated[float | None, Quantity(units.CONDUCTIVITY_KIND)]
OptionalAreaResistance = Annotated[float | None, Quantity(units.AREA_RESISTANCE_KIND, "not negative")]
Voltage = Annotated[float, Quantity(units.VOLTAGE_KIND, "any")]
Frequency = Annotated[float, Quantity(units.FREQUENCY_KIND)]
Capacitance = Annotated[float, Quantity(units.CAPACITANCE_KIND)]
OptionalVoltage = Annotated[float | None, Quantity(units.VOLTAGE_KIND, "any")]
OptionalPolarisation = Annotated[float | None, Quantity(units.VOLTAGE_KIND)]
OptionalDensity = Annotated[float | None, Density()]
OptionalInterval = Annotated[Interval | None, Every()]
Depths = Annotated[tuple[float, ...], Lengths()]


def written(value: Any, marks: tuple[Any, ...], dimension: int) -> Any:
    """A field as TOML data: sections as tables, quantities as text, None left out by the caller.

    Args:
        value: the field's value.
        marks: its metadata, where a quantity carries its mark.
        dimension: of the case, for densities.
    """
    if value is None:
        return None
    for mark in marks:
        if isinstance(mark, Quantity | Every | Lengths):
            return mark.write(value, dimension)
    if isinstance(value, Section):
        return table(value, dimension)
    if isinstance(value, dict):
        return {key: written(item, (), dimension) for key, item in value.items()}
    if isinstance(value, tuple):
        return [written(item, (), dimension) for item in value]
    return value


def table(section: Section, dimension: int) -> dict[str, Any]:
    """A section as a TOML table, every default filled in."""
    fields = type(section).model_fields
    items = {name: written(getattr(section, name), tuple(field.metadata), dimension) for name, field in fields.items()}
    return {name: item for name, item in items.items() if item is not None and item != {} and item != []}
