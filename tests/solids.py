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


# The last void of geometry 8 of `benchmarks/robustness_voids.py --solid`, just before its walls met: points in nm,
# moved by (-1.4, -4.9) um, and triangles.
CRUMPLED = (
    """
    2786 2182 0 2028 2158 224 2560 1963 0 2345 1704 0 2377 1272 0 1984 1457 0 1633 1534 0 1525 1864 0 1508 2145
    0 1336 2356 0 1611 2505 0 1873 2819 0 2091 2725 0 2482 2479 0 2486 2436 0 2277 2160 331 2148 1949 226 1121
    1716 158 2206 2472 311 2338 2349 198 2809 2703 106 2369 1951 208 2255 1707 144 1984 1707 139 1881 1965 287
    1607 1961 184 2085 1488 63 1790 2198 335 1616 2213 185 1758 2418 221 1393 2225 160 1698 2647 145 1922 2630
    196 2101 2814 342 1560 1749 74 2599 2370 185 1403 1997 54 2029 1034 136 1552 2860 0 2657 1641 228 1963 2451
    272 2477 1543 139 1724 1351 128
    """,
    """
    1 15 16 1 16 24 18 1 40 1 24 27 1 27 40 16 15 21 16 21 22 16 22 23 16 23 24 23 22 26 24 25 27 27 25 28 27 28
    29 27 29 40 29 31 32 29 32 40 7 8 36 17 7 36 1 18 15 18 19 15 13 14 20 25 34 36 34 17 36 17 34 7 7 34 6 39 2
    3 31 38 11 8 9 30 36 8 30 32 18 40 5 6 42 41 39 3 32 33 18 4 41 3 21 2 39 20 35 13 26 5 37 4 5 26 22 41 26
    41 4 26 21 39 22 39 41 22 31 11 32 31 10 38 33 32 12 11 12 32 19 18 35 18 12 13 35 18 13 33 12 18 29 28 10
    10 28 30 29 10 31 30 9 10 21 15 19 35 0 2 0 35 14 21 35 2 35 21 19 20 14 35 24 23 34 24 34 25 34 23 42 42 6
    34 30 28 36 28 25 36 42 37 5 37 42 26 26 42 23
    """,
)


def crumpled(made: Surface) -> Surface:
    """A box with that void in place of its own."""
    points, walls = (np.array(text.split(), dtype=np.int64).reshape(-1, 3) for text in CRUMPLED)
    return made._replace(points=np.concatenate([made.points, 1e-3 * points]), walls=walls + len(made.points))
