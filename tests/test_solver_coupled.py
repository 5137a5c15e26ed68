"""Three dimensions with an electrolyte: the iterative solver against the direct one, and how it is chosen."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import verification_runs as runs

import femli
from femli import solver_block, solver_choice, solver_coupled
from femli.errors import CaseError
from femli.impedance import SmallSignal, fresh
from femli.solver import Newton
from femli.solver_coupled import CoupledBlockSolver, CoupledSolver
from femli.solver_linear import NotConvergedError

CELL = """
[geometry]
dimension = 3
width = "6 um"
depth = "5 um"
electrode_thickness = "5 um"
[geometry.mesh]
interface_size = "1.5 um"
size = "3 um"
growth = 2.0
[[geometry.voids.list]]
x = "2.6 um"
y = "2.4 um"
half_width = "1.6 um"
height = "1 um"
[electrode]
material = "Li-5Mg"
[electrolyte]
thickness = "10 um"
conductivity = "0.4 mS/cm"
[interface]
resistance = "5 ohm cm^2"
[cell]
counter_potential = "0.623 V"
counter_resistance = "3 ohm cm^2"
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "3 MPa"
[stop]
capacity = "2e-7 mAh/cm^2"
"""
TIGHT: dict[str, object] = {"ksp_rtol": 1e-9}


def newton(folder: Path, linear: str, **more: object) -> Newton:
    """The nonlinear solver of the cell at its consistent state, its step system assembled at a step of 1 ms."""
    given = {"solver__linear": linear, "solver__petsc": {} if linear != "iterative" else TIGHT} | more
    case = femli.load(runs.written(folder, CELL), {key.replace("__", "."): value for key, value in given.items()})
    return runs.assembled(case)


def system(made: Newton) -> CoupledBlockSolver:
    assert isinstance(made.step_system, CoupledBlockSolver)
    return made.step_system


def parts(made: Newton) -> list[np.ndarray]:
    """The increments of velocity, pressure, composition and potential."""
    values = made.step_system.dx.array_r
    return [values[a:b].copy() for a, b in zip(made.offsets, [*made.offsets[1:], len(values)], strict=True)]


def same(a: Newton, b: Newton, accuracy: float) -> None:
    for number, (one, other) in enumerate(zip(parts(a), parts(b), strict=True)):
        assert one == pytest.approx(other, abs=accuracy * np.abs(other).max()), number


def run(folder: Path, law: str, linear: str, ranks: int) -> pd.DataFrame:
    """History of the cell under a contact law."""
    text = CELL.replace("[interface]\n", f'[interface]\nlaw = "{law}"\n')
    text += f'[solver]\ntolerance = 1e-10\nlinear = "{linear}"\n'
    text += "[solver.petsc]\nksp_rtol = 1e-8\n" if linear == "iterative" else ""
    return runs.compared(runs.written(folder, text), folder / "out", ranks)


@pytest.fixture(scope="module", params=["asr", "butler_volmer"])
def direct(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, pd.DataFrame]:
    """A contact law and the history by MUMPS."""
    return request.param, run(tmp_path_factory.mktemp("direct"), request.param, "direct", 1)


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [1, 2])
def test_same_history_as_the_direct_solver(direct: tuple[str, pd.DataFrame], ranks: int, tmp_path: Path) -> None:
    # Exact: both solve the same equations; with a Krylov tolerance of 1e-8 every column agrees to 1e-6.
    law, expected = direct
    found = run(tmp_path, law, "iterative", ranks)
    assert len(expected) > 4
    assert expected["linear_iterations [-]"].iloc[-1] < found["linear_iterations [-]"].iloc[-1]
    worst, column = runs.worst_difference(expected, found)
    assert worst < 1e-6, column


@pytest.mark.parametrize(
    ("control", "resistance"), [("current", "3 ohm cm^2"), ("voltage", "3 ohm cm^2"), ("voltage", "0 ohm cm^2")]
)
def test_same_increment_under_every_control(control: Any, resistance: str, tmp_path: Path) -> None:
    # Exact: the increment of the direct solver, from a potential that is off; with a counter side that passes the given
    # current, that passes what the voltage drives, and that is held.
    made = []
    for linear in ("direct", "iterative"):
        one = newton(tmp_path, linear, cell__counter_resistance=resistance)
        one.control, one.applied_voltage = control, 0.2
        one._share_current()
        e = one.electrolyte
        assert e is not None
        e.phi.x.array[:] += 0.01 * np.cos(e.space.tabulate_dof_coordinates()[: len(e.phi.x.array), 0])
        e.refresh()
        one.step_system.assemble([])
        made.append((one, one.step_system.solve()))
    assert made[1][1] > 1
    same(made[1][0], made[0][0], 1e-6)


def test_too_large_to_be_factorised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Expected: the answer does not depend on how the Schur complement is solved; with a good contact over a poor
    # electrolyte (a diffusive length of nanometres) the iterations hardly do either.
    keys = {"interface__resistance": "0.05 ohm cm^2", "electrolyte__conductivity": "0.04 mS/cm"}
    factorised = newton(tmp_path, "iterative", **keys)
    few = factorised.step_system.solve()
    monkeypatch.setattr(solver_coupled, "TRAILING_LU", 0)
    divided = newton(tmp_path, "iterative", **keys)
    assert divided.step_system.solve() < 1.5 * few
    pc = system(divided).schur.getPC()
    assert pc.getType() == "composite"
    assert [sub.getPC().getType() for sub in pc.getCompositePC(1).getFieldSplitSubKSP()] == ["ilu", "gamg"]
    same(divided, factorised, 1e-6)


def test_schur_complement_of_three_rows(tmp_path: Path) -> None:
    # Exact: a vector without velocity: what the approximate Schur complement makes of it is that of the metal, and the
    # border's part is that of the matrix.
    made = newton(tmp_path, "iterative")
    solver = system(made)
    solver._set_up()
    split, metal = solver.split, solver.metal.S
    rng = np.random.default_rng(1)
    x, ends = solver.b.duplicate(), solver.b.duplicate()
    x.array[split:] = rng.normal(size=x.array.size - split)
    solver.A.mult(x, ends)
    solver.r_trailing.array[:] = x.array[split:]
    solver.S.mult(solver.r_trailing, solver.y)
    size = metal.getLocalSize()[0]
    assert solver.y.array[size:] == pytest.approx(ends.array[split + size :], rel=1e-12, abs=1e-14)
    part, image, border = metal.createVecRight(), metal.createVecLeft(), solver.border.columns.createVecLeft()
    part.array[:] = x.array[split : split + size]
    metal.mult(part, image)
    potential = solver.border.columns.createVecRight()
    potential.array[:] = x.array[split + size :]
    solver.border.columns.mult(potential, border)
    expected = image.array + border.array[split:]
    assert np.abs(border.array[split:]).max() > 0
    assert solver.y.array[:size] == pytest.approx(expected, rel=1e-12, abs=1e-14)
    assert np.all(border.array[:split] == 0)


def test_loose_tolerance_costs_no_newton_iterations(tmp_path: Path) -> None:
    # Expected: solved to 1e-3, a step takes as many Newton iterations as with the direct solver, at most one more in
    # five, and no linear solve at a step more than 15 Krylov iterations (aim of the project).
    steps = []
    for linear in ("direct", "iterative"):
        march = runs.stepper(femli.load(runs.written(tmp_path, CELL), {"solver.linear": linear}))
        steps.append([march.advance().counts for _ in range(8)])
    direct, loose = ([c.newton for c in counts] for counts in steps)
    assert sum(loose) <= 1.2 * sum(direct)
    assert max(c.linear / c.newton for c in steps[1]) <= 15


def test_a_kept_set_up_is_renewed_in_time(tmp_path: Path) -> None:
    # Exact: metal 4^5 times softer, a contact of a hundredth of the resistance: not what the set-up knew; whatever way
    # it is solved, the residual falls below 1e-9.
    made = newton(tmp_path, "iterative")
    solver = system(made)
    solver.solve()
    assert not solver.due
    made.set_stress(4.0 * made.stress())
    made.fields.k.interface_resistance.value *= 0.01
    solver.assemble([])
    solver.solve()
    left = solver.b.duplicate()
    solver.A.mult(solver.dx, left)
    left.axpy(-1.0, solver.b)
    assert left.norm() <= 1.001e-9 * solver.b.norm()


def test_failing_krylov_solve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Exact: one Krylov iteration is not enough; MUMPS then gives the answer of the direct solver, and where the
    # problem counts as too large for it the step fails with a reason.
    direct, short = newton(tmp_path, "direct"), newton(tmp_path, "iterative")
    direct.step_system.solve()
    solver = system(short)
    solver.most = 1
    assert solver.solve() == 2
    same(short, direct, 1e-6)
    monkeypatch.setattr(solver_block, "RESCUE_LU", 0)
    with pytest.raises(NotConvergedError, match="iterative solver failed after 1 iterations"):
        solver.solve()


def test_automatic_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Expected: direct for small problems in 3D, iterative from ITERATIVE_DOFS on, the potential's counted; direct in 2D
    # and under a layer, for which the iterative one is refused.
    small = newton(tmp_path, "automatic").step_system
    assert isinstance(small, CoupledSolver)
    monkeypatch.setattr(solver_choice, "ITERATIVE_DOFS", small.b.getSize())
    assert isinstance(newton(tmp_path, "automatic").step_system, CoupledBlockSolver)
    assert isinstance(newton(tmp_path, "direct").step_system, CoupledSolver)
    monkeypatch.setattr(solver_choice, "ITERATIVE_DOFS", 10)
    flat = femli.load(runs.written(tmp_path, runs.VOIDED + '[electrolyte]\nthickness = "20 um"\n'))
    assert isinstance(runs.stepper(flat).newton.step_system, CoupledSolver)
    layer = {"interface.layer_diffusivity": "1e-15 m^2/s", "solver.linear": "iterative"}
    with pytest.raises(CaseError, match=r"solver\.linear: iterative: not with a layer.*automatic, direct"):
        femli.load(runs.written(tmp_path, CELL), layer)


def test_impedance_where_a_run_is_iterative(tmp_path: Path) -> None:
    # Exact: the small signal is of the assembled matrix, whatever solves the steps of the run.
    found = []
    for linear in ("direct", "iterative"):
        case = femli.load(runs.written(tmp_path, CELL), {"solver.linear": linear})
        made = fresh(case)
        made.consistent()
        found.append(SmallSignal(made, case).impedance(100.0))
    assert found[1] == pytest.approx(found[0], rel=1e-12)
