"""The weak form of poro-viscous stripping, one function a term, the same for every dimension.

Everything is written on the current (new) mesh. The balances of Li and host are conservative: what a step adds to a
content is the difference of integrals over the new and the old mesh, so that totals are kept to round-off. The rows
that are solved are their sum, the balance of volume, and the host; no other rule is imposed for div v. With BDF2 the
rate of a content is a0 (increment of this step) - a2 (increment of the last step), the latter a vector.
Only UFL is imported.
"""

from typing import Any, NamedTuple

import ufl

from femli import forms_layer, forms_wall, laws

Expr = Any

TRICKLE = 1e-9  # below this [um/h, 1/h] nothing streams
DILUTE = 0.01  # host fraction up to which its row is upwinded


class Unknowns(NamedTuple):
    """Velocity v [um/h], mean pressure p [MPa, compression positive], Li mole fraction x [-], or their variations."""

    v: Any
    p: Any
    x: Any


class Frame(NamedTuple):
    """Where the forms are integrated.

    Attributes:
        dx: cell measure for the balances.
        dx_creep: cell measure at the points where the stress state lives.
        ds: facet measure over named parts, `ds(parts["contact"])`.
        parts: facet tag by part name; a missing part has an empty tuple.
        n: outward normal of the metal.
        kinematics: uniaxial, plane, axisymmetric or full.
        weight: 2 pi r in axisymmetry, else 1.
        r: distance from the axis, or None.
        w: mesh velocity, the time discretisation's derivative of the node positions [um/h].
        displacement: of the nodes over the step [um].
        reference: inverse of the cells' Jacobian: lengths in units of the cell [1/um].
        curvature: curvature vector of void walls (P1 vector) [1/um]; None without surface tension.
        layer: of hcp phase on the contact; None where the case has none.
        driving: curvature of void walls that drives surface diffusion (P1) [1/um]; None without it.
    """

    dx: Any
    dx_creep: Any
    ds: Any
    parts: dict[str, Any]
    n: Any
    kinematics: str
    weight: Any
    r: Any
    w: Any
    displacement: Any
    reference: Any
    curvature: Any = None
    layer: Any = None
    driving: Any = None


def momentum(t: Expr, u: Unknowns, s: Any, k: Any, f: Frame) -> Expr:
    """Balance of forces; p_stack on the collector, gas pressure (and surface tension) on void walls.

    Strong:  div(s - p I) = 0,  (s - p I) n = -p_stack n on the collector
    Weak:    int (s : grad w - p div w) + int_collector p_stack n.w + int_void p_gas n.w = 0
    """
    grad_t = laws.velocity_gradient(t, f.kinematics, f.r)
    d = laws.strain_rate(laws.velocity_gradient(u.v, f.kinematics, f.r))
    stress = laws.linearised_stress(d, s, f.kinematics)
    form = f.weight * (ufl.inner(stress, ufl.sym(grad_t)) - u.p * ufl.tr(grad_t)) * f.dx_creep
    form += f.weight * k.stack_pressure * ufl.dot(f.n, t) * f.ds(f.parts["collector"])
    form += f.weight * k.void_pressure * ufl.dot(f.n, t) * f.ds(f.parts["void"])
    return form if f.curvature is None else form + forms_wall.surface_tension(t, k, f)


def rigid_plate(t: Expr, u: Unknowns, k: Any, f: Frame) -> Expr:
    """A plate on the collector that may sink but neither bend nor tilt, carrying p_stack on average.

    Weak:    int_collector K grad_s(v.n) . grad_s(w.n) = 0 with K -> infinity; a uniform w.n costs nothing, so the mean
    traction is untouched.
    """
    up = len(t) - 1
    g = ufl.grad(u.v[up]) - ufl.dot(ufl.grad(u.v[up]), f.n) * f.n
    h = ufl.grad(t[up]) - ufl.dot(ufl.grad(t[up]), f.n) * f.n
    return f.weight * k.plate_stiffness * ufl.dot(g, h) * f.ds(f.parts["collector"])


