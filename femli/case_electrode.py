"""The `[electrode]` section of a case, and the resolved numbers it stands for."""

from __future__ import annotations

import dataclasses
import difflib
import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from . import library, materials, materials_electrode, units
from .case_quantities import OptionalDiffusivity, OptionalMolarVolume, Section
from .materials import Value

MG_LIMIT = library.BCC_LIMIT.number
_CASE = "case file"
_FULL = (
    "li_fraction",
    "molar_volume_li",
    "molar_volume_host",
    "diffusivity",
    "creep_exponent",
    "creep_prefactor",
)


def _pair(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Pair = Annotated[tuple[float, float] | None, BeforeValidator(_pair)]


class Material(Section):
    """A material of the user's: a library entry or a composition, overridden in places, or a full alloy."""

    base: str | None = Field(None, description="Library entry to start from.")
    mg_fraction: float | None = Field(
        None, ge=0.0, lt=MG_LIMIT, description="Mole fraction of Mg, to start from the Li-Mg system."
    )
    name: str | None = Field(None, description="Name for results; required for a full alloy.")
    li_fraction: float | None = Field(
        None, gt=0.0, le=1.0, description="Initial mole fraction of Li (full alloy only)."
    )
    molar_volume_li: OptionalMolarVolume = Field(None, description="Partial molar volume of Li.")
    molar_volume_host: OptionalMolarVolume = Field(None, description="Partial molar volume of the host.")
    diffusivity: OptionalDiffusivity = Field(
        None, description="Diffusivity of Li at the initial composition and the temperature of the case."
    )
    diffusivity_slope: float | None = Field(
        None, description="d ln D / dy, y the host mole fraction; that of the base, 0 for a full alloy."
    )
    activity: Pair = Field(None, description="[a, b] of ln gamma = y^2 (a + b y), used by activity = 'subregular'.")
    creep_exponent: float | None = Field(None, ge=1.0, le=20.0, description="n; needs creep_prefactor as well.")
    creep_prefactor: str | None = Field(
        None,
        description="alpha with its unit, Pa^-n/s, at the temperature of the case; taken without scaling.",
    )
    li_fraction_limit: float | None = Field(
        None, ge=0.0, lt=1.0, description="Smallest Li fraction for which the numbers hold."
    )

    @field_validator("base")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        return None if name is None else alloy_name(name)

    @model_validator(mode="after")
    def _complete(self) -> Material:
        if self.base is not None and self.mg_fraction is not None:
            raise ValueError("has both base and mg_fraction; allowed: one of them")
        if self.creep_exponent is not None and self.creep_prefactor is None:
            raise ValueError("has creep_exponent without creep_prefactor; a prefactor belongs to its own exponent")
        if self.base is None and self.mg_fraction is None:
            missing = [key for key in ("name", *_FULL) if getattr(self, key) is None]
            if missing:
                raise ValueError("starts from nothing (no base, no mg_fraction) and lacks " + ", ".join(missing))
        elif self.li_fraction is not None:
            raise ValueError("has li_fraction next to base or mg_fraction, which set it; leave it out")
        return self


def alloy_name(name: str) -> str:
    """The name, if the library has it; ValueError with the nearest one if not."""
    if name in library.ALLOYS:
        return name
    near = difflib.get_close_matches(name, library.ALLOYS, 1, 0.4)
    hint = f'did you mean "{near[0]}"? ' if near else ""
    raise ValueError(
        f"is not in the library; {hint}allowed: {', '.join(library.ALLOYS)}, "
        "or a table such as { mg_fraction = 0.05 }"
    )


def _shape(value: Any) -> str:
    return "as a table" if isinstance(value, dict | Material) else "as a name"


class ElectrodeSection(Section):
    """The metal: what it is made of and which published laws describe it."""

    material: Annotated[
        Annotated[str, Tag("as a name")] | Annotated[Material, Tag("as a table")], Discriminator(_shape)
    ] = Field(
        "Li",
        description="From `femli materials`, or a table: { mg_fraction = 0.05 }, overrides, a full alloy.",
    )
    diffusivity: Literal["local", "initial"] = Field(
        "local", description="D of the local composition, or kept at that of the initial one."
    )
    activity: Literal["subregular", "ideal"] = Field("subregular", description="Activity law, for flux and voltage.")
    creep: Literal["Aspinall2024", "Masias2019", "Roy2021", "LePage2019"] = Field(
        "Aspinall2024", description="Published creep law of pure Li."
    )
    creep_scaling: Literal["hardness", "hardness_linear", "none"] = Field(
        "hardness",
        description="How alloying changes the creep prefactor (an assumption; none: creep of pure Li).",
    )
    stress_coupling: bool = Field(True, description="Whether pressure gradients drive Li.")
    molar_volumes: Literal["measured", "equal"] = Field(
        "measured", description="Partial molar volumes: measured, or the host's equal to that of Li."
    )
    mechanics: Literal["creep", "none"] = Field(
        "creep",
        description="creep: velocity and pressure are solved for. none: diffusion alone, for a foil without voids and "
        "with stress_coupling = false; there is no pressure then (docs: numerics).",
    )

    @field_validator("material")
    @classmethod
    def _known(cls, material: str | Material) -> str | Material:
        return alloy_name(material) if isinstance(material, str) else material

    def prefactor_fault(self) -> str:
        """What is wrong with the user's creep prefactor, whose unit holds the exponent; "" if nothing."""
        material = self.material
        if isinstance(material, Material) and material.creep_prefactor is not None:
            try:
                _prefactor(material, self._exponent(material))
            except ValueError as err:
                return f'electrode.material.creep_prefactor: "{material.creep_prefactor}": {err}'
        return ""

    def _exponent(self, material: Material) -> float:
        if material.creep_exponent is not None:
            return material.creep_exponent
        return library.CREEP[self.creep].exponent.number

    def properties(self, temperature: float) -> materials_electrode.Electrode:
        """The resolved numbers at a temperature [K]."""
        if isinstance(self.material, str):
            return self._from_library(library.ALLOYS[self.material], temperature)
        material = self.material
        if material.base is not None:
            base = self._from_library(library.ALLOYS[material.base], temperature)
        elif material.mg_fraction is not None:
            base = self._from_library(library.li_mg(material.mg_fraction), temperature)
        else:
            base = _blank(material, temperature, self.stress_coupling)
        return self._overridden(base, material)

    def _from_library(self, alloy: materials.Alloy, temperature: float) -> materials_electrode.Electrode:
        return materials_electrode.electrode(
            alloy,
            library.CREEP[self.creep],
            library.ACTIVITIES[self.activity],
            temperature,
            diffusivity=self.diffusivity,
            scaling=self.creep_scaling,
            equal_volumes=self.molar_volumes == "equal",
            stress_coupling=self.stress_coupling,
        )

    def _overridden(self, base: materials_electrode.Electrode, material: Material) -> materials_electrode.Electrode:
        """The base with the user's own numbers in their places, and the log of them."""
        own: dict[str, Any] = {}
        if material.name is not None:
            own["name"] = material.name
        if material.molar_volume_li is not None:
            own["omega_li"] = material.molar_volume_li
        if self.molar_volumes == "equal":
            own["omega_host"] = own.get("omega_li", base.omega_li)
        elif material.molar_volume_host is not None:
            own["omega_host"] = material.molar_volume_host
        if material.activity is not None and self.activity == "subregular":
            own["activity"] = material.activity
        creep = None
        if material.creep_prefactor is not None:
            exponent = self._exponent(material)
            creep = (exponent, _prefactor(material, exponent))
            own["creep_exponent"], own["creep_prefactor"] = creep
            own["creep_stress_range"] = (0.0, math.inf)
        if material.li_fraction_limit is not None:
            own["li_fraction_range"] = (material.li_fraction_limit, base.li_fraction_range[1])
        own["log_diffusivity"] = self._log_diffusivity(base, material)
        return dataclasses.replace(base, **own, provenance=_kept(base, material) + _given(material, creep))

    def _log_diffusivity(self, base: materials_electrode.Electrode, material: Material) -> tuple[float, float]:
        """The law ln D = c0 + c1 y that passes through the user's D at the initial composition."""
        y = 1.0 - base.li_fraction
        c0, c1 = base.log_diffusivity
        level = c0 + c1 * y if material.diffusivity is None else math.log(material.diffusivity)
        slope = c1 if material.diffusivity_slope is None else material.diffusivity_slope
        return (level - slope * y, slope) if self.diffusivity == "local" else (level, 0.0)


def _prefactor(material: Material, exponent: float) -> float:
    """The user's creep prefactor in Pa^-n/s."""
    number, _ = units.parse(material.creep_prefactor, units.creep_prefactor_kind(exponent))
    if number <= 0.0:
        raise ValueError("must be positive")
    return number


def _blank(material: Material, temperature: float, stress_coupling: bool) -> materials_electrode.Electrode:
    """An electrode without library numbers, for a full alloy; the caller fills in the user's."""
    return materials_electrode.Electrode(
        name="",
        li_fraction=material.li_fraction or 1.0,
        temperature=temperature,
        omega_li=0.0,
        omega_host=0.0,
        log_diffusivity=(0.0, 0.0),
        activity=(0.0, 0.0),
        creep_exponent=1.0,
        creep_prefactor=0.0,
        stress_coupling=stress_coupling,
        creep_stress_range=(0.0, math.inf),
        li_fraction_range=(0.0, 1.0),
        provenance=(),
    )


# Key of the user's -> how the names of the library numbers begin that it replaces.
_REPLACES = {
    "molar_volume_li": ("partial molar volume of Li",),
    "molar_volume_host": ("partial molar volume of Mg",),
    "activity": ("activity coefficient",),
    "creep_prefactor": ("creep", "hardness", "lowest stress", "highest stress"),
    "li_fraction_limit": ("largest Mg",),
}


def _kept(base: materials_electrode.Electrode, material: Material) -> tuple[Value, ...]:
    """Library numbers that the user's do not replace."""
    gone = [name for key, names in _REPLACES.items() if getattr(material, key) is not None for name in names]
    if material.diffusivity is not None and material.diffusivity_slope is not None:
        gone += ["diffusivity of", "activation energy of"]
    return tuple(value for value in base.provenance if not value.name.startswith(tuple(gone)))


def _given(material: Material, creep: tuple[float, float] | None) -> tuple[Value, ...]:
    """The user's own numbers as values; `creep` is (n, alpha) where they give it."""
    given = []
    shown = {"molar_volume_li": "m^3/mol", "molar_volume_host": "m^3/mol", "diffusivity": "m^2/s"}
    plain = ("li_fraction", *shown, "diffusivity_slope", "li_fraction_limit")
    for key in plain:
        number = getattr(material, key)
        if number is not None:
            given.append(Value(number, shown.get(key, "-"), _CASE, "", False, key.replace("_", " ")))
    if creep is not None:
        given.append(Value(creep[0], "-", _CASE, "", False, "creep exponent"))
        given.append(Value(creep[1], f"Pa^-{creep[0]:g}/s", _CASE, "taken without scaling", False, "creep prefactor"))
    for name, number in zip("ab", material.activity or (), strict=False):
        given.append(Value(number, "-", _CASE, "", False, f"activity coefficient {name}"))
    return tuple(given)
