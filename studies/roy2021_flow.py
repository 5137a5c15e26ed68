"""Current and flow around a patch that has lost contact: the two computations behind studies/roy2021.py.

The patch has half width 1 (a strip) or radius 1 (a disk). Current obeys div(kappa grad phi) = 0 under a linear
resistance of the contact. The metal is an incompressible power-law fluid that leaves through the contact as fast as the
current asks; its velocity scales with the current, so that nothing remains but a/(kappa Z), the exponent m and what is
held at the edges of the domain. Those are a `Setting`.
"""

from typing import NamedTuple

from mpi4py import MPI

import basix.ufl
import dolfinx.mesh
import numpy as np
import ufl
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from petsc4py import PETSc

from femli import laws, mesh, mesh_electrolyte, mesh_foil
from femli.electrolyte_conduction import conduct, contact_profile

LADDER = (1.0, 2.5, 5.0, 10.0, 20.0)  # exponents on the way to the one that is asked for
FAR = 12.0  # size of the domains over the patch
REGULAR = 1e-4  # strain rate over v/a below which the metal is Newtonian
STIFF = 1e4  # of a rigid plate against the metal under it


class Edge(NamedTuple):
    """Flux on the contact for one a/(kappa Z): its edge over its far value, and the profile (r/a, flux over far)."""

    factor: float
    place: np.ndarray
    flux: np.ndarray


class Setting(NamedTuple):
    """What the text of a paper may leave open.

    Attributes:
        contact: "frictionless" or "sticking".
        top: "free"; "plate", rigid, without force; "held" at the velocity far away.
        sides: "mirror" or "free".
        face: of the patch: "free", or "shut", held by the electrolyte.
        far, thickness: radius and height of the metal over the patch.
        fine: cell at the edge.
        plane: a strip, not a disk.
    """

    contact: str = "frictionless"
    top: str = "free"
    sides: str = "mirror"
    face: str = "free"
    far: float = FAR
    thickness: float = FAR
    fine: float = 0.02
    plane: bool = False


class Face(NamedTuple):
    """Motion of the patch's face toward the electrolyte over that far away: mean, middle, least, most.

    `force` is the mean pressure of the electrolyte on a face that is shut, over the metal's stress at the rate v/a.
    """

    mean: float
    middle: float
    least: float
    most: float
    force: float


def spaced(a: float, far: float, fine: float, growth: float = 1.12) -> np.ndarray:
    """Radii from 0 to far, finest at the edge a."""
    inner = a - mesh_foil.graded(a, fine, growth, a / 8)[::-1]
    inner[0] = 0.0
    return np.concatenate([inner, (a + mesh_foil.graded(far - a, fine, growth, far / 12))[1:]])


def edge(ratio: float, far: float = FAR, plane: bool = False) -> Edge:
    """Solve for the current around a patch of radius 1 um with kappa Z = 1/ratio um."""
    fine = 0.01 / (1 + ratio)
    layers = mesh_foil.rectangle(spaced(1.0, far, fine), mesh_foil.graded(far, fine, 1.12, far / 12), not plane)
    slab = mesh_electrolyte.slab(layers, lambda middle: middle[:, 0] > 1.0)
    domain = mesh.electrolyte_alone(slab, not plane, MPI.COMM_SELF)
    place, potential = contact_profile(conduct(domain, 1.0, ratio * 1e6), domain)
    flux = 1 - potential
    return Edge(float(flux[0] / flux[-1]), place, flux / flux[-1])


OPEN = Setting()


