"""The frozen case model read from TOML; all defaults and ranges live here and in the other `case_*`.

A case holds plain SI floats (m, s, Pa, K, A/m2, C/m2). Each description below is what `femli schema` prints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from . import case_file, case_mechanics, case_protocol, library, materials
from .case_electrode import ElectrodeSection
from .case_electrolyte import Cell, ContactResistance, ElectrolyteSection
from .case_geometry import Geometry, Mesh, Radius, Void, Voids
from .case_impedance import Impedance
from .case_opening import Opening
from .case_protocol import Leg, Part, as_tuple
from .case_quantities import (
    Angle,
    CurrentDensity,
    Depths,
    Duration,
    Interval,
    Length,
    OptionalCapacity,
    OptionalDiffusivity,
    OptionalDuration,
    OptionalInterval,
    OptionalPolarisation,
    OptionalPressureOrZero,
    OptionalStiffness,
    OptionalVoltage,
    Pressure,
    PressureOrZero,
    Section,
    SurfaceEnergyOrZero,
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


class Case(Section):
    """A case of femli; `load` makes one from a file."""

    title: str = Field("", description="For people.")
    geometry: Geometry = Field(description="What is meshed.")
    electrode: ElectrodeSection = preset({}, "The metal and its laws.")
    interface: Interface = preset({}, "The contact with the electrolyte.")
    electrolyte: ElectrolyteSection | None = Field(None, description="The electrolyte; none where left out.")
    cell: Cell = preset({}, "The other electrode (with an electrolyte).")
    opening: Opening | None = Field(None, description="How the contact opens; it does not where left out.")
    wall: Wall = preset({}, "Walls of voids.")
    load: Load = preset({}, "What is done to the electrode.")
    protocol: Annotated[tuple[Part, ...], BeforeValidator(as_tuple)] = preset(
        (), "Steps one after the other, in place of load.current_density."
    )
    stop: Stop = preset({}, "When to stop.")
    solver: Solver = preset({}, "Accuracy.")
    output: Output = preset({}, "What is written.")
    impedance: Impedance = preset({}, "How `femli impedance` disturbs a state.")
    expect: dict[str, Expectation] = preset({}, "For tests: keys of the summary and their values.")

    def to_toml(self) -> str:
        """The resolved case, every default filled in; `load` of it gives an equal case."""
        return tomli_w.dumps(self.to_tables())

    def to_tables(self) -> dict[str, Any]:
        """The tables of `to_toml`."""
        data = table(self, self.geometry.dimension)
        data["stop"].setdefault("li_fraction", 0.0)
        if self.protocol:
            del data["load"]["current_density"]  # is the protocol's, see `_resolved`
        else:
            data.pop("protocol", None)  # empty lists are not written
        return data

    def legs(self) -> tuple[Leg, ...]:
        """Every step of the run in its order; a case without a protocol has one, without an end of its own."""
        return case_protocol.legs(self.protocol) or case_protocol.simple(self.load.current_density, self.load.spring)

    def sha256(self) -> str:
        """Hash of what decides the result: no title, output, linear solver, expectations; a mesh file by content."""
        data = self.to_tables()
        for key in ("title", "output", "expect", "impedance"):
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
    return made(case_file.read(Path(path)), Path(path), case_file.overrides(overrides))


def made(data: dict[str, Any], path: Path, flat: Mapping[str, Any]) -> Case:
    """A case from the tables of a file that was read, with keys set.

    Args:
        data: the tables; changed in place.
        path: of the file, for messages and for what it names relative to itself.
        flat: values by dotted key.

    Raises:
        CaseError: with one sentence for each fault found.
    """
    case_file.apply(data, flat)
    try:
        dimension, protocol = case_file.at(data, ("geometry", "dimension")), bool(data.get("protocol"))
        case = Case.model_validate(data, context={"dimension": dimension, "protocol": protocol})
    except ValidationError as err:
        raise CaseError(*case_file.faults(err, Case, data, path, flat)) from None
    faults = [f"{path}: {fault}" for fault in contradictions(case)]
    if faults:
        raise CaseError(*faults)
    return _resolved(case, path)


def _resolved(case: Case, path: Path) -> Case:
    """Fill in what depends on other keys: the depth, the mesh file as a full path, the current of the scales.

    With a protocol `load.current_density` is the largest current of its steps: scales and meshes are made for it.
    """
    geometry = case.geometry
    update: dict[str, Any] = {}
    if geometry.dimension == 3 and geometry.depth is None:
        update["depth"] = geometry.width
    if geometry.file is not None:
        update["file"] = str((path.parent / geometry.file).resolve())
    load = case.load
    if case.protocol:
        load = load.model_copy(update={"current_density": case_protocol.scale(case.protocol)})
    return case.model_copy(update={"geometry": geometry.model_copy(update=update), "load": load})


def contradictions(case: Case) -> list[str]:
    """What is wrong between sections, as `key: value: what, allowed`."""
    found = []
    fault = case.electrode.prefactor_fault()
    if fault:
        return [fault]
    if case.opening is not None:
        strength, tension = case.interface.adhesion_strength, case.wall.surface_tension
        found += case.opening.faults(case.geometry, strength is not None, tension > 0)
    found += case_mechanics.faults(case)
    current, stop = case.load.current_density, case.stop
    x0 = case.electrode_properties().li_fraction
    if case.protocol:
        # The section itself is a part of its own; a case that cannot have one has no voltage.
        electrolyte = getattr(case, "electrolyte", None) is not None
        found += case_protocol.faults(case.protocol, x0, stop, electrolyte)
    elif current == 0.0 and stop.time is None:
        found.append("load.current_density: 0: never reaches a stop; allowed: a current, or stop.time")
    elif current < 0.0 and stop.time is None and stop.capacity is None:
        found.append("load.current_density: plating has no end; allowed: stop.capacity or stop.time")
    if stop.li_fraction is not None and stop.li_fraction >= x0:
        found.append(f"stop.li_fraction: {stop.li_fraction:g}: the metal starts at {x0:g}; allowed: less than that")
    if case.interface.layer_diffusivity is not None and case.solver.linear == "iterative":
        found.append("solver.linear: iterative: not with a layer on the contact; allowed: automatic, direct")
    limit = library.LI_MG_STAGES.limit.number
    if case.interface.layer_diffusivity is not None and (stop.li_fraction or 0.0) >= limit:
        found.append(
            f"interface.layer_diffusivity: stop.li_fraction = {stop.li_fraction:g} ends the run before a layer grows; "
            f"allowed: stop.li_fraction below {limit:g}, such as 0, or no layer"
        )
    if case.electrolyte is None:
        for key in ("voltage", "polarisation"):
            if getattr(stop, key) is not None:
                found.append(f"stop.{key}: there is no voltage without an electrolyte; allowed: add [electrolyte]")
    if case.wall.lithium == "exchange" and x0 < 1.0:
        found.append(
            "wall.lithium: exchange: an alloy's host would be left on the walls, which the model does not have; "
            "allowed: blocked, or pure Li"
        )
    if case.wall.lithium == "exchange" and not case.electrode.stress_coupling:
        found.append("wall.lithium: exchange: pressure alone drives Li to a wall; allowed: electrode.stress_coupling")
    if case.wall.surface_diffusivity is not None and case.wall.surface_tension == 0.0:
        found.append(
            "wall.surface_diffusivity: without surface tension nothing drives it; allowed: add wall.surface_tension"
        )
    if case.wall.surface_diffusivity is not None and case.geometry.dimension == 3:
        found.append(
            "wall.surface_diffusivity: not in three dimensions; allowed: geometry.dimension = 2, plane or axisymmetric"
        )
    if case.output.depths and case.geometry.dimension > 1:
        found.append("output.depths: the pressure varies along the contact; allowed: with geometry.dimension = 1")
    if max(case.output.depths, default=0.0) > case.geometry.electrode_thickness:
        found.append("output.depths: outside the electrode; allowed: up to geometry.electrode_thickness")
    if stop.thickness >= case.geometry.electrode_thickness:
        found.append("stop.thickness: the electrode is no thicker from the start; allowed: less than its thickness")
    return found


def schema() -> dict[str, Any]:
    """JSON schema of the case file, for completion in editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Case.model_json_schema()}


# The sections are one model in several files; other rooms take them from here.
__all__ = [
    "Case",
    "Cell",
    "ElectrodeSection",
    "ElectrolyteSection",
    "Expectation",
    "Geometry",
    "Interface",
    "Interval",
    "Load",
    "Mesh",
    "Opening",
    "Output",
    "Radius",
    "Solver",
    "Stop",
    "Void",
    "Voids",
    "Wall",
    "contradictions",
    "load",
    "made",
    "schema",
]
