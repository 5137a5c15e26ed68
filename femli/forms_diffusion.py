"""Diffusion alone in a laterally uniform foil: the weak form where one dimension prescribes how the metal streams.

`k` and `f` as in `forms.py`. Only UFL is imported.
"""

from typing import Any

import ufl

from femli import forms, laws

Expr = Any


def stream(x: Expr, k: Any, f: Any) -> Expr:
    """Velocity of the lattice [um/h], v = V - j.

    The balance of volume is div(v + j) = 0. Where all depends on the distance from the interface alone, v + j is one
    number: V = -Omega_Li i/F along the normal, what it is on the contact (v.n = 0) and on the collector (j.n = 0).
    Pressure drives nothing: its term is left out, not multiplied by zero at every point.
    """
    up = len(f.n) - 1
    whole = ufl.as_vector([0.0] * up + [-k.contact_flux])
    return whole - laws.li_flux(x, x, k._replace(pressure_coupling=0.0))


def host_balance(q: Expr, x: Expr, x_old: Expr, k: Any, f: Any, upwind: bool) -> Expr:
    """Balance of the host with that velocity, the one equation for x; that of volume is the mesh's motion.

    Strong:  d(1 - phi)/dt + div((1 - phi) v) = 0,  v = V - j,  v.n = 0 on the contact, V.n on the collector
    Weak:    as `forms.host_balance`; both conditions are natural, as the mesh rests on the one and goes with the other

    `upwind` says whether the host may become dilute: upwinding that is nowhere active would still take half as long
    again to assemble.
    """
    return forms.host_balance(q, forms.Unknowns(stream(x, k, f), None, x), x_old, k, f, upwind)
