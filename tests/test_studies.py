"""The studies: their files are read, the map asks for what it says and draws what it is given."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from femli import calibrate_plan, sweep_plan
from femli.deaths import Death, Flaw

STUDIES = Path(__file__).parent.parent / "studies"


@pytest.fixture(scope="module")
def study() -> ModuleType:
    """studies/map.py as a module."""
    sys.path.insert(0, str(STUDIES))
    spec = importlib.util.spec_from_file_location("map_study", STUDIES / "map.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["map_study"] = module
    spec.loader.exec_module(module)
    sys.path.remove(str(STUDIES))
    return module


@pytest.mark.parametrize("file", sorted(STUDIES.glob("*.toml")), ids=lambda file: file.stem)
def test_study_files_are_read(file: Path) -> None:
    # Exact: each is a sweep with members or a fit with measurements.
    if file.stem.startswith("fit"):
        assert calibrate_plan.read(file)[1]
    else:
        assert len(sweep_plan.read(file).members) > 1


def test_the_map_asks_for_enough(study: ModuleType) -> None:
    # Exact: 9 x 7 x 5 runs of the base law; every law with both assumptions about alloys; each run once, each a case
    # of its own; the figure needs the columns that it shows.
    points = study.points()
    assert sum(point[3:] == ("Aspinall2024", "none", "local") for point in points) == 315
    assert {(p.law, p.scaling) for p in points if p.mg} == {(w, s) for w in study.LAWS for s in ("none", "hardness")}
    some = [point for point in points if study.in_figure(point)]
    members = sweep_plan.members_of(study.CASE, STUDIES / "map.py", {}, [point.inputs() for point in some])
    assert len({member.case.sha256() for member in members}) == len(some) < len(points)
    assert all(member.case.stop.li_fraction == 0.31 for member in members)


def test_the_map_is_drawn(study: ModuleType, tmp_path: Path) -> None:
    # Exact: S constant at 1 MPa gives a critical stack pressure of 1 MPa - 2 gamma/R in the table, and the closed form
    # from S0 = 2 MPa beside it; the figure comes out of the same runs.
    capacity = np.linspace(0.0, 1.0, 20)
    drops = {radius: np.full(20, 1e6) for radius in study.RADII}
    runs = [
        study.Run(point, capacity, drops, np.full(20, 1e-4), Death("depletion", 1.0), 2e6)
        for point in study.points()
        if study.in_figure(point)
    ]
    table = study.table(runs, 0.4)
    assert table["critical_stack_pressure R=2um [MPa]"].to_numpy() == pytest.approx(0.6)
    assert table["S0-2gamma/R R=1um [MPa]"].to_numpy() == pytest.approx(1.2)
    experiments = pd.read_csv(STUDIES.parent / "docs" / "data" / "contact_experiments.csv")
    study.draw(runs, Flaw(2e-6, 0.4), experiments, tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size > 50_000
