"""The `[impedance]` section of a case: frequencies, and what stores charge at the contact."""

from __future__ import annotations

import math

from pydantic import Field, model_validator

from .case_quantities import Capacitance, Frequency, Section, preset


class Impedance(Section):
    """How `femli impedance` disturbs a state."""

    highest: Frequency = preset("10 kHz", "Highest frequency.")
    lowest: Frequency = preset("10 mHz", "Lowest frequency.")
    per_decade: int = Field(10, ge=1, le=100, description="Frequencies in a decade.")
    capacitance: Capacitance = preset(
        "10 uF/cm^2",
        "Of the contact, per area of contact: its arc is highest at the frequency at which this one's would be.",
    )
    exponent: float = Field(0.9, gt=0.5, le=1.0, description="Of the contact's constant-phase element; 1: a capacitor.")

    @model_validator(mode="after")
    def _ordered(self) -> Impedance:
        if self.lowest > self.highest:
            raise ValueError("lowest is above highest; allowed: lowest <= highest")
        return self

    def frequencies(self) -> list[float]:
        """Frequencies [Hz], highest first."""
        decades = math.log10(self.highest / self.lowest)
        count = max(round(decades * self.per_decade), 1 if decades > 0 else 0)
        return [self.highest * (self.lowest / self.highest) ** (i / max(count, 1)) for i in range(count + 1)]

    def phase_element(self, resistance: float) -> float:
        """Q of the admittance Q (j omega)^a of the contact [S s^a/m2] at its resistance [ohm m2].

        R || Q has its highest point where R || C has it: (R Q)^(1/a) = R C.
        """
        return (resistance * self.capacitance) ** self.exponent / resistance
