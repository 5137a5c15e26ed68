"""femli against NGSolve on the same coupled 2D problem: seconds a Newton iteration, one core, same mesh and answers.

    .venv/bin/python benchmarks/peer_ngsolve.py [--sizes 10000 50000] [--python PATH] [-o benchmarks/peer_ngsolve.md]

One implicit step of a foil with a void on a mesh that stands still: power-law creep, volume and host, P2-P1-P1, the
stress at the same quadrature points, the same projection, the same number of iterations. NGSolve runs in an interpreter
of its own; where --python is not given, an environment is made in benchmarks/.peers with `pip install ngsolve`.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

from mpi4py import MPI

import basix
import dolfinx
import numpy as np
import ufl

from femli import bcs, case, fields, forms, laws, mesh, solver
from femli.motion import Motion
from femli.solver import Newton
from femli.solver_linear import LinearSolver

HERE = Path(__file__).resolve().parent
SIDE = HERE / "peer_ngsolve_side.py"
ITERATIONS, REPEATS = 12, 3
STEP = 0.01  # h
fields.CREEP_DEGREE = solver.CREEP_DEGREE = 4  # NGSolve has six points a triangle or other three: six for both
CASE = """
[geometry]
kind = "foil"
dimension = 2
width = "100 um"
electrode_thickness = "50 um"
[geometry.mesh]
interface_size = "{size} um"
edge_size = "{size} um"
growth = 1.05
size = "{coarse} um"
[[geometry.voids.list]]
x = "50 um"
half_width = "10 um"
height = "6 um"
[electrode]
material = "Li-5Mg"
creep_scaling = "none"
[load]
current_density = "0.31 mA/cm^2"
[stop]
capacity = "1 mAh/cm^2"
"""


class Problem:
    """The step in femli's forms on one mesh."""

    def __init__(self, size: float, folder: Path) -> None:
        file = folder / "case.toml"
        file.write_text(CASE.format(size=size, coarse=4 * size))
        self.case = case.load(file)
        electrode = self.case.electrode_properties()
        self.fields = fields.create(mesh.build(self.case, MPI.COMM_WORLD), self.case, electrode)
        self.newton = Newton(self.fields, Motion(self.fields), self.case, electrode)
        self.newton._share_current()
        fl, k, f = self.fields, self.fields.k, self.fields.frame
        k.rate.value = 1 / STEP
        spaces = [u.function_space for u in fl.u]
        t, du = (forms.Unknowns(*[make(V) for V in spaces]) for make in (ufl.TestFunction, ufl.TrialFunction))
        phi, phi_old = laws.li_volume_fraction(fl.u.x, k), laws.li_volume_fraction(fl.x_old, k)
        host = (k.rate * (phi_old - phi) * t.x - (1 - phi) * ufl.dot(fl.u.v, ufl.grad(t.x))) * f.dx
        for part in ("collector", "void"):
            host += (1 - phi) * ufl.dot(fl.u.v, f.n) * t.x * f.ds(f.parts[part])
        rows = [forms.momentum(t.v, fl.u, fl.state, k, f), forms.frozen_volume(t.p, fl.u, k, f), host]
        J = [[ufl.derivative(row, fl.u[j], du[j]) for j in range(3)] for row in rows]
        held = bcs.velocity_conditions(fl.domain, spaces[0], False)
        self.system = LinearSolver(J, rows, held, self.newton.offsets)
        self.start = fl.u.x.x.array.copy()

    def viscosity(self) -> float:
        """Viscosity of the first, linear iteration [MPa h]."""
        law = self.newton.law
        s0 = max(np.sqrt(3) * float(self.fields.k.stack_pressure.value) / law.n, 1.5)
        return float(s0 / (3 * law.A * s0**law.n))

    def solve(self) -> dict[str, float]:
        """Cold start and a fixed number of iterations; seconds an iteration."""
        fl, newton = self.fields, self.newton
        for u in fl.u:
            u.x.array[:] = 0.0
        fl.u.x.x.array[:] = fl.x_old.x.array[:] = self.start
        n = len(newton.points.dofs)
        newton._set_state(np.zeros((n, 3)), np.full(n, 2 * self.viscosity()), np.zeros(n))
        seconds = []
        for i in range(ITERATIONS):
            began = time.perf_counter()
            self.system.assemble([])
            newton._increment(self.system)
            if i:
                newton._project()
            else:
                newton.set_stress(newton.law.stress(newton.points.strain_rate()))
            seconds.append(time.perf_counter() - began)
        return {"iteration": statistics.median(seconds[1:])}

    def export(self, path: Path) -> None:
        """Mesh, numbers and this side's answer, for the other side."""
        fl, domain = self.fields, self.fields.domain
        msh = domain.mesh
        msh.topology.create_connectivity(1, 0)
        nodes = msh.geometry.x[:, :2]
        facets = domain.facet_tags.indices
        from dolfinx.mesh import entities_to_geometry

        balance, weights = basix.make_quadrature(basix.CellType.triangle, fields.BALANCE_DEGREE)
        vertices = fl.node_of_dof
        dof_of_node = np.empty(len(vertices), dtype=np.int64)
        dof_of_node[vertices] = np.arange(len(vertices))
        motion = self.newton.motion
        velocity = fl.u.v.x.array.reshape(-1, 2)[motion.p2_of_p1]
        np.savez(
            path,
            points=nodes,
            cells=msh.geometry.dofmaps[0],
            facets=entities_to_geometry(msh, 1, facets),
            facet_parts=np.array([{v: k for k, v in domain.facet_names.items()}[t] for t in domain.facet_tags.values]),
            constants=json.dumps({k: float(v.value) for k, v in fl.k._asdict().items()}),
            law=np.array([self.newton.law.A, self.newton.law.n, self.newton.law.s_reg, self.viscosity()]),
            x_start=self.start[0],
            balance=balance,
            weights=weights,
            iterations=ITERATIONS,
            repeats=REPEATS,
            v=velocity[dof_of_node],
            p=fl.u.p.x.array[dof_of_node],
            x=fl.u.x.x.array[dof_of_node],
        )


