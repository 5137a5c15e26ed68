"""NGSolve's side of `peer_ngsolve.py`: reads the problem, solves it the same way, prints its times as JSON."""

import json
import statistics
import sys
import time
from typing import Any

import netgen.meshing as ng
import ngsolve as ngs
import numpy as np
from ngsolve.comp import IntegrationRuleSpace

from femli.creep import PowerLaw

SOLVER = "umfpack"  # the direct solver for unsymmetric matrices that its wheel has


def mesh_of(data: Any) -> ngs.Mesh:
    """The same triangles with the same named boundaries."""
    mesh = ng.Mesh(dim=2)
    ids = [mesh.Add(ng.MeshPoint(ng.Pnt(x, y, 0))) for x, y in data["points"]]
    names = sorted(set(data["facet_parts"]))
    mesh.Add(ng.FaceDescriptor(bc=1, domin=1, surfnr=1))
    P = data["points"]
    around = set()  # edges with their cell on the left, so that normals point outwards
    for a, b, c in data["cells"]:
        (ax, ay), (bx, by), (cx, cy) = P[a], P[b], P[c]
        turn = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        corners = (a, b, c) if turn > 0 else (a, c, b)
        mesh.Add(ng.Element2D(1, [ids[i] for i in corners]))
        around |= set(zip(corners, (*corners[1:], corners[0]), strict=True))
    for (a, b), part in zip(data["facets"], data["facet_parts"], strict=True):
        first, last = (a, b) if (a, b) in around else (b, a)
        mesh.Add(ng.Element1D([ids[first], ids[last]], index=names.index(part) + 1))
    for i, name in enumerate(names):
        mesh.SetBCName(i, str(name))
    return ngs.Mesh(mesh)


