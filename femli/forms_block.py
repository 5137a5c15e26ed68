"""What a block preconditioner knows of the linearised system: the Schur complement and the velocity on P1."""

from typing import Any

import ufl

from femli import forms, laws

Expr = Any


def schur_block(
    J: list[list[Expr]], t: forms.Unknowns, u: forms.Unknowns, du: forms.Unknowns, s: Any, k: Any, f: forms.Frame
) -> list[Expr]:
    """The pressure's column of the trailing block (all rows but momentum), with what eliminating the velocity adds.

    Nothing is added to other columns.

    With moving boundaries followed and v.n held elsewhere, the velocity enters the volume row as B = int q div v, and
    the pressure enters momentum as -B^T; eliminating v = A^-1 B^T p adds B A^-1 B^T. For a uniform deviatoric viscosity
    eta, whose operator has the symbol eta (|k|^2 I + k k^T/3), that is 3/(4 eta) times the mass matrix; 2 eta is the
    state's 1/k, point by point. The rank-one part of the tangent, which softens one direction of shear by n, is left
    out. The host row holds int (1 - phi) q div v, and a part with grad phi that is smaller by the cell over the length
    on which the composition changes and is left out: the same mass, times the host fraction.
    """
    compliance = f.weight * 1.5 / s.inverse_rate * du.p
    host = 1 - laws.li_volume_fraction(u.x, k)
    return [J[1][1] + compliance * t.p * f.dx_creep, J[2][1] + host * compliance * t.x * f.dx_creep]


def coarse_velocity(w: Expr, u: forms.Unknowns, s: Any, k: Any, f: forms.Frame, plate: bool) -> Expr:
    """The velocity block on a subspace of the velocity's, at the same points: its Galerkin projection, exactly.

    Args:
        w: function of the subspace; its value does not matter, the block is linear in the velocity.
        u: unknowns.
        s: stress state.
        k: constants.
        f: frame.
        plate: whether a rigid plate lies on the collector.
    """
    V = w.ufl_function_space()
    t = ufl.TestFunction(V)
    force = forms.momentum(t, u._replace(v=w), s, k, f)
    if plate:
        force += forms.rigid_plate(t, u._replace(v=w), k, f)
    return ufl.derivative(force, w, ufl.TrialFunction(V))
