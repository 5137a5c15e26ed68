"""The mesh of a foil whose metal streams at one speed: nodes keep their share of the height, in closed form."""

from mpi4py import MPI  # before dolfinx

import numpy as np

from femli.fields import Fields, largest
from femli.motion import Motion


class LevelMotion(Motion):
    """Mesh velocity w = V z/h of a foil of the height h, harmonic and V on the collector; nothing is solved for.

    Args:
        fields: what the run owns; `fields.w` is set here.
    """

    def __init__(self, fields: Fields) -> None:
        mesh = fields.domain.mesh
        self.fields, self.mesh, self.dim = fields, mesh, mesh.geometry.dim
        height = mesh.geometry.x[fields.node_of_dof, self.dim - 1]
        (top,) = largest(mesh.comm, float(np.max(height, initial=0.0)))
        self.share = height / top  # of the height, at P1 dofs; a mesh keeps it
        self.first_wall_height = np.inf

    def close(self) -> None:
        """Nothing of PETSc's is held."""

    def follow(self) -> None:
        """Set the mesh velocity `fields.w` for the flux through the contact."""
        self.fields.w.x.array.reshape(-1, self.dim)[:, -1] = -float(self.fields.k.contact_flux.value) * self.share

    def upright(self) -> bool:
        """Whether any height is left; collective."""
        z = self.mesh.geometry.x[self.fields.node_of_dof, self.dim - 1]
        return bool(self.mesh.comm.allreduce(bool(np.all(z[self.share > 0] > 0)), op=MPI.LAND))

    def wall_height(self) -> tuple[float, float]:
        """There are no void walls."""
        return np.inf, 0.0

    def distortion_rate(self) -> float:
        """Rate at which the mesh motion stretches its cells, |V|/h [1/h]; collective."""
        z = self.mesh.geometry.x[self.fields.node_of_dof, self.dim - 1]
        (top,) = largest(self.mesh.comm, float(np.max(z, initial=0.0)))
        return abs(float(self.fields.k.contact_flux.value)) / top
