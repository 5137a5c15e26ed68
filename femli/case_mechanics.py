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
    checks: list[tuple[bool, str, str]] = [
        (case.electrode.stress_coupling, "electrode.stress_coupling: true", "pressure would drive Li"),
        (
            case.electrode_properties().li_fraction >= 1.0,
            "electrode.material: pure Li",
            "no gradient of composition drives Li, and pressure is not solved for",
        ),
        (case.geometry.kind == "file", "geometry.kind: file", "the foil has to be laterally uniform"),
        (case.geometry.voids is not None, "geometry.voids: given", voided),
        (case.opening is not None, "opening: given", voided),
        (case.electrolyte is not None, "electrolyte: given", cell),
        (case.interface.layer_diffusivity is not None, "interface.layer_diffusivity: given", "metal may not cross it"),
        (case.interface.adhesion_strength is not None, "interface.adhesion_strength: given", pressure),
        (wall.surface_tension > 0.0, f"wall.surface_tension: {wall.surface_tension:g} J/m^2", voided),
        (wall.surface_diffusivity is not None, "wall.surface_diffusivity: given", voided),
        (wall.lithium != "blocked", f"wall.lithium: {wall.lithium}", voided),
        (bool(case.output.depths), "output.depths: given", pressure),
        (case.solver.linear == "iterative", "solver.linear: iterative", "diffusion alone is solved for directly"),
    ]
    allowed = {
        "electrode.stress_coupling": "stress_coupling = false",
        "electrode.material": "an alloy",
        "geometry.kind": "foil, axisymmetric",
        "wall.surface_tension": "0",
        "wall.lithium": "blocked",
        "solver.linear": "automatic, direct",
    }
    return [
        f'{what}: {why}; allowed: {allowed.get(what.split(":")[0], "leave it out")}, or electrode.mechanics = "creep"'
        for wrong, what, why in checks
        if wrong
    ]
