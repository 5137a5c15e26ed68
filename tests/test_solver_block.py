"""The iterative linear solver of three dimensions against the direct one, and what its preconditioner is made of."""

import gc
import json
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import verification_runs as runs
from dolfinx.fem import petsc
from petsc4py import PETSc

import femli
from femli import solver_block, solver_choice, solver_linear
from femli.errors import CaseError
from femli.solver import Newton
from femli.solver_block import BlockSolver
from femli.solver_linear import LinearSolver, NotConvergedError

FOIL = """
[geometry]
dimension = 3
width = "6 um"
depth = "5 um"
electrode_thickness = "6 um"
[geometry.mesh]
interface_size = "0.7 um"
size = "3 um"
growth = 1.6
[electrode]
material = "Li-5Mg"
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "3 MPa"
[stop]
capacity = "2e-7 mAh/cm^2"
[solver]
tolerance = 1e-10
linear = "iterative"
"""
VOIDED = FOIL.replace(
    "[electrode]\n",
    '[[geometry.voids.list]]\nx = "2.6 um"\ny = "2.4 um"\nhalf_width = "1.6 um"\nheight = "1 um"\n[electrode]\n',
)
TIGHT = {"ksp_rtol": 1e-9}
CASES = {"foil": FOIL, "voided": VOIDED}
DEFAULT = FOIL[: FOIL.index("linear = ")]  # no solver named, no options


def newton(folder: Path, text: str, **more: object) -> Newton:
    """The nonlinear solver of a case at its consistent state, its step system assembled at a step of 1 ms."""
    more = {"solver__petsc": {} if "direct" in more.values() else TIGHT} | more
    case = femli.load(runs.written(folder, text), {key.replace("__", "."): value for key, value in more.items()})
    return runs.assembled(case)


def system(made: Newton) -> BlockSolver:
    assert isinstance(made.step_system, BlockSolver)
    return made.step_system


def dense(matrix: PETSc.Mat) -> np.ndarray:
    return matrix.convert("dense", PETSc.Mat()).getDenseArray().copy()


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("kind", CASES)
def test_same_history_as_the_direct_solver(kind: str, ranks: int, tmp_path: Path) -> None:
    # Exact: both solve the same equations; with a Krylov tolerance of 1e-9 every column agrees to 1e-8 (aim: 1e-6).
    found: list[pd.DataFrame] = []
    for linear, count in (("direct", 1), ("iterative", ranks)):
        text = CASES[kind].replace('"iterative"', f'"{linear}"')
        text += "[solver.petsc]\nksp_rtol = 1e-9\n" if linear == "iterative" else ""
        case = runs.written(tmp_path, text, f"{linear}.toml")
        found.append(runs.compared(case, tmp_path / linear, count))
    assert len(found[0]) > 4
    assert found[0]["linear_iterations [-]"].iloc[-1] < found[1]["linear_iterations [-]"].iloc[-1]
    worst, column = runs.worst_difference(*found)
    assert worst < 1e-8, column


def test_loose_tolerance_costs_no_newton_iterations(tmp_path: Path) -> None:
    # Expected: solved to 1e-3, a step takes as many Newton iterations as with the direct solver, at most one more in
    # five, and no linear solve at a step more than 15 Krylov iterations (aim of the project).
    steps = []
    for linear in ("direct", "iterative"):
        text = DEFAULT.replace("tolerance = 1e-10", "") + f'linear = "{linear}"\n'
        march = runs.stepper(femli.load(runs.written(tmp_path, text)))
        steps.append([march.advance().counts for _ in range(8)])
    direct, loose = ([c.newton for c in counts] for counts in steps)
    assert sum(loose) <= 1.2 * sum(direct)
    assert max(c.linear / c.newton for c in steps[1]) <= 15


