"""Quarters of cylindrical and spherical shells for the tests of void walls, and their exact rates of closure.

The void lies around the origin, half of it above the electrolyte (contact at z = 0), its other mirror plane is the side
(plane) or the axis; the collector is the outer surface, which is curved and moves. Working units (um, h, MPa).
"""

from pathlib import Path

from mpi4py import MPI

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad
from verification_runs import stepper

import femli
from femli import mesh, mesh_gmsh
from femli.case import Case
from femli.mesh_parts import BOUNDARIES, PartedMesh
from femli.solver import on_mesh
from femli.stepper import Stepper
from femli.units import TIME

Array = NDArray[np.float64]

CASE = """
[geometry]
kind = "file"
file = "shell.msh"
length_unit = "um"
electrode_thickness = "{outer} um"
[electrode]
stress_coupling = false
[electrode.material]
base = "Li"
creep_exponent = {n}
creep_prefactor = "{prefactor} / MPa^{n} / hour"
[load]
current_density = "0 mA/cm^2"
stack_pressure = "{pressure} MPa"
[stop]
time = "1000 h"
[solver]
regularisation_stress = "{regularisation} MPa"
"""


def quarter(inner: float, outer: float, cells: int, axisymmetric: bool, outer_part: str = "collector") -> PartedMesh:
    """A quarter shell of `cells` cells along the quarter circle; across it cells of the same shape."""
    layers = max(1, round(np.log(outer / inner) / np.log1p(np.pi / 2 / cells)))
    r = inner * (outer / inner) ** (np.arange(layers + 1) / layers)
    angle = np.linspace(0.0, np.pi / 2, cells + 1)
    R, T = np.meshgrid(r, angle, indexing="ij")
    points = np.column_stack([(R * np.cos(T)).ravel(), (R * np.sin(T)).ravel()])
    number = np.arange(R.size).reshape(R.shape)
    points[number[:, 0], 1] = points[number[:, -1], 0] = 0.0
    a, b, c, d = (number[i, j].ravel() for i, j in CORNERS)
    # The diagonals mirror each other about the bisector, so that neither mirror plane is favoured.
    low = np.tile(np.arange(cells) < cells / 2, layers)[:, None]
    one = np.where(low, np.column_stack([a, b, c]), np.column_stack([a, b, d]))
    two = np.where(low, np.column_stack([a, c, d]), np.column_stack([b, c, d]))
    mirror = "axis" if axisymmetric else "side"
    names = ("void", outer_part, "contact", mirror)
    lines = (number[0], number[-1], number[:, 0], number[:, -1])
    facets = [np.column_stack([line[:-1], line[1:]]) for line in lines]
    tags = [np.full(len(f), BOUNDARIES[name]) for f, name in zip(facets, names, strict=True)]
    return PartedMesh(points, np.vstack([one, two]), np.vstack(facets), np.concatenate(tags))


_LESS, _MORE = slice(None, -1), slice(1, None)
CORNERS = ((_LESS, _LESS), (_MORE, _LESS), (_MORE, _MORE), (_LESS, _MORE))


def shell(
    folder: Path,
    n: float,
    cells: int,
    axisymmetric: bool,
    *,
    inner: float = 2.0,
    outer: float = 6.0,
    prefactor: float = 1e-3,
    pressure: float = 5.0,
    regularisation: float = 1e-3,
    tension: float = 0.0,
    more: str = "",
    **keys: object,
) -> Stepper:
    """A run on a shell at its consistent state, by way of a file as a user's; dots in keys are double underscores."""
    mesh_gmsh.save(quarter(inner, outer, cells, axisymmetric), folder / "shell.msh", 1.0)
    text = CASE.format(n=float(n), outer=outer, prefactor=prefactor, pressure=pressure, regularisation=regularisation)
    text += f'[wall]\nsurface_tension = "{tension} J/m^2"\n'
    (folder / "shell.toml").write_text(text + more)
    return stepper(femli.load(folder / "shell.toml", {key.replace("__", "."): v for key, v in keys.items()}))


def radius(made: Stepper, outer: bool = False) -> float:
    """Radius of the circle or sphere with the size of the void [um]; with two walls of the inner or the outer one."""
    f = made.fields
    axisymmetric = f.frame.kinematics == "axisymmetric"
    x = f.domain.mesh.geometry.x
    wall = np.flatnonzero(made.motion.on_void)
    r, z = x[f.node_of_dof[wall], :2].T
    far = np.hypot(r, z)
    if np.ptp(far) > 0.5 * far.min():
        r, z = (values[(far > (far.min() + far.max()) / 2) == outer] for values in (r, z))
    order = np.argsort(np.arctan2(z, r))
    r, z = r[order], z[order]
    if axisymmetric:  # cones stacked along the axis: half a ball
        return float((1.5 * np.sum((r[:-1] ** 2 + r[:-1] * r[1:] + r[1:] ** 2) / 3 * np.diff(z))) ** (1 / 3))
    return float(np.sqrt(2 / np.pi * np.sum(r[:-1] * z[1:] - r[1:] * z[:-1])))


def closure(
    axisymmetric: bool, n: float, prefactor: float, pressure: float, tension: float, R: float, outer: float
) -> float:
    """dR/dt of a void in a shell of incompressible power-law metal [um/h].

    Equilibrium of the shell: the pressure difference P + m gamma/R (m = 1 cylinder, 2 sphere) is the integral of
    (sigma_theta - sigma_r) m/r dr with the strain rates of incompressible radial flow.
    """
    if axisymmetric:
        load = pressure + 2 * tension / R
        return -R * prefactor / 2 * (3 * load / (2 * n * (1 - (R / outer) ** (3 / n)))) ** n
    load = pressure + tension / R
    root = np.sqrt(3)
    return -R * root / 2 * prefactor * (root * load / (n * (1 - (R / outer) ** (2 / n)))) ** n


def time_to(
    radius: float,
    axisymmetric: bool,
    n: float,
    *,
    inner: float,
    outer: float,
    prefactor: float,
    pressure: float,
    tension: float = 0.0,
) -> float:
    """When the void has shrunk to a radius [h]: 1/rate integrated; the outer radius follows the metal."""
    power = 3 if axisymmetric else 2

    def slowness(R: float) -> float:
        b = (outer**power - inner**power + R**power) ** (1 / power)
        return -1 / float(closure(axisymmetric, n, prefactor, pressure, tension, R, b))

    return float(quad(slowness, radius, inner, epsrel=1e-12)[0])


def built(case: Case, whole: PartedMesh) -> Stepper:
    """A run on a mesh of the caller's that need not have a collector, at its consistent state."""
    names = whole.names() | {"collector": BOUNDARIES["collector"]}
    domain = mesh.Domain(
        *mesh._distributed(whole, "electrode", 2, MPI.COMM_SELF),
        {"electrode": 1},
        names,
        "axisymmetric" if "axis" in names else "plane",
        (),
    )
    made = Stepper(on_mesh(domain, case, case.electrode_properties()), case)
    made.targets = lambda _time: case.stop.time / TIME
    made.start()
    return made
