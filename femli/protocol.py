"""Where a run stands in its protocol: the load of each step, what ends it, and what ends the run.

A case without a protocol is one step that ends only with the run. Times are in hours and charges in um of Li over the
whole interface, as in the stepper. A jump of the load starts the time discretisation anew, so that no step spans it.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from femli.case import Case
from femli.case_protocol import Leg
from femli.fields import flux_of_current
from femli.materials_electrode import Electrode
from femli.outputs_measures import Measures
from femli.solver_data import Stack
from femli.stepper import Stepper
from femli.stepper_data import Step
from femli.stepper_events import REACHED, Event
from femli.units import LENGTH, MAH_CM2, STRESS, TIME

ROUND_OFF = 1e-12  # of times that are compared
NOTHING_LEFT = 1e-6  # Li fraction at the contact
END = "protocol"  # the reason to stop after the last step


class Begun(NamedTuple):
    """The state at which a step began: time [h] and charge [um]."""

    time: float
    charge: float


class Protocol:
    """Goes through the steps of a case.

    Args:
        case, electrode: the numbers.
        stepper: marches the state; its targets and stop conditions are set here.
        measures: of the same fields.
    """

    def __init__(self, case: Case, electrode: Electrode, stepper: Stepper, measures: Measures) -> None:
        self.case, self.stepper, self.newton, self.measures = case, stepper, stepper.newton, measures
        self.legs = case.legs()
        self.flux_of_unit = flux_of_current(1.0, electrode)  # um/h for 1 A/m2
        # Cells with an electrolyte have a voltage; steps that need one are refused in other cases.
        self.voltage: Callable[[], float] | None = None if self.newton.electrolyte is None else measures.voltage
        self.place = 0
        self.begun = Begun(0.0, 0.0)
        self.reason: str | None = None
        self.rows: list[dict[str, Any]] = []
        self.run_events = self._run_events()
        stepper.targets = self.next_target

    def adopt(self, measures: Measures) -> None:
        """Go on with the measures of another mesh, on which the stepper goes on."""
        self.newton, self.measures = self.stepper.newton, measures
        self.voltage = None if self.newton.electrolyte is None else measures.voltage
        self.run_events = self._run_events()
        self.stepper.events = [*self._step_events(), *self.run_events]

    # --- numbers ----------------------------------------------------------------------------------------------------

    @property
    def leg(self) -> Leg:
        """The step that is carried out."""
        return self.legs[self.place]

    def current(self) -> float:
        """Current density of the state at hand [A/m2]."""
        if self.leg.step.kind == "voltage":
            return self.newton.flux() / self.flux_of_unit
        return self.leg.step.current

    def capacity(self) -> float:
        """Net charge that has been passed, per area of the foil [C/m2]; stripping positive."""
        return self.stepper.charge() / self.flux_of_unit * TIME

    def _um(self, capacity: float) -> float:
        """A charge per area [C/m2] as volume of Li [um]."""
        return capacity * self.flux_of_unit / TIME

    @property
    def varies(self) -> bool:
        """Whether steps or stack pressures are worth a column."""
        return bool(self.case.protocol) or self.case.load.spring is not None

    def progress(self) -> float:
        """Share of the steps that are done, by the condition of the present one that is nearest [0..1]."""
        until, shares = self.leg.step.until, [0.0]
        if until.time:
            shares.append((self.stepper.levels[0].time - self.begun.time) * TIME / until.time)
        if until.capacity:
            shares.append(abs(self.stepper.charge() - self.begun.charge) / self._um(until.capacity))
        return (self.place + min(max(shares), 1.0)) / len(self.legs)

    # --- what ends the run, and a step ------------------------------------------------------------------------------

    def _run_events(self) -> list[Event]:
        """Stop conditions that are found by root finding: depletion, contact loss, exhaustion."""
        m, stop = self.measures, self.case.stop
        events = [Event("exhausted", lambda: m.thickness() - stop.thickness / LENGTH)]
        # Without a limit it is the last trace of Li: beyond it the model would go on with less than none.
        limit = NOTHING_LEFT if stop.li_fraction is None else stop.li_fraction
        events.append(Event("li_depleted", lambda: m.li_fraction_min() - limit))
        if m.void_count or self.case.geometry.voids is not None or self.case.opening is not None:
            events.append(Event("contact_lost", lambda: m.contact_fraction() - stop.contact_fraction))
        if stop.voltage is not None:
            # Stripping raises the voltage, plating lowers it.
            volts = stop.voltage
            events.append(Event("voltage", lambda: math.copysign(1.0, self.current()) * (volts - m.voltage())))
        if stop.polarisation is not None:
            overshoot = stop.polarisation
            events.append(Event("polarisation", lambda: overshoot - m.polarisation()))
        return events

    def _step_events(self) -> list[Event]:
        """Conditions of the present step that are found by root finding."""
        m, step, begun = self.measures, self.leg.step, self.begun
        until, found = step.until, []
        sense = {"strip": 1.0, "plate": -1.0}.get(step.kind)
        if until.li_fraction is not None:
            found.append(Event("li_fraction", _falls(m.li_fraction_min, until.li_fraction, sense), True))
        if until.contact_fraction is not None:
            found.append(Event("contact_fraction", _falls(m.contact_fraction, until.contact_fraction, 1.0), True))
        if until.capacity is not None and step.kind == "voltage":
            step_most = self._um(until.capacity)
            found.append(Event("capacity", lambda: step_most - abs(self.stepper.charge() - begun.charge), True))
        if self.voltage is not None:
            voltage = self.voltage
            if until.voltage is not None:
                against = None if sense is None else -sense
                found.append(Event("voltage", _falls(voltage, until.voltage, against), True))
            if until.polarisation is not None:
                most_volts = until.polarisation
                found.append(Event("polarisation", lambda: most_volts - m.polarisation(), True))
        if self.case.stop.capacity is not None and step.kind == "voltage":
            run_most = self._um(self.case.stop.capacity)
            found.append(Event("capacity", lambda: run_most - abs(self.stepper.charge())))
        return found

    def _run_times(self) -> dict[str, float]:
        """Times [h] at which the run ends by its clock or its net charge, by reason."""
        stop, times = self.case.stop, {}
        if stop.time is not None:
            times["time"] = stop.time / TIME
        flux = self.leg.step.current * self.flux_of_unit
        if stop.capacity is not None and flux != 0.0:
            # The net charge moves away from zero or comes back and passes it: the limit that lies ahead.
            ahead = math.copysign(self._um(stop.capacity), flux) - self.begun.charge
            times["capacity"] = self.begun.time + max(ahead / flux, 0.0)
        return times

    def _step_times(self) -> dict[str, float]:
        """Times [h] at which the present step ends by its clock or its charge, by reason."""
        until, times = self.leg.step.until, {}
        if until.time is not None:
            times["time"] = self.begun.time + until.time / TIME
        if until.capacity is not None and self.leg.step.current != 0.0:
            times["capacity"] = self.begun.time + until.capacity / abs(self.leg.step.current) / TIME
        return times

    def next_target(self, time: float) -> float:
        """The next time [h] that must be hit: a snapshot, the end of the step, or that of the run."""
        ends = [*self._run_times().values(), *self._step_times().values()]
        output, current = self.case.output, self.leg.step.current
        if output.every_time is not None:
            ends.append(_next_multiple(time, output.every_time / TIME, 0.0, 0.0))
        elif output.every_capacity is not None and current != 0.0:
            interval = output.every_capacity / abs(current) / TIME
            share = math.copysign(self.begun.charge / self._um(output.every_capacity), self.begun.charge * current)
            ends.append(_next_multiple(time, interval, self.begun.time, share))
        return min((t for t in ends if t > time * (1 + ROUND_OFF)), default=math.inf)

    # --- going through the steps ------------------------------------------------------------------------------------

    def start(self) -> None:
        """The first step, at t = 0."""
        self.reason = self._enter()

    def follow(self, step: Step) -> str | None:
        """After an accepted step of time: end the protocol's step where it is due, and begin the next.

        Returns:
            the reason to stop the run, if any.

        Raises:
            SolveError: there is no consistent state after a jump of the load.
        """
        self.reason = step.stop or _passed(self._run_times(), step.time)
        ended = self.reason or step.ended or _passed(self._step_times(), step.time)
        while ended is not None:
            self._close(ended)
            if self.reason is None and self.place + 1 == len(self.legs):
                self.reason = END
            if self.reason is not None:
                return self.reason
            self.place += 1
            self.reason = ended = self._enter()
            # A condition that is met from the start: the step is passed over.
            ended = ended or next((e.reason for e in self.stepper.events if e.of_step and e.value() <= REACHED), None)
        return None

    def end(self, reason: str) -> None:
        """End the run between two steps of time."""
        self._close(reason)
        self.reason = reason

    def _enter(self) -> str | None:
        """Set the load of the present step; returns why the run cannot go on with it, if so."""
        step, levels = self.leg.step, self.stepper.levels
        time = levels[0].time if levels else 0.0
        before = (self.newton.control, self.newton.applied_flux, self.newton.applied_voltage)
        pressure = self.newton.stack.at(time, self.newton.contents.thickness())
        self.newton.stack = self._stack(time, pressure)
        jump = self.newton.stack.at(time, self.newton.contents.thickness()) - pressure
        self._drive()
        if (
            not levels
            or jump != 0.0
            or before
            != (
                self.newton.control,
                self.newton.applied_flux,
                self.newton.applied_voltage,
            )
        ):
            self.stepper.start()
        self.begun = Begun(time, self.stepper.charge())
        # On a tie the end of the step counts: the run goes on with what comes after it.
        self.stepper.events = [*self._step_events(), *self.run_events]
        met = [event.reason for event in self.run_events if event.value() <= REACHED]
        deadly = {"strip": {"exhausted", "li_depleted", "contact_lost"}, "rest": set[str]()}
        return next((reason for reason in met if reason in deadly.get(step.kind, {"contact_lost"})), None)

    def _drive(self) -> None:
        """Set what drives the present step."""
        step, newton = self.leg.step, self.newton
        if step.voltage is not None:
            newton.control, newton.applied_voltage = "voltage", step.voltage
        else:
            newton.control, newton.applied_flux = "current", step.current * self.flux_of_unit

    def _stack(self, time: float, pressure: float) -> Stack:
        """How the stack pressure goes on from a pressure [MPa] at a time [h]."""
        step, old = self.leg.step, self.newton.stack
        stiffness = old.stiffness if step.spring is None else step.spring * LENGTH / STRESS
        if step.stack_pressure is not None:
            pressure = step.stack_pressure / STRESS
            stiffness = 0.0 if step.spring is None else stiffness
        rate = 0.0
        if step.stack_pressure_to is not None and step.until.time is not None:
            rate = (step.stack_pressure_to / STRESS - pressure) / (step.until.time / TIME)
            stiffness = 0.0
        return Stack(pressure, rate, time, stiffness, self.newton.contents.thickness())

    def _close(self, reason: str) -> None:
        """The row of the step that has ended."""
        state, leg = self.measures.state(), self.leg
        row = {
            "step [-]": leg.number,
            "cycle [-]": leg.cycle,
            "kind": leg.step.kind,
            "start_time [s]": self.begun.time * TIME,
            "end_time [s]": self.stepper.levels[0].time * TIME,
            "charge [mAh/cm^2]": (self.stepper.charge() - self.begun.charge) / self.flux_of_unit * TIME / MAH_CM2,
            "capacity [mAh/cm^2]": self.capacity() / MAH_CM2,
            "end_reason": reason,
            "li_fraction_interface_min [-]": state.li_fraction_interface_min,
            "li_fraction_interface_mean [-]": state.li_fraction_interface_mean,
            "pressure_interface_min [Pa]": state.pressure_interface_min,
            "electrode_thickness [m]": state.electrode_thickness,
            "contact_fraction [-]": state.contact_fraction,
            "stack_pressure [Pa]": self.stepper.levels[0].stack_pressure * STRESS,
        }
        if not self.newton.mechanical:
            del row["pressure_interface_min [Pa]"]
        if self.voltage is not None:
            row["cell_voltage [V]"] = self.voltage()
        self.rows.append(row)

    # --- checkpoints ------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Where the run stands, for a checkpoint."""
        return {
            "place": self.place,
            "begun": list(self.begun),
            "stack": list(self.newton.stack),
            "reason": self.reason,
            "rows": self.rows,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on where a checkpoint was written; the stepper has its levels already."""
        self.place, self.begun, self.reason = state["place"], Begun(*state["begun"]), state["reason"]
        self.rows, self.newton.stack = state["rows"], Stack(*state["stack"])
        self._drive()
        self.stepper.events = [*self._step_events(), *self.run_events]


def _falls(value: Callable[[], float], limit: float, sign: float | None) -> Callable[[], float]:
    """A condition that falls to zero as a value comes to its limit: from above with the sign +1, else from below."""
    # Without a current's direction, the side on which it begins says from where the limit is met.
    side = sign if sign is not None else math.copysign(1.0, value() - limit)
    return lambda: side * (value() - limit)


def _passed(times: dict[str, float], time: float) -> str | None:
    """The reason whose time [h] has come, if any."""
    return next((name for name, end in times.items() if time >= end * (1 - ROUND_OFF)), None)


def _next_multiple(time: float, interval: float, origin: float, share: float) -> float:
    """The first time after `time` at which a count of intervals, `share` at the origin, is a whole number."""
    return origin + (math.floor((time - origin) / interval + share + 1e-9) + 1 - share) * interval
