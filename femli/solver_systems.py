"""The linear systems of Newton's method: that of a time step, and the one of its start, at given composition."""

from typing import NamedTuple

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
import ufl
from dolfinx import fem
from numpy.typing import NDArray

from femli import bcs, forms
from femli.case import Case
from femli.electrolyte import Electrolyte
from femli.fields import Fields
from femli.solver_choice import linear_system
from femli.solver_linear import LinearSystem
from femli.walls import Curvature, Exchange

Array = NDArray[np.float64]


class Systems(NamedTuple):
    """Systems for (v, p, x), and what holds the pressure of void walls where lithium crosses them, or None."""

    step: LinearSystem
    frozen: LinearSystem
    exchange: Exchange | None


def systems(
    case: Case, fields: Fields, curvature: Curvature, electrolyte: Electrolyte | None, offsets: Array
) -> Systems:
    """Residuals, their derivatives and conditions, each with the linear solver that the case gets.

    Args:
        case: the numbers.
        fields: unknowns and constants.
        curvature: of the void walls, with the mesh motion.
        electrolyte: whose potential is solved for as well, or None.
        offsets: first owned dof of each row.
    """
    fl, k, exchange = fields, fields.k, None
    if electrolyte is not None:
        k = k._replace(contact_flux=electrolyte.contact_flux)
    spaces = [u.function_space for u in fl.u]
    t = forms.Unknowns(*[ufl.TestFunction(V) for V in spaces])
    du = forms.Unknowns(*[ufl.TrialFunction(V) for V in spaces])
    no_slip = case.interface.contact == "no_slip"
    held = bcs.velocity_conditions(fl.domain, spaces[0], no_slip, fl.frame.layer is not None)
    everywhere = np.arange(fl.u.x.x.index_map.size_local + fl.u.x.x.index_map.num_ghosts, dtype=np.int32)
    frozen = fem.dirichletbc(np.float64(0.0), everywhere, spaces[2])
    # Fewer points in the matrix do: it decides how fast Newton's method converges, not to what.
    frame = fl.frame._replace(dx=fl.frame.dx_creep) if fl.domain.mesh.geometry.dim == 3 else fl.frame
    F = forms.residuals(t, fl.u, fl.x_old, fl.state, k, fl.frame, case.load.plate)
    if case.wall.lithium == "exchange" and "void" in fl.domain.facet_names:
        exchange = Exchange(fl, curvature.motion, curvature, F[1])
        held.append(exchange.condition())
    rows = forms.residuals(t, fl.u, fl.x_old, fl.state, k, frame, case.load.plate)
    J = forms.jacobian(rows, t, fl.u, du, k, frame)
    step = linear_system(case, fl, J, F, held, offsets, "step", electrolyte)
    Fz = forms.frozen_residuals(t, fl.u, fl.state, k, fl.frame, case.load.plate)
    rows = forms.frozen_residuals(t, fl.u, fl.state, k, frame, case.load.plate)
    Jz = [[ufl.derivative(row, fl.u[j], du[j]) for j in range(3)] for row in rows]
    start = linear_system(case, fl, Jz, Fz, [*held, frozen], offsets, "start", electrolyte)
    return Systems(step, start, exchange)
