"""The electrolyte alone: div(kappa grad phi) = 0 under a contact with a given admittance, real or complex.

Answers questions of the electrolyte's geometry (constriction, current at edges, impedance at one frequency) without
metal and without time. SI, but lengths of the mesh in um.
"""

import math
from functools import partial
from typing import Any, NamedTuple

from mpi4py import MPI  # before dolfinx

import numpy as np
import ufl
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from numpy.typing import NDArray
from petsc4py import PETSc

from femli.errors import SolveError
from femli.fields import total
from femli.mesh import ElectrolyteDomain
from femli.solver_linear import direct
from femli.units import LENGTH

EQUIPOTENTIAL = math.inf  # admittance of a contact without resistance


class Conduction(NamedTuple):
    """A harmonic potential under a metal at 1 V, the counter side at 0 V.

    Attributes:
        impedance: volts over the areal current of the whole interface, voids included [ohm m2].
        potential: real and imaginary part [V], a P1 function of two components; with a uniform current it is scaled
            to the areal current of 1 A/m2 over the contact.
        thickness: of the electrolyte [m].
    """

    impedance: complex
    potential: fem.Function
    thickness: float


def conduct(domain: ElectrolyteDomain, conductivity: float, admittance: complex | None) -> Conduction:
    """Solve for the potential of one contact law; collective.

    Args:
        domain: the electrolyte; what is not contact on its top is insulated.
        conductivity: [S/m].
        admittance: local current over local overpotential [S/m2]; `EQUIPOTENTIAL`, or None for a uniform current
            through the contact (the limit of small admittance, less its own resistance).

    Raises:
        SolveError: the linear solve failed.
    """
    V = fem.functionspace(domain.mesh, ("Lagrange", 1, (2,)))
    weight, contact, _ = _measures(domain)
    phi, psi = ufl.TrialFunction(V), ufl.TestFunction(V)
    zero = fem.Constant(domain.mesh, (0.0, 0.0))
    a = weight * conductivity / LENGTH * ufl.inner(ufl.grad(phi), ufl.grad(psi)) * ufl.dx
    L = weight * ufl.dot(zero, psi) * contact
    held = [_held(V, domain, "counter", (0.0, 0.0))]
    if admittance is None:
        L = weight * psi[0] * contact
    elif admittance == EQUIPOTENTIAL:
        held.append(_held(V, domain, "contact", (1.0, 0.0)))
    else:
        Y = complex(admittance)
        # Y (1 - phi) with complex Y and phi as two real parts.
        a += weight * ((Y.real * phi[0] - Y.imag * phi[1]) * psi[0]) * contact
        a += weight * ((Y.imag * phi[0] + Y.real * phi[1]) * psi[1]) * contact
        L = weight * (Y.real * psi[0] + Y.imag * psi[1]) * contact
    found = _solved(a, L, held, V)
    impedance, thickness = _measured(found, domain, conductivity, admittance)
    return Conduction(impedance, found, thickness)


def _measured(
    found: fem.Function, domain: ElectrolyteDomain, conductivity: float, admittance: complex | None
) -> tuple[complex, float]:
    """Areal impedance of the potential found and thickness of the electrolyte [m]; arguments as of `conduct`."""
    mesh = domain.mesh
    weight, contact, counter = _measures(domain)
    integral = partial(_integral, mesh.comm)
    one = fem.Constant(mesh, 1.0)
    area = integral(weight * one * counter)
    depth = -ufl.SpatialCoordinate(mesh)[mesh.geometry.dim - 1]
    thickness = integral(weight * depth * counter) / area * LENGTH
    if admittance is None:
        through = integral(weight * one * contact)
        impedance = complex(integral(weight * found[0] * contact) / through * area / through)
    elif admittance == EQUIPOTENTIAL:
        g = ufl.grad(found[0])
        impedance = complex(area / integral(weight * conductivity / LENGTH * ufl.dot(g, g) * ufl.dx))
    else:
        parts = [integral(weight * (1 - found[0]) * contact), -integral(weight * found[1] * contact)]
        impedance = area / (complex(admittance) * complex(*parts))
    return impedance, thickness


def _measures(domain: ElectrolyteDomain) -> tuple[Any, ufl.Measure, ufl.Measure]:
    """Weight of all integrals, and the measures of contact and counter side."""
    weight = 2 * np.pi * ufl.SpatialCoordinate(domain.mesh)[0] if domain.kinematics == "axisymmetric" else 1.0
    ds = ufl.Measure("ds", domain.mesh, subdomain_data=domain.facet_tags)
    return weight, ds(domain.facet_names["contact"]), ds(domain.facet_names["counter"])


def _integral(comm: MPI.Intracomm, expression: object) -> float:
    """The value of an integral over all ranks; collective."""
    return total(comm, fem.assemble_scalar(fem.form(expression)))


def _held(V: fem.FunctionSpace, domain: ElectrolyteDomain, part: str, value: tuple[float, float]) -> fem.DirichletBC:
    facets = domain.facet_tags.find(domain.facet_names[part])
    dofs = fem.locate_dofs_topological(V, domain.mesh.topology.dim - 1, facets)
    return fem.dirichletbc(np.array(value), dofs, V)


def _solved(a: object, L: object, held: list[fem.DirichletBC], V: fem.FunctionSpace) -> fem.Function:
    lhs, rhs = fem.form(a), fem.form(L)
    A = fem_petsc.assemble_matrix(lhs, bcs=held)
    A.assemble()
    b = fem_petsc.assemble_vector(rhs)
    fem_petsc.apply_lifting(b, [lhs], bcs=[held])
    b.ghostUpdate(addv=PETSc.InsertMode.ADD, mode=PETSc.ScatterMode.REVERSE)
    fem_petsc.set_bc(b, held)
    ksp = direct(A)
    u = fem.Function(V, name="phi")
    x = A.createVecRight()
    ksp.solve(b, x)
    u.x.array[: x.array.size] = x.array
    u.x.scatter_forward()
    good = ksp.is_converged and bool(np.isfinite(x.norm()))
    for each in (ksp, A, b, x):
        each.destroy()
    if not good:
        raise SolveError("the potential of the electrolyte could not be solved for")
    return u


def contact_profile(found: Conduction, domain: ElectrolyteDomain) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lateral place [um] and real potential [V] at the contact's nodes, sorted by place, on every rank (2D)."""
    V = found.potential.function_space
    mesh = domain.mesh
    facets = domain.facet_tags.find(domain.facet_names["contact"])
    dofs = fem.locate_dofs_topological(V, mesh.topology.dim - 1, facets)
    dofs = dofs[dofs < V.dofmap.index_map.size_local]
    x = V.tabulate_dof_coordinates()[dofs, 0]
    values = found.potential.x.array.reshape(-1, 2)[dofs, 0]
    pairs = np.concatenate(mesh.comm.allgather(np.column_stack([x, values])))
    pairs = pairs[np.argsort(pairs[:, 0])]
    return pairs[:, 0], pairs[:, 1]
