"""Strong and weak scaling of a 3D run over ranks, as a Markdown table.

    .venv/bin/python benchmarks/scaling.py                                     1 and 2 ranks, 1e5 dofs and 5e4 a rank
    .venv/bin/python benchmarks/scaling.py --dofs 2e5 --ranks 1 2 4 8
    .venv/bin/python benchmarks/scaling.py --slurm scaling.sbatch --ranks 1 8 32 128   writes a batch script instead
    .venv/bin/python benchmarks/scaling.py --launcher "srun --mpi=pmi2 -n {ranks}"     what that script runs

Strong: the same block on more ranks. Weak: as many unknowns a rank, the same block with finer cells. Seconds are those
of the slowest rank's processor per Newton iteration, without making mesh and start; they depend on the Krylov
iterations, shown beside. Efficiency: unknowns a second and rank over those on the fewest ranks (cells come in steps, so
unknowns a rank are only about what was asked). Ranks beyond the cores of a machine say nothing.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import pages
import solver_3d

BATCH = """#!/bin/sh
#SBATCH --job-name=femli-scaling
#SBATCH --ntasks={most}
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=4G
#SBATCH --time=02:00:00
#SBATCH --exclusive
# Set the Python that has femli, and what its MPI speaks with srun: pmi2 for the MPICH of its wheels.
PYTHON=${{PYTHON:-{python}}}
export OMP_NUM_THREADS=1
"$PYTHON" {script} --launcher "srun --mpi=pmi2 --exact -n {{ranks}}" --ranks {ranks} --dofs {dofs:g} \\
    --dofs-a-rank {share:g} --steps {steps} -o scaling-$SLURM_JOB_ID.md
"""
HEAD = (
    "| kind | ranks | dofs | Newton | Krylov each | s/Newton iteration | s/Krylov iteration | efficiency | GB |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def batch(ranks: list[int], dofs: float, share: float, steps: int) -> str:
    """The batch script for Slurm."""
    return BATCH.format(
        most=max(ranks),
        python=sys.executable,
        script=Path(__file__).resolve(),
        ranks=" ".join(map(str, ranks)),
        dofs=dofs,
        share=share,
        steps=steps,
    )


def efficiency(first: tuple[int, int, float], ranks: int, dofs: int, seconds: float) -> float:
    """Unknowns a second and rank, against those of the run on the fewest ranks (ranks, unknowns, seconds) [-]."""
    return dofs / (ranks * seconds) / (first[1] / (first[0] * first[2]))


def row(kind: str, ranks: int, found: dict[str, Any], first: tuple[int, int, float]) -> str:
    """A row of the table."""
    seconds, krylov = sum(found["parts"].values()), found["krylov"][0]
    return (
        f"| {kind} | {ranks} | {found['dofs']} | {found['newton']} | {krylov:.1f} | {seconds:.3f} "
        f"| {found['parts']['Krylov'] / krylov:.3f} | {100 * efficiency(first, ranks, found['dofs'], seconds):.0f} % "
        f"| {found['memory']:.2f} |"
    )


def main() -> int:
    """Parse the options, run everything, print the table row by row; 1 where a run failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2], help="[1 2]")
    parser.add_argument("--dofs", type=float, default=1e5, help="of the strong scaling [1e5]")
    parser.add_argument("--dofs-a-rank", type=float, default=5e4, help="of the weak scaling [5e4]")
    parser.add_argument("--steps", type=int, default=3, help="time steps of each run [3]")
    parser.add_argument("--launcher", default="", help='what starts ranks, "srun -n {ranks}" say [mpiexec by Python]')
    parser.add_argument("--slurm", type=Path, help="write a batch script there and run nothing")
    parser.add_argument("-o", "--output", type=Path, help="also write the table there")
    given = parser.parse_args()
    if given.slurm:
        given.slurm.write_text(batch(given.ranks, given.dofs, given.dofs_a_rank, given.steps), encoding="utf-8")
        return 0
    lines, failed = ["# Scaling over ranks in 3D", "", *HEAD.splitlines()], False
    print("\n".join(lines), flush=True)
    for kind in ("strong", "weak"):
        first: tuple[int, int, float] | None = None
        for ranks in sorted(given.ranks):
            dofs = given.dofs if kind == "strong" else given.dofs_a_rank * ranks
            size = solver_3d.sizes(dofs, "no void")
            found = solver_3d.run(*size, "no void", "iterative", ranks, given.steps, given.launcher)
            if found is None:
                failed = True
                continue
            first = first or (ranks, found["dofs"], sum(found["parts"].values()))
            lines.append(row(kind, ranks, found, first))
            print(lines[-1], flush=True)
    lines += pages.footer()
    pages.save(lines, given.output)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
