"""Behaviour of whole solves that no closed form of the verification record covers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pyvista

import femli
from femli.units import MAH_CM2

CASES = Path(__file__).parent.parent / "cases"


def last_frame(folder: Path) -> pyvista.UnstructuredGrid:
    """The last field snapshot of a result folder."""
    return pyvista.read(sorted((folder / "fields").glob("*.pvtu"))[-1])


def test_rigid_plate_neither_bends_nor_tilts(tmp_path: Path) -> None:
    # Exact: a rigid plate moves every point of the collector by the same amount, and as sides, contact and voids take
    # no net force along the normal but what the contact carries, the metal under it sinks by the volume removed.
    overrides = {
        "load.plate": True,
        "stop.capacity": "0.0005 mAh/cm^2",
        "geometry.mesh.interface_size": "1 um",
        "geometry.mesh.edge_size": "0.4 um",
    }
    femli.run(femli.load(CASES / "demo.toml", overrides), tmp_path / "plate")
    frame = last_frame(tmp_path / "plate")
    top = frame.points[:, 1] > frame.points[:, 1].max() - 0.01
    speed = frame["velocity [m/s]"][top, 1]
    assert top.sum() > 10
    assert np.ptp(speed) < 1e-6 * np.abs(speed).mean()
    assert np.ptp(frame.points[top, 1]) < 1e-8


def test_whole_discharge_of_pure_lithium(tmp_path: Path) -> None:
    # Exact: a foil of Li thins by Omega i t/F, so 20 um end at the stop thickness of 1 um after 19 um F/Omega, and the
    # pressure at the contact stays what it was: the layer of 0.1 um does not feel the thickness (physics: closed form).
    overrides = {"geometry.electrode_thickness": "20 um", "stop.capacity": "30 mAh/cm^2", "output": {}}
    case = femli.load(CASES / "lithium_steady.toml", overrides)
    summary = femli.run(case, tmp_path / "li")
    charge = 19e-6 * 96485.33212 / case.electrode_properties().omega_li
    assert summary["stop_reason"] == "exhausted"
    assert summary["capacity_mAh_cm2"] == pytest.approx(charge / MAH_CM2, rel=1e-9)
    history = pd.read_csv(tmp_path / "li" / "history.csv")
    # Nothing holds x: its row is 0 = 0 but for round-off, which may not grow (here 1e-10 after 180 steps).
    assert (history["li_fraction_interface_min [-]"] - 1.0).abs().max() < 1e-8
    assert np.ptp(history["pressure_interface_min [Pa]"]) < 0.01 * history["pressure_interface_min [Pa]"][0]


def test_whole_discharge_with_a_trace_of_host(tmp_path: Path) -> None:
    # Exact: the host stays, so a foil of L ends at the stop thickness h after (L - h) F/Omega, its host as much as at
    # the start and no Li fraction above 1 (balance of host; unlike pure Li it has a layer that must not oscillate).
    overrides = [
        "geometry.electrode_thickness=30 um",
        "electrode.material={ mg_fraction = 0.0001 }",
        "electrode.creep_scaling=none",
        "stop.capacity=30 mAh/cm^2",
    ]
    case = femli.load(CASES / "lithium_steady.toml", overrides)
    summary = femli.run(case, tmp_path / "trace")
    charge = 29e-6 * 96485.33212 / case.electrode_properties().omega_li
    assert summary["stop_reason"] == "exhausted"
    assert summary["capacity_mAh_cm2"] == pytest.approx(charge / MAH_CM2, rel=1e-9)
    assert summary["host_balance_error"] < 1e-9
    assert last_frame(tmp_path / "trace")["li_fraction [-]"].max() < 1 + 1e-9


def test_resume_of_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    # Expected: a run that ended with a stop condition has nothing left to do.
    case = femli.load(CASES / "foil_li10mg_local.toml")
    first = femli.run(case, tmp_path / "run")
    again = femli.run(case, tmp_path / "run", resume=True)
    assert first["stop_reason"] == again["stop_reason"] == "li_depleted"
    assert again["steps"] == first["steps"]
    assert again["capacity_mAh_cm2"] == first["capacity_mAh_cm2"]
