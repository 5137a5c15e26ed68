"""Constitutive laws as plain UFL functions: no mesh, no solver, one formula a function.

Working units throughout (um, h, MPa); the partial molar volume of Li is divided out, so that fluxes are volumes of Li
per area and time [um/h] and concentrations are volume fractions. `k` carries the named constants of `fields.Constants`.
"""

from typing import Any

import ufl

Expr = Any  # UFL ships no types

# Li-Mg: the bcc phase ends at x = 0.31, the hcp phase at 0.15, with two phases between (test: as in the library).
BCC_LIMIT = 0.31
HCP_LIMIT = 0.15
HCP_SLOPE = 1.3
TRACE = 1e-6  # of Li; below it potentials are held, so that an iterate may pass zero
STEEP = 40.0  # of F eta/2RT, 2 V at room temperature: 1e17 times the exchange current


def li_volume_fraction(x: Expr, k: Any) -> Expr:
    """Volume fraction of Li, phi = Omega_Li c, of an alloy with Li mole fraction x [-]."""
    return x / (x + k.volume_ratio * (1 - x))


def diffusivity(x: Expr, k: Any) -> Expr:
    """Diffusivity of Li in the lattice [um2/h], ln D linear in the host fraction (physics: Aspinall 2024)."""
    return ufl.exp(k.log_diffusivity_0 + k.log_diffusivity_1 * (1 - x))


def log_activity_coefficient(x: Expr, k: Any) -> Expr:
    """Sub-regular law ln gamma = y^2 (a + b y) with the host fraction y = 1 - x [-]."""
    y = 1 - x
    return y**2 * (k.activity_0 + k.activity_1 * y)


def thermodynamic_factor(x: Expr, k: Any) -> Expr:
    """Theta = 1 + d ln gamma / d ln x of the sub-regular law [-]."""
    y = 1 - x
    return 1 - x * y * (2 * k.activity_0 + 3 * k.activity_1 * y)


def chemical_potential(x: Expr, p: Expr, k: Any) -> Expr:
    """Chemical potential of Li over Omega_Li [MPa], zero for pure Li at the stack pressure.

    mu - mu_ref = R T ln(gamma x) + Omega_Li (p - p_stack).
    """
    return k.thermal_pressure * (ufl.ln(x) + log_activity_coefficient(x, k)) + p - k.stack_pressure


def li_flux(x: Expr, p: Expr, k: Any) -> Expr:
    """Volume flux of Li relative to the lattice [um/h], J = -(D c / R T) grad mu times Omega_Li.

    The factor grad(x)/x of grad(ln x) is joined with phi, so that nothing is divided by x.
    """
    phi_over_x = 1 / (x + k.volume_ratio * (1 - x))
    driving = thermodynamic_factor(x, k) * ufl.grad(x) + k.pressure_coupling * x * ufl.grad(p)
    return -diffusivity(x, k) * phi_over_x * driving


def open_circuit_potential(x: Expr, k: Any) -> Expr:
    """Potential against pure Li of an alloy without stress [V], in the three stages of Li-Mg.

    E = -(R T/F) ln(gamma x) down to the end of the bcc phase, with the activity of the flux; then constant where two
    phases share the Li; then 1.3 (R T/F) ln(0.15/x) more in the hcp phase (docs/voltage.md).
    """
    bcc, hcp = ufl.max_value(x, BCC_LIMIT), ufl.max_value(ufl.min_value(x, HCP_LIMIT), TRACE)
    potential = -(ufl.ln(bcc) + log_activity_coefficient(bcc, k)) + HCP_SLOPE * ufl.ln(HCP_LIMIT / hcp)
    return k.thermal_voltage * potential


def stress_potential(p: Expr, k: Any) -> Expr:
    """What pressure adds to the open-circuit potential [V], -Omega_Li (p - p_stack)/F; nothing without coupling."""
    return -k.thermal_voltage * k.pressure_coupling * (p - k.stack_pressure)


