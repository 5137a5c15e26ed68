"""The random geometries of robustness_voids.py: the case file of each number."""

from typing import Any

import numpy as np

# What --coarse asks for: cells of 1 um at the contact and 3 um far from it, void edges a quarter of the radius, ten
# times the time error, a hundred times the tolerance of Newton's method.
COARSE_MESH = 'interface_size = "1 um"\nsize = "3 um"\ngrowth = 1.6\n'
COARSE_SOLVER = "time_tolerance = 1e-3\ntolerance = 1e-6"


def case_of(number: int, capacity: float, coarse: bool, most: int = 20) -> tuple[str, dict[str, Any]]:
    """The case file of one geometry, and what tells it apart."""
    rng = np.random.default_rng(number)
    count = int(rng.integers(1, most + 1))
    radius = float(rng.uniform(0.6, 2.0))
    is_cap = bool(rng.integers(0, 2))
    angle, aspect = float(rng.uniform(15, 150)), float(10 ** rng.uniform(-1, np.log10(2)))
    pressure = float(10 ** rng.uniform(np.log10(0.2), np.log10(20)))
    shape = f"contact_angle = {angle:.1f}" if is_cap else f"aspect = {aspect:.3g}"
    reach = radius / np.sin(np.radians(angle)) if is_cap and angle < 90 else radius
    height = radius / np.tan(np.radians(angle) / 2) if is_cap else aspect * radius
    width = max(12.0, 2 * 2.2 * reach * count)
    edge = f'edge_size = "{min(radius / 4.1, height / 1.5):.3g} um"\n' if coarse else ""
    text = f"""
[geometry]
dimension = 2
width = "{width:.4g} um"
electrode_thickness = "{max(15.0, 2.5 * height):.4g} um"
[geometry.mesh]
{COARSE_MESH if coarse else ""}{edge}
[geometry.voids]
seed = {number}
count = {count}
radius = {{ mean = "{radius:.3g} um", std = "0 um" }}
minimum_spacing = 1.2
{shape.replace("contact_angle = ", 'contact_angle = "') + ' deg"' if is_cap else shape}
[electrode]
material = "Li-5Mg"
creep_scaling = "none"
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "{pressure:.3g} MPa"
[stop]
capacity = "{capacity} mAh/cm^2"
[solver]
{COARSE_SOLVER if coarse else ""}
"""
    facts = {"number": number, "voids": count, "shape": shape, "stack_pressure [MPa]": f"{pressure:.3g}"}
    return text, facts


def solid_case_of(number: int, capacity: float) -> tuple[str, dict[str, Any]]:
    """The case file of one 3D geometry, and what tells it apart."""
    rng = np.random.default_rng(number)
    count = int(rng.integers(1, 4))
    radius = float(rng.uniform(0.8, 2.0))
    is_cap = bool(rng.integers(0, 2))
    angle, aspect = float(rng.uniform(40, 120)), float(10 ** rng.uniform(np.log10(0.2), 0))
    pressure = float(10 ** rng.uniform(np.log10(0.2), np.log10(20)))
    reach = radius / np.sin(np.radians(angle)) if is_cap and angle < 90 else radius
    height = radius / np.tan(np.radians(angle) / 2) if is_cap else aspect * radius
    width = 2 * 1.8 * reach * np.ceil(np.sqrt(count))
    shape = f'contact_angle = "{angle:.1f} deg"' if is_cap else f"aspect = {aspect:.3g}"
    text = f"""
[geometry]
dimension = 3
width = "{width:.4g} um"
electrode_thickness = "{max(10.0, 2.5 * height):.4g} um"
[geometry.mesh]
interface_size = "{radius:.3g} um"
growth = 1.6
edge_size = "{min(0.249 * radius, height):.3g} um"
[geometry.voids]
seed = {number}
count = {count}
radius = {{ mean = "{radius:.3g} um", std = "0 um" }}
minimum_spacing = 1.2
{shape}
[electrode]
material = "Li-5Mg"
creep_scaling = "none"
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "{pressure:.3g} MPa"
[stop]
capacity = "{capacity} mAh/cm^2"
[solver]
time_tolerance = 1e-3
"""
    shape = shape.replace('"', "").replace(" deg", "")
    return text, {"number": number, "voids": count, "shape": shape, "stack_pressure [MPa]": f"{pressure:.3g}"}
