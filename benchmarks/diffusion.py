"""The limit of pure diffusion: femli beside a plain DOLFINx script on the same mesh and the same time steps.

    .venv/bin/python benchmarks/diffusion.py [--sizes 2 0.1 0.01] [--steps 20] [-o benchmarks/diffusion.md]

A plane foil of Li-5Mg without voids, `electrode.mechanics = "none"`. The script solves the same equation for x on a
mesh that stands still, with the stream of metal that one dimension prescribes: BDF2, the guess extrapolated from three
steps, Newton until no value changes by more than 1e-6 (femli's criterion), MUMPS, its matrix kept, femli's quadrature.
It computes nothing but x. A step of femli moves the mesh as the foil thins, keeps the balances of both species,
estimates its local error, looks for stop conditions, and writes its row of the history; snapshots and checkpoints are
left out. femli keeps the matrix of a step's first iteration where that serves; a second script does the same.
"""

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from mpi4py import MPI

import numpy as np
import pages
import ufl
from dolfinx import fem
from dolfinx.fem import petsc

from femli import case, laws, mesh, outputs, protocol, stepper
from femli.outputs_measures import Measures
from femli.solver_diffusion import CLOSE, FALL, solver_of
from femli.solver_linear import direct
from femli.stepper_bdf import bdf_weights, extrapolation_weights

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
mechanics = "{mechanics}"
[load]
current_density = "0.31 mA/cm^2"
[stop]
capacity = "5 mAh/cm^2"
[solver]
initial_step = "{step} s"
largest_step = "{step} s"
time_tolerance = 0.1
"""


def made(size: float, step: float, mechanics: str, folder: Path) -> outputs.Recorder:
    """femli's run of the case, started; the recorder has all of it."""
    path = folder / "case.toml"
    path.write_text(CASE.format(size=size, step=step, mechanics=mechanics), encoding="utf-8")
    settings = case.load(path)
    electrode = settings.electrode_properties()
    newton = solver_of(mesh.build(settings, MPI.COMM_WORLD), settings, electrode)
    steps = protocol.Protocol(settings, electrode, stepper.Stepper(newton, settings), Measures(newton))
    recorder = outputs.Recorder(folder, settings, electrode, steps)
    steps.start()
    recorder.start()
    return recorder


class Script:
    """Diffusion alone: x on the mesh and with the constants of a run, BDF2.

    Args:
        fields: of the run, at its start.
        keeps: the matrix of a step's first iteration serves the later ones as long as it does in femli.
    """

    def __init__(self, fields: Any, keeps: bool) -> None:
        self.keeps = keeps
        k, f = fields.k, fields.frame
        self.x = fields.u.x.copy()
        self.past = [self.x.copy(), self.x.copy(), self.x.copy()]
        self.times, self.newton = [0.0], 0
        q, dx = (make(self.x.function_space) for make in (ufl.TestFunction, ufl.TrialFunction))
        self.rates = [fem.Constant(fields.domain.mesh, 0.0) for _ in range(3)]
        phi = laws.li_volume_fraction(self.x, k)
        gain = sum(
            rate * laws.li_volume_fraction(x, k) for rate, x in zip(self.rates, (self.x, *self.past[:2]), strict=True)
        )
        # Where the interface rests, metal and diffusion together stream at one speed V: v = V - j.
        flow = ufl.as_vector([0, -k.contact_flux])
        flux = phi * flow + (1 - phi) * laws.li_flux(self.x, self.x, k._replace(pressure_coupling=0.0))
        residual = gain * q * f.dx - ufl.dot(flux, ufl.grad(q)) * f.dx + k.contact_flux * q * f.ds(f.parts["contact"])
        residual -= phi * k.contact_flux * q * f.ds(f.parts["collector"])
        self.residual, self.jacobian = fem.form(residual), fem.form(ufl.derivative(residual, self.x, dx))
        self.A, self.b = petsc.create_matrix(self.jacobian), petsc.create_vector(self.residual.function_spaces[0])
        self.dx, self.ksp = self.A.createVecRight(), direct(self.A)

    def advance(self, step: float) -> None:
        """One step of so many hours."""
        for i, newer in ((2, self.past[1]), (1, self.past[0]), (0, self.x)):
            self.past[i].x.array[:] = newer.x.array
        new = self.times[0] + step
        rates = bdf_weights([new, *self.times[:2]])
        for rate, value in zip(self.rates, (*rates, 0.0), strict=False):
            rate.value = value
        weights = extrapolation_weights(self.times, new)
        self.x.x.array[:] = sum(w * x.x.array for w, x in zip(weights, self.past, strict=False))
        self.times = [new, *self.times[:2]]
        last = np.inf
        for _ in range(20):
            if not (self.keeps and last < CLOSE):
                self.A.zeroEntries()
                petsc.assemble_matrix(self.A, self.jacobian)
                self.A.assemble()
            self.b.set(0.0)
            petsc.assemble_vector(self.b, self.residual)
            self.ksp.solve(self.b, self.dx)
            self.x.x.array[:] -= self.dx.array
            self.newton += 1
            change = np.max(np.abs(self.dx.array))
            if change < 1e-6:
                return
            last = change if change < FALL * last else np.inf
        sys.exit("the script's Newton did not converge")


