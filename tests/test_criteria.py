"""Criteria of debonding and of cavity growth."""

from pathlib import Path

from mpi4py import MPI

import numpy as np
import pandas as pd
import pytest
import verification_runs as runs

import femli
from femli import simulation
from femli.outputs_criteria import Criteria


def test_traction_on_a_uniform_contact(tmp_path: Path) -> None:
    # Exact: in 1D the normal traction stays - p_stack whatever creep and flux do (balance of forces).
    case = runs.short(load__stack_pressure="3 MPa", interface__adhesion_strength="0.1 MPa")
    made = runs.stepper(case)
    t, area = Criteria(made.fields, case).traction()
    assert t[area > 0] == pytest.approx(-3.0, rel=1e-6)


@pytest.mark.parametrize("text", [runs.VOIDED, runs.AXISYMMETRIC], ids=["2D", "axisymmetric"])
def test_traction_balances_the_stack(tmp_path: Path, text: str) -> None:
    # Exact: the contact carries what lies on the collector, - p_stack times its area, beside voids without gas.
    # The share beyond a strength is counted from the traction itself, by hand.
    case = femli.load(runs.written(tmp_path, text), {"interface.adhesion_strength": "1 Pa"})
    made = runs.stepper(case)
    criteria = Criteria(made.fields, case)
    t, area = criteria.traction()
    assert float(t @ area) == pytest.approx(-2.0 * made.newton.contents.full_area, rel=1e-4)
    assert criteria.columns(1.0)["contact_traction_max [Pa]"] == pytest.approx(1e6 * t[area > 0].max(), rel=1e-12)
    assert criteria.strength is not None
    criteria.strength.scale = float(np.median(t[area > 0]))  # pulled harder than this at half of the nodes
    share = float(area[(area > 0) & (t > criteria.strength.scale)].sum() / area.sum())
    assert criteria.columns(1.0)["contact_beyond_strength [-]"] == pytest.approx(share, rel=1e-12)


def test_columns_are_written(tmp_path: Path) -> None:
    # Exact: 2 gamma over the tension -p where the smallest pressure is one, infinite where not (p_stack = 5 MPa); no
    # column without the key.
    short = {"stop__capacity": "1e-7 mAh/cm^2", "output__every": "1e-7 mAh/cm^2"}
    case = runs.short(wall__surface_tension="0.416 J/m^2", load__stack_pressure="0 MPa", **short)
    simulation.run(case, tmp_path / "run", comm=MPI.COMM_SELF)
    table = pd.read_csv(tmp_path / "run" / "history.csv")
    tension = -table["pressure_min [Pa]"]
    assert tension.min() > 0
    assert table["cavity_radius_critical [m]"].to_numpy() == pytest.approx((0.832 / tension).to_numpy(), rel=1e-12)
    assert "contact_traction_max [Pa]" not in table
    assert Criteria(runs.stepper(case).fields, case).columns(5e6)["cavity_radius_critical [m]"] == np.inf
