"""Surface tension on void walls, the same for every dimension. Only UFL is imported.

The wall's area is an energy; a velocity t of the metal changes it at the rate int div_s t, div_s the divergence along
the surface (in axisymmetry with its hoop part t_r/r). Where the wall ends on the electrolyte the areas of wet and dry
electrolyte change as well (Young).
"""

from typing import Any

import ufl

from femli import laws

Expr = Any


def _normal(f: Any) -> Expr:
    """The outward normal in 3 x 3 kinematics."""
    n = [f.n[i] for i in range(len(f.n))]
    return ufl.as_vector([0, 0, *n] if f.kinematics == "uniaxial" else [*n, 0][:3])


def _along(t: Expr, f: Any) -> Expr:
    """Surface gradient (grad t)(I - n x n) of a velocity, 3 x 3."""
    n = _normal(f)
    g = laws.velocity_gradient(t, f.kinematics, f.r)
    return g - ufl.outer(ufl.dot(g, n), n)


def surface_divergence(t: Expr, f: Any) -> Expr:
    """Rate at which a surface that moves with t grows, per area [1/h]."""
    return ufl.tr(_along(t, f))


def area_variation(t: Expr, young: Expr, f: Any) -> Expr:
    """How a velocity t changes the area of the walls, and, weighed with cos(theta), that of the wet electrolyte.

    Weak:    int_void div_s t - oint cos(theta) t.nu,  nu the direction along the electrolyte out of the metal

    The line integral is written as int_contact div_s(c t) with c = cos(theta) at the edges of voids and 0 at all other
    nodes (`young`): the contact is plane, so that by the divergence theorem nothing but its edge is left.
    """
    wall = f.weight * surface_divergence(t, f) * f.ds(f.parts["void"])
    return wall - f.weight * surface_divergence(young * t, f) * f.ds(f.parts["contact"])


def surface_tension(t: Expr, k: Any, f: Any) -> Expr:
    """Work of surface tension.

    Strong:  (s - p I) n = (-p_gas + gamma kappa) n on walls, kappa = -div_s n > 0 for a convex void; at their edges the
             angle theta through the metal
    Weak:    int_void gamma K.t with the curvature vector K of `area_variation`: int_void K.t = that, for every t in P1

    Not `area_variation` itself: on straight facets it pulls at the corners of the wall alone, and metal with n > 1
    answers to such a force, whatever its mean.
    """
    return f.weight * k.surface_tension * ufl.dot(f.curvature, t) * f.ds(f.parts["void"])


def along(q: Expr, f: Any) -> Expr:
    """Gradient of a scalar along a wall [1/um]."""
    return ufl.grad(q) - ufl.dot(ufl.grad(q), f.n) * f.n


def surface_supply(q: Expr, content: Expr, k: Any, f: Any) -> Expr:
    """What diffusion along walls brings: to the metal's volume (`content` 1), or of a species with that content.

    Strong:  -div_s (content j_s), j_s = B grad_s kappa along the wall, none past its edges
    Weak:    int_void content j_s . grad_s q
    """
    return f.weight * content * k.surface_mobility * ufl.dot(along(f.driving, f), along(q, f)) * f.ds(f.parts["void"])


def wall_supply(q: Expr, u: Any, k: Any, f: Any) -> Expr:
    """What flows to a wall that exchanges Li, lattice and Li together: int (v + j).n q over void walls.

    Weak:    int (v + j) . grad q - int_contact j_n q, which is that for every q on a wall, as div (v + j) = 0
    """
    flow = f.weight * ufl.dot(u.v + laws.li_flux(u.x, u.p, k), ufl.grad(q)) * f.dx
    return flow - f.weight * k.contact_flux * q * f.ds(f.parts["contact"])


def wall_speed(q: Expr, f: Any) -> Expr:
    """How fast void walls move, int_void w.n q."""
    return f.weight * ufl.dot(f.w, f.n) * q * f.ds(f.parts["void"])


def capillarity_following(t: Expr, dv: Expr, k: Any, f: Any) -> Expr:
    """How surface tension feels that the wall follows the metal: the second variation of its area, times dt.

    int_void (gamma/a0) [div_s t div_s dv - tr(grad_s t grad_s dv) + (n.grad_s t).(n.grad_s dv)], without which steps
    would be bounded by the time in which surface tension smooths one cell.
    """
    n, g, h = _normal(f), _along(t, f), _along(dv, f)
    g_flat, h_flat = g - ufl.outer(n, ufl.dot(n, g)), h - ufl.outer(n, ufl.dot(n, h))
    second = ufl.tr(g) * ufl.tr(h) - ufl.tr(ufl.dot(g_flat, h_flat)) + ufl.dot(ufl.dot(n, g), ufl.dot(n, h))
    return f.weight * k.surface_tension / k.rate * second * f.ds(f.parts["void"])
