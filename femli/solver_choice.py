"""Which linear solver a case gets: direct in 1D and 2D, for small 3D problems, with a layer; else iterative."""

from typing import Any

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
import ufl
from dolfinx import fem
from numpy.typing import NDArray

from femli import bcs, forms, forms_block
from femli.case import Case
from femli.electrolyte import Electrolyte
from femli.fields import Fields
from femli.solver_block import Approximation, BlockSolver
from femli.solver_coupled import CoupledBlockSolver, CoupledSolver
from femli.solver_linear import LinearSolver, LinearSystem
from femli.solver_velocity import velocity_kernels

ITERATIVE_DOFS = 10_000  # dofs in three dimensions from which the iterative solver is the faster one


def iterative(case: Case, fields: Fields, electrolyte: Electrolyte | None) -> bool:
    """Whether the iterative solver is used."""
    if fields.frame.layer is not None:
        return False
    if case.solver.linear != "automatic":
        return case.solver.linear == "iterative"
    spaces = [u.function_space for u in fields.u] + ([] if electrolyte is None else [electrolyte.space])
    dofs = sum(V.dofmap.index_map.size_global * V.dofmap.index_map_bs for V in spaces)
    return fields.domain.mesh.geometry.dim == 3 and dofs >= ITERATIVE_DOFS


def linear_system(
    case: Case,
    fields: Fields,
    jacobian: list[list[Any]],
    residual: list[Any],
    conditions: list[fem.DirichletBC],
    offsets: NDArray[np.float64],
    name: str,
    electrolyte: Electrolyte | None,
) -> LinearSystem:
    """The solver of a Newton iteration's linear system.

    Args:
        case: the numbers.
        fields: the unknowns.
        jacobian: array of forms, rows [momentum, volume, host].
        residual: one form a row.
        conditions: of the increments.
        offsets: first owned dof of each row.
        name: of the system, for the options' prefix.
        electrolyte: whose potential is solved for as well, or None.
    """
    if not iterative(case, fields, electrolyte):
        direct = LinearSolver(jacobian, residual, conditions, offsets, name, case.solver.petsc)
        return direct if electrolyte is None else CoupledSolver(direct, electrolyte)
    fl = fields
    spaces = [u.function_space for u in fl.u]
    t = forms.Unknowns(*[ufl.TestFunction(V) for V in spaces])
    du = forms.Unknowns(*[ufl.TrialFunction(V) for V in spaces])
    W = fl.w.function_space
    approximation = Approximation(
        kernels=velocity_kernels(fl),
        trailing=forms_block.schur_block(jacobian, t, fl.u, du, fl.state, fl.k, fl.frame),
        coarse=forms_block.coarse_velocity(fl.w, fl.u, fl.state, fl.k, fl.frame, case.load.plate),
        space=spaces[0],
        coarse_space=W,
        coarse_conditions=bcs.velocity_conditions(fl.domain, W, case.interface.contact == "no_slip"),
    )
    keep = name == "step"  # at the start viscosities change by orders of magnitude between iterations
    metal = BlockSolver(jacobian, residual, conditions, offsets, approximation, name, case.solver.petsc, keep)
    return metal if electrolyte is None else CoupledBlockSolver(metal, electrolyte)
