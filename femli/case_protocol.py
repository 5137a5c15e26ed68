"""The steps of a protocol in the case file, and what cannot be meant by them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field

from .case_quantities import (
    OptionalCapacity,
    OptionalCurrentDensity,
    OptionalDuration,
    OptionalPolarisation,
    OptionalPressureOrZero,
    OptionalStiffness,
    OptionalVoltage,
    Section,
    preset,
)

Kind = Literal["strip", "plate", "rest", "voltage"]


def as_tuple(value: object) -> object:
    """TOML has lists only."""
    return tuple(value) if isinstance(value, list) else value


class Until(Section):
    """When a step ends; the first that is reached."""

    time: OptionalDuration = Field(None, description="Duration of the step.")
    capacity: OptionalCapacity = Field(None, description="Charge passed in the step, of either sign.")
    li_fraction: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="Smallest Li fraction on the contact falls to this; when plating, rises.",
    )
    contact_fraction: float | None = Field(
        None, gt=0.0, lt=1.0, description="Share of the interface in contact falls to this."
    )
    voltage: OptionalVoltage = Field(
        None, description="Cell voltage; it rises to this, when plating it falls. Needs an electrolyte."
    )
    polarisation: OptionalPolarisation = Field(
        None, description="Overpotential beyond that of the intact cell, along the current. Needs an electrolyte."
    )

    def given(self) -> set[str]:
        """Names of the conditions that are set."""
        return {name for name in type(self).model_fields if getattr(self, name) is not None}


class Step(Section):
    """One step: what drives it, when it ends, and the stack pressure from there on."""

    current_density: OptionalCurrentDensity = Field(
        None, description="Current per area of the foil; positive strips, negative plates, zero rests."
    )
    rest: bool = Field(False, description="No current.")
    voltage: OptionalVoltage = Field(None, description="Cell voltage that is held. Needs an electrolyte.")
    until: Until = preset({}, "When the step ends; the first that is reached.")
    stack_pressure: OptionalPressureOrZero = Field(None, description="Held from here on; as it was where left out.")
    stack_pressure_to: OptionalPressureOrZero = Field(
        None, description="Reached by a linear ramp over until.time, then held."
    )
    spring: OptionalStiffness = Field(
        None, description="From here on the stack is behind a spring: the pressure falls by this per thinning."
    )

    @property
    def kind(self) -> Kind:
        """What the step does."""
        if self.voltage is not None:
            return "voltage"
        current = self.current
        return "strip" if current > 0.0 else "plate" if current < 0.0 else "rest"

    @property
    def current(self) -> float:
        """Current density [A/m2]; zero at rest, and where a voltage is held."""
        return self.current_density or 0.0


class Part(Step):
    """A step of the protocol, or a cycle: steps of its own that are repeated."""

    steps: Annotated[tuple[Step, ...], BeforeValidator(as_tuple)] = Field(
        (), description="Steps of a cycle, in place of a step."
    )
    repeat: int = Field(1, ge=1, le=100_000, description="How often the cycle is gone through, in all.")


class Leg(NamedTuple):
    """A step as it is carried out: its running number and cycle from 1, the key in the case file, and the step."""

    number: int
    cycle: int
    key: str
    step: Step


def legs(protocol: tuple[Part, ...]) -> tuple[Leg, ...]:
    """Every step in its order, cycles written out."""
    found: list[Leg] = []
    for i, part in enumerate(protocol, 1):
        key = f"protocol[{i}]"
        inner = [(f"{key}.steps[{j}]", step) for j, step in enumerate(part.steps, 1)] or [(key, part)]
        for cycle in range(1, part.repeat + 1):
            found += [Leg(len(found) + n, cycle, name, step) for n, (name, step) in enumerate(inner, 1)]
    return tuple(found)


def simple(current: float, spring: float | None) -> tuple[Leg, ...]:
    """The one step of a case without a protocol: it ends only with the run."""
    until = Until.model_construct(**dict.fromkeys(Until.model_fields))
    step = Step.model_construct(current_density=current, until=until, spring=spring)
    return (Leg(1, 1, "load", step),)


def scale(protocol: tuple[Part, ...]) -> float:
    """The current [A/m2] of the largest size, for scales and meshes; zero where none is given."""
    return max((leg.step.current for leg in legs(protocol)), key=abs, default=0.0)


def _drive_faults(key: str, step: Step) -> list[str]:
    """One drive a step, and what each of them must have to come to an end."""
    drives = [name for name in ("current_density", "voltage") if getattr(step, name) is not None]
    drives += ["rest"] if step.rest else []
    if len(drives) != 1:
        told = f"gives {' and '.join(drives)}" if drives else "does nothing"
        return [f"{key}: {told}; allowed: one of current_density, rest = true, voltage"]
    given, found = step.until.given(), []
    enough = {
        "strip": {"time", "capacity", "voltage", "polarisation", "li_fraction", "contact_fraction"},
        "plate": {"time", "capacity", "voltage", "polarisation"},
        "rest": {"time"},
        "voltage": {"time"},
    }[step.kind]
    if not given & enough:
        what = "has no end" if not given else f"may never end by {' or '.join(sorted(given))}"
        names = [name for name in Until.model_fields if name in enough]
        found.append(f"{key}.until: a step of kind {step.kind} {what}; allowed: {', '.join(names)} among them")
    if step.kind == "rest" and "capacity" in given:
        found.append(f"{key}.until.capacity: no charge passes at rest; allowed: time, li_fraction")
    if step.kind == "voltage" and given & {"voltage", "polarisation"}:
        found.append(f"{key}.until.voltage: the voltage is held; allowed: time, capacity, li_fraction")
    return found


def _pressure_faults(key: str, step: Step) -> list[str]:
    found = []
    if step.stack_pressure_to is not None and step.until.time is None:
        found.append(f"{key}.stack_pressure_to: is reached at the end of the step; allowed: with until.time")
    for other in ("stack_pressure", "spring"):
        if step.stack_pressure_to is not None and getattr(step, other) is not None:
            found.append(f"{key}.stack_pressure_to: contradicts {other}; allowed: one of them")
    return found


def faults(protocol: tuple[Part, ...], x0: float, stop: Any, electrolyte: bool) -> list[str]:
    """What is wrong with a protocol, as `key: what, allowed`.

    Args:
        protocol: as the case file has it.
        x0: Li fraction at the start.
        stop: the stop conditions of the run.
        electrolyte: whether the case has one, and so a voltage.
    """
    found = []
    for i, part in enumerate(protocol, 1):
        key = f"protocol[{i}]"
        own = {name for name in Step.model_fields if getattr(part, name) != Step.model_fields[name].default}
        own -= {"until"} if not part.until.given() else set()
        if part.steps and own:
            found.append(f"{key}: is a cycle and also has {', '.join(sorted(own))}; allowed: steps and repeat")
        if not part.steps and part.repeat > 1:
            found.append(f"{key}.repeat: has nothing to repeat; allowed: with steps = [...]")
    keys = set()
    for leg in legs(protocol):
        if leg.key in keys:
            continue
        keys.add(leg.key)
        found += _drive_faults(leg.key, leg.step) + _pressure_faults(leg.key, leg.step)
        found += _stop_faults(leg, x0, stop) + _voltage_faults(leg, electrolyte)
    return found


def _voltage_faults(leg: Leg, electrolyte: bool) -> list[str]:
    """Steps that need a voltage in a case that has none."""
    if electrolyte:
        return []
    names = {f"until.{name}" for name in leg.step.until.given() & {"voltage", "polarisation"}}
    names |= {"voltage"} & {leg.step.kind}
    why = "the case has no cell voltage; allowed: with an [electrolyte] section"
    return [f"{leg.key}.{name}: {why}" for name in sorted(names)]


def _stop_faults(leg: Leg, x0: float, stop: Any) -> list[str]:
    """Ends of a step that the run's own stop conditions, or the metal, keep from being reached."""
    key, until, found = leg.key, leg.step.until, []
    if until.li_fraction is not None and leg.step.kind == "strip":
        if until.li_fraction >= x0:
            found.append(f"{key}.until.li_fraction: {until.li_fraction:g}: the metal starts at {x0:g}; allowed: less")
        if stop.li_fraction is not None and until.li_fraction < stop.li_fraction:
            found.append(
                f"{key}.until.li_fraction: {until.li_fraction:g}: the run ends before, at stop.li_fraction = "
                f"{stop.li_fraction:g}; allowed: at least that, or a lower stop.li_fraction"
            )
        if x0 == 1.0 and not until.given() - {"li_fraction"}:
            found.append(f"{key}.until.li_fraction: is never reached in pure lithium; allowed: capacity or time")
    if until.contact_fraction is not None and until.contact_fraction < stop.contact_fraction:
        found.append(
            f"{key}.until.contact_fraction: {until.contact_fraction:g}: the run ends before, at stop.contact_fraction "
            f"= {stop.contact_fraction:g}; allowed: at least that"
        )
    return found