def test_pressure_force_is_the_transpose_of_volume(tmp_path: Path) -> None:
    # Exact: with walls and collector followed and v.n = 0 elsewhere the volume row of the velocity is int q div v,
    # minus the transpose of the pressure force: what the approximate Schur complement rests on (integrate by parts).
    solver = system(newton(tmp_path, VOIDED))
    force = dense(solver.parts[0, 1])
    volume = petsc.assemble_matrix(solver.a[1][0], bcs=solver.conditions)
    volume.assemble()
    assert np.abs(force).max() > 0.01
    assert np.abs(dense(volume) + force.T).max() < 1e-12


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [1, 2])
def test_blocks_added_cell_by_cell(ranks: int, tmp_path: Path) -> None:
    # Exact: the integrals of the plain forms, assembled by DOLFINx, in a random state on a mesh that was moved;
    # expected difference: round-off, at most 1e-14 of the largest entry (1e-13 beside the plate).
    for plate, most in ((False, 1e-14), (True, 1e-13)):
        case = runs.written(tmp_path, VOIDED.replace("[load]", f"[load]\nplate = {str(plate).lower()}"))
        ended = runs.command(str(Path(__file__).parent / "block_differences.py"), str(case), ranks=ranks)
        assert ended.returncode == 0, ended.stderr
        found = json.loads(ended.stdout.strip().splitlines()[-1])
        assert set(found) >= {
            "(0, 0)",
            "(0, 1)",
            "(1, 1)",
            "(1, 2)",
            "(2, 0)",
            "(2, 2)",
            "Schur",
            "coarse",
            "residual 2",
        }
        assert all(largest > 0 for largest, _ in found.values())
        assert max(difference / largest for largest, difference in found.values()) < most, found


def test_coarse_velocity_is_the_galerkin_product(tmp_path: Path) -> None:
    # Exact: P1 lies in P2 and both are integrated at the points of the stress state, so P^T A P between free dofs.
    solver = system(newton(tmp_path, FOIL))
    solver._set_up()
    multigrid = solver.multigrid
    P = dense(multigrid.pc.getMGInterpolation(1))
    free = np.abs(P).sum(axis=0) > 0
    assert 0 < free.sum() < len(free)
    product = P.T @ dense(solver.parts[0, 0]) @ P
    expected = product[np.ix_(free, free)]
    assert dense(multigrid.coarse)[np.ix_(free, free)] == pytest.approx(expected, abs=1e-10 * np.abs(expected).max())


def test_motions_without_energy(tmp_path: Path) -> None:
    # Exact: translations, rotations and uniform growth have no deviatoric strain, so nothing resists them where no node
    # is held; seven orthonormal vectors.
    solver = system(newton(tmp_path, FOIL))
    multigrid = solver.multigrid
    free = petsc.assemble_matrix(solver_linear.matrix_form(solver.near.coarse, 3))
    free.assemble()
    A = dense(free)
    vectors = np.array([vector.array_r.copy() for vector in multigrid.coarse.getNearNullSpace().getVecs()])
    assert vectors @ vectors.T == pytest.approx(np.eye(7), abs=1e-12)
    assert np.abs(A @ vectors.T).max() < 1e-12 * np.abs(A).max()


def test_the_smoother_follows_the_iterations(tmp_path: Path) -> None:
    # Expected: a solve that takes more than 13 iterations leaves two smoothing steps, which take fewer for the same
    # matrix; one that takes at most 10 leaves one. The answer is the same to the tolerance of 1e-9.
    made = newton(tmp_path, VOIDED)
    solver = system(made)
    counts, answers = [], []
    for steps in (1, 2):
        solver.multigrid.smooth(steps)
        solver.due = True
        counts.append(made.step_system.solve())
        answers.append(solver.dx.copy())
        assert solver.multigrid.steps == 2
    assert counts[0] > counts[1] > solver_block.SMOOTHER
    answers[1].axpy(-1.0, answers[0])
    assert answers[1].norm() < 1e-6 * answers[0].norm()
    solver.ksp.setTolerances(rtol=0.1)
    solver.due = True
    assert made.step_system.solve() <= solver_block.ROUGHER
    assert solver.multigrid.steps == 1


def test_a_changed_matrix_is_noticed(tmp_path: Path) -> None:
    # Exact: 1000 times softer metal, in a solver that was set up before and in a fresh one: the same Krylov iterations
    # and answer. (PETSc keeps inverted diagonal blocks of blocked matrices unless told.)
    used, fresh = newton(tmp_path, VOIDED), newton(tmp_path, VOIDED)
    used.step_system.solve()
    for made in (used, fresh):
        made.set_stress(4.0 * made.stress())
        made.step_system.assemble([])
    system(used).due = True
    system(used).multigrid.smooth(1)  # what a fresh one begins with, whatever the first solve taught
    assert used.step_system.solve() == fresh.step_system.solve()
    assert used.step_system.dx.array == pytest.approx(fresh.step_system.dx.array, rel=1e-6, abs=1e-12)


