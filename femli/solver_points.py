"""The quadrature points at which the stress is a state: where they are, their weights, the strain rate there."""

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import basix
import numpy as np
import ufl
from dolfinx import fem
from numpy.typing import NDArray

from femli import laws
from femli.fields import CREEP_DEGREE, Fields
from femli.fields_forms import bound

Array = NDArray[np.float64]


class Points:
    """Points of one mesh, cell by cell on this rank.

    Args:
        fields: unknowns and constants.

    Attributes:
        dofs: of the scalars of the state at the points, (points,).
    """

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        mesh = fields.domain.mesh
        points, _ = basix.make_quadrature(mesh.basix_cell(), CREEP_DEGREE)
        d = laws.strain_rate(laws.velocity_gradient(fields.u.v, fields.frame.kinematics, fields.frame.r))
        self.rate_expression = fem.Expression(laws.deviator_components(d, fields.frame.kinematics), points)
        self.cells = np.arange(mesh.topology.index_map(mesh.topology.dim).size_local, dtype=np.int32)
        scalar = fields.state.inverse_rate.function_space
        self.dofs = scalar.dofmap.list[self.cells].ravel()
        w = ufl.TestFunction(scalar)
        self.weight_form = bound(fields.frame.weight * w * fields.frame.dx_creep)
        corners = 1 - points.sum(axis=1, keepdims=True)
        self.corner_weights = np.hstack([corners, points])

    def places(self) -> Array:
        """Where the points are [um], (points, dim)."""
        geometry = self.fields.domain.mesh.geometry
        nodes = geometry.x[geometry.dofmaps[0][self.cells]][:, :, : geometry.dim]
        return np.einsum("qc,kcd->kqd", self.corner_weights, nodes).reshape(-1, geometry.dim)

    def strain_rate(self) -> Array:
        """Deviatoric strain rate [1/h], (points, components)."""
        size = self.fields.state.stress.function_space.dofmap.index_map_bs
        return self.rate_expression.eval(self.fields.domain.mesh, self.cells).reshape(-1, size)

    def weights(self) -> Array:
        """Quadrature weights [um^dim], (points,)."""
        values = fem.Function(self.fields.state.inverse_rate.function_space)
        fem.assemble_vector(values.x.array, self.weight_form)
        return values.x.array[self.dofs]
