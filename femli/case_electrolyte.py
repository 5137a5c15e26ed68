"""The `[electrolyte]` and `[cell]` sections of a case: what lies under the interface, and the electrode beyond it."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from . import library, units
from .case_quantities import (
    Length,
    OptionalAreaResistance,
    OptionalConductivity,
    OptionalLength,
    OptionalVoltage,
    Quantity,
    Section,
    preset,
)

# Without any resistance the contact would hold the potential itself, and the local current were no function of it.
_SMALLEST = 1e-12  # ohm m2
ContactResistance = Annotated[
    float,
    Quantity(
        units.AREA_RESISTANCE_KIND,
        "any",
        _SMALLEST,
        None,
        'more than zero, such as "10 ohm cm^2"; a small one, "0.001 ohm cm^2", is nearly an equipotential contact',
    ),
]


class ElectrolyteSection(Section):
    """The solid electrolyte under the interface; with this section a case has volts."""

    material: str = Field("Li6PS5Cl", description="Name in `femli materials`.")
    thickness: Length = preset("500 um", "Thickness (of a file: nominal, for estimates).")
    conductivity: OptionalConductivity = Field(
        None, description="At the temperature of the case; that of the material where left out."
    )
    size: OptionalLength = Field(None, description="Largest cell; a tenth of the thickness where left out.")

    @field_validator("material")
    @classmethod
    def _known(cls, name: str) -> str:
        names = list(library.ELECTROLYTES)
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = f'did you mean "{near[0]}"? ' if near else "is not in the library; "
            raise ValueError(f"{hint}allowed: {', '.join(names)}")
        return name

    def conductivity_at(self, temperature: float) -> float:
        """Conductivity [S/m] at the temperature of the case [K]."""
        if self.conductivity is not None:
            return self.conductivity
        return library.ELECTROLYTES[self.material].conductivity.at(temperature)


class Cell(Section):
    """The electrode on the other side of the electrolyte, lumped."""

    kind: Literal["half", "symmetric"] = Field(
        "half",
        description="half: a counter electrode that keeps its potential; symmetric: the same metal, on which Li is "
        "plated (0 V).",
    )
    counter_potential: OptionalVoltage = Field(
        None, description="Of the counter electrode against Li: 0 V where left out, 0.623 V for In (half cells)."
    )
    counter_resistance: OptionalAreaResistance = Field(
        None, description="0 where left out in a half cell, interface.resistance in a symmetric one."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Cell:
        if self.kind == "symmetric" and self.counter_potential not in (None, 0.0):
            raise ValueError("symmetric has a counter_potential; allowed: 0 V, or leave it out (Li is plated there)")
        return self
