"""The mesh of a foil whose metal streams at one speed: nodes keep their share of the height, in closed form."""

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
import ufl
from dolfinx import fem
from numpy.typing import NDArray

from femli.fields import Fields, largest
from femli.motion import Motion

Array = NDArray[np.float64]


class LevelMotion(Motion):
    """Mesh velocity w = V z/h of a foil of the height h: harmonic, and V on the collector. Nothing is solved for.

    Args:
        fields: what the run owns; `fields.w` is set here.

    Attributes:
        frame: of the fields, with mesh velocity and displacement as expressions: two numbers instead of two fields to
            be collected cell by cell at every assembly.
    """

    def __init__(self, fields: Fields) -> None:
        mesh = fields.domain.mesh
        self.fields, self.mesh, self.dim = fields, mesh, mesh.geometry.dim
        height = mesh.geometry.x[fields.node_of_dof, self.dim - 1]
        (top,) = largest(mesh.comm, float(np.max(height, initial=0.0)))
        self.share = height / top  # of the height, at P1 dofs; a mesh keeps it
        self.on_top = np.flatnonzero(self.share > 1 - 1e-9)
        self.first_wall_height = np.inf
        self.stretching, self.growth = (fem.Constant(mesh, 0.0) for _ in range(2))  # V/h [1/h], U/h [-]
        up = ufl.as_vector([0.0] * (self.dim - 1) + [ufl.SpatialCoordinate(mesh)[self.dim - 1]])
        self.frame = fields.frame._replace(w=self.stretching * up, displacement=self.growth * up)

    def _top(self, values: Array) -> float:
        """Largest of values (nodes of the collector on this rank,) over all ranks."""
        return largest(self.mesh.comm, float(np.max(values, initial=-np.inf)))[0]

    def height(self) -> float:
        """Of the foil [um]; not positive where nothing is left; collective."""
        return self._top(self.mesh.geometry.x[self.fields.node_of_dof[self.on_top], self.dim - 1])

    def close(self) -> None:
        """Nothing of PETSc's is held."""

    def follow(self) -> None:
        """Set the mesh velocity `fields.w` for the flux through the contact."""
        self.fields.w.x.array.reshape(-1, self.dim)[:, -1] = -float(self.fields.k.contact_flux.value) * self.share

    def advance(self, base: Array, last: Array, rate: float, a2: float) -> None:
        """Place the nodes as `Motion.advance` does, and tell the forms; collective."""
        super().advance(base, last, rate, a2)
        top = self.height()
        if top <= 0.0:
            return  # the solver tells of it
        # The same all over the collector.
        moved = self.fields.displacement.x.array.reshape(-1, self.dim)[self.on_top, -1]
        speed = self.fields.w.x.array.reshape(-1, self.dim)[self.on_top, -1]
        self.growth.value, self.stretching.value = self._top(moved) / top, self._top(speed) / top

    def wall_height(self) -> tuple[float, float]:
        """There are no void walls."""
        return np.inf, 0.0

    def distortion_rate(self) -> float:
        """Rate at which the mesh motion stretches its cells, |V|/h [1/h]; collective."""
        return self._top(np.abs(self.fields.w.x.array.reshape(-1, self.dim)[self.on_top, -1])) / self.height()