class Problem:
    """The same step in NGSolve's forms."""

    def __init__(self, data: Any) -> None:
        self.data, self.mesh = data, mesh_of(data)
        k = json.loads(str(data["constants"]))
        A, n, s_reg, self.viscosity = (float(a) for a in data["law"])
        self.law = PowerLaw(A, n, s_reg, "plane")
        V = ngs.VectorH1(self.mesh, order=2, dirichletx="side", dirichlety="contact")
        Q = ngs.H1(self.mesh, order=1)
        self.fes = ngs.FESpace([V, Q, ngs.H1(self.mesh, order=1)])
        self.u = ngs.GridFunction(self.fes)
        self.points = IntegrationRuleSpace(self.mesh, order=2)
        self.state = [ngs.GridFunction(self.points) for _ in range(5)]  # T11, T22, T12, 1/k, c
        self.x_old = ngs.GridFunction(ngs.H1(self.mesh, order=1))
        self.a = self._form(k)
        v = self.u.components[0]
        g = ngs.Grad(v)
        third = (g[0, 0] + g[1, 1]) / 3
        self.rates = [g[0, 0] - third, g[1, 1] - third, (g[0, 1] + g[1, 0]) / 2]
        self.scratch = ngs.GridFunction(self.points)
        ones = ngs.LinearForm(self.points)
        ones += self.points.TestFunction() * ngs.dx(intrules=self.points.GetIntegrationRules())
        ones.Assemble()
        self.w = ones.vec.FV().NumPy().copy()

    def _form(self, k: dict[str, float]) -> Any:
        (v, p, x), (t, q, z) = self.fes.TnT()
        T11, T22, T12, stiff, rank = self.state
        T = ngs.CF((T11, T12, 0, T12, T22, 0, 0, 0, -T11 - T22), dims=(3, 3))

        def embedded(w: Any) -> Any:
            g = ngs.Grad(w)
            return ngs.CF((g[0, 0], g[0, 1], 0, g[1, 0], g[1, 1], 0, 0, 0, 0), dims=(3, 3))

        def sym(m: Any) -> Any:
            return 0.5 * (m + m.trans)

        identity = ngs.CF((1, 0, 0, 0, 1, 0, 0, 0, 1), dims=(3, 3))
        D, G = sym(embedded(v)), sym(embedded(t))
        tr = D[0, 0] + D[1, 1]
        excess = D - tr / 3 * identity - T / stiff
        stress = T + stiff * (excess - rank * ngs.InnerProduct(T, excess) * T)
        creep = ngs.dx(intrules=self.points.GetIntegrationRules())
        rule = ngs.IntegrationRule([tuple(r) for r in self.data["balance"]], list(self.data["weights"]))
        dx = ngs.dx(intrules={ngs.TRIG: rule})
        edge = ngs.IntegrationRule(ngs.SEGM, 5)

        def ds(part: str) -> Any:
            return ngs.ds(definedon=self.mesh.Boundaries(part), intrules={ngs.SEGM: edge})

        normal = ngs.specialcf.normal(2)
        y = 1 - x
        theta = 1 - x * y * (2 * k["activity_0"] + 3 * k["activity_1"] * y)
        D_li = ngs.exp(k["log_diffusivity_0"] + k["log_diffusivity_1"] * y)
        over = 1 / (x + k["volume_ratio"] * (1 - x))
        phi = x * over
        phi_old = self.x_old / (self.x_old + k["volume_ratio"] * (1 - self.x_old))
        flux = -D_li * over * (theta * ngs.Grad(x) + k["pressure_coupling"] * x * ngs.Grad(p))
        a = ngs.BilinearForm(self.fes)
        a += (ngs.InnerProduct(stress, G) - p * (G[0, 0] + G[1, 1])) * creep
        a += k["stack_pressure"] * (normal * t.Trace()) * ds("collector")
        a += (tr * q - flux * ngs.Grad(q)) * dx
        a += k["contact_flux"] * q * ds("contact")
        a += (k["rate"] * (phi_old - phi) * z - (1 - phi) * (v * ngs.Grad(z))) * dx
        a += (1 - phi) * (v.Trace() * normal) * z * ds("collector|void")
        return a

    def strain_rate(self) -> np.ndarray:
        """Deviatoric rates at the points, (points, 3)."""
        columns = []
        for rate in self.rates:
            self.scratch.Interpolate(rate)
            columns.append(self.scratch.vec.FV().NumPy().copy())
        return np.stack(columns, axis=1)

    def set_state(self, T: np.ndarray, stiff: np.ndarray, rank: np.ndarray) -> None:
        """Linearise about stresses T, (points, 3)."""
        for target, values in zip(self.state, (*T.T, stiff, rank), strict=True):
            target.vec.FV().NumPy()[:] = values

    def stress(self) -> np.ndarray:
        """Stresses at the points, (points, 3)."""
        return np.stack([s.vec.FV().NumPy() for s in self.state[:3]], axis=1)

    def iterate(self, first: bool) -> None:
        """One Newton iteration and projection."""
        residual, step = self.u.vec.CreateVector(), self.u.vec.CreateVector()
        self.a.Apply(self.u.vec, residual)
        self.a.AssembleLinearization(self.u.vec)
        step.data = self.a.mat.Inverse(self.fes.FreeDofs(), inverse=SOLVER) * residual
        self.u.vec.data -= step
        d = self.strain_rate()
        if first:
            T = self.law.stress(d)
        else:
            stiff, rank = (s.vec.FV().NumPy() for s in self.state[3:])
            T, linear = self.law.project(self.stress(), stiff, rank, d)
            self.law.graph_distance(T, linear, d, self.w)
        self.set_state(T, *self.law.tangent(T))

    def solve(self) -> float:
        """Cold start and the same number of iterations; seconds an iteration."""
        self.u.vec[:] = 0.0
        start = float(self.data["x_start"])
        self.u.components[2].vec[:] = start
        self.x_old.vec[:] = start
        n = len(self.w)
        self.set_state(np.zeros((n, 3)), np.full(n, 2 * self.viscosity), np.zeros(n))
        seconds = []
        for i in range(int(self.data["iterations"])):
            began = time.perf_counter()
            self.iterate(i == 0)
            seconds.append(time.perf_counter() - began)
        return statistics.median(seconds[1:])

    def differences(self) -> list[float]:
        """Largest difference at vertices over the largest value, for v, p, x."""
        v, p, x = self.u.components
        count = self.mesh.nv
        ours = [
            np.stack([c.vec.FV().NumPy()[:count] for c in v.components], axis=1),
            p.vec.FV().NumPy(),
            x.vec.FV().NumPy(),
        ]
        theirs = [self.data[name] for name in "vpx"]
        return [float(np.abs(a[:count] - b).max() / np.abs(b).max()) for a, b in zip(ours, theirs, strict=True)]


def main() -> None:
    """Solve the file's problem and print what it took."""
    data = dict(np.load(sys.argv[1]))
    ngs.SetNumThreads(1)
    problem = Problem(data)
    problem.solve()
    seconds = statistics.median(problem.solve() for _ in range(int(data["repeats"])))
    answer = {"ngsolve": seconds, "solver": SOLVER, "differences": problem.differences()}
    print(json.dumps({**answer, "version": ngs.__version__}))


if __name__ == "__main__":
    main()
