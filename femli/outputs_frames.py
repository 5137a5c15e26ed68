"""Field snapshots as VTU pieces, and an index (`fields.pvd`) that survives a crash.

Every frame has files of its own; the index is written anew and put in place at once after each frame, so that what it
names is always complete. Coordinates are in micrometres, values in SI with their unit in the name.
"""

import os
import xml.etree.ElementTree as ET
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from mpi4py import MPI  # before dolfinx

import numpy as np
import ufl
from dolfinx import fem
from dolfinx.io import VTKFile
from numpy.typing import NDArray

from femli import laws, units
from femli.fields import assemble
from femli.fields_forms import bound
from femli.solver import Newton

Array = NDArray[np.float64]

FOLDER = "fields"
SPEED = units.LENGTH / units.TIME  # m/s in one um/h


class Series(ABC):
    """Snapshots of one mesh and their index; what a frame holds is up to `functions` and `update`.

    Args:
        folder: result folder (exists).
        comm: the ranks that write.
        name: of the index, `name.pvd`, and of the folder of its files.
    """

    def __init__(self, folder: Path, comm: MPI.Intracomm, name: str) -> None:
        self.folder, self.comm, self.name = folder, comm, name
        self.written: list[tuple[float, str]] = []

    @abstractmethod
    def functions(self) -> list[fem.Function]:
        """What is written."""

    @abstractmethod
    def update(self) -> None:
        """Compute the functions of the current state, in SI."""

    def write(self, time: float) -> None:
        """Write a frame of the current state at a time [s], then the index; collective."""
        self.update()
        name = f"frame_{len(self.written):06d}"
        target = self.folder / self.name
        if self.comm.rank == 0:
            target.mkdir(exist_ok=True)
        self.comm.barrier()
        with VTKFile(self.comm, str(target / f"{name}.pvd"), "w") as file:
            file.write_function(self.functions(), time)
        del file  # its end writes its own index once more
        self.comm.barrier()
        if self.comm.rank == 0:
            (target / f"{name}.pvd").unlink()
        self.written.append((time, f"{self.name}/{name}000000.pvtu"))  # the name that DOLFINx gives
        self.index()

    def index(self) -> None:
        """Write the index of all frames, atomically."""
        if self.comm.rank:
            return
        root = ET.Element("VTKFile", type="Collection", version="1.0")
        collection = ET.SubElement(root, "Collection")
        for time, file in self.written:
            ET.SubElement(collection, "DataSet", timestep=repr(time), part="0", file=file)
        ET.indent(root)
        index = self.folder / f"{self.name}.pvd"
        new = index.with_suffix(".pvd.new")
        new.write_bytes(ET.tostring(root, xml_declaration=True))
        os.replace(new, index)

    def resume(self, until: float) -> None:
        """Keep the frames of an earlier run up to a time [s]; later ones are written again."""
        kept: list[tuple[float, str]] = []
        index = self.folder / f"{self.name}.pvd"
        if self.comm.rank == 0 and index.exists():
            for entry in ET.parse(index).iter("DataSet"):
                time = float(entry.attrib["timestep"])
                if time <= until * (1 + 1e-12):
                    kept.append((time, entry.attrib["file"]))
        self.written = self.comm.bcast(kept)
        self.index()


