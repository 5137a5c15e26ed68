"""The frozen case model read from TOML; all defaults and ranges live in its sections, the other `case_*`.

A case holds plain SI floats (m, s, Pa, K, A/m2, C/m2). Each description of a key is what `femli schema` prints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import BeforeValidator, Field, ValidationError

from . import case_file, case_protocol, materials_electrode
from .case_contradictions import contradictions
from .case_electrode import ElectrodeSection
from .case_electrolyte import Cell, ElectrolyteSection
from .case_geometry import Geometry
from .case_impedance import Impedance
from .case_interface import Interface, Wall
from .case_opening import Opening
from .case_protocol import Leg, Part, as_tuple
from .case_quantities import Section, preset, table
from .case_run import Expectation, Load, Output, Solver, Stop
from .errors import CaseError


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

    def electrode_properties(self) -> materials_electrode.Electrode:
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


def schema() -> dict[str, Any]:
    """JSON schema of the case file, for completion in editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Case.model_json_schema()}
