"""The study of Roy, Fleck and Deshpande 2021 (Extreme Mech. Lett. 46, 101307) in one command.

    python studies/roy2021.py -o results/roy2021

A circular patch of radius a has lost contact between lithium and its electrolyte. (a) The current that it turns away
gathers at its edge: k_J, the flux there over that far away, against a/(kappa Z). (b) The lithium above creeps, as an
incompressible power-law metal that leaves through the contact as fast as the current asks; the face of the patch is
free. At zero stack pressure, does its face come down, so that the patch closes, or go up, so that a void opens?
Velocities scale with the current, so a/(kappa Z) is the only number besides the exponent m. docs/roy2021.md says what
comes out.
"""

import argparse
import logging
from pathlib import Path
from typing import Any, NamedTuple

from mpi4py import MPI

import matplotlib as mpl

mpl.use("Agg")
import basix.ufl
import dolfinx.mesh
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import ufl
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from petsc4py import PETSc

from femli import laws, mesh, mesh_electrolyte, mesh_foil
from femli.electrolyte_conduction import conduct, contact_profile

KAPPA = 0.04  # S/m, 0.4 mS/cm
Z = 5e-4  # ohm m2, 5 ohm cm2
LENGTH = KAPPA * Z * 1e6  # um, 20
RATIOS = (1.0, 5.0, 10.0, 20.0, 30.0, 50.0, 100.0)
EXPONENTS = (1.0, 5.0, 20.0)
LADDER = (1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)
# Reference values of two independent computations.
INDEPENDENT = {0.1: 1.055, 0.5: 1.219, 1.0: 1.379, 5.0: 2.190, 10.0: 2.859, 100.0: 8.131}
PAPER = 60.0  # um: "k_J > 2 only above 60 um"
FAR = 12.0  # size of the domains over the patch radius
REGULAR = 1e-4  # strain rate over v/a below which the metal is Newtonian
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "font.family": "DejaVu Sans",
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "legend.frameon": False,
    "savefig.dpi": 300,
    "figure.constrained_layout.use": True,
}
COLOURS = {1.0: "#000000", 5.0: "#0072B2", 20.0: "#D55E00"}

log = logging.getLogger("roy2021")


class Edge(NamedTuple):
    """Flux on the contact for one a/(kappa Z): its edge over its far value, and the profile (r/a, flux over far)."""

    factor: float
    place: np.ndarray
    flux: np.ndarray


def graded(a: float, far: float, fine: float, growth: float = 1.12) -> np.ndarray:
    """Radii from 0 to far, finest at the edge a."""
    inner = a - mesh_foil.graded(a, fine, growth, a / 8)[::-1]
    inner[0] = 0.0
    return np.concatenate([inner, (a + mesh_foil.graded(far - a, fine, growth, far / 12))[1:]])


def edge(ratio: float) -> Edge:
    """Solve for the current around a patch of radius 1 um with kappa Z = 1/ratio um."""
    fine = 0.01 / (1 + ratio)
    layers = mesh_foil.rectangle(graded(1.0, FAR, fine), mesh_foil.graded(FAR, fine, 1.12, FAR / 12), True)
    slab = mesh_electrolyte.slab(layers, lambda middle: middle[:, 0] > 1.0)
    domain = mesh.electrolyte_alone(slab, True, MPI.COMM_SELF)
    place, potential = contact_profile(conduct(domain, 1.0, ratio * 1e6), domain)
    flux = 1 - potential
    return Edge(float(flux[0] / flux[-1]), place, flux / flux[-1])


