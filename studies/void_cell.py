"""One void under lithium, and how fast its wall moves at the first moment of stripping: for studies/void_fate.py.

The void sits on the contact in the middle of a cell with mirror sides, half of which is computed: in plane strain a
channel every so many micrometres, in axisymmetry a single cap. Nothing is marched in time: velocity and pressure at a
given load are one consistent solve of femli (`Newton.consistent`), on a mesh of rays from the wall to the cell's
boundary, which the layer at the contact and the edge of the void ask to be very fine in one place only.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

from mpi4py import MPI

import numpy as np
import ufl
from dolfinx import fem
from numpy.typing import NDArray

from femli import forms_wall, mesh, scales
from femli.case import Case, made
from femli.fields import flux_of_current
from femli.mesh_foil import graded
from femli.mesh_parts import BOUNDARIES, PartedMesh
from femli.solver import on_mesh
from femli.solver_data import Stack
from femli.units import LENGTH, STRESS, TIME

Array = NDArray[np.float64]
MA_CM2 = 10.0  # A/m2


class Shape(NamedTuple):
    """Half of a cell with its void, um: |x/half_width|^power + |z/height|^power = 1.

    Attributes:
        half_width, height: of the void.
        reach: half the distance to the next void (radius of the cell, if axisymmetric).
        thickness: of the metal.
        power: 2 is an ellipse; the larger, the flatter the roof.
        axisymmetric: a cap, not a channel.
    """

    half_width: float
    height: float
    reach: float
    thickness: float
    power: float = 2.0
    axisymmetric: bool = False


class Cells(NamedTuple):
    """Sizes: first cell along the contact over the half width, first angle (rad), growth of both."""

    first: float = 0.01
    angle: float = 0.003
    growth: float = 1.25


FINE = Cells()
COARSE = Cells(0.02, 0.01, 1.35)


def rays(shape: Shape, cells: Cells) -> PartedMesh:
    """Mesh along rays from the wall to the sides and the collector, fine at the wall and at the contact."""
    corner = math.atan2(shape.thickness, shape.reach)
    low = graded(corner, min(cells.angle, corner / 4), cells.growth, 0.1)
    high = corner + graded(math.pi / 2 - corner, 0.1, 1.0, 0.1)
    angle = np.concatenate([low, high[1:]])
    c, s = np.cos(angle), np.sin(angle)
    c[-1] = 0.0
    wall = np.column_stack([shape.half_width * c ** (2 / shape.power), shape.height * s ** (2 / shape.power)])
    t = np.minimum(shape.reach / np.maximum(c, 1e-300), shape.thickness / np.maximum(s, 1e-300))
    outer = np.column_stack([t * c, t * s])
    outer[: len(low), 0], outer[len(low) - 1 :, 1] = shape.reach, shape.thickness
    way = (shape.reach - shape.half_width) / shape.half_width
    share = graded(1.0, cells.first / way, cells.growth, 0.12)
    points = wall + share[:, None, None] * (outer - wall)
    number = np.arange(points.shape[0] * points.shape[1]).reshape(points.shape[:2])
    a, b, c_, d = (number[:-1, :-1].ravel(), number[1:, :-1].ravel(), number[1:, 1:].ravel(), number[:-1, 1:].ravel())
    # Diagonals leave the corners of the cell, where velocity conditions could leave a triangle no freedom.
    layer, column = (i.ravel() for i in np.indices((len(share) - 1, len(angle) - 1)))
    away = (layer == len(share) - 2) == (column < len(angle) / 2)
    one = np.where(away[:, None], np.column_stack([a, b, d]), np.column_stack([a, b, c_]))
    two = np.where(away[:, None], np.column_stack([b, c_, d]), np.column_stack([a, c_, d]))
    lines = {
        "void": number[0],
        "contact": number[:, 0],
        "axis" if shape.axisymmetric else "side": number[:, -1],
        "collector": number[-1, len(low) - 1 :],
    }
    facets = [np.column_stack([line[:-1], line[1:]]) for line in (*lines.values(), number[-1, : len(low)])]
    names = [*lines, "side"]
    tags = [np.full(len(f), BOUNDARIES[name]) for f, name in zip(facets, names, strict=True)]
    return PartedMesh(points.reshape(-1, 2), np.vstack([one, two]), np.vstack(facets), np.concatenate(tags))


class Wall(NamedTuple):
    """Motion of a wall at one moment: nodes from the edge to the middle of the roof.

    Attributes:
        place: of the nodes (nodes, 2), um.
        speed: into the void, (nodes,), um/h.
        fall: how fast the wall comes down at its nodes' x, (nodes,), um/h; meaningless where it stands upright.
        growth: rate of the void's section (volume, if axisymmetric) over its opening and over Omega i/F.
    """

    place: Array
    speed: Array
    fall: Array
    growth: float


class VoidCell:
    """A cell whose load can be changed: one mesh, one solver.

    Args:
        shape: of the cell.
        lithium: "blocked" or "exchange", what the wall does.
        material: of the metal.
        cells: of the mesh.
        tension: surface energy of the wall, J/m2.
    """

    def __init__(
        self,
        shape: Shape,
        lithium: str = "blocked",
        material: Any = "Li",
        cells: Cells = FINE,
        tension: float = 0.0,
    ) -> None:
        tables: dict[str, Any] = {
            "geometry": {
                "dimension": 2,
                "width": f"{shape.reach} um",
                "electrode_thickness": f"{shape.thickness} um",
            },
            "electrode": {"material": material},
            "load": {"current_density": "1 mA/cm^2", "stack_pressure": "1 MPa"},
            "wall": {"lithium": lithium, "surface_tension": f"{tension} J/m^2"},
            "stop": {"time": "1 h"},
        }
        self.case: Case = made(tables, Path("void_cell"), {})
        self.electrode = self.case.electrode_properties()
        domain = mesh.distribute(self.case, rays(shape, cells), (), MPI.COMM_SELF)
        self.newton = on_mesh(domain, self.case, self.electrode)
        fields = self.newton.fields
        f, q = fields.frame, ufl.TestFunction(fields.u.p.function_space)
        if lithium == "exchange":
            self.flow = fem.form(forms_wall.wall_supply(q, fields.u, fields.k, f))
        else:
            self.flow = fem.form(f.weight * ufl.dot(fields.u.v, f.n) * q * f.ds(f.parts["void"]))
        self.area = fem.form(f.weight * q * f.ds(f.parts["void"]))
        dofs = np.flatnonzero(self.newton.motion.on_void)
        place = domain.mesh.geometry.x[fields.node_of_dof[dofs], :2]
        order = np.argsort(place[:, 1] - place[:, 0])
        self.dofs, self.place = dofs[order], place[order]
        self.stress: Array | None = None

    def wall(self, current: float, pressure: float) -> Wall:
        """Motion of the wall under a current [mA/cm2] and a stack pressure over that in the void [MPa]."""
        n = self.newton
        n.applied_flux = flux_of_current(current * MA_CM2, self.electrode)
        n.stack = Stack(pressure)
        n.consistent(stress=self.stress)
        self.stress = n.stress().copy()
        flow, area = (fem.assemble_vector(form).array[self.dofs] for form in (self.flow, self.area))
        opening = n.contents.full_area - n.contents.area_of_contact()
        recession = scales.recession_velocity(self.electrode, current * MA_CM2) / LENGTH * TIME
        along = np.gradient(self.place, axis=0)
        steep = np.abs(along[:, 0]) / np.linalg.norm(along, axis=1)
        fall = flow / area / np.maximum(steep, 1e-3)
        return Wall(self.place, flow / area, fall, -float(flow.sum()) / opening / recession)

    def scales(self, current: float) -> tuple[float, float]:
        """S0 [MPa] and l [um] of the layer at the contact for a current [mA/cm2]."""
        i = current * MA_CM2
        return scales.contact_stress(self.electrode, i) / STRESS, scales.layer_length(self.electrode, i) / LENGTH
