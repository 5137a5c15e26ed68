"""What a mesh holds of lithium and host, what a step adds to it, its areas and its thickness: integrals of one mesh."""

from typing import Any

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
import ufl
from dolfinx import fem
from dolfinx.la import InsertMode
from numpy.typing import NDArray

from femli import forms, laws
from femli.fields import Fields, total
from femli.fields_forms import bound
from femli.fields_layer import LayerState

Array = NDArray[np.float64]


class Contents:
    """Integrals over the metal of one mesh, where it is and as it is when they are asked for.

    Args:
        fields: unknowns and constants.
        layer: on the contact, or None; what it holds is counted in.

    Attributes:
        full_area: of the interface as the mesh was made, voids included (um^(dim-1)).
        contact_shares: the share of each owned P1 dof in the contact, as the mesh was made.
    """

    def __init__(self, fields: Fields, layer: LayerState | None) -> None:
        self.fields, self.layer, self.comm = fields, layer, fields.domain.mesh.comm
        k, f, mesh = fields.k, fields.frame, fields.domain.mesh
        q = ufl.TestFunction(fields.u.x.function_space)
        phi = laws.li_volume_fraction(fields.u.x, k)
        self.li_content = bound(f.weight * phi * q * f.dx)
        self.host_content = bound(f.weight * (1 - phi) * q * f.dx)
        self.increments = [
            bound(forms.volume_increment(q, f)),
            bound(forms.host_increment(q, fields.u, fields.x_old, k, f)),
        ]
        one = fem.Constant(mesh, 1.0)
        # The shadow of the collector, however bent, is the interface, voids included.
        up = mesh.geometry.dim - 1
        interface_area = bound(f.weight * f.n[up] * f.ds(f.parts["collector"]))
        self.contact_area = bound(f.weight * one * f.ds(f.parts["contact"]))
        height = ufl.SpatialCoordinate(mesh)[up]
        self.under_collector = bound(f.weight * height * f.n[up] * f.ds(f.parts["collector"]))
        shares = self._owned(bound(f.weight * q * f.ds(f.parts["contact"]) + k.zero * q * f.dx))
        self.contact_shares = shares / total(self.comm, float(shares.sum()))
        self.full_area = total(self.comm, fem.assemble_scalar(interface_area))

    def _owned(self, form: Any) -> Array:
        """Assembled linear form, owned dofs."""
        b = fem.assemble_vector(form)
        b.scatter_reverse(InsertMode.add)
        return b.array[: self.fields.u.x.x.index_map.size_local].copy()

    def step_increments(self) -> tuple[Array, Array]:
        """What the step added to volume and host content, tested with P1, owned dofs [um^dim]."""
        volume, host = (self._owned(form) for form in self.increments)
        return volume, host

    def totals(self) -> tuple[float, float]:
        """Li and host content over all ranks, that of a layer too [um^dim of Li volume, of host volume]."""
        li, host = (total(self.comm, float(self._owned(f).sum())) for f in (self.li_content, self.host_content))
        beside = (0.0, 0.0) if self.layer is None else self.layer.totals()
        return li + beside[0], host + beside[1]

    def area_of_contact(self) -> float:
        """Measure of the contact that is left (um^(dim-1))."""
        return total(self.comm, fem.assemble_scalar(self.contact_area))

    def thickness(self) -> float:
        """Mean thickness of the electrode [um]; the mesh stands on the layer, where there is one."""
        beside = 0.0 if self.layer is None else sum(self.layer.totals())
        return (total(self.comm, fem.assemble_scalar(self.under_collector)) + beside) / self.full_area
