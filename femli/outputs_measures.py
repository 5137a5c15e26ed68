"""What a state is measured by: numbers for the history, in SI."""

import math
from collections.abc import Callable
from typing import NamedTuple

from mpi4py import MPI  # before dolfinx

import numpy as np
import ufl
from dolfinx import fem

from femli.electrolyte_voltage import CellState, Voltage
from femli.errors import CaseError
from femli.fields import total
from femli.fields_forms import bound
from femli.outputs_voids import Walls
from femli.solver import Newton
from femli.units import LENGTH, STRESS


class InterfaceState(NamedTuple):
    """Numbers of one state that the history shows; SI.

    Attributes:
        li_fraction_interface_min, li_fraction_interface_mean: on the contact [-].
        pressure_interface_min, pressure_interface_mean: on the contact [Pa]; pressures are NaN without mechanics.
        pressure_min: anywhere [Pa]; pressure_min_depth: its distance from the interface [m].
        electrode_thickness: mean height of the collector [m].
        contact_fraction: contact over the whole interface [-].
        void_size: void area (2D, m2) or volume (axisymmetric and 3D, m3), of all voids.
        pressure_at: at the depths that the case asks for [Pa].
        cell: voltage and its parts; None without an electrolyte.
        layer_thickness: mean thickness of the layer on the interface [m]; None where the case has none.
    """

    li_fraction_interface_min: float
    li_fraction_interface_mean: float
    pressure_interface_min: float
    pressure_interface_mean: float
    pressure_min: float
    pressure_min_depth: float
    electrode_thickness: float
    contact_fraction: float
    void_size: float
    pressure_at: tuple[float, ...]
    cell: CellState | None = None
    layer_thickness: float | None = None


