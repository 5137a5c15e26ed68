"""Protocols: what each step does, when it ends, and that nothing is lost between them."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import verification_runs as runs

import femli
from femli import simulation
from femli.case import Case
from femli.case_protocol import Leg
from femli.errors import CaseError
from femli.outputs_progress import StepReport
from femli.protocol import Protocol
from femli.stepper import Stepper
from femli.units import MAH_CM2

FOIL = """
[geometry]
dimension = 1
electrode_thickness = "30 um"
[geometry.mesh]
interface_size = "0.05 um"
growth = 1.4
[electrode]
material = "Li-20Mg"
diffusivity = "initial"
activity = "ideal"
creep_scaling = "none"
molar_volumes = "equal"
stress_coupling = false
[load]
stack_pressure = "5 MPa"
"""
CYCLE = """
[[protocol]]
repeat = 2
steps = [
    { current_density = "0.31 mA/cm^2", until = { capacity = "0.02 mAh/cm^2" } },
    { rest = true, until = { time = "5 min" } },
    { current_density = "-0.31 mA/cm^2", until = { capacity = "0.015 mAh/cm^2" } },
]
"""


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    logging.getLogger("femli").setLevel(logging.ERROR)
    yield
    logging.getLogger("femli").setLevel(logging.NOTSET)


def _case(folder: Path, protocol: str, overrides: dict[str, object] | None = None, foil: str = FOIL) -> Case:
    return femli.load(runs.written(folder, foil + protocol), overrides or {})


def _steps(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "protocol.csv")


def _rooms(case: Case) -> tuple[Stepper, Protocol]:
    """A run without a folder, at its start."""
    protocol = runs.protocol(case)
    return protocol.stepper, protocol


def _march(stepper: Stepper, protocol: Protocol) -> list[tuple[float, Leg]]:
    """Go to the end; the time and the step before each step of time."""
    passed = []
    while protocol.reason is None:
        passed.append((stepper.levels[0].time, protocol.leg))
        protocol.follow(stepper.advance())
    return passed


@pytest.fixture(scope="module")
def cycled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Case, dict]:
    """The folder, case and summary of two cycles."""
    folder = tmp_path_factory.mktemp("cycled")
    case = _case(folder, CYCLE, {"output.every": "0.005 mAh/cm^2"})
    return folder / "out", case, femli.run(case, folder / "out")


# --- the ledger -------------------------------------------------------------------------------------------------------


def test_steps_end_where_they_should(cycled: tuple[Path, Case, dict]) -> None:
    # Exact: capacity over current and the time asked for; charges 0.02, 0 and -0.015 mAh/cm2, so 0.01 in the end.
    folder, _, summary = cycled
    steps = _steps(folder)
    assert summary["stop_reason"] == "protocol"
    assert list(steps["kind"]) == ["strip", "rest", "plate"] * 2
    assert list(steps["end_reason"]) == ["capacity", "time", "capacity"] * 2
    assert list(steps["cycle [-]"]) == [1, 1, 1, 2, 2, 2]
    assert list(steps["step [-]"]) == [1, 2, 3, 4, 5, 6]
    lengths = (steps["end_time [s]"] - steps["start_time [s]"]).to_numpy()
    assert np.allclose(lengths, [3600 * 0.02 / 0.31, 300, 3600 * 0.015 / 0.31] * 2, rtol=1e-12, atol=0)
    assert np.allclose(steps["charge [mAh/cm^2]"], [0.02, 0, -0.015] * 2, rtol=1e-11, atol=1e-15)
    assert summary["capacity_mAh_cm2"] == pytest.approx(0.01, rel=1e-11)
    assert summary["protocol"] == json.loads(json.dumps(steps.to_dict("records")))


def test_capacity_and_lithium_follow_the_charge(cycled: tuple[Path, Case, dict]) -> None:
    # Exact: at every row capacity is the integral of the current, Li that of the charge (1e-12), and the foil is as
    # thin as the charge says, Omega Q/F (equal volumes).
    folder, case, summary = cycled
    history = runs.history(folder)
    time, current = history["time [s]"].to_numpy(), history["current_density [A/m^2]"].to_numpy()
    charge = np.concatenate([[0], np.cumsum(np.diff(time) * current[1:])])
    assert np.allclose(history["capacity [mAh/cm^2]"] * MAH_CM2, charge, rtol=0, atol=1e-9 * charge.max())
    assert summary["li_balance_error"] < 1e-12
    assert summary["host_balance_error"] < 1e-12
    thin = 30e-6 - case.electrode_properties().omega_li * charge / 96485.33212
    assert np.allclose(history["electrode_thickness [m]"], thin, rtol=1e-12, atol=0)
    assert set(np.unique(current)) == {-3.1, 0.0, 3.1}


def test_steps_of_time_never_span_a_jump(cycled: tuple[Path, Case, dict]) -> None:
    # Exact: each step's end is a row of the history, the next row begins with the first rung of the ladder, 1e-5 s, and
    # has the new current; a snapshot is taken at each end and at each 0.005 mAh/cm2.
    folder, _, _ = cycled
    history, ends = runs.history(folder), _steps(folder)["end_time [s]"].to_numpy()
    time = history["time [s]"].to_numpy()
    for number, end in enumerate(ends[:-1], 1):
        row = int(np.argmin(abs(time - end)))
        assert time[row] == end
        assert history["step [-]"][row] == number
        assert history["step [-]"][row + 1] == number + 1
        assert history["dt [s]"][row + 1] == pytest.approx(1e-5, rel=0.2)
    frames = [float(line.split('"')[1]) for line in (folder / "fields.pvd").read_text().split("timestep=")[1:]]
    assert set(ends) <= set(frames)
    assert len(frames) == 1 + 2 * (4 + 1 + 3)


def test_lithium_on_the_contact_goes_and_returns(cycled: tuple[Path, Case, dict]) -> None:
    # Exact for small changes of a half space: with the interdiffusivity D (1 - x) and the flux (1 - x) J of the volume
    # frame, x changes by -2 J sqrt((1 - x) t/(pi D)) at a constant flux, and by a sum over the jumps of a varying one.
    # x changes by a tenth here, which makes the second order some percent of it.
    folder, case, _ = cycled
    steps = _steps(folder)
    electrode = case.electrode_properties()
    d = np.exp(electrode.log_diffusivity[0])
    flux = electrode.omega_li * 3.1 / 96485.33212
    t1, t2, t3 = steps["end_time [s]"][:3]
    unit = 2 * flux * np.sqrt((1 - 0.8) / (np.pi * d))
    x1 = 0.8 - unit * np.sqrt(t1)
    x2 = 0.8 - unit * (np.sqrt(t2) - np.sqrt(t2 - t1))
    x3 = 0.8 - unit * (np.sqrt(t3) - np.sqrt(t3 - t1) - np.sqrt(t3 - t2))
    found = steps["li_fraction_interface_mean [-]"][:3].to_numpy()
    assert np.allclose(found - 0.8, np.array([x1, x2, x3]) - 0.8, rtol=0.08, atol=0)


def test_protocol_resumes_in_mid_step(cycled: tuple[Path, Case, dict], tmp_path: Path) -> None:
    # Exact: interrupted in the middle of step 4 and resumed, the run is what it is without the interruption.
    folder, case, summary = cycled
    steps = []

    def interrupt(report: StepReport) -> None:
        steps.append(report)
        if report.capacity > 0.012 * MAH_CM2 and report.time > 800:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        femli.run(case, tmp_path / "out", on_step=interrupt)
    assert len(_steps(tmp_path / "out")) == 3
    again = femli.run(case, tmp_path / "out", resume=True)
    assert runs.worst_difference(runs.history(folder), runs.history(tmp_path / "out"))[0] < 1e-9
    pd.testing.assert_frame_equal(_steps(folder), _steps(tmp_path / "out"), rtol=1e-9)
    assert again["steps"] == summary["steps"]
    done = femli.run(case, tmp_path / "out", resume=True)
    assert done["stop_reason"] == "protocol" and done["steps"] == summary["steps"]


# --- rest and plating -------------------------------------------------------------------------------------------------


def test_a_rested_alloy_is_what_the_ledger_says(tmp_path: Path) -> None:
    # Exact: uniform, with the Li that the charge has left: x = (x0 h0 - Q)/(h0 - Q), in volumes (equal ones).
    thin = {"geometry.electrode_thickness": "2 um", "geometry.mesh.interface_size": "0.1 um"}
    strip = """
