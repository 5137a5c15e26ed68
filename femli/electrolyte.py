"""The electrolyte of a coupled run: its potential, its rows of the Newton system, the current shared by the contact.

Charge is conserved in the electrolyte, div(kappa grad phi) = 0. Metal is an equipotential (0 V). The contact passes the
local current i(phi_m - phi - E) into the electrolyte, void floors and sides none, the counter side the given current,
or what a given cell voltage drives. Potentials in volt, currents as volume flux of Li [um/h].

The contact is integrated on the electrode's facets with the trace of phi there; products with the trace matrix R give
the blocks of the electrolyte's dofs.
"""

from typing import Any, NamedTuple

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
import ufl
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from dolfinx.la import InsertMode
from numpy.typing import NDArray
from petsc4py import PETSc

from femli import laws
from femli.case import Case
from femli.electrolyte_layer import LayeredContact
from femli.electrolyte_trace import Follower, trace_matrix
from femli.errors import SolveError
from femli.fields import Fields, flux_of_current, total
from femli.forms import Unknowns
from femli.materials_electrode import Electrode
from femli.solver_linear import NotConvergedError
from femli.units import LENGTH

Array = NDArray[np.float64]

# petsc4py's stubs say that these are integers.
SAME: Any = PETSc.Mat.Structure.SAME_NONZERO_PATTERN
SUBSET: Any = PETSc.Mat.Structure.SUBSET_NONZERO_PATTERN
KEEP: Any = PETSc.Mat.Option.KEEP_NONZERO_PATTERN

SHARE_TRIES = 60
BOLDEST = 0.1  # V; the uniform shift of the potential is no larger at once


class Blocks(NamedTuple):
    """What the electrolyte adds to a Newton system of (v, p, x): its columns, its rows, its own block."""

    columns: PETSc.Mat
    rows: PETSc.Mat
    own: PETSc.Mat