def test_a_kept_set_up_is_renewed_in_time(tmp_path: Path) -> None:
    # Exact: metal 4^5 times softer than the set-up knew; whatever way it is solved, the residual falls below 1e-9.
    made = newton(tmp_path, VOIDED)
    solver = system(made)
    solver.solve()
    assert not solver.due
    made.set_stress(4.0 * made.stress())
    solver.assemble([])
    solver.solve()
    left = solver.b.duplicate()
    solver.A.mult(solver.dx, left)
    left.axpy(-1.0, solver.b)
    assert left.norm() <= 1.001e-9 * solver.b.norm()


def test_a_closed_solver_is_freed(tmp_path: Path) -> None:
    # Exact: nothing holds a solver that is closed, though PETSc held it as a preconditioner; runs that renew their mesh
    # would keep the matrices of all earlier ones.
    made = newton(tmp_path, FOIL)
    made.step_system.solve()
    solver = weakref.ref(system(made))
    made.close()
    del made
    gc.collect()
    assert solver() is None


def test_failing_krylov_solve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Exact: one Krylov iteration is not enough; MUMPS then gives the answer of the direct solver, and where the
    # problem counts as too large for it the step fails with a reason.
    direct = newton(tmp_path, FOIL, solver__linear="direct")
    direct.step_system.solve()
    short = newton(tmp_path, FOIL)
    solver = system(short)
    solver.most = 1
    assert solver.solve() == 2
    size = np.abs(direct.step_system.dx.array).max()
    assert solver.dx.array == pytest.approx(direct.step_system.dx.array, rel=1e-6, abs=1e-8 * size)
    monkeypatch.setattr(solver_block, "RESCUE_LU", 0)
    with pytest.raises(NotConvergedError, match="iterative solver failed after 1 iterations"):
        solver.solve()


def test_unknown_option_is_refused(tmp_path: Path) -> None:
    # Expected: one sentence that names the key, for either solver, and for a value that PETSc does not know; options
    # of parts are read.
    for linear in ("iterative", "direct"):
        with pytest.raises(CaseError, match=r"solver\.petsc\.ksp_speed: .*allowed"):
            newton(tmp_path, FOIL, solver__linear=linear, solver__petsc={"ksp_speed": 11})
    with pytest.raises(CaseError, match=r"solver\.petsc: PETSc refuses .*nonsense"):
        newton(tmp_path, FOIL, solver__petsc={"ksp_type": "nonsense"})
    options = {"velocity_mg_levels_ksp_max_it": 3, "velocity_mg_coarse_pc_type": "gamg", "trailing_pc_type": "bjacobi"}
    made = newton(tmp_path, FOIL, solver__petsc=options)
    assert made.step_system.solve() > 1


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}])
def test_option_values(value: object, tmp_path: Path) -> None:
    # Expected: a number, a text or a truth; anything else is refused by key.
    with pytest.raises(CaseError, match=r"solver\.petsc"):
        femli.load(runs.written(tmp_path, FOIL), {"solver.petsc": {"ksp_rtol": value}})


def test_automatic_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Expected: direct for small problems in 3D, iterative from ITERATIVE_DOFS on, always direct in 1D and 2D.
    assert isinstance(newton(tmp_path, DEFAULT, solver__petsc={}).step_system, LinearSolver)
    monkeypatch.setattr(solver_choice, "ITERATIVE_DOFS", 500)
    assert isinstance(newton(tmp_path, DEFAULT, solver__petsc={}).step_system, BlockSolver)
    assert isinstance(newton(tmp_path, runs.VOIDED, solver__petsc={}).step_system, LinearSolver)
    assert isinstance(newton(tmp_path, runs.FOIL.read_text(), solver__petsc={}).step_system, LinearSolver)


def test_rigid_plate(tmp_path: Path) -> None:
    # Exact: the plate's penalty, 1e9 times the other stresses, changes neither answer nor the need for few iterations.
    answers = []
    for linear in ("direct", "iterative"):
        made = newton(tmp_path, VOIDED, solver__linear=linear, load__plate=True)
        assert made.step_system.solve() < 50
        answers.append(made.step_system.dx.array[: made.offsets[1]].copy())
    assert answers[1] == pytest.approx(answers[0], rel=1e-5, abs=1e-6 * np.abs(answers[0]).max())
