"""Void walls in the solver: their curvature node by node, and the exchange of Li with them."""

from typing import Any

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
import ufl
from dolfinx import fem
from numpy.typing import NDArray

from femli import forms_wall
from femli.case import Case
from femli.fields import Fields, assemble
from femli.fields_forms import bound
from femli.motion import Motion

Array = NDArray[np.float64]


POLE = 4 / 3  # on the axis straight facets make a cone; its curvature there, weighed with r, is 3/4 of the sphere's
FLAT = 0.03  # sin^2 of 10 degrees, the smallest contact angle of a case


class Curvature:
    """Keeps `fields.frame.curvature` on the present mesh; nothing to do without surface tension.

    Args:
        fields: what the run owns.
        motion: knows the nodes of walls and their edges, and which components symmetry holds.
        case: the contact angle.
    """

    def __init__(self, fields: Fields, motion: Motion, case: Case) -> None:
        self.fields, self.motion = fields, motion
        self.vector = fields.frame.curvature
        self.angle = np.radians(case.wall.contact_angle)
        if self.vector is None:
            return
        f = fields.frame
        young = fem.Function(fields.u.p.function_space)
        young.x.array[motion.on_triple] = np.cos(self.angle)
        W = ufl.TestFunction(fields.w.function_space)
        self.variation = bound(forms_wall.area_variation(W, young, f))
        self.area = fem.Function(young.function_space)
        self.area_form = bound(f.weight * ufl.TestFunction(young.function_space) * f.ds(f.parts["void"]))
        r = fields.domain.mesh.geometry.x[fields.node_of_dof, 0]
        self.pole = motion.on_void & motion.held[:, 0] & (r == 0.0) & (f.kinematics == "axisymmetric")
        self.normal = fem.Function(fields.w.function_space)
        self.normal_form = bound(f.weight * ufl.dot(f.n, W) * f.ds(f.parts["void"]))

    def update(self) -> None:
        """Curvature vector of the present walls, the variation of their area over the area itself; collective."""
        if self.vector is None:
            return
        assemble(self.vector, self.variation)
        assemble(self.area, self.area_form)
        values = self.vector.x.array.reshape(-1, self.motion.dim)
        values[~self.motion.on_void] = 0.0
        values[self.motion.held] = 0.0  # mirror planes carry these
        values[self.motion.on_void] /= self.area.x.array[self.motion.on_void, None]
        self.vector.x.scatter_forward()  # a rank may see a node on a mirror plane without seeing the plane

    def pressure(self) -> Array:
        """Gamma kappa at the nodes of walls [MPa], in the order of `motion.on_void`."""
        return float(self.fields.k.surface_tension.value) * self.scalar()

    def scalar(self) -> Array:
        """Curvature kappa at the nodes of walls, > 0 for a convex void [1/um], in the order of `motion.on_void`."""
        wall = self.motion.on_void
        if self.vector is None:
            return np.zeros(int(wall.sum()))
        n = self._normals()
        vector = self.vector.x.array.reshape(-1, self.motion.dim)[wall]
        # A wall that lies nearly flat at its edge tells little about its curvature along the electrolyte.
        kappa = -np.sum(vector * n, axis=1) / np.maximum(np.sum(n * n, axis=1), FLAT)
        kappa[self.pole[wall]] *= POLE
        return kappa

    def bending(self, kappa: Array) -> Array:
        """How kappa grows as walls move alike along their normals, kappa_1^2 + kappa_2^2 [1/um2]; not in 3D.

        At the edge of a void such a motion changes the angle at the electrolyte as well, by -kappa_1 cot(theta).

        Args:
            kappa: at the nodes of walls [1/um].
        """
        wall = self.motion.on_void
        hoop, weight = np.zeros_like(kappa), np.ones_like(kappa)
        if self.fields.frame.kinematics == "axisymmetric":
            r = self.fields.domain.mesh.geometry.x[self.fields.node_of_dof, 0][wall]
            hoop = np.where(self.pole[wall], kappa / 2, -self._normals()[:, 0] / np.where(r > 0, r, 1.0))
            weight = 2 * np.pi * r
        edge = self.motion.on_triple[wall] / (np.tan(self.angle) * self.area.x.array[wall])
        return np.asarray((kappa - hoop) ** 2 + hoop**2 - weight * edge * (kappa - hoop))

    def _normals(self) -> Array:
        """Directions out of the metal at the nodes of walls, without what symmetry or the contact holds; (nodes, dim).

        Where a wall ends its facets lie on one side of the node alone. Their normal is met half way by that of the wall
        as it should end: normal to a mirror, at the contact angle. So a circle is as curved there as elsewhere.
        """
        wall = self.motion.on_void
        assemble(self.normal, self.normal_form)
        n = self.normal.x.array.reshape(-1, self.motion.dim)[wall]
        n = n / np.linalg.norm(n, axis=1)[:, None]
        held, edge = self.motion.held[wall], self.motion.on_triple[wall]
        along = np.where(held, 0.0, n)
        asked = along / np.maximum(np.linalg.norm(along, axis=1), 1e-12)[:, None]
        asked[edge] *= np.sin(self.angle)
        asked[edge, -1] = np.cos(self.angle)
        ends = held.any(axis=1)
        n[ends] = (n[ends] + asked[ends]) / (1 + np.sum(n[ends] * asked[ends], axis=1))[:, None]
        n[held] = 0.0
        return np.asarray(n)


class Exchange:
    """Walls that give and take Li (pure Li): mu = mu_0 + Omega (p_gas - gamma kappa), in pure metal a pressure.

    The row of the volume balance of a node on a wall makes way for that pressure; what is left in the row is what flows
    to the wall, and the wall moves by it.

    Args:
        fields, motion: of the run.
        curvature: of its walls.
        volume_row: residual of the volume balance, a form.
    """

    def __init__(self, fields: Fields, motion: Motion, curvature: Curvature, volume_row: Any) -> None:
        self.fields, self.motion, self.curvature = fields, motion, curvature
        q = ufl.TestFunction(fields.u.p.function_space)
        self.row = bound(volume_row)
        self.flow = bound(forms_wall.wall_supply(q, fields.u, fields.k, fields.frame))
        speed = forms_wall.wall_speed(q, fields.frame)
        if fields.frame.driving is not None:  # is in the row as well, and moves the walls by itself
            speed -= forms_wall.surface_supply(q, 1, fields.k, fields.frame)
        self.speed = bound(speed)
        motion.release_edges()  # Li moves them as well, and metal that hardly creeps does not
        self.work = fem.Function(fields.u.p.function_space)

    def condition(self) -> fem.DirichletBC:
        """The pressure's increments vanish on walls."""
        dofs = np.flatnonzero(self.motion.on_void).astype(np.int32)
        return fem.dirichletbc(np.float64(0.0), dofs, self.fields.u.p.function_space)

    def set_pressure(self) -> None:
        """Give the metal on walls the pressure that their Li asks for."""
        p = self.fields.u.p.x
        p.array[self.motion.on_void] = float(self.fields.k.void_pressure.value) - self.curvature.pressure()
        p.scatter_forward()

    def _owned(self, form: Any) -> Array:
        assemble(self.work, form)
        return self.work.x.array[: self.motion.owned].copy()

    def expect(self) -> None:
        """Ask the walls to move by what flows to them, before a step: from the guess of v and p."""
        self.motion.supply = self._owned(self.flow)

    def correct(self, last: Array) -> None:
        """Ask the walls to move so that their rows of the volume balance hold, earlier increments `last` included."""
        self.motion.supply = self._owned(self.speed) - self._owned(self.row) - last