class Metal:
    """Power-law flow of the half space above a patch of radius 1; velocity 1 far away, toward the contact.

    Args:
        sticking: whether the contact holds the metal laterally.
        fine: cell at the edge.
    """

    def __init__(self, sticking: bool, fine: float = 0.02) -> None:
        layers = mesh_foil.rectangle(graded(1.0, FAR, fine, 1.3), mesh_foil.graded(FAR, fine, 1.3, FAR / 12), True)
        shape = ufl.Mesh(basix.ufl.element("Lagrange", "triangle", 1, shape=(2,)))
        self.mesh = dolfinx.mesh.create_mesh(MPI.COMM_SELF, layers.cells, shape, layers.points)
        V = basix.ufl.element("Lagrange", "triangle", 2, shape=(2,))
        P = basix.ufl.element("Lagrange", "triangle", 1)
        self.space = fem.functionspace(self.mesh, basix.ufl.mixed_element([V, P]))
        self.u = fem.Function(self.space)
        self.m = fem.Constant(self.mesh, 1.0)
        self._forms()
        held = [(0, lambda x: np.isclose(x[0], 0) | np.isclose(x[0], FAR))]
        if sticking:
            held.append((0, lambda x: np.isclose(x[1], 0) & (x[0] >= 1 - 1e-9)))
        part = [self.space.sub(0).sub(c) for c in (0, 1)]
        collapsed = [p.collapse()[0] for p in part]
        self.conditions = []
        for c, where in held:
            dofs = fem.locate_dofs_geometrical((part[c], collapsed[c]), where)
            self.conditions.append(fem.dirichletbc(fem.Function(collapsed[c]), dofs, part[c]))
        self.leaving = fem.Function(collapsed[1])
        dofs = fem.locate_dofs_geometrical((part[1], collapsed[1]), lambda x: np.isclose(x[1], 0) & (x[0] >= 1 - 1e-9))
        self.conditions.append(fem.dirichletbc(self.leaving, dofs, part[1]))

    def _forms(self) -> None:
        v, p = ufl.split(self.u)
        w, q = ufl.TestFunctions(self.space)
        r = ufl.SpatialCoordinate(self.mesh)[0]
        g, h = (laws.velocity_gradient(f, "axisymmetric", r) for f in (v, w))
        d = laws.strain_rate(g)
        size = ufl.sqrt(2 / 3 * ufl.inner(d, d) + REGULAR**2)
        stress = 2 / 3 * size ** (1 / self.m - 1) * d
        dx = ufl.dx(metadata={"quadrature_degree": 4})
        F = r * (ufl.inner(stress, h) - p * ufl.tr(h) - q * ufl.tr(g)) * dx
        self.F, self.J = fem.form(F), fem.form(ufl.derivative(F, self.u))
        self.A = fem_petsc.create_matrix(self.J)

    def _residual(self) -> PETSc.Vec:
        b = fem_petsc.assemble_vector(self.F)
        fem_petsc.set_bc(b, self.conditions, x0=self.u.x.petsc_vec, alpha=-1.0)
        return b

    def _newton(self) -> None:
        """Newton's method with halved steps where the residual does not fall."""
        ksp = PETSc.KSP().create(MPI.COMM_SELF)
        ksp.setOperators(self.A)
        ksp.setType("preonly")
        ksp.getPC().setType("lu")
        ksp.getPC().setFactorSolverType("mumps")
        ksp.getPC().setFactorSetUpSolverType()
        ksp.getPC().getFactorMatrix().setMumpsIcntl(14, 100)
        fem.set_bc(self.u.x.array, self.conditions)
        b = self._residual()
        start = max(b.norm(), 1e-12)
        for _ in range(60):
            self.A.zeroEntries()
            fem_petsc.assemble_matrix(self.A, self.J, bcs=self.conditions)
            self.A.assemble()
            step = self.A.createVecRight()
            ksp.solve(b, step)
            old, before, length = self.u.x.array.copy(), b.norm(), 1.0
            while True:
                self.u.x.array[:] = old - length * step.array
                b = self._residual()
                if b.norm() < before or length < 1e-3:
                    break
                length /= 2
            if length * np.abs(step.array[:]).max() < 1e-5 * np.abs(self.u.x.array).max() or b.norm() < 1e-11 * start:
                return
        raise RuntimeError(f"the flow for m = {float(self.m.value):g} did not converge")

    def face(self, found: Edge) -> dict[float, tuple[float, float]]:
        """Velocity of the face toward the electrolyte over that far away, by exponent: mean over the patch, middle."""
        self.leaving.interpolate(lambda x: -np.interp(x[0], found.place, found.flux))
        self.u.x.array[:] = 0.0
        out = {}
        r = ufl.SpatialCoordinate(self.mesh)[0]
        facets = dolfinx.mesh.locate_entities_boundary(self.mesh, 1, lambda x: np.isclose(x[1], 0) & (x[0] <= 1 + 1e-9))
        tags = dolfinx.mesh.meshtags(self.mesh, 1, np.sort(facets), np.ones(len(facets), dtype=np.int32))
        ds = ufl.Measure("ds", self.mesh, subdomain_data=tags)(1)
        mean = fem.form(-2 * r * ufl.split(self.u)[0][1] * ds)
        for m in LADDER:
            self.m.value = m
            self._newton()
            if m in EXPONENTS:
                v = self.u.sub(0).collapse()
                points = v.function_space.tabulate_dof_coordinates()
                middle = int(np.argmin(np.linalg.norm(points[:, :2], axis=1)))
                out[m] = (fem.assemble_scalar(mean), -float(v.x.array.reshape(-1, 2)[middle, 1]))
        return out


