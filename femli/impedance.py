"""Impedance: the small-signal answer of the same model to a current, at a state of a run.

About the state the discrete equations are linear, (K + (y - 1) C + j omega M) u = b: K is Newton's matrix without time
derivatives, M its derivative by the rate, C the contact's part, y = 1 + R Q (j omega)^a what the constant-phase element
makes of the contact's admittance, b a unit current at the counter side. The mesh stands still; moving boundaries are
followed by their flux. Real and imaginary part are solved together.

A power law has no linear response at rest, where its viscosity is without bound. Stress is therefore left out of the
small signal: Li is driven by its composition alone, and metal follows as a liquid of uniform viscosity would.
"""

from pathlib import Path
from typing import Any, NamedTuple

from mpi4py import MPI

import numpy as np
from numpy.typing import NDArray
from petsc4py import PETSc

from femli import mesh
from femli.case import Case
from femli.electrolyte import Electrolyte
from femli.errors import CaseError, SolveError
from femli.fields import flux_of_current
from femli.outputs_checkpoint import Checkpoint, stored_mesh
from femli.solver import Newton, on_mesh
from femli.solver_linear import LinearSolver, direct
from femli.stepper import Stepper
from femli.units import TIME, F, R

Complex = NDArray[np.complex128]


class Spectrum(NamedTuple):
    """Impedance of a state.

    Attributes:
        frequency: [Hz], (n,).
        impedance: per area of the foil [ohm m2], (n,).
        contact_fraction: of the state [-].
        electrolyte: resistance of the electrolyte under a uniform current [ohm m2].
        contact: of the intact contact [ohm m2].
        phase_element: Q of the intact contact [S s^a/m2].
        exponent: a [-].
    """

    frequency: NDArray[np.float64]
    impedance: Complex
    contact_fraction: float
    electrolyte: float
    contact: float
    phase_element: float
    exponent: float


def fresh(case: Case, comm: MPI.Intracomm = MPI.COMM_WORLD, domain: mesh.Domain | None = None) -> Newton:
    """The electrode as it was made, or on a mesh that is there already; collective.

    Raises:
        CaseError: the case has no electrolyte, or a layer.
    """
    if case.electrolyte is None:
        raise CaseError("impedance: the case has no electrolyte; allowed: add an [electrolyte] section")
    if case.interface.layer_diffusivity is not None:
        raise CaseError(
            "impedance: a layer on the contact is not in the small signal; allowed: no interface.layer_diffusivity"
        )
    # The assembled matrix is what is used of the solver, and only the direct one has it.
    matrix = case.model_copy(update={"solver": case.solver.model_copy(update={"linear": "direct", "petsc": {}})})
    return on_mesh(domain or mesh.build(case, comm), matrix, case.electrode_properties())


