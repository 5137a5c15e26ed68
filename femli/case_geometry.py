"""The `[geometry]` section of a case: shape, cell sizes, and voids seeded at the interface."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from .case_quantities import (
    Length,
    LengthOrZero,
    OptionalAngle,
    OptionalDensity,
    OptionalLength,
    OptionalPosition,
    Position,
    Section,
    UnitLength,
    preset,
)


class Void(Section):
    """One void of an explicit list; with neither height nor contact angle it takes the shape of its group."""

    x: Position = Field(description="Place of its centre along the width (the radius, if axisymmetric).")
    y: OptionalPosition = Field(None, description="Place of its centre along the depth (3D).")
    half_width: Length = Field(description="Half of its width on the interface.")
    height: OptionalLength = Field(None, description="Height: a semi-ellipse, in 3D half an ellipsoid.")
    contact_angle: OptionalAngle = Field(None, description="Through the metal: a circular cap.")

    @model_validator(mode="after")
    def _one_shape(self) -> Void:
        if self.height is not None and self.contact_angle is not None:
            raise ValueError("has both height and contact_angle; allowed: one of them")
        return self


class Radius(Section):
    """Size distribution of drawn voids: lognormal half widths."""

    mean: Length = Field(description="Mean half width.")
    std: LengthOrZero = preset("0 um", "Standard deviation of the half width.")


def _radius(value: object) -> object:
    return value if isinstance(value, dict | Radius) else {"mean": value}


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


class Voids(Section):
    """Voids seeded at the interface: drawn (count or density) or listed."""

    seed: int = Field(0, ge=0, description="Same seed, same voids, on any number of ranks.")
    count: int | None = Field(None, ge=1, le=10_000, description="Number of voids to draw.")
    density: OptionalDensity = Field(None, description="Number per length of the interface in 2D, per area in 3D.")
    radius: Annotated[Radius | None, BeforeValidator(_radius)] = preset(
        "1.1 um", "Half width of drawn voids: { mean, std } of a lognormal, or one size."
    )
    aspect: float | None = Field(None, gt=0.0, le=10.0, description="Height over half width (0.5 unless given).")
    contact_angle: OptionalAngle = Field(None, description="Through the metal: circular caps instead of ellipses.")
    minimum_spacing: float = Field(
        1.2,
        ge=1.0,
        description="Smallest distance of two centres over the sum of their half widths (drawn voids).",
    )
    list: Annotated[tuple[Void, ...], BeforeValidator(_as_tuple)] | None = Field(
        None, description="Explicit voids, [[geometry.voids.list]]."
    )

    @model_validator(mode="before")
    @classmethod
    def _default_shape(cls, data: Any) -> Any:
        if isinstance(data, dict) and "aspect" not in data and "contact_angle" not in data:
            return {**data, "aspect": 0.5}
        return data

    @model_validator(mode="after")
    def _one_way(self) -> Voids:
        given = [key for key in ("count", "density", "list") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(
                f"has {' and '.join(given) or 'none of count, density, list'}; allowed: exactly one of them"
            )
        if self.aspect is not None and self.contact_angle is not None:
            raise ValueError("has both aspect and contact_angle; allowed: one of them")
        if self.list == ():
            raise ValueError("list is empty; leave out [geometry.voids] for a foil without voids")
        return self


class Mesh(Section):
    """Cell sizes, from the interface upward."""

    interface_size: OptionalLength = Field(
        None,
        description="Cell at the contact; automatic where left out: a tenth of the pressure layer (in 1D with local D "
        "no more than the layer at depletion), floored.",
    )
    growth: float | None = Field(
        None,
        gt=1.0,
        le=2.0,
        description="Size of a cell over that of the one below it; where left out 1.12 in 1D, 1.15 in 2D and 3D.",
    )
    size: OptionalLength = Field(None, description="Largest cell; automatic where left out, from the thickness.")
    edge_size: OptionalLength = Field(
        None, description="Cell at a void edge; automatic where left out, from the half width."
    )


class Geometry(Section):
    """What is meshed."""

    kind: Literal["foil", "axisymmetric", "file"] = Field(
        "foil",
        description="Foil; axisymmetric (2D, around r = 0); file: a .msh of yours with the same named parts.",
    )
    dimension: Literal[1, 2, 3] = Field(2, description="1 (laterally uniform), 2 or 3; axisymmetric is 2.")
    width: Length = preset("100 um", "Lateral size (outer radius, if axisymmetric); unused in 1D.")
    depth: OptionalLength = Field(None, description="Second lateral size in 3D; the width where left out.")
    electrode_thickness: Length = Field(description="Thickness of the metal (of a file: nominal, for estimates).")
    file: str | None = Field(None, description="Path of the .msh, relative to the case file (kind = 'file').")
    length_unit: UnitLength = preset("1 m", "What one unit of the .msh is.")
    mesh: Mesh = preset({}, "Cell sizes.")
    voids: Voids | None = Field(None, description="Voids seeded at the interface.")

    @field_validator("length_unit", mode="before")
    @classmethod
    def _unit_name(cls, value: object) -> object:
        # "um" alone is what a user writes for a unit.
        return f"1 {value}" if isinstance(value, str) and value.strip().isalpha() else value

    @model_validator(mode="after")
    def _consistent(self) -> Geometry:
        if self.kind == "axisymmetric" and self.dimension != 2:
            raise ValueError("kind = axisymmetric is two-dimensional; allowed: dimension = 2")
        if (self.kind == "file") != (self.file is not None):
            raise ValueError("kind = 'file' and the key file go together; allowed: both or none")
        if self.voids is None:
            return self
        if self.dimension == 1 or self.kind == "file":
            raise ValueError(
                "voids cannot be seeded in 1D or in a file; allowed: foil or axisymmetric in 2D, foil in 3D"
            )
        if self.kind == "axisymmetric" and self.voids.list is None:
            raise ValueError("axisymmetric voids cannot be drawn; allowed: [[geometry.voids.list]]")
        if self.dimension == 2 and any(void.y is not None for void in self.voids.list or ()):
            raise ValueError("voids.list has y in 2D; allowed: x alone")
        return self
