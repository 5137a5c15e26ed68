"""Where the time of a 3D Newton iteration goes, against what memory bandwidth allows, as a Markdown table.

    .venv/bin/python benchmarks/limits.py [--dofs 6e4] [-o benchmarks/limits.md]

A triad a = b + s c on arrays far larger than a cache's share gives the bandwidth of one core, here and now. A sparse
matrix that is read once a product cannot be faster than its bytes over that; what femli needs is held against it. The
count of a multigrid cycle: a Chebyshev step of symmetric Gauss-Seidel (two sweeps) before and after, a residual to
restrict and one before the second step: 6 passes over the velocity block, 12 where two steps smooth.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pages
import solver_3d

from femli.solver_data import Counts

PASSES = 6  # over the velocity block in a cycle, for each step of the smoother, see above


def triad(megabytes: float = 400, repeats: int = 5) -> float:
    """Bandwidth of one core [GB/s]: two reads and two writes (and their reads) of NumPy's two passes, as moved."""
    size = int(megabytes * 2**20 / 24)
    a, b, c = np.zeros(size), np.ones(size), np.ones(size)
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        np.multiply(c, 3.0, out=a)  # reads c, writes a
        np.add(a, b, out=a)  # reads a and b, writes a
        seconds.append(time.process_time() - began)
    return 5 * 8 * size / statistics.median(seconds) / 1e9


def median(what: Callable[[], object], repeats: int = 7) -> float:
    """Processor seconds."""
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        what()
        seconds.append(time.process_time() - began)
    return statistics.median(seconds)


def bytes_of(matrix: Any) -> float:
    """Values and column numbers of a sparse matrix; one number a block where it is stored in blocks."""
    block = matrix.getBlockSize() ** 2 if "baij" in matrix.getType() else 1
    entries = matrix.getInfo()["nz_used"]
    return float(entries * 8 + entries / block * 4)


def measured(dofs: float, steps: int) -> tuple[dict[str, float], list[list[str]], int]:
    """Seconds a part per Newton iteration, rows of the table against bandwidth, and the unknowns."""
    spent = solver_3d.watched()
    march = solver_3d.problem(*solver_3d.sizes(dofs, "no void"), "no void", "iterative")
    march.start()
    march.spent = Counts()  # what the start took is not a step's
    spent.update(dict.fromkeys(spent, 0.0))
    newton = sum(march.advance().counts.newton for _ in range(steps))
    parts = {name: value / newton for name, value in spent.items()}
    system, speed = march.newton.step_system, triad()
    fine, whole = bytes_of(system.parts[0, 0]), sum(bytes_of(part) for part in system.parts.values())
    system.assemble([])
    whole += bytes_of(system.parts[0, 1])  # used twice: its transpose is the volume row
    passes = PASSES * system.multigrid.steps
    cycle = lambda: system.multigrid.pc.apply(system.r_velocity, system.v)  # noqa: E731
    product = lambda: system.A.mult(system.b, system.dx)  # noqa: E731
    rows = [
        ("product with the matrix", product, whole),
        (f"multigrid cycle of the velocity, {passes} passes", cycle, passes * fine),
        ("assembly, each entry written once", lambda: system.assemble([]), whole),
    ]
    out = [["triad", f"{speed:.1f} GB/s", "", "", ""]]
    for what, run, moved in rows:
        took, least = median(run), moved / speed / 1e9
        out.append([what, f"{moved / 2**20:.0f} MB", f"{least * 1e3:.1f}", f"{took * 1e3:.1f}", f"{took / least:.1f}"])
    return parts, out, int(system.b.getSize())


def main() -> int:
    """Parse the options, measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dofs", type=float, default=6e4, help="[6e4]")
    parser.add_argument("--steps", type=int, default=3, help="time steps [3]")
    parser.add_argument("-o", "--output", type=Path, help="also write the tables there")
    given = parser.parse_args()
    parts, rows, dofs = measured(given.dofs, given.steps)
    whole = sum(parts.values())
    lines = ["# Where the time goes in 3D", "", f"{dofs} unknowns, one core, processor seconds.", ""]
    lines += ["| part of a Newton iteration | s | share |", "|---|---|---|"]
    lines += [f"| {name} | {value:.3f} | {100 * value / whole:.0f} % |" for name, value in parts.items()]
    lines += ["", "| what | moved | least ms | measured ms | measured over least |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    lines += pages.footer()
    print("\n".join(lines))
    pages.save(lines, given.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
