"""Scales of a case in closed form: what the model says before anything is solved.

For a laterally constrained half space of pure metal that is stripped at the molar flux J0 = i/F, the pressure
drives the whole flux and the steady solution is exact: with S = p_stack - p,

    S0 = S(0) = (2/3) [(n+1)/2 Omega R T J0^2 / (alpha D)]^(1/(n+1))
    S(z) = S0 (1 + z/l)^(-2/(n-1)),   l = 2 D S0 / ((n-1) J0 R T).

In an alloy the same holds at t = 0+, before the composition has moved, with D x0 for D. All SI.
"""

from __future__ import annotations

import math

from .materials_electrode import Electrode
from .units import F, R


def recession_velocity(electrode: Electrode, current: float) -> float:
    """Speed [m/s] at which the foil thins at a current density [A/m2]: Omega_Li i/F."""
    return electrode.omega_li * current / F


def contact_stress(electrode: Electrode, current: float) -> float:
    """S0 [Pa]: the drop of pressure at the contact at the start, for a current density [A/m2]."""
    n = electrode.creep_exponent
    flux = abs(current) / F
    mobility = electrode.creep_prefactor * electrode.diffusivity * electrode.li_fraction
    thermal = R * electrode.temperature
    if flux == 0.0:
        return 0.0
    # In logarithms: alpha is some 1e-43 in SI and its powers leave the range of a float for large n.
    logarithm = math.log(0.5 * (n + 1.0) * electrode.omega_li * thermal * flux**2) - math.log(mobility)
    return (2.0 / 3.0) * math.exp(logarithm / (n + 1.0))


def layer_length(electrode: Electrode, current: float) -> float:
    """Length l [m] of the pressure layer at the contact, for a current density [A/m2] that is not zero.

    A linear metal (n = 1) has an exponential layer, whose length is that of S(z) = S0 exp(-z/l').
    """
    n = electrode.creep_exponent
    conduction = electrode.diffusivity * electrode.li_fraction * contact_stress(electrode, current)
    layer = conduction * F / (abs(current) * R * electrode.temperature)
    return 2.0 * layer / (n - 1.0) if n > 1.0 else layer


def stress_drop(electrode: Electrode, current: float, depth: float) -> float:
    """S(z) [Pa] at a distance [m] from the contact at the start."""
    n = electrode.creep_exponent
    start, length = contact_stress(electrode, current), layer_length(electrode, current)
    if n == 1.0:
        return start * math.exp(-depth / length)
    return start * (1.0 + depth / length) ** (-2.0 / (n - 1.0))


def composition_length(electrode: Electrode, current: float, x: float | None = None) -> float:
    """Length D (1 - x)/v [m] of the composition layer at a Li fraction (the initial one where left out)."""
    x = electrode.li_fraction if x is None else x
    c0, c1 = electrode.log_diffusivity
    return math.exp(c0 + c1 * (1.0 - x)) * (1.0 - x) / abs(recession_velocity(electrode, current))


def capacity_bound(electrode: Electrode, thickness: float, x: float | None, thinnest: float) -> float:
    """Largest areal capacity [C/m2] that stripping can pass, however fast Li diffuses.

    Args:
        electrode: numbers of the metal.
        thickness: initial thickness [m].
        x: Li fraction at which it stops, on the contact; None for never.
        thinnest: thickness at which it stops [m].
    """
    x0 = electrode.li_fraction
    volume = x0 * electrode.omega_li + (1.0 - x0) * electrode.omega_host
    # The host stays; with the whole foil at x, this much Li is left for each mole of it.
    left = (1.0 - x0) * x / (1.0 - x) if x is not None else 0.0
    by_lithium = F * thickness * (x0 - left) / volume
    by_thickness = F * (thickness - thinnest) / electrode.omega_li
    return min(by_lithium, by_thickness)
