"""Calibration: known parameters come back from synthetic data, and what cannot be fitted is said."""

import csv
import json
import math
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sweep_files

from femli import scales
from femli.calibrate import Evaluation, fit
from femli.calibrate_plan import read
from femli.calibrate_show import sentences, write_all
from femli.errors import CaseError, SolveError
from femli.sweep_plan import Member, Plan
from femli.sweep_table import folder_of

TRUE_D, TRUE_PRESSURE = 2e-10, 3.2  # cm2/s, MPa
CURRENTS = (0.1, 0.31, 1.0)
SIGMA = 1e4  # Pa
DIFFUSIVITY = '"electrode.material.diffusivity" = { from = "1e-11 cm^2/s", to = "1e-9 cm^2/s", spacing = "log" }\n'
PRESSURE = '"load.stack_pressure" = { from = "1 MPa", to = "6 MPa" }\n'
DATA = '[[data]]\nfile = "data.csv"\noutput = "pressure_interface_min_Pa"\nerror = "absolute"\nuncertainty = 1e4\n'


def stress(member: Member) -> float:
    """S0 [Pa] of a member by the closed form of V1."""
    return scales.contact_stress(member.case.electrode_properties(), member.case.load.current_density)


def files(folder: Path, parameters: str, data: str = DATA, extra: str = "") -> Path:
    """A fit file with its base case; pure lithium of which D can be set."""
    text = sweep_files.CASE + '[electrode]\nmaterial = { base = "Li" }\n'
    (folder / "case.toml").write_text(text, encoding="utf-8")
    file = folder / "fit.toml"
    file.write_text(f'case = "case.toml"\n{extra}\n[parameters]\n{parameters}\n{data}', encoding="utf-8")
    return file


def solver(out: Path) -> Callable[[Plan], None]:
    """In the place of a sweep: the closed form, and a history in which p falls linearly by S0."""

    def run(plan: Plan) -> None:
        for member in plan.members:
            folder = folder_of(member, out)
            folder.mkdir(parents=True, exist_ok=True)
            p = member.case.load.stack_pressure - stress(member)
            (folder / "summary.json").write_text(json.dumps({"pressure_interface_min_Pa": p, "stop_reason": "time"}))
            rows = f"time [s],pressure_min [Pa]\n0,{member.case.load.stack_pressure}\n10,{p}\n"
            (folder / "history.csv").write_text(rows)

    return run


