"""Physical constants, the working units of the solver, and quantities with units at the edge of the program.

Numbers outside the solver are SI. Inside, lengths are in micrometres, times in hours and stresses in
megapascal, so that every number of the model is of order one (0.31 mA/cm2 is 1.5 um/h, RT/Omega is 194 MPa).
Units of the user's are read and written by Pint, here and nowhere else; it is imported when first needed.
"""

from __future__ import annotations

import functools
import math
import re
import tokenize
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pint

R = 8.31446261815324  # J/(mol K), CODATA 2018, exact
F = 96485.33212331001  # C/mol, CODATA 2018, exact
KB = 1.380649e-23  # J/K, exact
EV = 1.602176634e-19  # J, exact

LENGTH = 1e-6  # m in one working length (um)
TIME = 3600.0  # s in one working time (h)
STRESS = 1e6  # Pa in one working stress (MPa)

MAH_CM2 = 3.6e4  # C/m2 in one mAh/cm2


class Kind(NamedTuple):
    """What a dimensional key holds: its name in messages, its SI unit, and the unit it is shown in."""

    name: str
    si: str
    shown: str
    example: str


LENGTH_KIND = Kind("a length", "m", "um", "100 um")
UNIT_LENGTH_KIND = Kind("a length", "m", "m", "1 um")
TIME_KIND = Kind("a time", "s", "s", "10 h")
PRESSURE_KIND = Kind("a pressure", "Pa", "MPa", "5 MPa")
TEMPERATURE_KIND = Kind("a temperature", "K", "degC", "30 degC")
CURRENT_KIND = Kind("a current density", "A/m^2", "mA/cm^2", "0.31 mA/cm^2")
CAPACITY_KIND = Kind("an areal capacity", "C/m^2", "mAh/cm^2", "0.2 mAh/cm^2")
DIFFUSIVITY_KIND = Kind("a diffusivity", "m^2/s", "cm^2/s", "1.3e-10 cm^2/s")
MOLAR_VOLUME_KIND = Kind("a molar volume", "m^3/mol", "cm^3/mol", "13 cm^3/mol")
VOLTAGE_KIND = Kind("a voltage", "V", "V", "0.1 V")
CONDUCTIVITY_KIND = Kind("a conductivity", "S/m", "mS/cm", "3.5 mS/cm")
AREA_RESISTANCE_KIND = Kind("an area-specific resistance", "ohm m^2", "ohm cm^2", "10 ohm cm^2")
FREQUENCY_KIND = Kind("a frequency", "Hz", "Hz", "10 kHz")
CAPACITANCE_KIND = Kind("a capacitance per area", "F/m^2", "uF/cm^2", "10 uF/cm^2")
STIFFNESS_KIND = Kind("a stiffness per area", "Pa/m", "MPa/um", "0.1 MPa/um")
ANGLE_KIND = Kind("an angle", "deg", "deg", "93.6 deg")
SURFACE_ENERGY_KIND = Kind("an energy per area", "J/m^2", "J/m^2", "0.416 J/m^2")
LINE_DENSITY_KIND = Kind("a number per length", "m^-1", "um^-1", "17 / (100 um)")
AREA_DENSITY_KIND = Kind("a number per area", "m^-2", "um^-2", "0.01 / um^2")


def creep_prefactor_kind(exponent: float) -> Kind:
    """The kind of a power-law prefactor, whose unit holds its own exponent (Pa^-n/s)."""
    unit = f"Pa^-{exponent!r}/s"
    return Kind(f"a creep prefactor for n = {exponent:g}", unit, unit, f"7.7e-3 / MPa^{exponent:g} / s")


# A plain number and the rest, which is the unit. Expressions such as "17 / (100 um)" are left to Pint.
_NUMBER_UNIT = re.compile(r"\s*((?>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))\s*([A-Za-z\u00b5\u03bc\u00b0%].*)")
_TOWER = re.compile(r"(\^|\*\*)[\s(]*[-+]?[\d.]*[\s)]*(\^|\*\*)|(\^|\*\*)[\s(]*[-+]?\d{3,}")
_LONGEST = 80
# What Pint's parser raises on odd text; its own errors are of these types too.
_PARSER_ERRORS = (
    tokenize.TokenError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    LookupError,
    AssertionError,
)


@functools.cache
def registry() -> pint.UnitRegistry:
    """The one Pint registry of the process."""
    import pint

    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


def _quantity(text: str) -> pint.Quantity:
    """Text as a Pint quantity; ValueError in plain English if it is none."""
    import pint

    if len(text) > _LONGEST or _TOWER.search(text) or not re.search(r"\d|nan|inf", text):
        raise ValueError("is not a quantity that can be read")
    parts = _NUMBER_UNIT.fullmatch(text)
    try:
        if parts:
            quantity = registry().Quantity(float(parts[1]), registry().parse_units(parts[2]))
        else:
            quantity = registry().Quantity(registry().parse_expression(text))
    except pint.UndefinedUnitError as err:
        raise ValueError(f"the unit {str(err).split(' is ')[0]} is not known") from None
    except _PARSER_ERRORS as err:
        raise ValueError("is not a number with a unit") from err
    return quantity


def _si(quantity: pint.Quantity, kind: Kind) -> float | None:
    """Number in the SI unit of a kind, or None where the dimensions differ."""
    if not quantity.is_compatible_with(kind.si):
        return None
    # 15 digits: 100 um is 1e-4 m and not 9.999999999999999e-05.
    return float(f"{quantity.to(kind.si).magnitude:.15g}")


def parse(text: object, *kinds: Kind) -> tuple[float, Kind]:
    """Read a quantity of one of the given kinds.

    Args:
        text: what the user wrote, a string such as "5 MPa".
        kinds: the kinds allowed here.

    Returns:
        The number in SI and the kind it is of.

    Raises:
        ValueError: no unit, an unknown one, a wrong dimension, not finite; it says what is allowed.
    """
    expected = " or ".join(f'{kind.name} such as "{kind.example}"' for kind in kinds)
    if isinstance(text, int | float) and not isinstance(text, bool):
        raise ValueError(f"has no unit; allowed: {expected}")
    if not isinstance(text, str):
        raise ValueError(f"is not a quantity; allowed: {expected}")
    try:
        quantity = _quantity(text)
    except ValueError as err:
        raise ValueError(f"{err}; allowed: {expected}") from None
    angle = any(kind is ANGLE_KIND for kind in kinds)
    if quantity.unitless and (angle or not quantity.is_compatible_with(kinds[0].si)):
        raise ValueError(f"has no unit; allowed: {expected}")
    for kind in kinds:
        number = _si(quantity, kind)
        if number is not None and math.isfinite(number):
            return number, kind
        if number is not None:
            raise ValueError(f"is not a finite number; allowed: {expected}")
    raise ValueError(f"has the wrong dimension {_dimension(quantity)}; allowed: {expected}")


def _dimension(quantity: pint.Quantity) -> str:
    return str(quantity.dimensionality).replace(" ** ", "^").replace(" * ", " ").replace(" / ", "/")


def show(number: float, kind: Kind) -> str:
    """Write an SI number with its usual unit, so that `parse` gives the same number back, bit for bit.

    Fifteen digits do for anything typed in the shown unit; where they do not, the SI unit takes over.
    """
    shown = registry().Quantity(number, kind.si).to(kind.shown).magnitude
    for digits in (12, 15):
        text = f"{shown:.{digits}g} {kind.shown}"
        if parse(text, kind)[0] == number:
            return text
    return f"{number!r} {kind.si}"
