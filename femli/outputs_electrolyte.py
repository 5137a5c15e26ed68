"""Snapshots of the electrolyte next to those of the electrode: `electrolyte.pvd`, its potential and current."""

from pathlib import Path

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
import ufl
from dolfinx import fem

from femli.electrolyte import Electrolyte
from femli.fields import assemble
from femli.outputs_frames import Series

FOLDER = "electrolyte"


class ElectrolyteFrames(Series):
    """Writes the electrolyte's snapshots.

    Args:
        folder: result folder.
        electrolyte: of the run.
        per_flux: current density [A/m2] of one um/h.
    """

    def __init__(self, folder: Path, electrolyte: Electrolyte, per_flux: float) -> None:
        super().__init__(folder, electrolyte.comm, FOLDER)
        self.electrolyte, self.per_flux = electrolyte, per_flux
        e, mesh = electrolyte, electrolyte.domain.mesh
        self.dim = mesh.geometry.dim
        q = ufl.TestFunction(e.space)
        flux = -e.conductivity * ufl.grad(e.phi)
        self.forms = [fem.form(flux[c] * q * ufl.dx) for c in range(self.dim)]
        self.mass = fem.form(fem.Constant(mesh, 1.0) * q * ufl.dx)
        self.potential = fem.Function(e.space, name="potential [V]")
        self.current = fem.Function(fem.functionspace(mesh, ("Lagrange", 1, (3,))), name="current_density [A/m^2]")
        self.rank = fem.Function(fem.functionspace(mesh, ("DG", 0)), name="rank [-]")
        self.rank.x.array[:] = self.comm.rank

    def functions(self) -> list[fem.Function]:
        """What is written."""
        return [self.potential, self.current, self.rank]

    def update(self) -> None:
        """Potential against the metal, and the current averaged to the nodes (lumped projection)."""
        e = self.electrolyte
        self.potential.x.array[:] = e.phi.x.array
        nodal = fem.Function(e.space)
        columns = []
        for form in (self.mass, *self.forms):
            assemble(nodal, form)
            columns.append(nodal.x.array.copy())
        current = self.current.x.array.reshape(-1, 3)
        current[:, : self.dim] = self.per_flux * np.stack(columns[1:], axis=1) / columns[0][:, None]
