"""What a run tells of a step while it goes on, and how much of it is done."""

from dataclasses import dataclass

from femli.case import Case
from femli.outputs_measures import InterfaceState


@dataclass
class StepReport:
    """What a run tells about an accepted step; SI."""

    time: float
    capacity: float
    dt: float
    li_fraction_interface_min: float
    pressure_interface_min: float
    newton_iterations: int
    progress: float
    step: str = ""


def share_done(case: Case, li_fraction: float, time: float, capacity: float, state: InterfaceState) -> float:
    """Share of a run without a protocol that is done [0..1], by the nearest stop condition.

    Args:
        case: its stop conditions.
        li_fraction: of the metal at the start [-].
        time: of the state [s].
        capacity: areal charge passed [C/m2].
        state: at that time.
    """
    stop, x0, start = case.stop, li_fraction, case.geometry.electrode_thickness
    shares = [(start - state.electrode_thickness) / (start - stop.thickness)]
    if stop.capacity:
        shares.append(abs(capacity) / stop.capacity)
    if stop.voltage is not None and state.cell is not None and stop.voltage > 0:
        shares.append(state.cell.voltage / stop.voltage)
    if stop.time:
        shares.append(time / stop.time)
    if stop.li_fraction is not None and x0 > stop.li_fraction:
        shares.append(((x0 - state.li_fraction_interface_min) / (x0 - stop.li_fraction)) ** 2)
    return float(min(max(max(shares), 0.0), 1.0))
