"""Which death comes first: windows, critical pressures, and pure lithium against the closed form."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import femli
from femli import scales
from femli.deaths import Death, Flaw, critical_pressure, death, held_drop, sound

FLAW = Flaw(radius=2e-6, surface_energy=0.4, held=0.1)  # strength 0.4 MPa
DEPLETED = Death("depletion", 1.0)


def test_least_over_a_window() -> None:
    # Exact: S falls linearly from 1 to 0, so the least over a window of 0.1 is S at its end; where it rises, S at its
    # start, between the rows.
    capacity = np.linspace(0.0, 1.0, 41)
    fall, rise = held_drop(capacity, 1.0 - capacity, 0.1), held_drop(capacity, capacity, 0.1)
    assert np.all(np.isneginf(fall[:4])) and np.isfinite(fall[4])
    assert fall[4:] == pytest.approx(1.0 - capacity[4:], abs=1e-12)
    assert rise[4:] == pytest.approx(capacity[4:] - 0.1, abs=1e-12)


def test_a_short_peak_does_not_count() -> None:
    # Exact: a plateau of 1 MPa, and a peak of 9 MPa over 0.04 which is shorter than the 0.1 asked: 1 - 0.4 MPa.
    capacity = np.array([0.0, 0.5, 0.52, 0.54, 1.0])
    drop = np.array([1.0, 1.0, 9.0, 1.0, 1.0]) * 1e6
    assert critical_pressure(capacity, drop, FLAW) == pytest.approx(0.6e6)


def test_first_death() -> None:
    # Exact: S = 2 MPa * Q; at 0.52 MPa of stack pressure S must be 0.92 MPa since 0.1 ago, so Q = 0.46 + 0.1, between
    # two rows; above the critical pressure 2 * 0.9 - 0.4 = 1.4 MPa the foil is depleted first.
    capacity = np.linspace(0.0, 1.0, 21)
    drop = 2e6 * capacity
    assert critical_pressure(capacity, drop, FLAW) == pytest.approx(1.4e6)
    least = held_drop(capacity, drop, FLAW.held)
    found = death(capacity, least, FLAW, 0.52e6, DEPLETED)
    assert found.kind == "voiding" and found.capacity == pytest.approx(0.56)
    assert death(capacity, least, FLAW, 1.41e6, DEPLETED) == DEPLETED
    assert death(capacity, held_drop(capacity, 0 * drop + 3e6, FLAW.held), FLAW, 1e6, DEPLETED) == Death("voiding", 0.1)


def test_a_thin_foil_is_left_out() -> None:
    # Exact: rows up to the first in which the foil is thinner than two radii.
    assert sound(np.array([9e-6, 5e-6, 3.9e-6, 5e-6]), FLAW) == 2
    assert sound(np.array([9e-6, 5e-6]), FLAW) == 2


def test_pure_lithium_is_the_closed_form(tmp_path: Path) -> None:
    # Exact: steady stripping of pure Li has S(z) in closed form (V1), so the critical stack pressure is
    # S(R) - 2 gamma/R; 0.5 % for the default mesh. The columns of the history are those asked for.
    radii = (1.0, 2.0, 5.0)
    case = femli.load(
        Path(__file__).parent.parent / "cases" / "lithium_steady.toml",
        {"stop.capacity": "0.05 mAh/cm^2", "output.depths": [f"{r:g} um" for r in radii], "output.every": "1 h"},
    )
    femli.run(case, tmp_path / "out")
    history = pd.read_csv(tmp_path / "out" / "history.csv")
    electrode, current = case.electrode_properties(), case.load.current_density
    for radius in radii:
        flaw = Flaw(radius * 1e-6)
        drop = case.load.stack_pressure - history[f"pressure_at_{radius:g}um [Pa]"].to_numpy()
        exact = scales.stress_drop(electrode, current, flaw.radius)
        found = critical_pressure(history["capacity [mAh/cm^2]"].to_numpy(), drop, flaw)
        assert found + flaw.strength == pytest.approx(exact, rel=5e-3)
    assert "pressure_at_3um [Pa]" not in history


def test_depths_are_of_a_line(tmp_path: Path) -> None:
    # Exact: exit code 2 in 2D and outside the foil, with what is allowed; lengths only.
    demo = Path(__file__).parent.parent / "cases"
    for file, depth, message in (
        ("demo.toml", "1 um", "with geometry.dimension = 1"),
        ("foil_li5mg.toml", "200 um", "up to geometry.electrode_thickness"),
        ("foil_li5mg.toml", "-1 um", "must be positive"),
        ("foil_li5mg.toml", "1 MPa", "has the wrong dimension"),
    ):
        with pytest.raises(femli.errors.CaseError, match=message):
            femli.load(demo / file, {"output.depths": [depth]})
    case = femli.load(demo / "foil_li5mg.toml", {"output.depths": ["1 um", "2.5 um"]})
    (tmp_path / "again.toml").write_text(case.to_toml())
    assert femli.load(tmp_path / "again.toml") == case
    assert case.output.depths == (1e-6, 2.5e-6)
