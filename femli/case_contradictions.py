"""What does not go together between the sections of a case; each fault is one sentence."""

from __future__ import annotations

from typing import Any

from . import case_mechanics, case_protocol, library


def contradictions(case: Any) -> list[str]:
    """What is wrong between sections, as `key: value: what, allowed`."""
    fault = case.electrode.prefactor_fault()
    if fault:
        return [fault]
    found = []
    if case.opening is not None:
        strength, tension = case.interface.adhesion_strength, case.wall.surface_tension
        found += case.opening.faults(case.geometry, strength is not None, tension > 0)
    found += case_mechanics.faults(case)
    x0 = case.electrode_properties().li_fraction
    return found + _ends(case, x0) + _layer(case) + _voltage(case) + _walls(case, x0) + _lengths(case)


def _ends(case: Any, x0: float) -> list[str]:
    """Of a run that never stops, or stops at once; `x0` is the Li fraction at the start."""
    current, stop, found = case.load.current_density, case.stop, []
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
    return found


def _layer(case: Any) -> list[str]:
    """Of the layer on the contact."""
    found: list[str] = []
    if case.interface.layer_diffusivity is None:
        return found
    limit, least = library.LI_MG_STAGES.limit.number, case.stop.li_fraction or 0.0
    if case.solver.linear == "iterative":
        found.append("solver.linear: iterative: not with a layer on the contact; allowed: automatic, direct")
    if least >= limit:
        found.append(
            f"interface.layer_diffusivity: stop.li_fraction = {least:g} ends the run before a layer grows; "
            f"allowed: stop.li_fraction below {limit:g}, such as 0, or no layer"
        )
    return found


def _voltage(case: Any) -> list[str]:
    """Of voltages where there is none."""
    if case.electrolyte is not None:
        return []
    return [
        f"stop.{key}: there is no voltage without an electrolyte; allowed: add [electrolyte]"
        for key in ("voltage", "polarisation")
        if getattr(case.stop, key) is not None
    ]


def _walls(case: Any, x0: float) -> list[str]:
    """Of void walls; `x0` is the Li fraction at the start."""
    wall, found = case.wall, []
    if wall.lithium == "exchange" and x0 < 1.0:
        found.append(
            "wall.lithium: exchange: an alloy's host would be left on the walls, which the model does not have; "
            "allowed: blocked, or pure Li"
        )
    if wall.lithium == "exchange" and not case.electrode.stress_coupling:
        found.append("wall.lithium: exchange: pressure alone drives Li to a wall; allowed: electrode.stress_coupling")
    if wall.surface_diffusivity is not None and wall.surface_tension == 0.0:
        found.append(
            "wall.surface_diffusivity: without surface tension nothing drives it; allowed: add wall.surface_tension"
        )
    if wall.surface_diffusivity is not None and case.geometry.dimension == 3:
        found.append(
            "wall.surface_diffusivity: not in three dimensions; allowed: geometry.dimension = 2, plane or axisymmetric"
        )
    return found


def _lengths(case: Any) -> list[str]:
    """Of depths and thicknesses that the electrode does not have."""
    found, thickness = [], case.geometry.electrode_thickness
    if case.output.depths and case.geometry.dimension > 1:
        found.append("output.depths: the pressure varies along the contact; allowed: with geometry.dimension = 1")
    if max(case.output.depths, default=0.0) > thickness:
        found.append("output.depths: outside the electrode; allowed: up to geometry.electrode_thickness")
    if case.stop.thickness >= thickness:
        found.append("stop.thickness: the electrode is no thicker from the start; allowed: less than its thickness")
    return found