class Metal:
    """Power-law flow of the metal above a patch of radius 1; velocity 1 far away, toward the contact."""

    def __init__(self, setting: Setting = OPEN) -> None:
        self.setting = s = setting
        heights = mesh_foil.graded(s.thickness, s.fine, 1.3, s.thickness / 12)
        layers = mesh_foil.rectangle(spaced(1.0, s.far, s.fine, 1.3), heights, True)
        shape = ufl.Mesh(basix.ufl.element("Lagrange", "triangle", 1, shape=(2,)))
        self.mesh = dolfinx.mesh.create_mesh(MPI.COMM_SELF, layers.cells, shape, layers.points)
        V = basix.ufl.element("Lagrange", "triangle", 2, shape=(2,))
        P = basix.ufl.element("Lagrange", "triangle", 1)
        self.space = fem.functionspace(self.mesh, basix.ufl.mixed_element([V, P]))
        self.u = fem.Function(self.space)
        self.m = fem.Constant(self.mesh, 1.0)
        self._facets()
        self._forms()
        self._hold()

    def _facets(self) -> None:
        def where(found: object, tag: int) -> tuple[np.ndarray, np.ndarray]:
            facets = dolfinx.mesh.locate_entities_boundary(self.mesh, 1, found)
            return facets, np.full(len(facets), tag, dtype=np.int32)

        parts = [
            where(lambda x: np.isclose(x[1], 0) & (x[0] <= 1 + 1e-9), 1),
            where(lambda x: np.isclose(x[1], self.setting.thickness), 2),
        ]
        facets, tags = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        order = np.argsort(facets)
        found = dolfinx.mesh.meshtags(self.mesh, 1, facets[order].astype(np.int32), tags[order])
        self.ds = ufl.Measure("ds", self.mesh, subdomain_data=found)

    def _forms(self) -> None:
        v, p = ufl.split(self.u)
        w, q = ufl.TestFunctions(self.space)
        r = ufl.SpatialCoordinate(self.mesh)[0]
        plane = self.setting.plane
        self.weight = 1.0 if plane else r
        g, h = (laws.velocity_gradient(f, "plane" if plane else "axisymmetric", None if plane else r) for f in (v, w))
        d = laws.strain_rate(g)
        size = ufl.sqrt(2 / 3 * ufl.inner(d, d) + REGULAR**2)
        stress = 2 / 3 * size ** (1 / self.m - 1) * d
        dx = ufl.dx(metadata={"quadrature_degree": 4})
        F = self.weight * (ufl.inner(stress, h) - p * ufl.tr(h) - q * ufl.tr(g)) * dx
        if self.setting.top == "plate":
            F += self.weight * STIFF * v[1].dx(0) * w[1].dx(0) * self.ds(2)
        self.F, self.J = fem.form(F), fem.form(ufl.derivative(F, self.u))
        self.A = fem_petsc.create_matrix(self.J)

    def _hold(self) -> None:
        s = self.setting
        part = [self.space.sub(0).sub(c) for c in (0, 1)]
        collapsed = [p.collapse()[0] for p in part]

        def hold(c: int, values: fem.Function, where: object) -> np.ndarray:
            dofs = fem.locate_dofs_geometrical((part[c], collapsed[c]), where)
            self.conditions.append(fem.dirichletbc(values, dofs, part[c]))
            return dofs[0]

        self.conditions: list[fem.DirichletBC] = []
        still = [fem.Function(space) for space in collapsed]
        hold(0, still[0], lambda x: np.isclose(x[0], 0) | (np.isclose(x[0], s.far) & (s.sides == "mirror")))
        if s.contact == "sticking":
            hold(0, still[0], lambda x: np.isclose(x[1], 0) & (x[0] >= 1 - 1e-9))
        if s.top == "held":
            down = fem.Function(collapsed[1])
            down.x.array[:] = -1.0
            hold(1, down, lambda x: np.isclose(x[1], s.thickness))
        self.shut = np.zeros(0, dtype=np.int32)
        if s.face == "shut":
            self.shut = hold(1, still[1], lambda x: np.isclose(x[1], 0) & (x[0] < 1 - 1e-9))
        self.leaving = fem.Function(collapsed[1])
        hold(1, self.leaving, lambda x: np.isclose(x[1], 0) & (x[0] >= 1 - 1e-9))

    def _residual(self) -> PETSc.Vec:
        b = fem_petsc.assemble_vector(self.F)
        for condition in self.conditions:
            condition.set(b.array_w, self.u.x.array, -1.0)
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
        for condition in self.conditions:
            condition.set(self.u.x.array)
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

    def face(self, found: Edge, exponents: tuple[float, ...]) -> dict[float, Face]:
        """How the face of the patch moves, by exponent."""
        self.leaving.interpolate(lambda x: -np.interp(x[0], found.place, found.flux))
        self.u.x.array[:] = 0.0
        out = {}
        mean = fem.form(-self.weight * ufl.split(self.u)[0][1] * self.ds(1))
        area = 1.0 if self.setting.plane else 0.5
        for m in [m for m in LADDER if m <= max(exponents)]:
            self.m.value = m
            self._newton()
            if m in exponents:
                v = self.u.sub(0).collapse()
                points = v.function_space.tabulate_dof_coordinates()
                on = np.flatnonzero(np.isclose(points[:, 1], 0) & (points[:, 0] <= 1 + 1e-9))
                down = -v.x.array.reshape(-1, 2)[on[np.argsort(points[on, 0])], 1]
                force = float(fem_petsc.assemble_vector(self.F).array[self.shut].sum()) / area
                out[m] = Face(
                    fem.assemble_scalar(mean) / area, float(down[0]), float(down.min()), float(down.max()), force
                )
        return out
