"""Every case of `cases/` runs, and its `[expect]` holds."""

import json
from pathlib import Path

import pytest
import verification_runs as runs

import femli
from femli.case import Case

FILES = sorted((runs.ROOT / "cases").glob("*.toml"))
# Shorter or coarser for the everyday tests; what is not named here runs as it is.
SHORTER: dict[str, dict[str, object]] = {
    "demo": {"stop.capacity": "0.001 mAh/cm^2", "geometry.mesh.growth": 1.5, "geometry.mesh.interface_size": "0.8 um"},
    "cell_voids": {
        "stop.capacity": "0.001 mAh/cm^2",
        "geometry.mesh.growth": 1.5,
        "geometry.mesh.interface_size": "0.8 um",
        "geometry.mesh.edge_size": "0.8 um",
    },
    "heal": {
        "protocol": [{"current_density": "0.31 mA/cm^2", "until": {"capacity": "0.001 mAh/cm^2"}}],
        "geometry.mesh.growth": 1.6,
    },
    "void_axisymmetric": {"stop.capacity": "0.001 mAh/cm^2", "geometry.mesh.growth": 1.4},
    "voids_many": {
        "stop.capacity": "1e-7 mAh/cm^2",
        "output.every": "1e-7 mAh/cm^2",
        "geometry.mesh.growth": 1.8,
        "geometry.mesh.interface_size": "3 um",
    },
    "voids_3d": {
        "stop.capacity": "0.0001 mAh/cm^2",
        "geometry.mesh.growth": 2.0,
        "geometry.mesh.interface_size": "2 um",
    },
}


def _holds(case: Case, summary: dict, shortened: bool) -> None:
    for key, expected in case.expect.items():
        value = summary[key]
        if isinstance(expected.value, str):
            assert value == expected.value
        elif shortened and key == "capacity_mAh_cm2":
            stop = case.protocol[0].until if case.protocol else case.stop
            assert value == pytest.approx(stop.capacity / 3.6e4, rel=expected.tolerance)
        else:
            assert value == pytest.approx(expected.value, rel=expected.tolerance), key


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_case_runs(file: Path, tmp_path: Path) -> None:
    # Exact: the [expect] of the file, as it is where that is fast, else shorter (then its own capacity stop is met).
    settings = SHORTER.get(file.stem, {})
    case = femli.load(file, settings)
    assert case.expect, "a case says what comes out"
    summary = femli.run(case, tmp_path / "out")
    _holds(case, summary, bool(settings))
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["stop_reason"] == summary["stop_reason"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORTER)
def test_whole_case_runs(name: str, tmp_path: Path) -> None:
    # Exact: the [expect] of the file, as it is.
    case = femli.load(runs.ROOT / "cases" / f"{name}.toml")
    _holds(case, femli.run(case, tmp_path / "out"), False)
