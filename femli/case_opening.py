"""The `[opening]` section of a case: how the contact opens."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from .case_geometry import Geometry
from .case_quantities import Length, LengthOrZero, OptionalDensity, OptionalLength, Section, preset


class FlawRadius(Section):
    """Sizes of flaws: lognormal radii."""

    mean: Length = Field(description="Mean radius.")
    std: LengthOrZero = preset("0 um", "Standard deviation of the radius.")


def _radius(value: object) -> object:
    return value if value is None or isinstance(value, dict | FlawRadius) else {"mean": value}


class Opening(Section):
    """How the contact opens (2D plane and axisymmetric)."""

    debonding: bool = Field(
        False, description="Contact opens where its normal traction exceeds interface.adhesion_strength."
    )
    averaging_length: LengthOrZero = preset(
        "0 um",
        "The traction is averaged over this length along the contact before it is held against the strength; 0: at "
        "each node (at the tip of an opened stretch that depends on the cells).",
    )
    weibull_modulus: float | None = Field(
        None,
        ge=0.5,
        le=200.0,
        description="The strength varies along the contact, Weibull with interface.adhesion_strength as its scale; "
        "uniform where left out.",
    )
    correlation_length: OptionalLength = Field(
        None, description="Over which the strength varies: its normal score has the correlation exp(-d^2/2 l^2)."
    )
    flaw_density: OptionalDensity = Field(
        None, description="Flaws per length of the interface, anywhere on it: each becomes a void in enough tension."
    )
    flaw_radius: Annotated[FlawRadius | None, BeforeValidator(_radius)] = Field(
        None, description="Their radii: { mean, std } of a lognormal, or one size."
    )
    seed: int = Field(0, ge=0, description="Same seed, same strengths and flaws, on any number of ranks.")

    @model_validator(mode="after")
    def _complete(self) -> Opening:
        pairs = (("weibull_modulus", "correlation_length"), ("flaw_density", "flaw_radius"))
        for one, other in pairs:
            if (getattr(self, one) is None) != (getattr(self, other) is None):
                raise ValueError(f"{one} and {other} go together; allowed: both or none")
        if not self.debonding and self.flaw_density is None:
            raise ValueError("opens nothing; allowed: debonding = true, or flaw_density and flaw_radius")
        if self.weibull_modulus is not None and not self.debonding:
            raise ValueError("weibull_modulus: there is no strength without debonding; allowed: debonding = true")
        return self

    def faults(self, geometry: Geometry, strong: bool, tense: bool) -> list[str]:
        """What of the other sections does not go with a contact that opens.

        Args:
            geometry: of the case.
            strong: whether it has an adhesion strength.
            tense: whether its walls have a surface tension.
        """
        found = []
        if geometry.dimension != 2 or geometry.kind == "file":
            found.append("opening: needs new meshes; allowed: geometry.dimension = 2, kind foil or axisymmetric")
        if self.debonding and not strong:
            found.append("opening.debonding: against no strength; allowed: with interface.adhesion_strength")
        if self.flaw_density is not None and not tense:
            found.append("opening.flaw_density: flaws grow against surface tension; allowed: with wall.surface_tension")
        if self.flaw_density is not None and geometry.kind == "axisymmetric":
            found.append("opening.flaw_density: flaws would be rings; allowed: with geometry.kind = foil")
        return found
