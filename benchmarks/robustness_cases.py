"""The random geometries of robustness_voids.py: the case file of each number."""

from typing import Any, NamedTuple

import numpy as np

# What --coarse asks for: cells of 1 um at the contact and 3 um far from it, void edges a quarter of the radius, ten
# times the time error, a hundred times the tolerance of Newton's method.
COARSE_MESH = 'interface_size = "1 um"\nsize = "3 um"\ngrowth = 1.6\n'
COARSE_SOLVER = "time_tolerance = 1e-3\ntolerance = 1e-6"
CASE = """
[geometry]
dimension = {dimension}
width = "{width:.4g} um"
electrode_thickness = "{thickness:.4g} um"
[geometry.mesh]
{mesh}
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
{solver}
"""


class Drawn(NamedTuple):
    """What chance decides; um and MPa. `reach` and `height` are the extents of one void."""

    count: int
    radius: float
    pressure: float
    reach: float
    height: float
    shape: str

    def text(self, dimension: int, number: int, capacity: float, thinnest: float, **rest: Any) -> str:
        """The case file."""
        thickness = max(thinnest, 2.5 * self.height)
        return CASE.format(
            **self._asdict(), dimension=dimension, number=number, capacity=capacity, thickness=thickness, **rest
        )

    def facts(self, number: int) -> dict[str, Any]:
        """What tells it apart, for the table."""
        shape = self.shape.replace('"', "").replace(" deg", "")
        return {"number": number, "voids": self.count, "shape": shape, "stack_pressure [MPa]": f"{self.pressure:.3g}"}


def drawn(
    number: int, most: int, radii: tuple[float, float], angles: tuple[float, float], aspects: tuple[float, float]
) -> Drawn:
    """The geometry of a number: at most so many voids, caps or semi-ellipses within these ranges."""
    rng = np.random.default_rng(number)
    count = int(rng.integers(1, most + 1))
    radius = float(rng.uniform(*radii))
    is_cap = bool(rng.integers(0, 2))
    angle, aspect = float(rng.uniform(*angles)), float(10 ** rng.uniform(*np.log10(aspects)))
    pressure = float(10 ** rng.uniform(np.log10(0.2), np.log10(20)))
    reach = radius / np.sin(np.radians(angle)) if is_cap and angle < 90 else radius
    height = radius / np.tan(np.radians(angle) / 2) if is_cap else aspect * radius
    shape = f'contact_angle = "{angle:.1f} deg"' if is_cap else f"aspect = {aspect:.3g}"
    return Drawn(count, radius, pressure, reach, height, shape)


def case_of(number: int, capacity: float, coarse: bool, most: int = 20) -> tuple[str, dict[str, Any]]:
    """The case file of one geometry, and what tells it apart."""
    d = drawn(number, most, (0.6, 2.0), (15, 150), (0.1, 2))
    edge = f'edge_size = "{min(d.radius / 4.1, d.height / 1.5):.3g} um"\n'
    mesh, solver = (COARSE_MESH + edge, COARSE_SOLVER) if coarse else ("", "")
    width = max(12.0, 2 * 2.2 * d.reach * d.count)
    return d.text(2, number, capacity, 15.0, width=width, mesh=mesh, solver=solver), d.facts(number)


def solid_case_of(number: int, capacity: float) -> tuple[str, dict[str, Any]]:
    """The case file of one 3D geometry, and what tells it apart."""
    d = drawn(number, 3, (0.8, 2.0), (40, 120), (0.2, 1))
    mesh = f'interface_size = "{1.5 * d.radius:.3g} um"\nsize = "{2.5 * d.radius:.3g} um"\ngrowth = 2.0\n'
    mesh += f'edge_size = "{min(0.249 * d.radius, d.height):.3g} um"'
    width = 2 * 1.8 * d.reach * np.ceil(np.sqrt(d.count))
    return d.text(3, number, capacity, 10.0, width=width, mesh=mesh, solver=COARSE_SOLVER), d.facts(number)
