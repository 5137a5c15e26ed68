"""What a layer of hcp phase on the contact adds to its law: the Li fraction falls through it, until none is left.

Li diffuses through the layer at a steady state, so that at the electrolyte its fraction is x = x_hcp (1 - u) with
u = i N/K, N the host in the layer and K its permeability. The potential there is that of the hcp stage, so the layer
costs A ln(x_hcp/x) = -A ln(1 - u): a resistance A N/K while it is thin, and without bound where the current is all that
it can pass. Overpotential of contact and layer, U(i) = R i - A ln(1 - i N/K), is convex; it is inverted at the nodes,
about which the forms take its tangent.
"""

from typing import Any

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
import ufl
from dolfinx import fem
from numpy.typing import NDArray

from femli import forms_layer, laws
from femli.fields import Fields

Expr = Any
Array = NDArray[np.float64]

LEAST = laws.TRACE / laws.HCP_LIMIT  # of x/x_hcp; below it U goes on as its tangent, to any voltage
ROUNDS = 100


def logarithm(u: Expr) -> Expr:
    """-ln(1 - u), and its tangent where less than a trace of Li is left."""
    left = ufl.max_value(1 - u, LEAST)
    return -ufl.ln(left) + ufl.max_value(LEAST - (1 - u), 0) / LEAST


def slope(u: Expr) -> Expr:
    """Derivative of `logarithm`."""
    return 1 / ufl.max_value(1 - u, LEAST)


def inverse(eta: Array, resistance: float, strength: float, thickness: Array) -> Array:
    """Currents at which R i - A ln(1 - i h) is eta, with the tangent as in `logarithm`.

    Newton's method: of a convex function, it comes down to the answer from above after its first step.

    Args:
        eta: overpotentials [V].
        resistance: R [V h/um].
        strength: A [V].
        thickness: h = N/K [h/um].
    """
    i = eta / resistance
    for _ in range(ROUNDS):
        left = np.maximum(1 - i * thickness, LEAST)
        volts = -np.log(left) + np.maximum(LEAST - (1 - i * thickness), 0) / LEAST
        change = (resistance * i + strength * volts - eta) / (resistance + strength * thickness / left)
        i = i - change
        if np.max(np.abs(change), initial=0.0) <= 1e-15 * np.max(np.abs(i), initial=0.0):
            break
    return i


class LayeredContact:
    """The law of a contact under a layer.

    Args:
        fields: the metal's; their frame has a layer.
        eta: overpotential of contact and layer, an expression [V].
    """

    def __init__(self, fields: Fields, eta: Expr) -> None:
        self.layer, self.k = fields.frame.layer, fields.k
        k = self.k
        host = forms_layer.host(fields.u, k, self.layer)
        self.thickness = host / k.layer_permeability
        self.strength = laws.HCP_SLOPE * k.thermal_voltage
        self.space = self.layer.current.function_space
        points = self.space.element.interpolation_points
        self.expressions = [fem.Expression(value, points) for value in (eta, self.thickness)]
        self.nodal = fem.Function(self.space)
        domain = fields.domain
        facets = domain.facet_tags.find(domain.facet_names["contact"])
        self.dofs = fem.locate_dofs_topological(self.space, domain.mesh.topology.dim - 1, facets)

    def slope(self) -> Expr:
        """di/deta at the current about which the law is linearised [um/h/V]."""
        u = self.layer.current * self.thickness
        return 1 / (self.k.interface_resistance + self.strength * self.thickness * slope(u))

    def flux(self, eta: Expr) -> Expr:
        """Local current [um/h] at an overpotential."""
        i = self.layer.current
        volts = self.k.interface_resistance * i + self.strength * logarithm(i * self.thickness)
        return i + (eta - volts) * self.slope()

    def refresh(self) -> None:
        """Linearise about the current at the overpotential at hand; collective."""
        found = []
        for expression in self.expressions:
            self.nodal.interpolate(expression)
            found.append(self.nodal.x.array[self.dofs].copy())
        resistance = float(self.k.interface_resistance.value)
        strength = laws.HCP_SLOPE * float(self.k.thermal_voltage.value)
        self.layer.current.x.array[self.dofs] = inverse(found[0], resistance, strength, found[1])
        self.layer.current.x.scatter_forward()