class Electrolyte:
    """Potential and current in the electrolyte under one electrode.

    Args:
        fields: the electrode; its domain has an electrolyte.
        case, electrode: the numbers.

    Attributes:
        phi: potential [V], P1.
        trace: phi at the contact, on the electrode's P1 space.
        contact_flux: local current as an expression of (x, p, trace) [um/h].
        composition, stress: the two parts of the open-circuit potential E [V], expressions.
        eta: overpotential of the contact [V].
        counter_potential [V], counter_resistance [V h/um]: of the electrode on the other side.
        start_potential: E of the metal as it was made [V].
        thickness: of the electrolyte [um].
    """

    def __init__(self, fields: Fields, case: Case, electrode: Electrode) -> None:
        domain, cell = fields.domain.electrolyte, case.cell
        if domain is None or case.electrolyte is None:
            raise SolveError("the mesh has no electrolyte")
        self.fields, self.domain, self.comm = fields, domain, domain.mesh.comm
        self.thermal_voltage = float(fields.k.thermal_voltage.value)
        symmetric = case.interface.resistance if cell.kind == "symmetric" else 0.0
        resistance = symmetric if cell.counter_resistance is None else cell.counter_resistance
        self.counter_potential = cell.counter_potential or 0.0
        self.counter_resistance = resistance / flux_of_current(1.0, electrode)
        kappa = case.electrolyte.conductivity_at(case.load.temperature)
        self.conductivity = flux_of_current(kappa / LENGTH, electrode)

        self.interface_resistance = float(fields.k.interface_resistance.value)
        y, (a, b) = 1 - electrode.li_fraction, electrode.activity
        self.start_potential = -self.thermal_voltage * float(np.log(1 - y) + y**2 * (a + b * y))

        space = fem.functionspace(domain.mesh, ("Lagrange", 1))
        self.space, self.phi = space, fem.Function(space, name="phi")
        self.trace = fem.Function(fields.u.p.function_space, name="trace")
        u, k = fields.u, fields.k
        self.composition = laws.open_circuit_potential(u.x, k)
        self.stress = laws.stress_potential(u.p, k)
        self.eta = -self.trace - self.composition - self.stress
        self.law = case.interface.law
        self.layered = None if fields.frame.layer is None else LayeredContact(fields, self.eta)
        self.contact_flux = self._local(self.eta)

        self.R = trace_matrix(fields.u.p.function_space, space, domain.shared)
        self.back = PETSc.Mat()
        self.R.transpose(self.back)
        self.follower = Follower(fields, domain, space, self.back)
        self._measures()
        self._contact_forms()
        self.blocks: Blocks | None = None
        self.matrices: dict[str, PETSc.Mat] = {}

    # --- forms ------------------------------------------------------------------------------------------------------

    def _measures(self) -> None:
        """Forms on the electrolyte: the Laplace operator with its counter side, and what is measured there."""
        mesh, names = self.domain.mesh, self.domain.facet_names
        r = ufl.SpatialCoordinate(mesh)[0]
        weight = 2 * np.pi * r if self.domain.kinematics == "axisymmetric" else 1.0
        counter = ufl.Measure("ds", mesh, subdomain_data=self.domain.facet_tags)(names["counter"])
        self.owned = self.space.dofmap.index_map.size_local
        # Current through the counter side: given + admittance (phi + E_counter + V).
        self.given, self.admittance, self.drive = (fem.Constant(mesh, 0.0) for _ in range(3))
        leaving = self.given + self.admittance * (self.phi + self.drive)
        psi, dphi = ufl.TestFunction(self.space), ufl.TrialFunction(self.space)
        g = ufl.grad(self.phi)
        balance = weight * self.conductivity * ufl.dot(g, ufl.grad(psi)) * ufl.dx + weight * leaving * psi * counter
        self.balance = fem.form(balance)
        self.stiffness = fem.form(ufl.derivative(balance, self.phi, dphi))
        one = fem.Constant(mesh, 1.0)
        depth = -ufl.SpatialCoordinate(mesh)[mesh.geometry.dim - 1]
        self.forms = {
            "area": fem.form(weight * one * counter),
            "depth": fem.form(weight * depth * counter),
            "potential": fem.form(weight * self.phi * counter),
            "leaving": fem.form(weight * leaving * counter),
            "dissipation": fem.form(weight * self.conductivity * ufl.dot(g, g) * ufl.dx),
        }
        self.counter_area = self.integral("area")
        self.thickness = self.integral("depth") / self.counter_area
        dofs = fem.locate_dofs_topological(
            self.space, mesh.geometry.dim - 1, self.domain.facet_tags.find(names["counter"])
        )
        self.counter_dofs = dofs[dofs < self.owned]
        self.held = False  # the counter side's potential is given (a voltage without a resistance in between)

    def _contact_forms(self) -> None:
        """Forms on the electrode's contact: current, its derivatives, and how they sit in the blocks of (v, p, x)."""
        fl = self.fields
        f, k = fl.frame, fl.k
        contact = f.ds(f.parts["contact"])
        spaces = [u.function_space for u in fl.u]
        t = Unknowns(*[ufl.TestFunction(V) for V in spaces])
        du = Unknowns(*[ufl.TrialFunction(V) for V in spaces])
        Q = self.trace.function_space
        q, dq = ufl.TestFunction(Q), ufl.TrialFunction(Q)
        current = f.weight * self.contact_flux * q * contact
        nothing = f.weight * k.zero
        self.current = fem.form(current)
        # The volume balance holds the same current, tested with p's test functions.
        columns = f.weight * self.contact_flux * t.p * contact
        own = ufl.derivative(current, self.trace, dq)
        self.a = {
            "own": fem.form(own),
            "columns": fem.form(
                [
                    [nothing * t.v[0] * dq * contact],
                    [ufl.derivative(columns, self.trace, dq)],
                    [nothing * t.x * dq * contact],
                ]
            ),
            "rows": fem.form(
                [
                    [
                        nothing * du.v[0] * q * contact,
                        ufl.derivative(current, fl.u.p, du.p),
                        ufl.derivative(current, fl.u.x, du.x),
                    ]
                ]
            ),
        }
        one = fem.Constant(fl.domain.mesh, 1.0)
        eta = ufl.variable(self.eta)
        slope = ufl.diff(self._local(eta), eta)
        self.contact = {
            "area": fem.form(f.weight * one * contact),
            "current": fem.form(f.weight * self.contact_flux * contact),
            "size": fem.form(f.weight * abs(self.contact_flux) * contact),
            "slope": fem.form(f.weight * slope * contact),
        }

    def _local(self, eta: Any) -> Any:
        """Local current [um/h] at an overpotential, by the law of the contact."""
        if self.layered is not None:
            return self.layered.flux(eta)
        return laws.CONTACT_LAWS[self.law](eta, self.fields.k)

    def close(self) -> None:
        """Give back what PETSc holds; nothing works afterwards."""
        self.follower.close()
        products = () if self.blocks is None else (*self.blocks, self.middle, self.inner)
        for owned in (self.R, self.back, *self.matrices.values(), *products):
            owned.destroy()

    # --- numbers ----------------------------------------------------------------------------------------------------

    def integral(self, name: str) -> float:
        """Integral over the electrolyte or its counter side; collective."""
        return total(self.comm, fem.assemble_scalar(self.forms[name]))

    def over_contact(self, name: str) -> float:
        """Integral over the contact; collective."""
        return total(self.comm, fem.assemble_scalar(self.contact[name]))

    def flux(self) -> float:
        """Areal current through the interface as volume flux of Li [um/h], voids included; collective."""
        return self.over_contact("current") / self.counter_area

    # --- the state --------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Carry phi to the electrode's side of the contact."""
        self.phi.x.scatter_forward()
        below, above = self.R.createVecRight(), self.R.createVecLeft()
        below.array[:] = self.phi.x.array[: self.owned]
        self.R.mult(below, above)
        self.trace.x.array[: above.array.size] = above.array
        self.trace.x.scatter_forward()
        if self.layered is not None:
            self.layered.refresh()
        below.destroy()
        above.destroy()

    def set(self, phi: Array) -> None:
        """A potential (local dofs, V) on the mesh as the contact now is."""
        self.phi.x.array[:] = phi
        self.follower.follow()
        self.refresh()

    def update(self, part: Array) -> float:
        """Take a Newton increment (owned dofs); returns its largest value over R T/F on this rank."""
        self.phi.x.array[: self.owned] -= part
        self.refresh()
        return float(np.max(np.abs(part), initial=0.0)) / self.thermal_voltage

    def condition(self, control: str, current: float, voltage: float) -> None:
        """What the counter side is held at.

        Args:
            control: "current" or "voltage".
            current: total [um/h times area], used with control = "current".
            voltage: of the cell [V], used with control = "voltage".
        """
        by_voltage = control == "voltage"
        self.held = by_voltage and self.counter_resistance == 0.0
        self.given.value = 0.0 if by_voltage else current / self.counter_area
        self.admittance.value = 1 / self.counter_resistance if by_voltage and not self.held else 0.0
        # Phi_counter = -V, and without current phi = phi_counter - E_counter.
        self.drive.value = voltage + self.counter_potential

    def share(self) -> None:
        """Shift phi by a constant until contact and counter side pass the same current; collective.

        A shift changes no current inside, so that charge is conserved to round-off on the mesh as it now is.

        Raises:
            NotConvergedError: the contact cannot carry the current.
        """
        if self.held:
            return
        area = self.over_contact("area")
        for _ in range(SHARE_TRIES):
            inflow, leaving = self.over_contact("current"), self.integral("leaving")
            slope = self.over_contact("slope") + float(self.admittance.value) * self.counter_area
            if not np.isfinite(inflow) or slope <= 0:
                raise NotConvergedError("the current of the contact is not finite")
            shift = (inflow - leaving) / slope
            if self.law == "butler_volmer" and abs(shift) > self.thermal_voltage and self.admittance.value == 0.0:
                # Where the law is steep, its inverse for the mean currents leads there at once.
                z = float(self.fields.k.interface_resistance.value) / (2 * self.thermal_voltage) / area
                shift = 2 * self.thermal_voltage * float(np.arcsinh(inflow * z) - np.arcsinh(leaving * z))
                shift = np.sign(shift) * max(abs(shift), 1e-3 * self.thermal_voltage)
            elif self.admittance.value != 0.0:
                shift = float(np.clip(shift, -BOLDEST, BOLDEST))
            self.phi.x.array[:] += shift
            self.refresh()
            if abs(shift) <= 1e-11 * self.thermal_voltage:
                return
        raise NotConvergedError("the current of the contact cannot be shared")

    # --- rows of the Newton system ----------------------------------------------------------------------------------

    def _matrix(self, name: str, form: Any) -> PETSc.Mat:
        """The matrix of a form, made once."""
        if name not in self.matrices:
            self.matrices[name] = fem_petsc.create_matrix(form)
        matrix = self.matrices[name]
        matrix.zeroEntries()
        fem_petsc.assemble_matrix(matrix, form)
        matrix.assemble()
        return matrix

    def assemble(self) -> Blocks:
        """The blocks of the current state; the same matrices at every call."""
        stiffness = self._matrix("stiffness", self.stiffness)
        own, columns, rows = (self._matrix(name, form) for name, form in self.a.items())
        if self.blocks is None:
            middle = own.matMult(self.R)
            self.middle, self.inner = middle, self.back.matMult(middle)
            self.blocks = Blocks(columns.matMult(self.R), self.back.matMult(rows), stiffness.copy())
        else:
            own.matMult(self.R, result=self.middle)
            self.back.matMult(self.middle, result=self.inner)
            columns.matMult(self.R, result=self.blocks.columns)
            self.back.matMult(rows, result=self.blocks.rows)
            stiffness.copy(self.blocks.own, structure=SAME)
        self.blocks.rows.scale(-1.0)
        self.blocks.own.axpy(-1.0, self.inner, structure=SUBSET)
        if self.held:
            self.blocks.own.setOption(KEEP, True)
            first = self.space.dofmap.index_map.local_range[0]
            self.blocks.own.zeroRows((self.counter_dofs + first).astype(np.int32), diag=self.conductivity)
        return self.blocks

    def residual(self) -> Array:
        """Charge that is not balanced at each owned dof."""
        b = fem.assemble_vector(self.balance)
        b.scatter_reverse(InsertMode.add)
        values = b.array[: self.owned].copy()
        above = fem.assemble_vector(self.current)
        above.scatter_reverse(InsertMode.add)
        below, vector = self.R.createVecRight(), self.R.createVecLeft()
        vector.array[:] = above.array[: vector.array.size]
        self.back.mult(vector, below)
        values -= below.array
        below.destroy()
        vector.destroy()
        if self.held:
            target = -float(self.drive.value)
            values[self.counter_dofs] = self.conductivity * (self.phi.x.array[self.counter_dofs] - target)
        return values