[[protocol]]
current_density = "0.31 mA/cm^2"
until = { li_fraction = 0.6 }
[[protocol]]
rest = true
until = { time = "100 h" }
"""
    case = _case(tmp_path, strip, thin)
    stepper, protocol = _rooms(case)
    _march(stepper, protocol)
    x, gone = stepper.levels[0].x, stepper.levels[0].charge
    assert protocol.rows[0]["end_reason"] == "li_fraction"
    assert protocol.rows[0]["li_fraction_interface_min [-]"] == pytest.approx(0.6, abs=1e-9)
    assert 0.05 < gone < 2
    assert np.allclose(x, (0.8 * 2 - gone) / (2 - gone), rtol=0, atol=1e-6)
    assert protocol.reason == "protocol"


@pytest.mark.parametrize("coupled", [True, False])
def test_pure_lithium_is_plated(tmp_path: Path, coupled: bool) -> None:
    # Exact: the foil grows by Omega Q/F, x stays 1, and the pressure at the contact is the mirror of stripping: p alone
    # drives the flux, so p - p_stack changes its sign with the current (V1).
    plate = """
[[protocol]]
current_density = "0.31 mA/cm^2"
until = { capacity = "0.1 mAh/cm^2" }
[[protocol]]
current_density = "-0.31 mA/cm^2"
until = { capacity = "0.3 mAh/cm^2" }
"""
    case = _case(tmp_path, plate, {"electrode.material": "Li", "electrode.stress_coupling": coupled})
    femli.run(case, tmp_path / "out")
    steps = _steps(tmp_path / "out")
    omega = case.electrode_properties().omega_li
    grown = steps["electrode_thickness [m]"][1] - 30e-6
    assert grown == pytest.approx(omega * 0.2 * MAH_CM2 / 96485.33212, rel=1e-10)
    # Nothing holds x: its row is 0 = 0 but for round-off.
    assert (runs.history(tmp_path / "out")["li_fraction_interface_min [-]"] - 1.0).abs().max() < 1e-8
    if coupled:
        drop, rise = steps["pressure_interface_min [Pa]"] - 5e6
        assert drop < 0 < rise
        assert rise == pytest.approx(-drop, rel=2e-3)


def test_an_alloy_is_plated_thick(tmp_path: Path) -> None:
    # Exact: charge is Li, 1e-10; x on the contact rises and stays below 1.
    plate = '[[protocol]]\ncurrent_density = "-0.31 mA/cm^2"\nuntil = { capacity = "0.5 mAh/cm^2" }\n'
    summary = femli.run(_case(tmp_path, plate, {"electrode.diffusivity": "local"}), tmp_path / "out")
    x = runs.history(tmp_path / "out")["li_fraction_interface_mean [-]"]
    assert summary["stop_reason"] == "protocol"
    assert summary["capacity_mAh_cm2"] == pytest.approx(-0.5, rel=1e-10)
    assert summary["li_balance_error"] < 1e-10
    assert 0.95 < x.iloc[-1] < 1.0 and x.is_monotonic_increasing


# --- stack pressure ---------------------------------------------------------------------------------------------------


def test_a_spring_gives_way_by_the_charge(tmp_path: Path) -> None:
    # Exact: p(t) = p0 - k Omega Q/F at every row, laterally uniform; without a protocol too. The pressure at the
    # contact shifts with it, and nothing else changes.
    spring = {"load.current_density": "0.31 mA/cm^2", "load.spring": "2 MPa/um", "stop.capacity": "0.1 mAh/cm^2"}
    spring |= {"electrode.stress_coupling": True}
    case = _case(tmp_path, "", spring)
    femli.run(case, tmp_path / "out")
    del spring["load.spring"]
    femli.run(_case(tmp_path, "", spring), tmp_path / "held")
    soft, held = runs.history(tmp_path / "out"), runs.history(tmp_path / "held")
    thinning = case.electrode_properties().omega_li * soft["capacity [mAh/cm^2]"] * MAH_CM2 / 96485.33212
    assert np.allclose(soft["stack_pressure [Pa]"], 5e6 - 2e12 * thinning, rtol=1e-11, atol=0)
    assert soft["stack_pressure [Pa]"].iloc[-1] < 4.1e6
    for name in ("li_fraction_interface_mean [-]", "electrode_thickness [m]"):
        assert soft[name].iloc[-1] == pytest.approx(held[name].iloc[-1], rel=1e-6)
    drop = soft["pressure_interface_mean [Pa]"].iloc[-1] - soft["stack_pressure [Pa]"].iloc[-1]
    assert drop == pytest.approx(held["pressure_interface_mean [Pa]"].iloc[-1] - 5e6, rel=1e-5)


def test_a_spring_cannot_pull(tmp_path: Path) -> None:
    # Exact: the pressure is zero once the spring is free, after a thinning of p0/k = 0.25 um (0.0515 mAh/cm2).
    spring = {"load.current_density": "0.31 mA/cm^2", "load.spring": "20 MPa/um", "stop.capacity": "0.1 mAh/cm^2"}
    femli.run(_case(tmp_path, "", spring), tmp_path / "out")
    history = runs.history(tmp_path / "out")
    free = history["capacity [mAh/cm^2]"] > 0.0516
    assert (history["stack_pressure [Pa]"][free] == 0.0).all() and free.any()
    assert (history["stack_pressure [Pa]"][~free] > 0.0).all()


def test_a_spring_on_a_voided_foil(tmp_path: Path) -> None:
    # Exact: p = p0 - k (h0 - h) with the mean thickness of each row, whatever the voids do, to solver tolerance.
    case = femli.load(runs.written(tmp_path, runs.VOIDED), {"load.spring": "50 MPa/um"})
    summary = femli.run(case, tmp_path / "out")
    history = runs.history(tmp_path / "out")
    thinning = 10e-6 - history["electrode_thickness [m]"]
    assert summary["stop_reason"] == "capacity"
    assert np.allclose(history["stack_pressure [Pa]"], 2e6 - 5e13 * thinning, rtol=0, atol=2.0)
    assert np.ptp(history["stack_pressure [Pa]"]) > 1e4


def test_pressure_is_held_ramped_and_set(tmp_path: Path) -> None:
    # Exact: 5 MPa; a line to 10 MPa within 10 min; 10 MPa held; 2 MPa at once. Uniform metal at rest has it everywhere.
    protocol = """
