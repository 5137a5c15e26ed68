"""How a sweep file is read and spread out into members."""

from pathlib import Path

import numpy as np
import pytest
import sweep_files

from femli.errors import CaseError
from femli.sweep_plan import Range, members_of, read
from femli.sweep_table import inputs_of


def inputs(folder: Path, text: str) -> list[dict]:
    return [member.inputs for member in read(sweep_files.write(folder, text)).members]


def test_grid_is_every_combination(tmp_path: Path) -> None:
    # Exact: the product of the lists, the last key fastest; a range from 1 to 4 MPa in 3 equal ratios is 1, 2, 4.
    text = """
    [grid]
    electrode.material = ["Li", { mg_fraction = 0.05 }]
    load.stack_pressure = { from = "1 MPa", to = "4 MPa", count = 3, spacing = "log" }
    """
    pressures = ["1 MPa", "2 MPa", "4 MPa"]
    assert inputs(tmp_path, text) == [
        {"electrode.material": material, "load.stack_pressure": pressure}
        for material in ("Li", {"mg_fraction": 0.05})
        for pressure in pressures
    ]


def test_zip_goes_side_by_side_with_grid_and_seeds(tmp_path: Path) -> None:
    # Exact: 2 grid x 2 rows x 2 seeds in this order, written out.
    text = """
    [grid]
    load.stack_pressure = ["1 MPa", "2 MPa"]
    [zip]
    load.temperature = ["20 degC", "60 degC"]
    load.current_density = ["0.1 mA/cm^2", "1 mA/cm^2"]
    [replicas]
    key = "solver.max_iterations"
    seeds = [14, 20]
    """
    found = [tuple(row.values()) for row in inputs(tmp_path, text)]
    assert found == [
        (p, t, i, s)
        for p in ("1 MPa", "2 MPa")
        for t, i in (("20 degC", "0.1 mA/cm^2"), ("60 degC", "1 mA/cm^2"))
        for s in (14, 20)
    ]


def test_hypercube_draws_once_from_each_part(tmp_path: Path) -> None:
    # Exact: of 8 equal parts of each range (of its logarithm for log) each holds one point; the seed repeats them.
    text = """
    [sample]
    count = 8
    seed = 3
    [sample.keys]
    load.temperature = { from = "20 degC", to = "60 degC" }
    load.current_density = { from = "0.1 mA/cm^2", to = "10 mA/cm^2", spacing = "log" }
    """
    rows = inputs(tmp_path, text)
    assert rows == inputs(tmp_path, text)
    temperature = np.array([float(row["load.temperature"].split()[0]) for row in rows])
    current = np.array([float(row["load.current_density"].split()[0]) for row in rows])
    assert sorted(np.floor((temperature - 20) / 40 * 8)) == list(range(8))
    assert sorted(np.floor((np.log10(current) + 1) / 2 * 8)) == list(range(8))
    other = inputs(tmp_path, text.replace("seed = 3", "seed = 4"))
    assert other != rows


def test_whole_numbers_stay_whole() -> None:
    # Exact: 1, 3, 5 as integers, which keys such as geometry.voids.seed ask for; 1 to 2 in three is 1.0, 1.5, 2.0.
    whole = Range.model_validate({"from": 1, "to": 5, "count": 3}).values()
    assert whole == [1, 3, 5] and all(isinstance(value, int) for value in whole)
    assert Range.model_validate({"from": 1.0, "to": 2.0, "count": 3}).values() == [1.0, 1.5, 2.0]


def test_cases_carry_the_values(tmp_path: Path) -> None:
    # Exact: SI numbers of what was asked; a key of [set] does not drop its neighbours in the base's section.
    text = """
    set.solver.max_iterations = 20
    [grid]
    load.temperature = ["20 degC", "60 degC"]
    """
    cases = [member.case for member in read(sweep_files.write(tmp_path, text)).members]
    assert [case.load.temperature for case in cases] == [293.15, 333.15]
    assert {case.solver.max_iterations for case in cases} == {20}
    assert {case.solver.time_tolerance for case in cases} == {1e-3}


def test_one_unit_in_a_column_moves_to_its_heading(tmp_path: Path) -> None:
    # Exact: numbers under "[MPa]" where all have that unit, the values as written where they differ.
    file = sweep_files.write(tmp_path, "")
    spread = [{"load.stack_pressure": "1 MPa", "load.temperature": "300 K"}]
    spread += [{"load.stack_pressure": "2 MPa", "load.temperature": "30 degC"}]
    assert inputs_of(members_of("case.toml", file, {}, spread)) == [
        {"load.stack_pressure [MPa]": 1.0, "load.temperature": "300 K"},
        {"load.stack_pressure [MPa]": 2.0, "load.temperature": "30 degC"},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing is varied"),
        ('grids.load.temperature = ["20 degC"]', "grids: unknown key; did you mean grid?"),
        ('grid.load.temperature = "20 degC"', 'load.temperature: "20 degC": allowed: a list'),
        ("grid.load.temperature = []", "load.temperature: []: allowed: a list"),
        ('grid.load.temperature = ["20 degF"]\n', None),
        ('grid.load.temperature = ["20 MPa"]', "member 1: load.temperature"),
        ('grid.load.temprature = ["20 degC"]', "did you mean load.temperature?"),
        ('grid.load.temperature = { from = "20 degC", to = "60 degC" }', "a range without count"),
        ('grid.load.temperature = { from = "20 degC", to = "300 K", count = 2 }', "different units"),
        ('grid.load.temperature = { from = "20 degC", to = "60 degC", number = 2 }', "number: unknown key"),
        ('grid.load.stack_pressure = { from = "0 MPa", to = "6 MPa", count = 2, spacing = "log" }', "goes through 0"),
        ('zip.load.temperature = ["20 degC"]\nzip.load.stack_pressure = ["1 MPa", "2 MPa"]', "different length"),
        ('grid.load.temperature = ["20 degC"]\nzip.load.temperature = ["20 degC"]', "varied in more than one place"),
        ('grid.load.temperature = ["20 degC"]\nmembers.ranks = 0', "members.ranks"),
        ('grid.load.temperature = ["20 degC"]\nmembers.engine = "pbs"', "'local' or 'slurm'"),
        ('grid.load.temperature = ["20 degC"]\nmembers.rank = 2', "did you mean ranks?"),
    ],
)
def test_faults_of_the_user(tmp_path: Path, text: str, message: str | None) -> None:
    # Exact: one sentence that names the file, the key and what is allowed; Fahrenheit is a temperature (no fault).
    file = sweep_files.write(tmp_path, text)
    if message is None:
        assert len(read(file).members) == 1
        return
    with pytest.raises(CaseError) as caught:
        read(file)
    assert message in str(caught.value)
    assert all(fault.startswith(str(file)) for fault in caught.value.faults)
    assert caught.value.exit_code == 2
