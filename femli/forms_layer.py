"""A layer of hcp phase that grows on the contact of an alloy beyond its bcc limit: terms of the weak forms.

The metal that is meshed stays bcc and ends at the face of the layer. Where its Li fraction would fall below the limit,
metal crosses that face and turns into hcp, which gives up most of the Li that it brings. All the layer's host comes
through the contact, so that both species are counted. `k` and `f` as in `forms.py`. Only UFL is imported.
"""

from typing import Any, NamedTuple

import ufl

from femli import laws

Expr = Any

TURNING = 1e4  # um/h; speed of the change of phase over x_limit - x: the contact stays within some 1e-4 of the limit
HOLDING = 1e8  # MPa h/um; holds the flow through the contact to that of the layer's growth within some 1e-8 um/h
THIN = 1e-3  # um; a layer of some lattice planes, less can hardly be told from none
LEAST_HOST = 0.1  # host fraction by volume; a contact that turns has 0.67


class Layer(NamedTuple):
    """State of the layer on the nodes of the contact, as the forms see it.

    Attributes:
        base: host in the layer per area, without what the step at hand adds beyond the last one's share [um].
        current: local current about which the layer's law is linearised [um/h].
    """

    base: Any
    current: Any


def growth(u: Any, k: Any, layer: Layer) -> Expr:
    """Host that turns into the layer, or with a minus back, as volume per area and time [um/h].

    Fast beside diffusion, so that the contact stays at the bcc limit. Back goes only what is there, and ever less of a
    layer thinner than `THIN`, so that nothing jumps when its end is met: about e N/(N + THIN).
    """
    excess = k.layer_turning * (u.x - laws.BCC_LIMIT)
    there, back = ufl.max_value(layer.base, 0), ufl.max_value(excess, 0)
    returned = back * there / (there + THIN + back / k.rate)
    return ufl.max_value(ufl.max_value(-excess, 0) - returned, -k.rate * layer.base)


def host(u: Any, k: Any, layer: Layer) -> Expr:
    """Host in the layer per area [um] at the end of the step."""
    return layer.base + growth(u, k, layer) / k.rate


def kept(k: Any) -> Expr:
    """Li that stays in the layer over the host there, by volume [-]."""
    return laws.HCP_LIMIT / (k.volume_ratio * (1 - laws.HCP_LIMIT))


def through_contact(u: Any, k: Any, layer: Layer) -> Expr:
    """Volume that leaves the metal through the contact into the layer, without the current [um/h]."""
    return (1 + kept(k)) * growth(u, k, layer)


def speed(u: Any, k: Any, layer: Layer) -> Expr:
    """Speed of the lattice through the contact, v.n [um/h]."""
    fraction = 1 - laws.li_volume_fraction(u.x, k)
    return growth(u, k, layer) / ufl.max_value(fraction, LEAST_HOST)


def crossing(t: Expr, u: Any, k: Any, f: Any) -> Expr:
    """The flow through the contact is that of the layer's growth, by a penalty.

    Weak:    int_contact K (v.n - v_layer) w.n = 0 with K -> infinity
    """
    excess = ufl.dot(u.v, f.n) - speed(u, k, f.layer)
    return f.weight * HOLDING * excess * ufl.dot(t, f.n) * f.ds(f.parts["contact"])


def flow_out(q: Expr, u: Any, k: Any, f: Any) -> Expr:
    """What the layer takes out of the balance of volume."""
    return f.weight * through_contact(u, k, f.layer) * q * f.ds(f.parts["contact"])


def flow_out_frozen(q: Expr, u: Any, k: Any, f: Any) -> Expr:
    """The same where the balance is that of div v + div j: what flows out with the lattice is in div v."""
    out = through_contact(u, k, f.layer) - speed(u, k, f.layer)
    return f.weight * out * q * f.ds(f.parts["contact"])


def host_out(q: Expr, u: Any, k: Any, f: Any) -> Expr:
    """What the layer takes out of the balance of the host."""
    return f.weight * growth(u, k, f.layer) * q * f.ds(f.parts["contact"])