class DiffusionFrames(Series):
    """Writes field snapshots of one run: composition, and how Li and metal move; all that there is without mechanics.

    Args:
        folder: result folder (exists).
        newton: the run.
        omega_li: partial molar volume of Li [m3/mol].
    """

    scalars: tuple[str, ...] = ("li_fraction [-]", "chemical_potential [J/mol]")

    def __init__(self, folder: Path, newton: Newton, omega_li: float) -> None:
        super().__init__(folder, newton.comm, FOLDER)
        self.fields, self.newton = newton.fields, newton
        self.omega = omega_li
        fields = newton.fields
        mesh, f, u = fields.domain.mesh, fields.frame, fields.u
        Q = u.p.function_space
        q = ufl.TestFunction(Q)
        self.mass = bound(fem.Constant(mesh, 1.0) * q * f.dx_creep)
        flux = laws.li_flux(u.x, u.p, fields.k)
        self.fluxes = [bound(flux[c] * q * f.dx_creep) for c in range(mesh.geometry.dim)]
        self.point = {name: fem.Function(Q, name=name) for name in self.scalars}
        V3 = fem.functionspace(mesh, ("Lagrange", 1, (3,)))
        self.vectors = {name: fem.Function(V3, name=name) for name in ("velocity [m/s]", "li_flux [mol/(m^2 s)]")}
        D = fem.functionspace(mesh, ("DG", 0))
        self.cells = {name: fem.Function(D, name=name) for name in ("region [-]", "rank [-]")}
        self.cells["region [-]"].x.array[fields.domain.cell_tags.indices] = fields.domain.cell_tags.values
        self.cells["rank [-]"].x.array[:] = self.comm.rank

    def _assembled(self, form: Any) -> Array:
        g = fem.Function(self.fields.u.p.function_space)
        assemble(g, form)
        return g.x.array

    def _beyond_stack(self) -> Array | float:
        """Pressure above that of the stack [MPa], as far as it counts in the potential."""
        return 0.0

    def _velocity(self, flux: Array) -> Array:
        """Velocity of the metal at P1 dofs [um/h], with what one dimension prescribes: v + j is one number.

        Args:
            flux: volume flux of Li there [um/h], (dofs, dim).
        """
        velocity = -flux
        velocity[:, -1] -= float(self.fields.k.contact_flux.value)
        return velocity

    def update(self) -> None:
        """Compute all output fields of the current state, in SI."""
        u, k = self.fields.u, self.fields.k
        x = u.x.x.array
        self.point["li_fraction [-]"].x.array[:] = x
        y = 1 - x
        gamma = y**2 * (float(k.activity_0.value) + float(k.activity_1.value) * y)
        mu = float(k.thermal_pressure.value) * (np.log(np.maximum(x, 1e-12)) + gamma)
        mu += self._beyond_stack()
        self.point["chemical_potential [J/mol]"].x.array[:] = mu * units.STRESS * self.omega
        mass = self._assembled(self.mass)
        flux = np.stack([self._assembled(form) / mass for form in self.fluxes], axis=1)
        dim = flux.shape[1]
        for name, values in (
            ("velocity [m/s]", self._velocity(flux) * SPEED),
            ("li_flux [mol/(m^2 s)]", flux * SPEED / self.omega),
        ):
            self.vectors[name].x.array.reshape(-1, 3)[:, :dim] = values

    def functions(self) -> list[fem.Function]:
        """What is written."""
        return [*self.point.values(), *self.vectors.values(), *self.cells.values()]


class Frames(DiffusionFrames):
    """The same with pressure, stress and what the metal's creep dissipates."""

    scalars = (
        "li_fraction [-]",
        "pressure [Pa]",
        "equivalent_stress [Pa]",
        "strain_rate [1/s]",
        "creep_dissipation [W/m^3]",
        "chemical_potential [J/mol]",
    )

    def __init__(self, folder: Path, newton: Newton, omega_li: float) -> None:
        super().__init__(folder, newton, omega_li)
        f = self.fields.frame
        self.at_points = fem.Function(self.fields.state.inverse_rate.function_space)
        self.average = bound(self.at_points * ufl.TestFunction(self.fields.u.p.function_space) * f.dx_creep)

    def nodal(self, values: Array) -> Array:
        """Values at the stress points averaged to P1 dofs (lumped projection: keeps bounds)."""
        self.at_points.x.array[self.newton.points.dofs] = values
        return self._assembled(self.average) / self._assembled(self.mass)

    def _beyond_stack(self) -> Array | float:
        return self.fields.u.p.x.array - float(self.fields.k.stack_pressure.value)

    def _velocity(self, flux: Array) -> Array:
        return self.fields.u.v.x.array.reshape(-1, flux.shape[1])[self.newton.motion.p2_of_p1]

    def update(self) -> None:
        """Compute all output fields of the current state, in SI."""
        super().update()
        law, T = self.newton.law, self.newton.stress()
        rate = T * law.fluidity(law.equivalent(T))[:, None]
        point = self.point
        point["pressure [Pa]"].x.array[:] = self.fields.u.p.x.array * units.STRESS
        point["equivalent_stress [Pa]"].x.array[:] = self.nodal(law.equivalent(T)) * units.STRESS
        equivalent_rate = np.sqrt(law.inner(rate, rate) * 2 / 3)
        point["strain_rate [1/s]"].x.array[:] = self.nodal(equivalent_rate) / units.TIME
        dissipation = self.nodal(law.inner(T, rate)) * units.STRESS / units.TIME
        point["creep_dissipation [W/m^3]"].x.array[:] = dissipation


def frames_of(folder: Path, newton: Newton, omega_li: float) -> DiffusionFrames:
    """What writes the snapshots of a run; arguments as of `DiffusionFrames`."""
    return (Frames if newton.mechanical else DiffusionFrames)(folder, newton, omega_li)
