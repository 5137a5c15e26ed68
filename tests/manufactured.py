"""Manufactured solutions: metal with numbers of order one, boxes with named parts, strong-form sources, error norms.

The sources are written here from the strong equations and the inverse creep law, not from `femli.forms` or
`femli.laws`, so that an error in the weak form or in a law shows as a lost order. Working units (um, h, MPa).
"""

from pathlib import Path
from typing import Any, NamedTuple

from mpi4py import MPI

import numpy as np
import ufl
from dolfinx import fem
from dolfinx import mesh as dmesh
from numpy.typing import NDArray

from femli import case, fields, forms, units
from femli.materials_electrode import Electrode
from femli.mesh import Domain
from femli.motion import Motion
from femli.solver import Newton

Expr = Any
NAMES = {"contact": 1, "collector": 2, "side": 3, "axis": 4}
PREFACTOR = 0.7  # A [MPa^-n/h]
DIFFUSIVITY = (0.2, -0.5)  # ln D [um2/h] = c0 + c1 y
ACTIVITY = (0.4, -0.3)
RATIO = 0.8  # Omega_host/Omega_Li
NORM_DEGREE = 6  # of sources and norms


class Exact(NamedTuple):
    """Velocity [um/h], pressure [MPa] and Li fraction as UFL expressions of place (and time)."""

    v: Any
    p: Any
    x: Any


def settings(folder: Path, more: str = "") -> case.Case:
    """A case that only carries tolerances and loads: 1 MPa on the collector, free slip."""
    path = folder / "case.toml"
    path.write_text(
        '[geometry]\nkind = "foil"\ndimension = 1\nelectrode_thickness = "9 um"\n[electrode]\nmaterial = "Li"\n'
        '[load]\ncurrent_density = "0.5 mA/cm^2"\nstack_pressure = "1 MPa"\n[stop]\ncapacity = "1 mAh/cm^2"\n'
        '[solver]\ntolerance = 1e-16\nmax_iterations = 40\nregularisation_stress = "1 Pa"\n' + more
    )
    return case.load(path)


def metal(n: float, coupled: bool = True, thermal: float = 2.0) -> Electrode:
    """An alloy whose constants are of order one in working units: creep exponent n, R T/Omega_Li = thermal [MPa]."""
    omega = 13e-6
    to_working = float(np.log(units.TIME / units.LENGTH**2))
    return Electrode(
        name="manufactured",
        li_fraction=0.7,
        temperature=thermal * units.STRESS * omega / units.R,
        omega_li=omega,
        omega_host=RATIO * omega,
        log_diffusivity=(DIFFUSIVITY[0] - to_working, DIFFUSIVITY[1]),
        activity=ACTIVITY,
        creep_exponent=n,
        creep_prefactor=PREFACTOR / units.STRESS**n / units.TIME,
        stress_coupling=coupled,
        creep_stress_range=(0.0, 1e9),
        li_fraction_range=(0.0, 1.0),
        provenance=(),
    )


def box(kinematics: str, cells: int, wavy: bool = True) -> Domain:
    """The unit box with named parts; inner nodes are displaced, so that nothing superconverges by symmetry."""
    comm = MPI.COMM_WORLD
    if kinematics == "uniaxial":
        mesh = dmesh.create_unit_interval(comm, cells)
    elif kinematics == "full":
        mesh = dmesh.create_unit_cube(comm, cells, cells, cells)
    else:
        mesh = dmesh.create_unit_square(comm, cells, cells, diagonal=dmesh.DiagonalType.crossed)
    dim = mesh.geometry.dim
    X = mesh.geometry.x[:, :dim]
    if wavy:
        bubble = np.prod(np.sin(np.pi * X), axis=1)
        phase = np.arange(len(X))[:, None] * np.array([2.3, 3.7, 5.1])[:dim]
        X += (0.1 / cells) * np.sign(bubble)[:, None] * (np.abs(bubble)[:, None] > 1e-9) * np.sin(phase)

    def tag(x: NDArray[np.float64]) -> NDArray[np.int32]:
        low, high = np.isclose(x[dim - 1], 0), np.isclose(x[dim - 1], 1)
        first = "axis" if kinematics == "axisymmetric" else "side"
        values = np.where(np.isclose(x[0], 0), NAMES[first], NAMES["side"])
        return np.where(low, NAMES["contact"], np.where(high, NAMES["collector"], values)).astype(np.int32)

    fdim = dim - 1
    mesh.topology.create_connectivity(fdim, dim)
    facets = dmesh.exterior_facet_indices(mesh.topology)
    tags = dmesh.meshtags(mesh, fdim, facets, tag(dmesh.compute_midpoints(mesh, fdim, facets).T))
    cell_ids = np.arange(mesh.topology.index_map(dim).size_local, dtype=np.int32)
    regions = dmesh.meshtags(mesh, dim, cell_ids, np.ones_like(cell_ids))
    names = {name: value for name, value in NAMES.items() if value in tags.values}
    return Domain(mesh, regions, tags, {"electrode": 1}, names, kinematics, ())