class Measures:
    """Measures states of one mesh; forms are built once.

    Args:
        newton: the solver, which has the fields.
        depths: distances from the contact [m] at which the pressure is wanted, of a line mesh.

    Attributes:
        columns: those of `INTERFACE_COLUMNS` that the run has a meaning for.
    """

    def __init__(self, newton: Newton, depths: tuple[float, ...] = ()) -> None:
        fields = newton.fields
        self.fields, self.newton, self.comm = fields, newton, newton.comm
        self.depths = depths
        f, u = fields.frame, fields.u
        self.dim = fields.domain.mesh.geometry.dim
        contact = f.ds(f.parts["contact"])
        height = ufl.SpatialCoordinate(fields.domain.mesh)[self.dim - 1]
        self.integrals = {
            "x": bound(f.weight * u.x * contact),
            "p": bound(f.weight * u.p * contact),
        }
        if f.parts["void"] != ():
            # Divergence theorem on the voids, which are closed by the plane z = 0.
            self.integrals["void"] = bound(-f.weight * height * f.n[self.dim - 1] * f.ds(f.parts["void"]))
        facets = fields.domain.facet_tags.find(f.parts["contact"])
        self.contact_dofs = fem.locate_dofs_topological(u.x.function_space, self.dim - 1, facets)
        self.node_of_dof = fields.node_of_dof
        self.walls = Walls(fields)
        self.void_count = self.walls.count
        self.power = 3 if f.kinematics in ("axisymmetric", "full") else 2  # of a length in the size of a void
        names = (name for name in INTERFACE_COLUMNS if newton.mechanical or not name.startswith("pressure"))
        self.columns = {name: INTERFACE_COLUMNS[name] for name in names}
        electrolyte = newton.electrolyte
        self.cell = None if electrolyte is None else Voltage(fields, electrolyte)

    def _extreme(self, value: float, op: MPI.Op) -> float:
        return float(self.comm.allreduce(value, op=op))

    def _integral(self, name: str) -> float:
        return total(self.comm, fem.assemble_scalar(self.integrals[name]))

    def li_fraction_min(self) -> float:
        """Smallest Li fraction on the contact [-]."""
        values = self.fields.u.x.x.array[self.contact_dofs]
        return self._extreme(float(np.min(values, initial=np.inf)), MPI.MIN)

    def thickness(self) -> float:
        """Mean thickness [um]."""
        return self.newton.contents.thickness()

    def contact_fraction(self) -> float:
        """Contact that is left over the whole interface [-]."""
        return self.newton.contents.area_of_contact() / self.newton.contents.full_area

    def voltage(self) -> float:
        """Cell voltage [V].

        Raises:
            CaseError: there is no electrolyte.
        """
        return self._cell().voltage()

    def polarisation(self) -> float:
        """Overpotential less what the intact cell needs [V]; raises as `voltage`."""
        return self._cell().polarisation()

    def _cell(self) -> Voltage:
        if self.cell is None:
            raise CaseError("there is no voltage without an electrolyte; allowed: add [electrolyte] to the case")
        return self.cell

    def equivalent_stress_range(self) -> tuple[float, float]:
        """Smallest and largest equivalent stress [Pa]."""
        sigma = self.newton.law.equivalent(self.newton.stress())
        low = self._extreme(float(np.min(sigma, initial=np.inf)), MPI.MIN)
        return low * STRESS, self._extreme(float(np.max(sigma, initial=0.0)), MPI.MAX) * STRESS

    def _pressure_min(self) -> tuple[float, float]:
        """Smallest pressure [MPa] and its depth [um]."""
        p = self.fields.u.p.x.array
        where = int(np.argmin(p))
        depth = self.fields.domain.mesh.geometry.x[self.node_of_dof[where], self.dim - 1]
        return min(self.comm.allgather((float(p[where]), float(depth))))

    def _pressure_at(self) -> tuple[float, ...]:
        """Pressure [Pa] at the wanted depths, linear between nodes; beyond the collector, that at the collector."""
        if not self.depths:
            return ()
        mine = (self.fields.domain.mesh.geometry.x[self.node_of_dof, 0], self.fields.u.p.x.array)
        nodes, p = (np.concatenate(parts) for parts in zip(*self.comm.allgather(mine), strict=True))
        order = np.argsort(nodes)
        values = np.interp(np.array(self.depths) / LENGTH, nodes[order], p[order]) * STRESS
        return tuple(float(value) for value in values)

    def state(self) -> InterfaceState:
        """Measure the current state; collective."""
        area, layer = self.newton.contents.area_of_contact(), self.newton.layer
        p = self.fields.u.p.x.array[self.contact_dofs]
        p_min, depth = self._pressure_min()
        void = self._integral("void") if "void" in self.integrals else 0.0
        state = InterfaceState(
            li_fraction_interface_min=self.li_fraction_min(),
            li_fraction_interface_mean=self._integral("x") / area,
            pressure_interface_min=self._extreme(float(np.min(p, initial=np.inf)), MPI.MIN) * STRESS,
            pressure_interface_mean=self._integral("p") / area * STRESS,
            pressure_min=p_min * STRESS,
            pressure_min_depth=max(depth, 0.0) * LENGTH,
            electrode_thickness=self.thickness() * LENGTH,
            contact_fraction=area / self.newton.contents.full_area,
            void_size=void * LENGTH**self.power,
            pressure_at=self._pressure_at(),
            cell=None if self.cell is None else self.cell.state(),
            layer_thickness=None if layer is None else sum(layer.totals()) / self.newton.contents.full_area * LENGTH,
        )
        if self.newton.mechanical:
            return state
        return state._replace(
            pressure_interface_min=math.nan,
            pressure_interface_mean=math.nan,
            pressure_min=math.nan,
            pressure_min_depth=math.nan,
        )


# Columns of history.csv in their order: header -> function of the state (contract; a column without meaning is absent).
INTERFACE_COLUMNS: dict[str, Callable[[InterfaceState], float]] = {
    "li_fraction_interface_min [-]": lambda s: s.li_fraction_interface_min,
    "li_fraction_interface_mean [-]": lambda s: s.li_fraction_interface_mean,
    "pressure_interface_min [Pa]": lambda s: s.pressure_interface_min,
    "pressure_interface_mean [Pa]": lambda s: s.pressure_interface_mean,
    "pressure_min [Pa]": lambda s: s.pressure_min,
    "pressure_min_depth [m]": lambda s: s.pressure_min_depth,
    "electrode_thickness [m]": lambda s: s.electrode_thickness,
    "contact_fraction [-]": lambda s: s.contact_fraction,
}

# The same for the cell around the electrode; absent without an electrolyte.
CELL_COLUMNS: dict[str, Callable[[CellState], float]] = {
    "cell_voltage [V]": lambda s: s.voltage,
    "overpotential [V]": lambda s: s.overpotential,
    "overpotential_ohmic [V]": lambda s: s.ohmic,
    "overpotential_interface [V]": lambda s: s.interface,
    "overpotential_constriction [V]": lambda s: s.constriction,
    "overpotential_composition [V]": lambda s: s.composition,
    "overpotential_stress [V]": lambda s: s.stress,
    "overpotential_counter [V]": lambda s: s.counter,
    "current_focusing [-]": lambda s: s.current_focusing,
}
