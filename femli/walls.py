"""The curvature of void walls, node by node, from the variation of their area."""

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
import ufl
from dolfinx import fem

from femli import forms_wall
from femli.case import Case
from femli.fields import Fields, add_ghosts
from femli.motion import Motion


class Walls:
    """Keeps `fields.frame.curvature` on the present mesh; nothing to do without surface tension.

    Args:
        fields: what the run owns.
        motion: knows the nodes of walls and their edges, and which components symmetry holds.
        case: the contact angle.
    """

    def __init__(self, fields: Fields, motion: Motion, case: Case) -> None:
        self.fields, self.motion = fields, motion
        self.curvature = fields.frame.curvature
        if self.curvature is None:
            return
        f = fields.frame
        young = fem.Function(fields.u.p.function_space)
        young.x.array[motion.on_triple] = np.cos(np.radians(case.wall.contact_angle))
        self.variation = fem.form(forms_wall.area_variation(ufl.TestFunction(fields.w.function_space), young, f))
        self.area = fem.Function(young.function_space)
        self.area_form = fem.form(f.weight * ufl.TestFunction(young.function_space) * f.ds(f.parts["void"]))

    def update(self) -> None:
        """Curvature vector of the present walls: variation of their area over the area itself, collective."""
        K = self.curvature
        if K is None:
            return
        for function, form in ((K, self.variation), (self.area, self.area_form)):
            function.x.array[:] = 0.0
            fem.assemble_vector(function.x.array, form)
            add_ghosts(function)
        values = K.x.array.reshape(-1, self.motion.dim)
        values[~self.motion.on_void] = 0.0
        values[self.motion.held] = 0.0  # mirror planes carry these
        values[self.motion.on_void] /= self.area.x.array[self.motion.on_void, None]
