"""3D boxes and octants of shells with voids for the tests of remeshing. Lengths in um."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from verification_runs import written

import femli
from femli import mesh_geometry, mesh_solid
from femli.case import Case
from femli.mesh_outline import Sizes
from femli.mesh_parts import PartedMesh
from femli.mesh_resolution import resolution
from femli.mesh_solid import Fineness
from femli.remesh_surface import Surface, surface
from femli.seeding import seeded

Array = NDArray[np.float64]

# A flat void in a soft metal of constant viscosity, closed after 5 minutes.
CLOSING = """
[geometry]
dimension = 3
width = "4 um"
depth = "4 um"
electrode_thickness = "4 um"
[geometry.mesh]
interface_size = "2 um"
size = "2 um"
growth = 2.0
[[geometry.voids.list]]
x = "2.1 um"
y = "1.9 um"
half_width = "1 um"
height = "0.3 um"
[electrode]
material = { base = "Li-5Mg", creep_exponent = 1.0, creep_prefactor = "1 / MPa / hour" }
stress_coupling = false
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "2 MPa"
[stop]
capacity = "0.04 mAh/cm^2"
[solver]
time_tolerance = 1e-2
initial_step = "10 s"
[output]
every = "0.02 mAh/cm^2"
"""


def box(folder: Path, **keys: object) -> tuple[Case, Surface, PartedMesh, Sizes]:
    """The case, its first surface and mesh, and the sizes that its remeshing asks for; dots are double underscores."""
    case = femli.load(written(folder, CLOSING), {key.replace("__", "."): value for key, value in keys.items()})
    whole, _ = mesh_geometry.parted(case)
    voids, first = seeded(case), resolution(case, seeded(case))
    shares = voids[0].half_width / first.edges[0], min(voids[0].half_width, voids[0].height) / first.walls[0]
    made = surface(whole)
    return case, made, whole, mesh_solid.sizes_of(made, first, Fineness(*shares, first.edges[0]))


def sphere_patch(radius: float, parts: int) -> tuple[Array, NDArray[np.int64]]:
    """An octant of a sphere in parts^2 triangles, normals away from the centre; its rim lies in the planes exactly."""
    steps = [(i, j) for i in range(parts + 1) for j in range(parts + 1 - i)]
    number = {step: k for k, step in enumerate(steps)}
    points = np.sin(np.pi / 2 / parts * np.array([[i, j, parts - i - j] for i, j in steps]))
    points *= radius / np.linalg.norm(points, axis=1)[:, None]
    triangles = [(number[i, j], number[i + 1, j], number[i, j + 1]) for i, j in steps if i + j < parts]
    triangles += [(number[i + 1, j], number[i + 1, j + 1], number[i, j + 1]) for i, j in steps if i + j < parts - 1]
    return points, np.array(triangles)


def octant(inner: float, outer: float, parts: int) -> Surface:
    """An octant of a shell: its void is a quarter of a half ball, its collector the outer surface."""
    wall, roof = sphere_patch(inner, parts), sphere_patch(outer, max(3, 2 * parts // 3))
    box = (0.0, np.inf), (0.0, np.inf)
    return Surface(np.concatenate([wall[0], roof[0]]), wall[1][:, ::-1], roof[1] + len(wall[0]), box)


def shell(made: Surface, inner: float, parts: int) -> PartedMesh:
    """Its mesh, with cells that grow from the void."""
    near = np.unique(made.walls)
    sizes = Sizes(2.5, 2.5, 1.5, made.points[near], np.full(len(near), np.pi / 2 * inner / parts))
    return mesh_solid.meshed(made, sizes)
