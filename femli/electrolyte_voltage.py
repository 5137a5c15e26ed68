"""What a potentiostat sees: the voltage of the cell, and the shares of its overpotential.

The power that the cell takes is shared exactly (the rows of the potential multiplied by the potential itself):

    I (V + E_counter - i R_counter) = int kappa |grad phi|^2 + int_contact i eta + int_contact i E.

So every part is a power over the current, and the parts add up. Without a net current, when potentials of one part of
the contact only drive currents to another, powers say nothing about volts, and the parts are means over the contact.
"""

from typing import NamedTuple

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
from dolfinx import fem

from femli.electrolyte import Electrolyte
from femli.fields import Fields, largest

AT_REST = 1e-2  # net current over the currents that the contact passes either way: below it, means over the area

NO_CURRENT = 1e-9  # overpotential over R T/F that is round-off


class CellState(NamedTuple):
    """Voltage of one state, in volt.

    Attributes:
        voltage: of the cell, working electrode minus counter electrode; rises on stripping.
        overpotential: voltage less that of the cell at rest before anything happened.
        ohmic: of a uniform current through the electrolyte, i t/kappa.
        interface: of the contact's kinetics.
        constriction: of the current that gathers at the contact that is left.
        composition, stress: of the metal at the contact, less its composition at the start.
        counter: of the counter electrode's resistance.
        current_focusing: largest local current over the areal one [-]; 0 without current.
        layer: of a layer on the contact, diffusion through it; None without one.
    """

    voltage: float
    overpotential: float
    ohmic: float
    interface: float
    constriction: float
    composition: float
    stress: float
    counter: float
    current_focusing: float
    layer: float | None = None


class Voltage:
    """Measures the voltage of one run; forms are built once.

    Args:
        fields: the electrode.
        electrolyte: what lies under it.
    """

    def __init__(self, fields: Fields, electrolyte: Electrolyte) -> None:
        self.fields, self.electrolyte = fields, electrolyte
        e, f = electrolyte, fields.frame
        contact = f.ds(f.parts["contact"])
        shares = {"eta": e.eta, "composition": e.composition, "stress": e.stress}
        if e.layered is not None:
            shares["eta"] = e.contact_flux * fields.k.interface_resistance
            shares["layer"] = e.eta - shares["eta"]
        self.names = tuple(shares)
        for name, volts in shares.items():
            e.contact[name] = fem.form(f.weight * volts * contact)
            e.contact[f"power_{name}"] = fem.form(f.weight * e.contact_flux * volts * contact)
        Q = e.trace.function_space
        self.local = fem.Function(Q)
        self.expression = fem.Expression(e.contact_flux, Q.element.interpolation_points)
        facets = fields.domain.facet_tags.find(f.parts["contact"])
        self.dofs = fem.locate_dofs_topological(Q, fields.domain.mesh.topology.dim - 1, facets)

    def voltage(self) -> float:
        """Voltage of the cell [V]; collective."""
        e = self.electrolyte
        if e.held or e.admittance.value:
            return float(e.drive.value) - e.counter_potential
        resistance = e.counter_resistance * float(e.given.value)
        return resistance - e.integral("potential") / e.counter_area - e.counter_potential

    def overpotential(self) -> float:
        """Voltage less that of the cell at rest at the start [V]; collective."""
        e = self.electrolyte
        return self.voltage() + e.counter_potential - e.start_potential

    def polarisation(self) -> float:
        """Overpotential, in the direction of the current, less what the intact cell needs for it [V]; collective."""
        e, flux = self.electrolyte, self.electrolyte.flux()
        intact = e.thickness / e.conductivity + e.interface_resistance + e.counter_resistance
        return float(np.copysign(1.0, flux)) * (self.overpotential() - flux * intact)

    def _focusing(self, flux: float) -> float:
        if abs(flux) * self.electrolyte.interface_resistance < NO_CURRENT * self.electrolyte.thermal_voltage:
            return 0.0
        self.local.interpolate(self.expression)
        values = self.local.x.array[self.dofs] * np.sign(flux)
        (peak,) = largest(self.electrolyte.comm, float(np.max(values, initial=-np.inf)))
        return peak / abs(flux)

    def state(self) -> CellState:
        """Measure the current state; collective."""
        e, flux = self.electrolyte, self.electrolyte.flux()
        whole, overpotential = flux * e.counter_area, self.overpotential()
        counter = e.counter_resistance * e.integral("leaving") / e.counter_area
        ohmic = flux * e.thickness / e.conductivity
        if abs(whole) > AT_REST * e.over_contact("size"):
            interface, composition, stress, *layer = (e.over_contact(f"power_{name}") / whole for name in self.names)
            constriction = e.integral("dissipation") / whole - ohmic
        else:
            area = e.over_contact("area")
            interface, composition, stress, *layer = (e.over_contact(name) / area for name in self.names)
            rest = interface + composition - e.start_potential + stress + sum(layer) + counter + ohmic
            constriction = overpotential - rest
        composition -= e.start_potential
        focusing = self._focusing(flux)
        return CellState(
            self.voltage(),
            overpotential,
            ohmic,
            interface,
            constriction,
            composition,
            stress,
            counter,
            focusing,
            layer[0] if layer else None,
        )