def volume_growth(f: Frame) -> Expr:
    """Growth of a volume over the step per new volume, 1 - det(I - grad U), U the nodes' displacement [-].

    Written as a polynomial, so that nothing cancels when the step is short: power-law metal turns the round-off of a
    difference of volumes into megapascals.
    """
    g = laws.velocity_gradient(f.displacement, f.kinematics, f.r)
    second = (ufl.tr(g) ** 2 - ufl.tr(g * g)) / 2
    return ufl.tr(g) - second + ufl.det(g)


def volume_increment(q: Expr, f: Frame) -> Expr:
    """What the step added to the volume: int_new q - int_old q, on the new mesh."""
    return f.weight * volume_growth(f) * q * f.dx


def host_increment(q: Expr, u: Unknowns, x_old: Expr, k: Any, f: Frame) -> Expr:
    """What the step added to the host content: int_new (1 - phi) q - int_old (1 - phi_old) q, on the new mesh."""
    phi, phi_old = laws.li_volume_fraction(u.x, k), laws.li_volume_fraction(x_old, k)
    return f.weight * (phi_old - phi + (1 - phi_old) * volume_growth(f)) * q * f.dx


def volume_balance(q: Expr, u: Unknowns, k: Any, f: Frame) -> Expr:
    """Balance of volume, the sum of the balances of Li and host (phi + 1 - phi = 1).

    Strong:  div v + div j = 0,  j.n = Omega_Li i_n/F on the contact, 0 elsewhere
    Weak:    a0 [int_new q - int_old q] - int (v - w + j) . grad q + int_contact j_n q, plus older increments,
             less what diffuses along walls
    """
    flux = u.v - f.w + laws.li_flux(u.x, u.p, k)
    form = k.rate * volume_increment(q, f) - f.weight * ufl.dot(flux, ufl.grad(q)) * f.dx
    form += f.weight * k.contact_flux * q * f.ds(f.parts["contact"])
    return form if f.driving is None else form - forms_wall.surface_supply(q, 1, k, f)


def stream_diffusivity(u: Unknowns, k: Any, f: Frame) -> Expr:
    """What upwinding adds to the diffusivity of the host along its stream, over |v - w|^2 [h].

    The diffusivity D (1 - x) Theta vanishes toward pure Li, where plain Galerkin lets the host run below zero: along
    the stream it is kept at |v - w| l/2, l the longest chord of the cell in that direction. Nothing is added where the
    cells resolve the layer, and ever less up to a host fraction of DILUTE: there Galerkin is the more accurate.
    """
    slip = u.v - f.w
    # In the coordinates of the reference cell the stream is b.grad N_i for all vertices but one [1/h]; half the sum of
    # sizes over all vertices is one over the time to cross the cell along its longest chord.
    rates = ufl.dot(f.reference, slip)
    crossing = (sum(abs(rates[i]) for i in range(len(slip))) + abs(sum(rates[i] for i in range(len(slip))))) / 2
    upwind = 0.5 / (crossing + TRICKLE)
    physical = laws.diffusivity(u.x, k) * (1 - u.x) * laws.thermodynamic_factor(u.x, k)
    dilute = ufl.max_value(1 - (1 - u.x) / DILUTE, 0)
    return dilute * ufl.max_value(upwind - physical / (ufl.dot(slip, slip) + TRICKLE**2), 0)


def host_balance(q: Expr, u: Unknowns, x_old: Expr, k: Any, f: Frame, upwind: bool = True) -> Expr:
    """Balance of the host metal, upwinded where its cells are too coarse (and where that is not ruled out: `upwind`).

    Strong:  d(1 - phi)/dt + div((1 - phi) v) = 0
    Weak:    a0 [int_new (1 - phi) q - int_old (1 - phi_old) q] - int (1 - phi) (v - w) . grad q
             + int tau ((v - w) . grad(1 - phi)) ((v - w) . grad q), plus older increments, less its share of what
             diffuses along walls
    """
    host, slip = 1 - laws.li_volume_fraction(u.x, k), u.v - f.w
    carried = host - stream_diffusivity(u, k, f) * ufl.dot(slip, ufl.grad(host)) if upwind else host
    form = k.rate * host_increment(q, u, x_old, k, f) - f.weight * carried * ufl.dot(slip, ufl.grad(q)) * f.dx
    return form if f.driving is None else form - forms_wall.surface_supply(q, host, k, f)


