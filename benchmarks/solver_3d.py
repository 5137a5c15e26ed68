"""The linear solvers of three dimensions against each other, as a Markdown table.

    .venv/bin/python benchmarks/solver_3d.py                                   2e4 and 5e4 dofs, 1 and 2 ranks
    .venv/bin/python benchmarks/solver_3d.py --dofs 2e4 5e4 1e5 2e5            the sizes that the aims are for
    .venv/bin/python benchmarks/solver_3d.py --dofs 5e5 1e6 --ranks 2 --direct-up-to 0

Each row is a run in a process of its own: a block of Li-5Mg, without voids, with one, and with one over an electrolyte
that is solved with it (`--problems`), up to the consistent state (counted apart) and over a few time steps. Times are
processor seconds of the slowest rank per Newton iteration, memory is the peak over all ranks of the whole run. Ratios
are direct over iterative, same problem, same ranks, same table.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pages

TOP = Path(__file__).resolve().parents[1]
CASE = """
[geometry]
dimension = 3
width = "12 um"
depth = "12 um"
electrode_thickness = "15 um"
[geometry.mesh]
interface_size = "{size} um"
size = "{largest} um"
growth = 1.3
{void}
[electrode]
material = "Li-5Mg"
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "5 MPa"
[stop]
capacity = "0.1 mAh/cm^2"
{below}
[solver]
linear = "{linear}"
"""
VOID = '[[geometry.voids.list]]\nx = "6 um"\ny = "6 um"\nhalf_width = "2 um"\nheight = "1 um"'
BELOW = '[electrolyte]\nthickness = "20 um"\nconductivity = "0.4 mS/cm"\n[interface]\nresistance = "5 ohm cm^2"'
# What fills the places of the case, and unknowns [-] with cells of 1.2 um.
PROBLEMS = {
    "no void": ({"void": "", "below": ""}, 4.5e4),
    "one void": ({"void": VOID, "below": ""}, 5.7e4),
    "void and electrolyte": ({"void": VOID, "below": BELOW}, 6.5e4),
}
PARTS = ("assembly", "set-up", "Krylov", "motion", "creep law")


def problem(size: float, largest: float, kind: str, linear: str) -> Any:
    """The stepper of a block with cells of these sizes [um], not started; collective."""
    from mpi4py import MPI

    from femli import case, fields, mesh, mesh_resolution, motion, solver, stepper

    # A foil without voids is laterally uniform and gets four columns; here it is to be refined in all directions.
    mesh_resolution.COLUMNS[3] = 10_000
    comm = MPI.COMM_WORLD
    folder = comm.bcast(tempfile.mkdtemp(prefix="femli-solver-3d-") if comm.rank == 0 else None)
    path = Path(folder) / "case.toml"
    if comm.rank == 0:
        text = CASE.format(size=size, largest=largest, linear=linear, **PROBLEMS[kind][0])
        path.write_text(text, encoding="utf-8")
    comm.barrier()
    settings = case.load(path)
    comm.barrier()
    if comm.rank == 0:
        path.unlink()
        Path(folder).rmdir()
    electrode = settings.electrode_properties()
    owned = fields.create(mesh.build(settings, comm), settings, electrode)
    newton = solver.Newton(owned, motion.Motion(owned), settings, electrode)
    return stepper.Stepper(newton, settings)


def watched() -> dict[str, float]:
    """Processor seconds of each part of a solve from now on, summed as the parts run."""
    from femli import solver, solver_block, solver_cells, solver_coupled, solver_linear, solver_multigrid

    spent = dict.fromkeys(PARTS, 0.0)

    def timed(owner: type, name: str, part: str) -> None:
        inner: Callable[..., Any] = getattr(owner, name)

        def outer(*arguments: Any, **named: Any) -> Any:
            began, others = time.process_time(), sum(spent.values())
            answer = inner(*arguments, **named)
            # What timed calls inside this one took is theirs.
            spent[part] += time.process_time() - began - (sum(spent.values()) - others)
            return answer

        setattr(owner, name, outer)

    block, direct = solver_block.BlockSolver, solver_linear.LinearSolver
    for owner in (block, direct):
        timed(owner, "solve", "Krylov")
    coupled = (solver_coupled.CoupledBlockSolver, solver_coupled.CoupledSolver)
    for owner in (block, direct, *coupled):
        timed(owner, "assemble", "assembly")
    timed(solver_cells.CellMatrix, "fill", "assembly")
    timed(block, "_set_up", "set-up")
    timed(solver_multigrid.VelocityMultigrid, "refresh", "set-up")
    timed(solver.Newton, "place", "motion")
    timed(solver.Newton, "_project", "creep law")
    return spent


def member(size: float, largest: float, kind: str, linear: str, steps: int) -> None:
    """One run, in this process and its ranks; prints what was measured as JSON."""
    from mpi4py import MPI

    comm, spent = MPI.COMM_WORLD, watched()
    began = time.process_time()
    march = problem(size, largest, kind, linear)
    newton = march.newton
    made = time.process_time() - began
    counted: list[int] = []
    increment = newton.step_system.solve

    def solve() -> int:
        counted.append(increment())
        return counted[-1]

    newton.step_system.solve = solve
    march.start()
    start, ready = newton.counts, time.process_time() - began
    spent.update(dict.fromkeys(PARTS, 0.0))
    for _ in range(steps):
        march.advance()
    found = {
        "ranks": comm.size,
        "dofs": newton.step_system.b.getSize(),
        "newton": len(counted),
        "krylov": [sum(counted) / len(counted), max(counted)],
        "start": [start.newton, start.linear],
        "seconds": [comm.allreduce(value, op=MPI.MAX) for value in (made, ready - made)],
        "parts": {name: comm.allreduce(value, op=MPI.MAX) / len(counted) for name, value in spent.items()},
        "memory": comm.allreduce(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 2**20,
    }
    if comm.rank == 0:
        print(json.dumps(found))


def run(
    size: float, largest: float, kind: str, linear: str, ranks: int, steps: int, launcher: str = ""
) -> dict[str, Any] | None:
    """A run in processes of its own, started by `launcher` (mpiexec beside Python); None where it failed."""
    given = launcher.format(ranks=ranks).split() or [str(Path(sys.executable).parent / "mpiexec"), "-n", str(ranks)]
    launch = given if ranks > 1 or launcher else []
    words = ["--member", json.dumps([size, largest, kind, linear, steps])]
    command = [*launch, sys.executable, str(Path(__file__).resolve()), *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(TOP)}
    answer = subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode:
        print(f"{words[1]} on {ranks} ranks: exit code {answer.returncode}\n{answer.stderr[-2000:]}", file=sys.stderr)
        return None
    found = dict(json.loads(answer.stdout.strip().splitlines()[-1]))
    if found["ranks"] != ranks:  # each of them has solved the whole problem
        print(f"{words[1]}: {' '.join(launch)} started {ranks} processes that do not find each other", file=sys.stderr)
        return None
    return found


def sizes(dofs: float, kind: str) -> tuple[float, float]:
    """Cell sizes [um] at the contact and elsewhere for about so many unknowns."""
    # Counted at 1.2 um; unknowns go with the cube of the sizes.
    largest = 1.2 * (PROBLEMS[kind][1] / dofs) ** (1 / 3)
    return round(largest * 0.4, 4), round(largest, 4)


def line(what: str, ranks: int, linear: str, found: dict[str, Any], against: dict[str, Any] | None) -> str:
    """A row of the table."""
    parts = found["parts"]
    whole = sum(parts.values())
    ratios = "- | -"
    if against is not None:
        faster = sum(against["parts"].values()) / whole
        ratios = f"{faster:.1f} | {against['memory'] / found['memory']:.1f}"
    mean, most = found["krylov"]
    times = " | ".join(f"{parts[name]:.2f}" for name in PARTS)
    share = f"{100 * parts['assembly'] / whole:.0f} %"
    made, ready = found["seconds"]
    start = f"{made:.0f} | {ready:.0f}: {found['start'][0]} ({found['start'][1]})"
    return (
        f"| {what} | {found['dofs']} | {ranks} | {linear} | {start} | {found['newton']} | {mean:.1f} ({most}) | "
        f"{times} | {whole:.2f} | {share} | {found['memory']:.2f} | {ratios} |"
    )


def main() -> None:
    """Parse the options, run everything, print the table row by row."""
    parser = argparse.ArgumentParser(description="Linear solvers in 3D, as a Markdown table.")
    parser.add_argument("--dofs", type=float, nargs="+", default=[2e4, 5e4], help="sizes [2e4 5e4]")
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS), help="[all]")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2], help="[1 2]")
    parser.add_argument("--steps", type=int, default=5, help="time steps of each run [5]")
    parser.add_argument("--direct-up-to", type=float, default=2.5e5, help="dofs up to which MUMPS runs too [2.5e5]")
    parser.add_argument("-o", "--output", type=Path, help="also write the table there")
    parser.add_argument("--member", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.member:
        member(*json.loads(options.member))
        return
    head = (
        f"| problem | dofs | ranks | solver | making [s] | start [s]: Newton (linear) | Newton | "
        "Krylov each: mean (most) | "
        f"{' | '.join(PARTS)} | iteration [s] | assembly | GB | times faster | times smaller |"
    )
    lines = [head, "|---" * (13 + len(PARTS)) + "|"]
    print("\n".join(lines), flush=True)
    for kind in options.problems:
        for dofs in options.dofs:
            for ranks in options.ranks:
                against = None
                for linear in ("direct", "iterative"):
                    if linear == "direct" and dofs > options.direct_up_to:
                        continue
                    found = run(*sizes(dofs, kind), kind, linear, ranks, options.steps)
                    if found is None:
                        continue
                    lines.append(line(kind, ranks, linear, found, against))
                    print(lines[-1], flush=True)
                    against = found
    pages.save([*lines, ""], options.output)


if __name__ == "__main__":
    main()