[[protocol]]
rest = true
until = { time = "1 min" }
[[protocol]]
rest = true
until = { time = "10 min" }
stack_pressure_to = "10 MPa"
[[protocol]]
rest = true
until = { time = "1 min" }
[[protocol]]
rest = true
until = { time = "1 min" }
stack_pressure = "2 MPa"
"""
    femli.run(_case(tmp_path, protocol), tmp_path / "out")
    history = runs.history(tmp_path / "out")
    time, step = history["time [s]"], history["step [-]"]
    line = 5e6 + 5e6 * (time - 60) / 600
    exact = np.select([step == 1, step == 2, step == 3, step == 4], [5e6, line, 10e6, 2e6])
    assert np.allclose(history["stack_pressure [Pa]"], exact, rtol=1e-12, atol=0)
    assert np.allclose(history["pressure_min [Pa]"], exact, rtol=1e-9, atol=0)
    assert len(history) < 200


# --- ends -------------------------------------------------------------------------------------------------------------


def test_the_run_ends_before_the_protocol(tmp_path: Path) -> None:
    # Exact: stop.li_fraction ends the run in the third step, and the step's row says so; on a tie with a step's own end
    # the step ends and the run goes on to its rest.
    protocol = """
[[protocol]]
current_density = "0.31 mA/cm^2"
until = { li_fraction = 0.6 }
[[protocol]]
rest = true
until = { time = "5 min" }
[[protocol]]
current_density = "0.31 mA/cm^2"
until = { time = "10 h" }
"""
    summary = femli.run(_case(tmp_path, protocol, {"stop.li_fraction": 0.6}), tmp_path / "out")
    steps = _steps(tmp_path / "out")
    assert summary["stop_reason"] == "li_depleted"
    assert list(steps["end_reason"]) == ["li_fraction", "time", "li_depleted"]
    assert np.allclose(steps["li_fraction_interface_min [-]"].iloc[[0, 2]], 0.6, rtol=0, atol=1e-9)


def test_stripping_on_at_the_limit_ends_the_run(tmp_path: Path) -> None:
    # Exact: after a step that ended at stop.li_fraction, more of the same is depletion at once.
    protocol = """