def contact_asr(eta: Expr, k: Any) -> Expr:
    """Volume flux of Li [um/h] through a contact of constant resistance at the overpotential eta [V]."""
    return eta / k.interface_resistance


def contact_butler_volmer(eta: Expr, k: Any) -> Expr:
    """Butler-Volmer with transfer coefficient 1/2: 2 i0 sinh(F eta/2 R T) [um/h], i0 = R T/(F R_int).

    Beyond `STEEP` it goes on as its tangent, so that no iterate overflows.
    """
    z = eta / (2 * k.thermal_voltage)
    bounded = ufl.max_value(ufl.min_value(z, STEEP), -STEEP)
    sinh = ufl.sinh(bounded) + ufl.cosh(bounded) * (z - bounded)
    return 2 * k.thermal_voltage / k.interface_resistance * sinh


CONTACT_LAWS = {"asr": contact_asr, "butler_volmer": contact_butler_volmer}


def velocity_gradient(v: Expr, kinematics: str, r: Expr = None) -> Expr:
    """Gradient of the velocity embedded in 3 x 3 [1/h], so that the deviator stays three-dimensional.

    Args:
        v: velocity (or its test function), one, two or three components.
        kinematics: uniaxial (v along the interface normal), plane, axisymmetric (r, z) or full.
        r: distance from the axis, for axisymmetric.
    """
    g = ufl.grad(v)
    if kinematics == "uniaxial":
        return ufl.as_matrix([[0, 0, 0], [0, 0, 0], [0, 0, g[0, 0]]])
    if kinematics == "plane":
        return ufl.as_matrix([[g[0, 0], g[0, 1], 0], [g[1, 0], g[1, 1], 0], [0, 0, 0]])
    if kinematics == "axisymmetric":
        return ufl.as_matrix([[g[0, 0], g[0, 1], 0], [g[1, 0], g[1, 1], 0], [0, 0, v[0] / r]])
    return g


def strain_rate(grad_v: Expr) -> Expr:
    """Deviatoric strain rate [1/h] of an embedded velocity gradient."""
    return ufl.dev(ufl.sym(grad_v))


def deviator(t: Expr, kinematics: str) -> Expr:
    """Symmetric trace-free 3 x 3 tensor from its independent components.

    uniaxial (33), plane and axisymmetric (11, 22, 12), full (11, 22, 12, 13, 23).
    """
    if kinematics == "uniaxial":
        return ufl.as_matrix([[-t[0] / 2, 0, 0], [0, -t[0] / 2, 0], [0, 0, t[0]]])
    if kinematics in ("plane", "axisymmetric"):
        return ufl.as_matrix([[t[0], t[2], 0], [t[2], t[1], 0], [0, 0, -t[0] - t[1]]])
    return ufl.as_matrix([[t[0], t[2], t[3]], [t[2], t[1], t[4]], [t[3], t[4], -t[0] - t[1]]])


def deviator_components(d: Expr, kinematics: str) -> Expr:
    """The independent components of a deviator, inverse of `deviator`."""
    if kinematics == "uniaxial":
        return ufl.as_vector([d[2, 2]])
    if kinematics in ("plane", "axisymmetric"):
        return ufl.as_vector([d[0, 0], d[1, 1], d[0, 1]])
    return ufl.as_vector([d[0, 0], d[1, 1], d[0, 1], d[0, 2], d[1, 2]])


def linearised_stress(d: Expr, s: Any, kinematics: str) -> Expr:
    """Deviatoric stress [MPa] of the creep law linearised about the state s, at strain rate d [1/h].

    T + C (d - D(T)) with the closed-form inverse tangent C = (I - c T x T)/k of D(T) = k(T) T; the state holds T, 1/k
    and c at quadrature points (`creep.py`).
    """
    T = deviator(s.stress, kinematics)
    excess = d - T / s.inverse_rate
    return T + s.inverse_rate * (excess - s.rank_one * ufl.inner(T, excess) * T)
