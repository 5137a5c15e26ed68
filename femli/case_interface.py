"""Sections of the metal's surfaces: the contact with the electrolyte, and walls of voids."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .case_electrolyte import ContactResistance
from .case_quantities import (
    Angle,
    Length,
    OptionalDiffusivity,
    OptionalPressureOrZero,
    Section,
    SurfaceEnergyOrZero,
    preset,
)


class Interface(Section):
    """The contact with the electrolyte."""

    contact: Literal["free_slip", "no_slip"] = Field(
        "free_slip", description="Sliding of the metal on the electrolyte."
    )
    law: Literal["asr", "butler_volmer"] = Field(
        "asr",
        description="Local current of an overpotential (with an electrolyte): a constant resistance, or "
        "Butler-Volmer with the same resistance at small overpotentials.",
    )
    resistance: ContactResistance = preset("10 ohm cm^2", "Of the contact, per area of contact.")
    layer_diffusivity: OptionalDiffusivity = Field(
        None,
        description="Of Li in the layer of hcp phase that grows on the contact beyond the bcc limit (asr only); left "
        "out: no layer, the metal goes on as bcc.",
    )
    adhesion_strength: OptionalPressureOrZero = Field(
        None,
        description="Tension that the contact carries; given, the history shows what part of it carries more. "
        "It opens there with opening.debonding.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Interface:
        if self.layer_diffusivity is not None and self.law != "asr":
            raise ValueError(f'layer_diffusivity is given with law = "{self.law}"; allowed: law = "asr", or no layer')
        return self


class Wall(Section):
    """Walls of voids."""

    surface_tension: SurfaceEnergyOrZero = preset("0 J/m^2", "Surface energy of the metal on void walls; 0: none.")
    surface_diffusivity: OptionalDiffusivity = Field(
        None,
        description="Of metal along void walls, D_s, which evens out their curvature; needs surface_tension, "
        "dimension 2. None where left out.",
    )
    surface_thickness: Length = preset("0.3 nm", "Of the layer in which metal diffuses along walls, delta_s.")
    lithium: Literal["blocked", "exchange"] = Field(
        "blocked",
        description="Whether Li leaves or enters the wall; exchange (pure Li): its potential is that of the wall.",
    )
    contact_angle: Angle = preset(
        "90 deg", "Equilibrium angle at the edges of voids, through the metal; surface tension draws the wall to it."
    )