def synthetic(folder: Path) -> None:
    """Measured pressures without errors: the closed form with the true parameters."""
    from femli.sweep_plan import members_of

    truth = {"electrode.material.diffusivity": f"{TRUE_D} cm^2/s", "load.stack_pressure": f"{TRUE_PRESSURE} MPa"}
    spread = [{**truth, "load.current_density": f"{current} mA/cm^2"} for current in CURRENTS]
    members = members_of("case.toml", folder / "fit.toml", {}, spread)
    with (folder / "data.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["load.current_density [mA/cm^2]", "pressure_interface_min_Pa"])
        for current, member in zip(CURRENTS, members, strict=True):
            writer.writerow([current, member.case.load.stack_pressure - stress(member)])


def test_known_parameters_come_back(tmp_path: Path) -> None:
    # Exact: data without errors give back D and the stack pressure; the covariance is inv(J^T J) sigma^2 with
    # dp/dp_stack = 1 and dp/dlnD = S0/(n + 1), by hand (2 % for the difference quotients).
    file = files(tmp_path, DIFFUSIVITY + PRESSURE)
    synthetic(tmp_path)
    fit_file, measured = read(file)
    found = fit(Evaluation(fit_file, file, measured, solver(tmp_path / "out"), tmp_path / "out"))
    assert found.numbers == pytest.approx([TRUE_D, TRUE_PRESSURE], rel=1e-4)
    assert found.chi_square < 1e-4 and found.freedom == 1 and found.at_bound == []
    drops = [found_pressure(one.value[0]) for one in measured]
    n = 6.26
    slopes = np.array([[drop / (n + 1.0), 1e6] for drop in drops]) / SIGMA
    covariance = np.linalg.inv(slopes.T @ slopes)
    errors = np.sqrt(np.diag(covariance)) * [TRUE_D, 1.0]
    assert found.errors == pytest.approx(errors, rel=2e-2)
    correlation = covariance[0, 1] / math.sqrt(covariance[0, 0] * covariance[1, 1])
    assert found.correlation[0, 1] == pytest.approx(correlation, abs=2e-2)
    write_all(fit_file, measured, found, tmp_path)
    told = tomllib.loads((tmp_path / "fit.toml").read_text())
    assert float(told["set"]["load.stack_pressure"].split()[0]) == pytest.approx(TRUE_PRESSURE, rel=1e-4)
    with (tmp_path / "fit.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["model"]) for row in rows] == pytest.approx([float(r["measured"]) for r in rows], rel=1e-4)
    assert any("correlation of" in line for line in sentences(fit_file, found))


def found_pressure(pressure: float) -> float:
    """S0 [Pa] of a measured pressure."""
    return TRUE_PRESSURE * 1e6 - pressure


def test_a_curve_gives_the_parameter_back(tmp_path: Path) -> None:
    # Exact: the curve is linear from p_stack to p_stack - S0 over 10 s; points between its rows give D back.
    data = '[[curves]]\nfile = "curve.csv"\nx = "time [s]"\ny = "pressure_min [Pa]"\nuncertainty = 1e4\n'
    file = files(tmp_path, DIFFUSIVITY, data + f'set.load.stack_pressure = "{TRUE_PRESSURE} MPa"\n')
    (tmp_path / "data.csv").write_text("")
    synthetic(tmp_path)
    with (tmp_path / "data.csv").open() as stream:
        end = float(list(csv.DictReader(stream))[1]["pressure_interface_min_Pa"])
    start = TRUE_PRESSURE * 1e6
    lines = [f"{t},{start + (end - start) * t / 10}" for t in (1, 3.3, 7, 10)]
    (tmp_path / "curve.csv").write_text("time [s],pressure_min [Pa]\n" + "\n".join(lines) + "\n")
    fit_file, measured = read(file)
    found = fit(Evaluation(fit_file, file, measured, solver(tmp_path / "out"), tmp_path / "out"))
    assert found.numbers == pytest.approx([TRUE_D], rel=1e-3)
    assert found.freedom == 3


def test_data_that_do_not_tell_are_refused(tmp_path: Path) -> None:
    # Exact: one pressure cannot give both D and the stack pressure.
    file = files(tmp_path, DIFFUSIVITY + PRESSURE)
    synthetic(tmp_path)
    text = (tmp_path / "data.csv").read_text().splitlines()
    (tmp_path / "data.csv").write_text("\n".join(text[:2]) + "\n")
    fit_file, measured = read(file)
    with pytest.raises(SolveError, match="do not determine all of"):
        fit(Evaluation(fit_file, file, measured, solver(tmp_path / "out"), tmp_path / "out"))


def test_an_end_of_the_range_is_named(tmp_path: Path) -> None:
    # Exact: the true D is beyond the range, so the fit ends at its upper end and says so.
    file = files(
        tmp_path, DIFFUSIVITY.replace("1e-9", "1e-10"), extra=f'set.load.stack_pressure = "{TRUE_PRESSURE} MPa"'
    )
    synthetic(tmp_path)
    fit_file, measured = read(file)
    found = fit(Evaluation(fit_file, file, measured, solver(tmp_path / "out"), tmp_path / "out"))
    assert found.at_bound == ["electrode.material.diffusivity"]
    assert "at the end of its range" in sentences(fit_file, found)[0]


@pytest.mark.parametrize(
    ("parameters", "data", "message"),
    [
        ("", DATA, "parameters"),
        (DIFFUSIVITY, "", "nothing was measured"),
        (DIFFUSIVITY.replace('"log"', '"cubic"'), DATA, "'linear' or 'log'"),
        (DIFFUSIVITY.replace("}", ', start = "2e-9 cm^2/s" }'), DATA, "not inside the range"),
        (DIFFUSIVITY.replace("}", ', start = "2 m^2/s" }'), DATA, "different units"),
        (DIFFUSIVITY, DATA.replace("data.csv", "nowhere.csv"), "nowhere.csv: cannot be read"),
        (DIFFUSIVITY, DATA.replace("interface", "anywhere"), "lacks pressure_anywhere_min_Pa"),
        (DIFFUSIVITY, DATA.replace("uncertainty = 1e4", ""), "lacks uncertainty"),
        (DIFFUSIVITY, DATA.replace("uncertainty", "sigma"), "unknown key"),
    ],
)
def test_faults_of_the_user(tmp_path: Path, parameters: str, data: str, message: str) -> None:
    # Exact: one sentence with file, key and what is allowed.
    file = files(tmp_path, parameters, data)
    synthetic(tmp_path)
    with pytest.raises(CaseError, match=message):
        read(file)


def test_a_word_where_a_number_was_measured(tmp_path: Path) -> None:
    # Exact: the row and the column are named.
    file = files(tmp_path, DIFFUSIVITY)
    (tmp_path / "data.csv").write_text("pressure_interface_min_Pa\n1e6\nmuch\n")
    with pytest.raises(CaseError, match='row 2: pressure_interface_min_Pa: "much"'):
        read(file)


@pytest.mark.slow
def test_the_command_recovers_from_real_runs(tmp_path: Path) -> None:
    # Exact: pressures of the closed form (V1); the solver's S0 is within 0.1 % of it on this coarse mesh, and D goes
    # as its power -(n + 1): 1 % asked.
    file = files(tmp_path, DIFFUSIVITY, extra=f'set.load.stack_pressure = "{TRUE_PRESSURE} MPa"')
    synthetic(tmp_path)
    code, output = sweep_files.femli("calibrate", str(file), "-o", str(tmp_path / "out"), "-j", "1")
    assert code == 0, output
    told = tomllib.loads((tmp_path / "out" / "fit.toml").read_text())
    found = float(told["set"]["electrode.material.diffusivity"].split()[0])
    assert found == pytest.approx(TRUE_D, rel=1e-2)
    assert (tmp_path / "out" / "fit.png").stat().st_size > 5000