class Problem:
    """A Newton solver on a box whose residuals can be given sources.

    Args:
        domain, settings, electrode: see above.
    """

    def __init__(self, domain: Domain, settings: case.Case, electrode: Electrode) -> None:
        self.fields = fields.create(domain, settings, electrode)
        self.motion = Motion(self.fields)
        self.newton = Newton(self.fields, self.motion, settings, electrode)
        self.n = electrode.creep_exponent
        self.coupling = float(self.fields.k.pressure_coupling.value)
        self.test = forms.Unknowns(*[ufl.TestFunction(u.function_space) for u in self.fields.u])
        f = self.fields.frame
        self.dx = ufl.dx(domain.mesh, degree=NORM_DEGREE)
        ds = ufl.Measure(
            "ds", domain.mesh, subdomain_data=domain.facet_tags, metadata={"quadrature_degree": NORM_DEGREE}
        )
        # The axis is left out: it has no area, and v_r/r is 0/0 there.
        self.ds = ds(tuple(value for name, value in domain.facet_names.items() if name != "axis"))
        self.top, self.bottom = ds(NAMES["collector"]), ds(NAMES["contact"])
        self.weight, self.r, self.normal = f.weight, f.r, f.n
        self.X = ufl.SpatialCoordinate(domain.mesh)

    # --- strong forms -------------------------------------------------------------------------------------------

    def div(self, a: Expr) -> Expr:
        """Divergence of a vector, in cylinder coordinates where there is an axis."""
        return ufl.div(a) + (a[0] / self.r if self.r is not None else 0)

    def stress(self, e: Exact) -> Expr:
        """Total stress s - p I of the creep law, 3 x 3, by the inverse law."""
        g, dim = ufl.grad(e.v), len(e.v)
        rows = [[g[i, j] if max(i, j) < dim else 0 for j in range(3)] for i in range(3)]
        if dim == 1:
            rows = [[0, 0, 0], [0, 0, 0], [0, 0, g[0, 0]]]
        if self.r is not None:
            rows[2][2] = e.v[0] / self.r
        L = ufl.as_matrix(rows)
        d = (L + L.T) / 2 - (L[0, 0] + L[1, 1] + L[2, 2]) / 3 * ufl.Identity(3)
        rate = ufl.sqrt(2 * ufl.inner(d, d) / 3)
        return 2 / (3 * rate) * (rate / PREFACTOR) ** (1 / self.n) * d - e.p * ufl.Identity(3)

    def traction_and_force(self, e: Exact) -> tuple[Expr, Expr]:
        """Traction sigma n and body force -div sigma of an exact solution."""
        sigma, dim = self.stress(e), len(e.v)
        block = ufl.as_matrix([[sigma[i, j] for j in range(dim)] for i in range(dim)])
        if dim == 1:
            block = ufl.as_matrix([[sigma[2, 2]]])
        divergence = ufl.div(block)
        if self.r is not None:
            hoop = ufl.as_vector([sigma[0, 0] - sigma[2, 2], sigma[0, 1]])
            divergence += hoop / self.r
        return ufl.dot(block, self.normal), -divergence

    def li_share(self, x: Expr) -> Expr:
        """Volume fraction of Li."""
        return x / (x + RATIO * (1 - x))

    def flux(self, e: Exact) -> Expr:
        """-(D phi/(R T/Omega)) grad (mu/Omega), with the pressure if it drives."""
        y = 1 - e.x
        potential = ufl.ln(e.x) + y**2 * (ACTIVITY[0] + ACTIVITY[1] * y) + self.coupling * e.p
        D = ufl.exp(DIFFUSIVITY[0] + DIFFUSIVITY[1] * y)
        return -D * self.li_share(e.x) * ufl.grad(potential)

    # --- sources, to be added to the residuals ------------------------------------------------------------------

    def force_source(self, e: Exact) -> Expr:
        """What balances the exact stress: body force, and tractions on the whole boundary."""
        traction, force = self.traction_and_force(e)
        t, n, k = self.test.v, self.normal, self.fields.k
        form = -self.weight * ufl.dot(force, t) * self.dx - self.weight * ufl.dot(traction, t) * self.ds
        return form - self.weight * k.stack_pressure * ufl.dot(n, t) * self.top

    def volume_source(self, e: Exact) -> Expr:
        """What balances div v + div j, and the exact flux through the boundary."""
        q, J, k = self.test.p, self.flux(e), self.fields.k
        made = self.div(e.v) + self.div(J)
        form = -self.weight * made * q * self.dx + self.weight * ufl.dot(J, self.normal) * q * self.ds
        return form - self.weight * k.contact_flux * q * self.bottom

    def host_source(self, e: Exact, time: Expr = None) -> Expr:
        """What balances d(1 - phi)/dt + div((1 - phi) v)."""
        host = 1 - self.li_share(e.x)
        made = self.div(host * e.v)
        if time is not None:
            made += ufl.diff(host, time)
        return -self.weight * made * self.test.x * self.dx

    # --- solution and errors ------------------------------------------------------------------------------------

    def interpolate(self, e: Exact) -> None:
        """Set the unknowns to the interpolant of an exact solution; it also gives the essential values."""
        for u, expression in zip(self.fields.u, e, strict=True):
            u.interpolate(fem.Expression(expression, u.function_space.element.interpolation_points))

    def norms(self, e: Exact) -> dict[str, float]:
        """L2 and H1-seminorm errors of v, p and x."""
        out = {}
        for name, u, expression in zip("vpx", self.fields.u, e, strict=True):
            gap = u - expression
            for norm, a in (("L2", gap), ("H1", ufl.grad(gap))):
                square = fem.assemble_scalar(fem.form(self.weight * ufl.inner(a, a) * self.dx))
                out[f"{name} {norm}"] = float(np.sqrt(square))
        return out


def orders(sizes: list[float], errors: list[dict[str, float]]) -> dict[str, float]:
    """Order of convergence between the two finest levels."""
    ratio = np.log(sizes[-2] / sizes[-1])
    return {key: float(np.log(errors[-2][key] / errors[-1][key]) / ratio) for key in errors[-1]}