[[protocol]]
current_density = "0.31 mA/cm^2"
until = { li_fraction = 0.7 }
[[protocol]]
current_density = "0.1 mA/cm^2"
until = { time = "10 h" }
"""
    summary = femli.run(_case(tmp_path, protocol, {"stop.li_fraction": 0.7}), tmp_path / "out")
    assert summary["stop_reason"] == "li_depleted"
    assert summary["time_s"] == _steps(tmp_path / "out")["end_time [s]"].iloc[0]


@pytest.mark.parametrize(
    ("stop", "reason", "seconds"),
    [
        ({"stop.time": "100 s"}, "time", 100.0),
        # 0.01 mAh/cm2 net, of either sign: stripped 0.005, then plated 0.015.
        ({"stop.capacity": "0.01 mAh/cm^2"}, "capacity", 3600 * 0.020 / 0.31),
    ],
)
def test_clock_and_net_charge_of_the_run(tmp_path: Path, stop: dict, reason: str, seconds: float) -> None:
    # Exact: the times beside the stop conditions.
    protocol = """
[[protocol]]
current_density = "0.31 mA/cm^2"
until = { capacity = "0.005 mAh/cm^2" }
[[protocol]]
current_density = "-0.31 mA/cm^2"
until = { capacity = "1 mAh/cm^2" }
"""
    summary = femli.run(_case(tmp_path, protocol, stop), tmp_path / "out")
    assert summary["stop_reason"] == reason
    assert summary["time_s"] == pytest.approx(seconds, rel=1e-12)


CELL = """
[electrolyte]
thickness = "100 um"
conductivity = "1 mS/cm"
[interface]
resistance = "20 ohm cm^2"
"""


def test_voltages_end_and_drive_steps(tmp_path: Path) -> None:
    # Exact: a step ends at the voltage asked for (root finding), or at the polarisation, which is the voltage less
    # E of the metal at the start and i (t/kappa + R_int) = 0.31 mA/cm2 (10 + 20 ohm cm2) = 9.3 mV; a held voltage stays
    # and its charge is the integral of its current (trapezoidal rule over the history, 1 %), which is Li (1e-9).
    protocol = (
        CELL
        + """