def crossing(x: np.ndarray, y: np.ndarray, level: float) -> float:
    """Where a curve first crosses a level, interpolated in log x; nan where it does not."""
    sign = np.flatnonzero(np.diff(np.sign(y - level)))
    if not len(sign):
        return float("nan")
    i = sign[0]
    share = (level - y[i]) / (y[i + 1] - y[i])
    return float(np.exp(np.log(x[i]) + share * (np.log(x[i + 1]) - np.log(x[i]))))


def computed() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The two tables: k_J by ratio, face velocity by ratio, exponent and contact."""
    edges = {ratio: edge(ratio) for ratio in sorted({*RATIOS, *INDEPENDENT, 0.2, 2.0, 3.0, 3.5, 4.0, 4.5})}
    factors = pd.DataFrame({"a/(kappa Z)": edges.keys(), "k_J": [e.factor for e in edges.values()]})
    rows = []
    for sticking in (False, True):
        metal = Metal(sticking)
        for ratio in RATIOS:
            for m, (mean, middle) in metal.face(edges[ratio]).items():
                rows.append((ratio, m, "sticking" if sticking else "frictionless", mean, middle))
            log.info("a/(kappa Z) = %g, %s", ratio, "sticking" if sticking else "frictionless")
    names = ["a/(kappa Z)", "m", "contact", "face velocity, mean", "face velocity, middle"]
    return factors, pd.DataFrame(rows, columns=names)


def figure(factors: pd.DataFrame, faces: pd.DataFrame, path: Path) -> None:
    """k_J and face velocities."""
    with mpl.rc_context(STYLE):
        fig, (left, right) = plt.subplots(1, 2, figsize=(180 / 25.4, 75 / 25.4))
        left.plot(factors.iloc[:, 0], factors["k_J"], color="black", label="femli")
        left.plot(INDEPENDENT.keys(), INDEPENDENT.values(), "o", mfc="none", color="#D55E00", label="independent codes")
        left.axhline(2.0, color="0.6", lw=0.6)
        left.plot([PAPER / 2 / LENGTH], [2.0], "s", color="#0072B2", label='"60 µm" in the text of the paper')
        left.set(xscale="log", yscale="log", xlabel=r"$a/(\kappa Z)$", ylabel=r"flux at the edge over far flux, $k_J$")
        left.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
        left.legend()
        left.set_title(r"$\bf{a}$", loc="left")
        for (m, contact), rows in faces.groupby(["m", "contact"]):
            style = "-" if contact == "frictionless" else "--"
            label = f"m = {m:g}, {contact}"
            right.plot(
                2 * LENGTH * rows["a/(kappa Z)"], rows["face velocity, mean"], style, color=COLOURS[m], label=label
            )
        right.axhline(0.0, color="0.6", lw=0.6)
        right.set(
            xscale="log", xlabel="diameter of the patch (µm)", ylabel="mean velocity of the face over far velocity"
        )
        right.legend()
        right.set_title(r"$\bf{b}$  above 0 the patch closes", loc="left")
        fig.savefig(path)
        plt.close(fig)


def main() -> None:
    """Compute, draw, and print what docs/roy2021.md quotes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("results/roy2021"))
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    factors, faces = computed()
    factors.to_csv(folder / "edge_flux.csv", index=False, float_format="%.6g")
    faces.to_csv(folder / "face_velocity.csv", index=False, float_format="%.6g")
    figure(factors, faces, folder / "roy2021.png")
    x = factors["a/(kappa Z)"].to_numpy()
    log.info(
        "k_J = 2 at a diameter of %.0f um (the paper says 60)", 2 * LENGTH * crossing(x, factors["k_J"].to_numpy(), 2.0)
    )
    for (m, contact), rows in faces.groupby(["m", "contact"]):
        for what in ("mean", "middle"):
            at = 2 * LENGTH * crossing(rows["a/(kappa Z)"].to_numpy(), rows[f"face velocity, {what}"].to_numpy(), 0.0)
            largest = 2 * LENGTH * RATIOS[-1]
            said = f"opens above a diameter of {at:.0f} um" if np.isfinite(at) else f"closes up to {largest:.0f} um"
            log.info("m = %g, %s, %s of the face: %s", m, contact, what, said)


if __name__ == "__main__":
    main()