class Row(NamedTuple):
    """What one of them took: unknowns, Newton iterations a step, median seconds a step, smallest x at the end."""

    what: str
    unknowns: int
    newton: float
    seconds: float
    least: float


class Clock:
    """Processor seconds of what it is told to do."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, work: Callable[..., Any], *words: Any) -> Any:
        began = time.process_time()
        result = work(*words)
        self.seconds.append(time.process_time() - began)
        return result

    def median(self) -> float:
        """Of all calls."""
        return statistics.median(self.seconds)


def compared(size: float, steps: int, step: float, mechanics: str) -> tuple[list[Row], float]:
    """Both scripts and femli, step by step in turn; and the share of measuring and writing in femli's steps."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = made(size, step, mechanics, Path(folder))
        scripts = {script: Clock() for script in (Script(recorder.fields, False), Script(recorder.fields, True))}
        ours, writing, newton = Clock(), Clock(), 0
        for _ in range(steps):
            taken = ours(recorder.stepper.advance)
            writing(recorder.record, taken)
            recorder.protocol.follow(taken)
            newton += taken.counts.newton
            for script, clock in scripts.items():
                clock(script.advance, taken.dt)
    x, unknowns = recorder.fields.u.x.x.array, int(recorder.newton.offsets[-1])
    whole = ours.median() + writing.median()
    rows = []
    for script, clock in scripts.items():
        what = "DOLFINx script: x" + (", matrix kept in a step" if script.keeps else "")
        rows.append(Row(what, script.b.getSize(), script.newton / steps, clock.median(), float(script.x.x.array.min())))
    what = "x, moving mesh" if mechanics == "none" else "v, p, x, moving mesh"
    rows.append(Row(f"femli, mechanics {mechanics}: {what}", unknowns, newton / steps, whole, float(x.min())))
    return rows, writing.median() / whole


def main() -> int:
    """Parse the options, run both, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sizes", type=float, nargs="+", default=[2.0, 0.1, 0.01], help="of cells along the normal [um]"
    )
    parser.add_argument("--steps", type=int, default=20, help="[20]")
    parser.add_argument("--step", type=float, default=4.0, help="seconds; a rung 2^(k/4) [4]")
    parser.add_argument("-o", "--output", type=Path, help="also write the table there")
    given = parser.parse_args()
    logging.getLogger("femli").setLevel(logging.ERROR)
    lines = [
        "# Pure diffusion: femli beside a DOLFINx script",
        "",
        "| what | unknowns | Newton a step | ms a step | over script | over the second | smallest x at the end |",
        "|---|---|---|---|---|---|---|",
    ]
    shares = []
    runs = [(given.sizes[0], "creep"), *((size, "none") for size in given.sizes)]
    for size, mechanics in runs:
        rows, writing = compared(size, given.steps, given.step, mechanics)
        shares.append(f"{writing:.0%}")
        lines += [
            f"| {row.what} | {row.unknowns} | {row.newton:.1f} | {row.seconds * 1e3:.1f} "
            f"| {row.seconds / rows[0].seconds:.2f} | {row.seconds / rows[1].seconds:.2f} | {row.least:.6f} |"
            for row in rows
        ]
    lines += [
        "",
        f"Median processor time of {given.steps} steps of {given.step:g} s. Script and femli take them "
        f"in turn. Of femli's steps {', '.join(shares)} go into measuring and writing the row of the history.",
        *pages.footer(),
    ]
    print("\n".join(lines))
    pages.save(lines, given.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
