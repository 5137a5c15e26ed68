"""The hcp layer on the contact as a state of a run: how much host each node of the contact holds.

What a step adds follows the time discretisation of the balances, so that what leaves the metal is what arrives. The
content belongs to the node; its thickness is content over the node's share of the contact.
"""

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
import ufl
from dolfinx import fem
from numpy.typing import NDArray

from femli import forms_layer, laws
from femli.errors import SolveError
from femli.fields import Fields, assemble, total
from femli.fields_forms import bound

Array = NDArray[np.float64]

ENDLESS = 1e12  # 1/h; the rate of a step so short that nothing grows in it


class LayerState:
    """Layer of one mesh.

    Args:
        fields: the metal's.

    Attributes:
        content, added: host in the layer and what the last step added, by local P1 dof [um^dim].
    """

    def __init__(self, fields: Fields) -> None:
        if fields.frame.layer is None:
            raise SolveError("the case has no layer")
        self.fields, self.layer, self.comm = fields, fields.frame.layer, fields.domain.mesh.comm
        space = fields.u.x.function_space
        self.owned = space.dofmap.index_map.size_local
        q, f, u = ufl.TestFunction(space), fields.frame, fields.u
        contact = f.ds(f.parts["contact"])
        self.share_form = bound(f.weight * q * contact)
        self.growth_form = bound(forms_layer.host_out(q, u, fields.k, f))
        self.nodal = fem.Function(space)
        self.content, self.added = np.zeros_like(u.x.x.array), np.zeros_like(u.x.x.array)
        self.before, self.echo = self.content, self.added

    def _assembled(self, form: fem.Form) -> Array:
        assemble(self.nodal, form)
        return self.nodal.x.array.copy()

    def _spread(self, content: Array) -> None:
        """Host per area of the nodes, for the forms."""
        shares = self._assembled(self.share_form)
        self.layer.base.x.array[:] = np.where(shares > 0, content / np.maximum(shares, 1e-300), 0.0)

    def begin(self, rate: float, a2: float) -> None:
        """Before a step of the rate [1/h] and weight of the last increment, from the content at hand; collective."""
        self.rate = rate
        self.before, self.echo = self.content, a2 / rate * self.added
        self.spread()

    def spread(self) -> None:
        """Once more, where points of the contact have moved; collective."""
        self._spread(self.before + self.echo)

    def end(self) -> None:
        """After a step: what has grown; collective."""
        self.added = self._assembled(self.growth_form) / self.rate + self.echo
        self.content = self.before + self.added

    def hold(self) -> None:
        """Nothing grows: for a consistent state at the composition and layer at hand; collective."""
        self.fields.k.rate.value = ENDLESS
        self._spread(self.content)

    def set(self, content: Array, added: Array) -> None:
        """A state that was taken before; collective."""
        self.content, self.added = content.copy(), added.copy()
        self._spread(self.content)

    def totals(self) -> tuple[float, float]:
        """Li and host in the layer over all ranks [um^dim of Li volume, of host volume]."""
        host = total(self.comm, float(self.content[: self.owned].sum()))
        return float(self.li_per_host()) * host, host

    def li_per_host(self) -> float:
        """Li over host in the layer, by volume [-]."""
        x = laws.HCP_LIMIT
        return x / (float(self.fields.k.volume_ratio.value) * (1 - x))

    def take(self, other: "LayerState") -> None:
        """The layer of another mesh of the same contact (2D): linear along it, the whole content kept; collective."""
        mine, shares = self._places(), self._assembled(self.share_form)
        old_shares = other._assembled(other.share_form)
        on = old_shares > 0
        parts = self.comm.allgather((other._places()[on], other.content[on] / old_shares[on]))
        where, first = np.unique(np.concatenate([p[0] for p in parts]), return_index=True)
        found = np.interp(mine, where, np.concatenate([p[1] for p in parts])[first]) * shares
        whole, new = other.totals()[1], total(self.comm, float(found[: self.owned].sum()))
        content = found * (whole / new) if new > 0 else np.zeros_like(found)
        self.set(content, np.zeros_like(content))

    def _places(self) -> Array:
        """Lateral coordinate of each P1 dof [um]."""
        return self.fields.domain.mesh.geometry.x[self.fields.node_of_dof, 0]
