"""What does not go together with `electrode.mechanics = "none"`: everything that has to do with stress or voids."""

from __future__ import annotations

from typing import Any


def faults(case: Any) -> list[str]:
    """What is wrong with a case without mechanics, as `key: value: what, allowed`; nothing with any other."""
    if case.electrode.mechanics != "none":
        return []
    voided, wall = "there are no voids without mechanics", case.wall
    cell = "the current is uniform without mechanics"
    pressure = "there is no pressure without mechanics"
    out = "leave it out"
    checks: list[tuple[bool, str, str, str]] = [
        (
            case.electrode.stress_coupling,
            "electrode.stress_coupling: true",
            "pressure would drive Li",
            "stress_coupling = false",
        ),
        (
            case.electrode_properties().li_fraction >= 1.0,
            "electrode.material: pure Li",
            "no gradient of composition drives Li, and pressure is not solved for",
            "an alloy",
        ),
        (
            case.geometry.kind == "file",
            "geometry.kind: file",
            "the foil has to be laterally uniform",
            "foil, axisymmetric",
        ),
        (case.geometry.voids is not None, "geometry.voids: given", voided, out),
        (case.opening is not None, "opening: given", voided, out),
        (case.electrolyte is not None, "electrolyte: given", cell, out),
        (
            case.interface.layer_diffusivity is not None,
            "interface.layer_diffusivity: given",
            "metal may not cross it",
            out,
        ),
        (case.interface.adhesion_strength is not None, "interface.adhesion_strength: given", pressure, out),
        (wall.surface_tension > 0.0, f"wall.surface_tension: {wall.surface_tension:g} J/m^2", voided, "0"),
        (wall.surface_diffusivity is not None, "wall.surface_diffusivity: given", voided, out),
        (wall.lithium != "blocked", f"wall.lithium: {wall.lithium}", voided, "blocked"),
        (bool(case.output.depths), "output.depths: given", pressure, out),
        (
            case.solver.linear == "iterative",
            "solver.linear: iterative",
            "diffusion alone is solved for directly",
            "automatic, direct",
        ),
    ]
    return [
        f'{what}: {why}; allowed: {allowed}, or electrode.mechanics = "creep"'
        for wrong, what, why, allowed in checks
        if wrong
    ]