class SmallSignal:
    """The linearised model about the state of a Newton solver; its state is changed.

    Args:
        newton: holds composition and mesh of the state.
        case: the numbers of the contact.

    Raises:
        SolveError: the state has no electrolyte.
    """

    def __init__(self, newton: Newton, case: Case) -> None:
        if newton.electrolyte is None:
            raise SolveError("the impedance needs an electrolyte")
        self.newton, self.case = newton, case
        self.electrolyte: Electrolyte = newton.electrolyte
        fl, k = newton.fields, newton.fields.k
        newton.control, newton.applied_flux = "current", 0.0
        k.pressure_coupling.value = k.surface_tension.value = k.spring.value = 0.0
        fl.u.v.x.array[:] = 0.0
        fl.u.p.x.array[:] = float(k.stack_pressure.value)
        newton.at_rest()
        fl.w.x.array[:] = 0.0
        fl.displacement.x.array[:] = 0.0
        fl.x_old.x.array[:] = fl.u.x.x.array
        same: Any = PETSc.Mat.Structure.SAME_NONZERO_PATTERN
        self.K = self._matrix(rate=1.0)
        resistance = float(k.interface_resistance.value)
        k.interface_resistance.value = resistance / 2
        self.C = self._matrix(rate=1.0)
        self.C.axpy(-1.0, self.K, structure=same)
        k.interface_resistance.value = resistance
        # The matrix is linear in the rate; without any, forces that act through displacements have no meaning.
        self.M = self._matrix(rate=2.0)
        self.M.axpy(-1.0, self.K, structure=same)
        self.K.axpy(-1.0, self.M, structure=same)
        self.b = self._drive()

    def _matrix(self, rate: float) -> PETSc.Mat:
        system = self.newton.step_system
        self.newton.fields.k.rate.value = rate
        system.assemble([])
        if not isinstance(system, LinearSolver):
            raise SolveError("the impedance needs the matrix of the direct solver")
        return system.A.copy()

    def _drive(self) -> PETSc.Vec:
        """Minus the residual that a unit current through the counter side makes."""
        system, given = self.newton.step_system, self.electrolyte.given
        at = float(given.value)
        vectors = []
        for value in (at, at + 1.0):
            given.value = value
            system.residual([])
            vectors.append(system.b.copy())
        given.value = at
        b = vectors[0]
        b.axpy(-1.0, vectors[1])
        return b

    def impedance(self, frequency: float) -> complex:
        """Impedance per area of the foil [ohm m2] at a frequency [Hz]; collective.

        Raises:
            SolveError: the direct solver failed.
        """
        section, resistance = self.case.impedance, self.case.interface.resistance
        omega = 2 * np.pi * frequency
        extra = resistance * section.phase_element(resistance) * (1j * omega) ** section.exponent
        real, imaginary = self.K.copy(), self.M.copy()
        same: Any = PETSc.Mat.Structure.SAME_NONZERO_PATTERN
        real.axpy(extra.real, self.C, structure=same)
        imaginary.scale(omega * TIME)  # rates are per hour
        imaginary.axpy(extra.imag, self.C, structure=same)
        minus = imaginary.copy()
        minus.scale(-1.0)
        nest = PETSc.Mat().createNest([[real, minus], [imaginary, real]])
        whole = PETSc.Mat()
        nest.convert("aij", whole)
        answer, drive = whole.createVecRight(), whole.createVecLeft()
        local = self.b.getLocalSize()
        drive.array[:local] = self.b.array
        solve_direct(whole, drive, answer)
        response = [answer.array[:local].copy(), answer.array[local:].copy()]
        for thing in (nest, whole, real, imaginary, minus, answer, drive):
            thing.destroy()
        volts = [self._voltage(part) for part in response]
        flux = flux_of_current(1.0, self.case.electrode_properties())
        return complex(volts[0], volts[1]) * flux

    def _voltage(self, values: NDArray[np.float64]) -> float:
        """Change of the cell voltage [V] for a change of the unknowns by a unit current."""
        e = self.electrolyte
        before = e.phi.x.array.copy()
        e.phi.x.array[:] = 0.0
        e.phi.x.array[: e.owned] = values[self.newton.offsets[3] :]
        e.phi.x.scatter_forward()
        volts = e.counter_resistance - e.integral("potential") / e.counter_area
        e.phi.x.array[:] = before
        return float(volts)

    def spectrum(self) -> Spectrum:
        """Impedance at the frequencies of the case; collective."""
        section, n = self.case.impedance, self.newton
        frequency = np.array(section.frequencies())
        flux = flux_of_current(1.0, self.case.electrode_properties())
        resistance = self.case.interface.resistance
        return Spectrum(
            frequency=frequency,
            impedance=np.array([self.impedance(f) for f in frequency]),
            contact_fraction=n.contents.area_of_contact() / n.contents.full_area,
            electrolyte=self.electrolyte.thickness / self.electrolyte.conductivity * flux,
            contact=resistance,
            phase_element=section.phase_element(resistance),
            exponent=section.exponent,
        )


def solve_direct(matrix: PETSc.Mat, right: PETSc.Vec, answer: PETSc.Vec) -> None:
    """Solve by MUMPS.

    Raises:
        SolveError: it failed.
    """
    ksp = direct(matrix)
    ksp.getPC().setFactorSetUpSolverType()
    ksp.getPC().getFactorMatrix().setMumpsIcntl(14, 100)
    ksp.solve(right, answer)
    reason: Any = ksp.getConvergedReason()
    ksp.destroy()
    if reason < 0 or not np.isfinite(answer.norm()):
        raise SolveError(f"the small-signal system could not be solved (PETSc reason {reason})")


def finite_warburg(frequency: NDArray[np.float64], case: Case) -> Complex:
    """Impedance [ohm m2] of diffusion in the uniform foil of a case, blocked at the collector, in closed form.

    Z = (R T/F^2) L/(D c) coth(s)/s with s^2 = j omega L^2/(D (1 - x) Theta): in the frame of the host.
    """
    electrode = case.electrode_properties()
    x, length = electrode.li_fraction, case.geometry.electrode_thickness
    c = x / (x * electrode.omega_li + (1 - x) * electrode.omega_host)
    a, b = electrode.activity
    theta = 1 - x * (1 - x) * (2 * a + 3 * b * (1 - x))
    s = length * np.sqrt(2j * np.pi * frequency / (electrode.diffusivity * (1 - x) * theta))
    scale = R * electrode.temperature * length / (F**2 * electrode.diffusivity * c)
    return np.asarray(scale / (s * np.tanh(s)))


def state_of(folder: Path, case: Case, comm: MPI.Intracomm) -> Newton:
    """The state at the last checkpoint of a result folder; collective.

    Raises:
        CaseError: there is none that can be used.
    """
    domain = mesh.distribute(case, stored_mesh(folder, case.sha256(), comm), (), comm)
    newton = fresh(case, comm, domain)
    Checkpoint(folder, Stepper(newton, case), case.sha256()).load()
    return newton