def frozen_volume(q: Expr, u: Unknowns, k: Any, f: Frame) -> Expr:
    """Volume balance as a rate, for the consistent start with x held: the sum of both species as dt -> 0.

    Weak:    int (div v) q - int j . grad q + int_contact j_n q = 0
    """
    div_v = ufl.tr(laws.velocity_gradient(u.v, f.kinematics, f.r))
    form = f.weight * (div_v * q - ufl.dot(laws.li_flux(u.x, u.p, k), ufl.grad(q))) * f.dx
    return form + f.weight * k.contact_flux * q * f.ds(f.parts["contact"])


def residuals(t: Unknowns, u: Unknowns, x_old: Expr, s: Any, k: Any, f: Frame, plate: bool) -> list[Expr]:
    """Residuals of the step: [momentum, volume, host]; increments of earlier steps are added as vectors."""
    force, volume, host = momentum(t.v, u, s, k, f), volume_balance(t.p, u, k, f), host_balance(t.x, u, x_old, k, f)
    if plate:
        force += rigid_plate(t.v, u, k, f)
    if f.layer is not None:
        force += forms_layer.crossing(t.v, u, k, f)
        volume += forms_layer.flow_out(t.p, u, k, f)
        host += forms_layer.host_out(t.x, u, k, f)
    return [force, volume, host]


def frozen_residuals(t: Unknowns, u: Unknowns, s: Any, k: Any, f: Frame, plate: bool) -> list[Expr]:
    """Residuals of the consistent state at given x: [momentum, volume rate, nothing for x]."""
    force = momentum(t.v, u, s, k, f)
    if plate:
        force += rigid_plate(t.v, u, k, f)
    volume = frozen_volume(t.p, u, k, f)
    if f.layer is not None:
        force += forms_layer.crossing(t.v, u, k, f)
        volume += forms_layer.flow_out_frozen(t.p, u, k, f)
    zero = k.zero * u.x * t.x * f.dx
    return [force, volume, zero]


def wall_following(q: Expr, u: Unknowns, dv: Expr, k: Any, f: Frame, host_only: bool) -> Expr:
    """How the balances feel that moving boundaries follow the metal, w.n = v.n there.

    Varying the new domain with dv adds int_moving f dv.n q to the rate of a content f; the part of the interior mesh
    velocity is left out (it is updated between iterations).
    """
    content = 1 - laws.li_volume_fraction(u.x, k) if host_only else 1
    form = 0
    for part in ("collector", "void"):
        form += f.weight * content * ufl.dot(dv, f.n) * q * f.ds(f.parts[part])
    return form


def spring(t: Expr, dv: Expr, k: Any, f: Frame) -> Expr:
    """How the force on the collector feels that a stack behind a spring gives way: dp_stack = K dv.n/a0.

    Exact where the collector moves as a whole; elsewhere the mean of dv.n is meant, and only convergence is at stake.
    """
    return f.weight * k.spring / k.rate * ufl.dot(dv, f.n) * ufl.dot(t, f.n) * f.ds(f.parts["collector"])


def jacobian(F: list[Expr], t: Unknowns, u: Unknowns, du: Unknowns, k: Any, f: Frame) -> list[list[Expr]]:
    """Derivative of `residuals` with the moving boundaries followed; a 3 x 3 array of forms."""
    J = [[ufl.derivative(row, u[j], du[j]) for j in range(3)] for row in F]
    J[0][0] += spring(t.v, du.v, k, f)
    J[1][0] += wall_following(t.p, u, du.v, k, f, host_only=False)
    if f.curvature is not None:
        J[0][0] += forms_wall.capillarity_following(t.v, du.v, k, f)
    J[2][0] += wall_following(t.x, u, du.v, k, f, host_only=True)
    return J
