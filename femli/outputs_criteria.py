"""What tells that contact would open: the normal traction on it, and the size of a cavity that would grow."""

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
import ufl
from dolfinx import fem
from numpy.typing import NDArray

from femli import forms
from femli.case import Case
from femli.fields import Fields, assemble, largest, total
from femli.fields_forms import bound
from femli.opening import Strength
from femli.units import STRESS

Array = NDArray[np.float64]


class Criteria:
    """Criteria of debonding and of cavity growth; columns only for those whose numbers the case gives.

    Args:
        fields: what the run owns.
        case: adhesion strength and surface tension.
    """

    def __init__(self, fields: Fields, case: Case) -> None:
        self.fields, self.comm = fields, fields.domain.mesh.comm
        self.tension, self.strength = case.wall.surface_tension, None
        if case.interface.adhesion_strength is None:
            return
        self.strength = Strength(case)
        f, u = fields.frame, fields.u
        self.force = fem.Function(fields.w.function_space)
        self.area = fem.Function(u.p.function_space)
        t, q = ufl.TestFunction(fields.w.function_space), ufl.TestFunction(u.p.function_space)
        self.force_form = bound(forms.momentum(t, u, fields.state, fields.k, f))
        self.area_form = bound(f.weight * q * f.ds(f.parts["contact"]))

    def traction(self) -> tuple[Array, Array]:
        """Normal traction at the P1 nodes of the contact [MPa], tension positive, and their areas; 0 elsewhere.

        The force with which the electrolyte holds a node, out of the balance of forces, over its area.
        """
        for function, form in ((self.force, self.force_form), (self.area, self.area_form)):
            assemble(function, form)
        area = self.area.x.array
        dim = self.fields.domain.mesh.geometry.dim
        normal = -self.force.x.array.reshape(-1, dim)[:, -1]
        return np.where(area > 0, normal / np.maximum(area, 1e-300), 0.0), area

    def columns(self, pressure_min: float) -> dict[str, float]:
        """Columns of the history; collective.

        Args:
            pressure_min: smallest pressure in the metal [Pa].
        """
        row: dict[str, float] = {}
        if self.strength is not None:
            t, area = self.traction()
            owned = self.fields.u.p.function_space.dofmap.index_map.size_local
            on = area > 0
            (high,) = largest(self.comm, float(np.max(t[on], initial=-np.inf)))
            x = self.fields.domain.mesh.geometry.x[self.fields.node_of_dof[:owned], 0]
            beyond = (t[:owned] > self.strength.at(x)) & on[:owned]
            share = total(self.comm, float(area[:owned][beyond].sum())) / total(self.comm, float(area[:owned].sum()))
            row |= {"contact_traction_max [Pa]": high * STRESS, "contact_beyond_strength [-]": share}
        if self.tension > 0:
            row["cavity_radius_critical [m]"] = 2 * self.tension / -pressure_min if pressure_min < 0 else np.inf
        return row
