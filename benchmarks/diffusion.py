"""The limit of pure diffusion: femli beside a plain DOLFINx script on the same mesh and the same time steps.

    .venv/bin/python benchmarks/diffusion.py [--size 2] [--steps 20] [-o benchmarks/diffusion.md]

A plane foil of Li-5Mg without voids, pressure not coupled. The script solves one equation for x on a mesh that stands
still, with the stream of metal that one dimension prescribes, backward Euler, Newton and MUMPS, its matrix kept: what a
user would write who wants diffusion and nothing else. femli has no such mode: it solves for velocity and pressure as
well, and moves the mesh. Both take the same steps; the times are what a user pays, and the unknowns say why.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mpi4py import MPI

import numpy as np
import pages
import ufl
from dolfinx import fem
from dolfinx.fem import petsc

from femli import case, laws, mesh, solver, stepper
from femli.solver_data import Counts
from femli.solver_linear import direct

CASE = """
[geometry]
dimension = 2
width = "20 um"
electrode_thickness = "50 um"
[geometry.mesh]
interface_size = "{size} um"
size = "{size} um"
[electrode]
material = "Li-5Mg"
creep_scaling = "none"
stress_coupling = false
[load]
current_density = "0.31 mA/cm^2"
[stop]
capacity = "5 mAh/cm^2"
[solver]
initial_step = "{step} s"
largest_step = "{step} s"
time_tolerance = 0.1
"""


def made(size: float, step: float) -> Any:
    """femli's stepper of the case, started."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.toml"
        path.write_text(CASE.format(size=size, step=step), encoding="utf-8")
        settings = case.load(path)
    electrode = settings.electrode_properties()
    newton = solver.on_mesh(mesh.build(settings, MPI.COMM_WORLD), settings, electrode)
    march = stepper.Stepper(newton, settings)
    march.start()
    march.spent = Counts()  # what the start took is not a step's
    return march


class Script:
    """Diffusion alone: x on the mesh and with the constants of a run, backward Euler."""

    def __init__(self, fields: Any) -> None:
        k, f = fields.k, fields.frame
        self.x, self.old = fields.u.x.copy(), fields.u.x.copy()
        q, dx = (make(self.x.function_space) for make in (ufl.TestFunction, ufl.TrialFunction))
        self.rate = fem.Constant(fields.domain.mesh, 1.0)
        phi = laws.li_volume_fraction(self.x, k)
        gain = self.rate * (phi - laws.li_volume_fraction(self.old, k))
        # Where the interface rests, metal and diffusion together stream at one speed V: v = V - j.
        flow = ufl.as_vector([0, -k.contact_flux])
        flux = phi * flow + (1 - phi) * laws.li_flux(self.x, fields.u.p, k)
        residual = gain * q * f.dx - ufl.dot(flux, ufl.grad(q)) * f.dx + k.contact_flux * q * f.ds(f.parts["contact"])
        residual -= phi * k.contact_flux * q * f.ds(f.parts["collector"])
        self.residual, self.jacobian = fem.form(residual), fem.form(ufl.derivative(residual, self.x, dx))
        self.A, self.b = petsc.create_matrix(self.jacobian), petsc.create_vector(self.residual.function_spaces[0])
        self.dx, self.ksp, self.newton = self.A.createVecRight(), direct(self.A), 0

    def advance(self, step: float) -> None:
        """One step of so many hours."""
        self.rate.value = 1 / step
        self.old.x.array[:] = self.x.x.array
        for _ in range(20):
            self.A.zeroEntries()
            petsc.assemble_matrix(self.A, self.jacobian)
            self.A.assemble()
            self.b.set(0.0)
            petsc.assemble_vector(self.b, self.residual)
            self.ksp.solve(self.b, self.dx)
            self.x.x.array[:] -= self.dx.array
            self.newton += 1
            if np.max(np.abs(self.dx.array)) < 1e-6:
                return
        sys.exit("the script's Newton did not converge")


def timed(advance: Any, steps: int) -> float:
    """Median processor seconds a step."""
    seconds = []
    for _ in range(steps):
        began = time.process_time()
        advance()
        seconds.append(time.process_time() - began)
    return statistics.median(seconds)


def main() -> int:
    """Parse the options, run both, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=float, default=2.0, help="of cells [um] [2]")
    parser.add_argument("--steps", type=int, default=20, help="[20]")
    parser.add_argument("--step", type=float, default=4.0, help="seconds; a rung 2^(k/4) [4]")
    parser.add_argument("-o", "--output", type=Path, help="also write the table there")
    given = parser.parse_args()
    march = made(given.size, given.step)
    script = Script(march.fields)
    counts: list[Any] = []
    ours = timed(lambda: counts.append(march.advance()), given.steps)
    ahead = iter(counts)
    alone = timed(lambda: script.advance(next(ahead).dt), given.steps)
    newton = sum(step.counts.newton for step in counts)
    reached = (script.x.x.array.min(), march.fields.u.x.x.array.min())
    small, large = script.b.getSize(), int(march.newton.offsets[-1])
    one = alone * given.steps / script.newton
    lines = [
        "# Pure diffusion: femli beside a DOLFINx script",
        "",
        "| what | unknowns | Newton a step | ms a step | us a Newton iteration and unknown | smallest x at the end |",
        "|---|---|---|---|---|---|",
        f"| DOLFINx script, x alone | {small} | {script.newton / given.steps:.1f} | {alone * 1e3:.1f} "
        f"| {one / small * 1e6:.1f} | {reached[0]:.6f} |",
        f"| femli: v, p, x, moving mesh | {large} | {newton / given.steps:.1f} | {ours * 1e3:.1f} "
        f"| {ours * given.steps / newton / large * 1e6:.1f} | {reached[1]:.6f} |",
        "",
        f"femli over script, a step: {ours / alone:.1f}; unknowns: {large / small:.1f}.",
        *pages.footer(),
    ]
    print("\n".join(lines))
    pages.save(lines, given.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