[[protocol]]
current_density = "0.31 mA/cm^2"
until = { voltage = "16 mV", time = "10 h" }
[[protocol]]
current_density = "0.31 mA/cm^2"
until = { polarisation = "6 mV", time = "10 h" }
[[protocol]]
voltage = "12 mV"
until = { time = "10 min" }
[[protocol]]
rest = true
until = { time = "10 min" }
"""
    )
    case = _case(tmp_path, protocol)
    summary = femli.run(case, tmp_path / "out")
    steps, history = _steps(tmp_path / "out"), runs.history(tmp_path / "out")
    assert list(steps["end_reason"]) == ["voltage", "polarisation", "time", "time"]
    assert steps["cell_voltage [V]"][0] == pytest.approx(0.016, abs=1e-8)
    start = -8.314462618 * 303.15 / 96485.33212 * np.log(0.8)  # E of the ideal alloy
    assert steps["cell_voltage [V]"][1] == pytest.approx(start + 0.0093 + 0.006, abs=1e-8)
    held = history[history["step [-]"] == 3]
    assert np.allclose(held["cell_voltage [V]"].iloc[1:], 0.012, rtol=0, atol=1e-9)
    times, current = held["time [s]"].to_numpy()[1:], held["current_density [A/m^2]"].to_numpy()[1:]
    charge = np.diff(held["capacity [mAh/cm^2]"].to_numpy()[1:]).sum() * MAH_CM2
    assert charge == pytest.approx(np.trapezoid(current, times), rel=1e-2)
    assert summary["li_balance_error"] < 1e-9


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        ('[{current_density = "1 A/m^2"}]', "protocol[1].until: a step of kind strip has no end; allowed: time, capac"),
        ("[{rest = true, until = {li_fraction = 0.5}}]", "kind rest may never end by li_fraction; allowed: time"),
        ('[{current_density = "-1 A/m^2", until = {li_fraction = 0.9}}]', "plate may never end by li_fraction"),
        ('[{rest = true, until = {time = "1 h", capacity = "1 mAh/cm^2"}}]', "no charge passes at rest"),
        ('[{until = {time = "1 h"}}]', "protocol[1]: does nothing; allowed: one of current_density"),
        ('[{rest = true, voltage = "1 V", until = {time = "1 h"}}]', "gives voltage and rest"),
        (
            '[{voltage = "1 V", until = {time = "1 h"}}]',
            "voltage: the case has no cell voltage; allowed: with an [",
        ),
        ('[{current_density = "1 A/m^2", until = {voltage = "1 V"}}]', "until.voltage: the case has no cell voltage"),
        ('[{current_density = "1 A/m^2", until = {polarisation = "-1 V"}}]', 'polarisation: "-1 V": must be positive'),
        ('[{current_density = "1 A/m^2", until = {li_fraction = 0.9}}]', "0.9: the metal starts at 0.8"),
        ('[{current_density = "1 A/m^2", until = {li_fraction = 0.2}}]', "the run ends before, at stop.li_fraction"),
        ('[{current_density = "1 A/m^2", until = {contact_fraction = 1e-4}}]', "ends before, at stop.contact_fraction"),
        ('[{rest = true, until = {time = "1 h"}, repeat = 2}]', "protocol[1].repeat: has nothing to repeat"),
        ('[{rest = true, steps = [{rest = true, until = {time = "1 h"}}]}]', "is a cycle and also has rest"),
        ("[{steps = [{rest = true}]}]", "protocol[1].steps[1].until: a step of kind rest has no end"),
        ('[{rest = true, until = {tme = "1 h"}}]', "did you mean protocol[1].until.time?"),
        (
            '[{current_density = "1 A/m^2", until = {capacity = "1 C/m^2"}, stack_pressure_to = "1 MPa"}]',
            "is reached at the end of the step; allowed: with until.time",
        ),
        (
            '[{rest = true, until = {time = "1 h"}, stack_pressure_to = "1 MPa", spring = "1 MPa/um"}]',
            "stack_pressure_to: contradicts spring",
        ),
        ("3", "protocol: 3: allowed: a list"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, protocol: str, words: str) -> None:
    # Exact: one sentence that names the key and what is allowed.
    with pytest.raises(CaseError) as caught:
        _case(tmp_path, "", {"protocol": runs.toml_value(protocol)})
    assert any(words in fault for fault in caught.value.faults), caught.value.faults


def test_current_and_protocol_exclude_each_other(tmp_path: Path) -> None:
    # Exact: one of them is needed, both are one too many.
    with pytest.raises(CaseError, match="is given beside"):
        _case(tmp_path, CYCLE, {"load.current_density": "1 A/m^2"})
    with pytest.raises(CaseError, match=r"load\.current_density: is missing"):
        _case(tmp_path, "")


def test_a_protocol_survives_its_own_case_file(tmp_path: Path) -> None:
    # Exact: the resolved case loads to an equal one; the largest current is that of the scales.
    case = _case(tmp_path, CYCLE)
    (tmp_path / "again.toml").write_text(case.to_toml())
    assert femli.load(tmp_path / "again.toml") == case
    assert case.load.current_density == 3.1
    assert [(leg.number, leg.cycle, leg.step.kind) for leg in case.legs()[2:5]] == [
        (3, 1, "plate"),
        (4, 2, "strip"),
        (5, 2, "rest"),
    ]


def test_protocol_table_is_the_runs_own(tmp_path: Path) -> None:
    # Exact: a run that replaces another leaves no table of its steps behind.
    assert simulation.STEPS == "protocol.csv"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "protocol.csv").write_text("old")
    (tmp_path / "out" / "history.csv").write_text("old")
    case = _case(tmp_path, "", {"load.current_density": "1 A/m^2", "stop.time": "1 s"})
    femli.run(case, tmp_path / "out", force=True)
    assert not (tmp_path / "out" / "protocol.csv").exists()


# --- rest recovery ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("alloy", "thickness", "first", "recovered"),
    [
        # The independent code is of a half space: foils that are thick against sqrt(D t) at 100 t1.
        ("Li-3Mg", "2000 um", None, [0.093, 0.189, 0.354, 0.578]),
        ("Li-10Mg", "500 um", 3.434, [0.133, 0.300, 0.542, 0.775]),
        ("Li-20Mg", "100 um", 0.3472, [0.142, 0.350, 0.631, 0.845]),
    ],
)
def test_rest_recovery(tmp_path: Path, alloy: str, thickness: str, first: float | None, recovered: list[float]) -> None:
    # Exact: charge of a second discharge over the first, after rests of 0.1, 1, 10 and 100 times its duration, by
    # an independent host-frame code (three digits), and the first discharge itself (V2 without stress coupling).
    fine = {"geometry.mesh.interface_size": "0.02 um", "geometry.mesh.growth": 1.15}
    settings = {"electrode.material": alloy, "geometry.electrode_thickness": thickness, **fine}
    strip = '[[protocol]]\ncurrent_density = "0.31 mA/cm^2"\nuntil = { li_fraction = 0.31 }\n'
    alone = femli.run(_case(tmp_path, strip, settings), tmp_path / "alone")
    if first is not None:
        assert alone["capacity_mAh_cm2"] == pytest.approx(first, rel=4e-3)
    for ratio, expected in zip((0.1, 1, 10, 100), recovered, strict=True):
        rest = f'[[protocol]]\nrest = true\nuntil = {{ time = "{ratio * alone["time_s"]!r} s" }}\n'
        out = femli.run(_case(tmp_path, strip + rest + strip, settings), tmp_path / "out", force=True)
        charge = [row["charge [mAh/cm^2]"] for row in out["protocol"]]
        assert charge[2] / charge[0] == pytest.approx(expected, abs=1.5e-3)
