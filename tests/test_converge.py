"""Convergence and inputs: known sequences, the levels of a case, and a study that runs."""

import csv
import math
from pathlib import Path

import pytest
import sweep_files

import femli
from femli import converge, scales

CASES = Path(__file__).parent.parent / "cases"


@pytest.mark.parametrize("order", [1.0, 2.0, 3.4])
@pytest.mark.parametrize("ratio", [2.0, math.sqrt(2.0)])
def test_a_manufactured_sequence(order: float, ratio: float) -> None:
    # Exact: f = 3 + 0.2 h^p gives p and 3, whatever the ratio.
    values = [3.0 + 0.2 * ratio ** (-order * level) for level in range(4)]
    found = converge.extrapolated(values, ratio)
    assert found.order == pytest.approx(order, rel=1e-9)
    assert found.value == pytest.approx(3.0, rel=1e-9)


@pytest.mark.parametrize("values", [[1.0, 2.0, 1.5], [1.0, 2.0, 4.0], [1.0, 2.0, 2.9], [1.0, 1.0, 2.0], [1.0, 2.0]])
def test_what_does_not_converge_is_not_extrapolated(values: list[float]) -> None:
    # Exact: no value for a sequence that turns, grows, hardly slows down (order 0.15), stood still, or is too short.
    assert converge.extrapolated(values, 2.0).value is None


def test_what_has_converged_is_its_own_limit() -> None:
    # Exact: differences at round-off carry no order; the finest value stands.
    assert converge.extrapolated([5.0, 5.0 + 1e-13, 5.0], 2.0) == (None, 5.0)


def test_levels_of_a_case() -> None:
    # Exact: cell sizes and growth - 1 times 2, 1, 1/2; the tolerance goes as the third power of the step; the case
    # itself sets nothing. No mesh direction for a mesh file's case is covered by its absence here.
    case = femli.load(CASES / "lithium_steady.toml", {"geometry.mesh": {"interface_size": "10 nm", "growth": 1.2}})
    found = {(level.direction, level.factor): level.values for level in converge.levels(case, 3)}
    assert len(found) == 9
    assert found["mesh", 2.0]["geometry.mesh.interface_size"] == "0.02 um"
    assert found["mesh", 0.5]["geometry.mesh.growth"] == pytest.approx(1.1)
    assert found["step", 2.0]["solver.time_tolerance"] == pytest.approx(8e-4)
    assert found["regularisation", 0.5] == {"solver.regularisation_stress": "5000 Pa"}
    assert found["mesh", 1.0] == found["step", 1.0] == {}


def test_inputs_of_a_case() -> None:
    # Exact: alpha and D moved by 2 in the resolved numbers, all else kept, hardness scaling included; with n moved, the
    # creep rate stays at the geometric mean of the law's measured stresses.
    case = femli.load(CASES / "foil_li5mg.toml")
    plan = converge.plan_of(case, CASES / "foil_li5mg.toml", converge.inputs(case), 1)
    base, *moved = [member.case.electrode_properties() for member in plan.members]
    low_n, high_n, low_a, high_a, low_d, high_d = moved
    assert high_a.creep_prefactor / base.creep_prefactor == pytest.approx(2.0)
    assert low_a.creep_prefactor / base.creep_prefactor == pytest.approx(0.5)
    assert (high_d.diffusivity / base.diffusivity, low_d.diffusivity / base.diffusivity) == pytest.approx((2.0, 0.5))
    assert high_d.log_diffusivity[1] == base.log_diffusivity[1]
    pivot = math.sqrt(base.creep_stress_range[0] * base.creep_stress_range[1])
    rate = base.creep_prefactor * pivot**base.creep_exponent
    for one, step in ((low_n, -0.5), (high_n, 0.5)):
        assert one.creep_exponent == pytest.approx(base.creep_exponent + step)
        assert one.creep_prefactor * pivot**one.creep_exponent == pytest.approx(rate, rel=1e-9)


def _rows(file: Path) -> dict[tuple[str, str], dict[str, str]]:
    with file.open(encoding="utf-8") as stream:
        return {(row["output"], list(row.values())[1]): row for row in csv.DictReader(stream)}


@pytest.mark.slow
def test_pure_lithium_converges_to_the_closed_form(tmp_path: Path) -> None:
    # Exact: p_stack - S0 (V1). The extrapolated value of the mesh is nearer to it than the case, within 1e-4 of S0,
    # with an order between 1 and 2.5; the elasticities of S0 to alpha and D are -1/(n + 1).
    file = CASES / "lithium_steady.toml"
    case = femli.load(file)
    exact = scales.contact_stress(case.electrode_properties(), case.load.current_density)
    code, output = sweep_files.femli("converge", str(file), "-o", str(tmp_path / "c"), "-j", "1")
    assert code == 0, output
    row = _rows(tmp_path / "c" / "converge.csv")["pressure_interface_min_Pa", "mesh"]
    stress = case.load.stack_pressure - float(row["extrapolated"])
    assert stress == pytest.approx(exact, rel=1e-4)
    assert abs(stress - exact) < abs(case.load.stack_pressure - float(row["value of the case"]) - exact)
    assert 1.0 < float(row["order"]) < 2.5
    code, output = sweep_files.femli("converge", str(file), "--inputs", "-o", str(tmp_path / "i"), "-j", "1")
    assert code == 0, output
    rows = _rows(tmp_path / "i" / "inputs.csv")
    n = case.electrode_properties().creep_exponent
    for moved in ("alpha", "D"):
        row = rows["pressure_interface_min_Pa", moved]
        low, high = (case.load.stack_pressure - float(row[key]) for key in ("low", "high"))
        assert math.log(high / low) / math.log(4.0) == pytest.approx(-1.0 / (n + 1.0), rel=2e-2)
    for name in ("c/converge.png", "i/inputs.png"):
        assert (tmp_path / name).stat().st_size > 5000


def test_a_fault_of_the_user() -> None:
    # Exact: exit code 2 and the sentence of `femli check`.
    code, output = sweep_files.femli("converge", "nowhere.toml")
    assert code == 2
    assert "nowhere.toml: cannot be read" in output