def interpreter(given: str | None) -> str:
    """An interpreter that has NGSolve."""
    if given is not None:
        return given
    home = HERE / ".peers"
    if not (home / "bin" / "python").exists():
        venv.create(home, with_pip=True)
        subprocess.run([home / "bin" / "python", "-m", "pip", "install", "-q", "ngsolve", "numpy"], check=True)
    return str(home / "bin" / "python")


def compare(size: float, python: str) -> dict[str, Any]:
    """Both sides on one mesh."""
    with tempfile.TemporaryDirectory() as folder:
        problem = Problem(size, Path(folder))
        problem.solve()  # warm
        ours = [problem.solve()["iteration"] for _ in range(REPEATS)]
        file = Path(folder) / "problem.npz"
        problem.export(file)
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent)}
        done = subprocess.run(
            [python, str(SIDE), str(file)], env=environment, check=True, capture_output=True, text=True
        )
    theirs = json.loads(done.stdout.splitlines()[-1])
    return {"dofs": int(problem.newton.offsets[-1]), "femli": statistics.median(ours), **theirs}


def size_for(dofs: int) -> float:
    """Cell size at the contact [um] for about this many unknowns (found by trial, goes as dofs^-1/2)."""
    return 1.32 * (10_000 / dofs) ** 0.81


def main() -> int:
    """Run, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 50_000], help="unknowns, about")
    parser.add_argument("--python", help="an interpreter that has NGSolve")
    parser.add_argument("-o", "--output", type=Path, default=HERE / "peer_ngsolve.md")
    given = parser.parse_args()
    python = interpreter(given.python)
    lines = [
        "# One Newton iteration of a coupled 2D step: femli and NGSolve",
        "",
        "`python benchmarks/peer_ngsolve.py`; same mesh, elements, quadrature and algorithm, one core; medians.",
        "",
        "| unknowns | femli, s | NGSolve, s | ratio | solver there | largest difference of v, p, x (relative) |",
        "|---|---|---|---|---|---|",
    ]
    for dofs in given.sizes:
        row = compare(size_for(dofs), python)
        lines.append(
            f"| {row['dofs']} | {row['femli']:.3f} | {row['ngsolve']:.3f} | {row['ngsolve'] / row['femli']:.1f} "
            f"| {row['solver']} | {', '.join(f'{d:.0e}' for d in row['differences'])} |"
        )
        print(lines[-1], flush=True)
        peer = row["version"]
    chip = platform.processor() or platform.machine()
    lines += ["", f"DOLFINx {dolfinx.__version__}, NGSolve {peer}, {chip}.", ""]
    given.output.write_text("\n".join(lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
