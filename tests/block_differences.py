"""The blocks of the iterative solver against the plain forms, printed as JSON; a script that runs on any ranks."""

import json
import sys
from itertools import pairwise
from pathlib import Path

from mpi4py import MPI

import numpy as np
import verification_runs as runs
from dolfinx.fem import petsc
from petsc4py import PETSc

import femli
from femli.solver import Newton
from femli.solver_block import BlockSolver
from femli.solver_linear import matrix_form


def disturbed(path: Path) -> Newton:
    """The nonlinear solver of a case in a random state, on a mesh that was moved after the solver was made."""
    made = runs.stepper(femli.load(path)).newton
    fields, rng = made.fields, np.random.default_rng(MPI.COMM_WORLD.rank)
    u = fields.u
    for f, low, high in ((u.v, -1, 1), (u.p, 1, 5), (u.x, 0.3, 0.999), (fields.x_old, 0.3, 0.999), (fields.w, -1, 1)):
        f.x.array[:] = rng.uniform(low, high, size=f.x.array.size)
        f.x.scatter_forward()
    made.set_stress(rng.normal(size=made.stress().shape))
    for f in fields.state:
        f.x.scatter_forward()
    fields.k.rate.value = 3.6e6
    fields.domain.mesh.geometry.x[:] *= (1.1, 0.95, 1.05)
    return made


def differences(solver: BlockSolver) -> dict[str, tuple[float, float]]:
    """Of each block: the largest entry, and the largest difference between the block and its plain form; collective."""
    solver.assemble([])
    solver._set_up()
    near = solver.near
    pairs = {str(at): (part, solver.a[at[0]][at[1]], solver.conditions) for at, part in solver.parts.items()}
    trailing = [[matrix_form(near.trailing[i], 3), solver.a[i + 1][2]] for i in range(2)]
    pairs["Schur"] = solver.S, trailing, solver.conditions
    pairs["coarse"] = solver.multigrid.coarse, matrix_form(near.coarse, 3), near.coarse_conditions
    found = {}
    for name, (part, form, conditions) in pairs.items():
        plain = petsc.assemble_matrix(form, bcs=conditions)
        plain.assemble()
        entries = [matrix.convert("aij", PETSc.Mat()).getValuesCSR() for matrix in (part, plain)]
        assert all(np.array_equal(a, b) for a, b in zip(entries[0][:2], entries[1][:2], strict=True)), name
        found[name] = largest(entries[1][2], entries[0][2])
    plain = petsc.create_vector([form.function_spaces[0] for form in solver.L])
    petsc.assemble_vector(plain, solver.L)
    plain.ghostUpdate(addv=PETSc.InsertMode.ADD, mode=PETSc.ScatterMode.REVERSE)
    plain.array[solver.held] = 0.0
    for row, (start, end) in enumerate(pairwise(solver.offsets)):
        found[f"residual {row}"] = largest(plain.array_r[start:end], solver.b.array_r[start:end])
    return found


def largest(exact: np.ndarray, found: np.ndarray) -> tuple[float, float]:
    """The largest exact value and the largest difference, over all ranks."""
    sizes = [np.abs(values).max(initial=0.0) for values in (exact, found - exact)]
    return tuple(MPI.COMM_WORLD.allreduce(float(size), op=MPI.MAX) for size in sizes)


if __name__ == "__main__":
    system = disturbed(Path(sys.argv[1])).step_system
    assert isinstance(system, BlockSolver)
    answer = differences(system)
    if MPI.COMM_WORLD.rank == 0:
        print(json.dumps(answer))
