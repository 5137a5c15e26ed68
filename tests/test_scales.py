"""Closed forms of the pressure layer, bounds, and the outlook of `femli check`."""

import dataclasses
import math
from pathlib import Path

import pytest

from femli import library, scales
from femli.case import load
from femli.errors import MeshError
from femli.materials_electrode import Electrode, electrode
from femli.mesh_geometry import parted
from femli.outlook import outlook
from femli.units import F, R

CURRENT = 3.1  # A/m2, 0.31 mA/cm2
CASES = Path(__file__).parent.parent / "cases"


def metal(percent: float, creep: str = "Aspinall2024") -> Electrode:
    """A Li-Mg alloy at 30 degC that creeps like Li."""
    return electrode(
        library.li_mg(percent / 100.0),
        library.CREEP[creep],
        library.ACTIVITIES["ideal"],
        303.15,
        scaling="none",
        equal_volumes=True,
    )


@pytest.mark.parametrize(
    ("percent", "creep", "megapascal"),
    [
        (0.0, "Aspinall2024", 1.753),
        (0.0, "LePage2019", 0.88),
        (0.0, "Masias2019", 0.69),
        (0.0, "Roy2021", 0.64),
        (5.0, "Aspinall2024", 1.934),
        (20.0, "Aspinall2024", 2.604),
    ],
)
def test_pressure_drop_at_the_contact(percent: float, creep: str, megapascal: float) -> None:
    # Exact: S0 = (2/3) [(n+1)/2 Omega R T J0^2 / (alpha D x0)]^(1/(n+1)), V1 and V5 of the verification.
    assert scales.contact_stress(metal(percent, creep), CURRENT) / 1e6 == pytest.approx(megapascal, abs=0.006)


def test_pressure_layer_of_lithium() -> None:
    # Exact: l = 0.11 um at 30 degC and 0.31 mA/cm2 for Li; it recedes at 4.2e-10 m/s.
    assert scales.layer_length(metal(0.0), CURRENT) == pytest.approx(0.11e-6, rel=0.02)
    assert scales.recession_velocity(metal(0.0), CURRENT) == pytest.approx(4.2e-10, rel=0.01)


@pytest.mark.parametrize("depth", [0.0, 1e-8, 1e-7, 1e-6, 1e-5])
def test_closed_form_solves_the_steady_equations(depth: float) -> None:
    # Exact: in pure Li (c Omega = 1) J = (D/RT) dp/dz = -(D/RT) dS/dz is J0 at the contact, dv/dz = -Omega
    # dJ/dz and (2/3)|dv/dz| = alpha (1.5 S)^n. Source: the equations of the model, here by central
    # differences.
    li = metal(0.0)
    length = scales.layer_length(li, CURRENT)

    def flux(z: float) -> float:
        step = 1e-4 * (z + length)
        up, down = scales.stress_drop(li, CURRENT, z + step), scales.stress_drop(li, CURRENT, z - step)
        return -li.diffusivity / (R * li.temperature) * (up - down) / (2.0 * step)

    step = 1e-4 * (depth + length)
    spread = li.omega_li * abs(flux(depth + step) - flux(depth - step)) / (2.0 * step)
    rate = li.creep_prefactor * (1.5 * scales.stress_drop(li, CURRENT, depth)) ** li.creep_exponent
    assert (2.0 / 3.0) * spread == pytest.approx(rate, rel=2e-3)
    assert flux(0.0) == pytest.approx(CURRENT / F, rel=1e-5)


def test_capacity_bound() -> None:
    # Exact: a foil of pure Li gives F L / Omega less what the last 1 um holds; an alloy that ends uniform at
    # x keeps x/(1-x) Li for each Mg. 20.62 mAh/cm2 for 100 um of Li (F / Omega / 3.6e4 = 2061 mAh/cm3).
    bound = scales.capacity_bound(metal(0.0), 100e-6, None, 0.0) / 3.6e4
    assert bound == pytest.approx(20.62, abs=0.01)
    assert scales.capacity_bound(metal(0.0), 100e-6, None, 1e-6) / 3.6e4 == pytest.approx(0.99 * bound)
    alloy = scales.capacity_bound(metal(20.0), 100e-6, 0.31, 0.0) / 3.6e4
    assert alloy == pytest.approx(bound * (0.8 - 0.2 * 0.31 / 0.69), rel=1e-12)


def test_linear_metal_has_an_exponential_layer() -> None:
    # Exact: n = 1, S = S0 exp(-z/l); the general forms have their limit there.
    linear = dataclasses.replace(metal(0.0), creep_exponent=1.0, creep_prefactor=1e-12)
    length = scales.layer_length(linear, CURRENT)
    ratio = scales.stress_drop(linear, CURRENT, length) / scales.contact_stress(linear, CURRENT)
    assert ratio == pytest.approx(math.exp(-1.0), rel=1e-12)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["electrode.creep_scaling=none", "load.current_density=10 mA/cm^2"],
            "outside the range of the creep law",
        ),
        (["electrode.material=Li", "load.stack_pressure=1 MPa"], "hydrostatic tension"),
        (["stop.li_fraction=0.2"], "where the laws of this material end"),
        (["electrode.creep_scaling=none"], "creep of the pure metal"),
        (["stop.capacity=100 mAh/cm^2"], "more than the foil can give"),
        ([], "extrapolated beyond"),
        (["electrode.material=Li"], "pure lithium never runs out"),
    ],
)
def test_warnings(overrides: list[str], words: str) -> None:
    # Exact: each circumstance has its sentence; a case within all ranges does not have it.
    case = load(CASES / "foil_li5mg.toml", overrides)
    text = " ".join(outlook(case).warnings + tuple(v.conditions for v in outlook(case).electrode.provenance))
    assert words in text


def test_no_warning_without_reason() -> None:
    # Exact: pure Li by the measured law of Masias within its range, ended by capacity: nothing is to be said.
    case = load(
        CASES / "foil_li5mg.toml",
        {"electrode.material": "Li", "electrode.creep": "Masias2019", "stop.capacity": "1 mAh/cm^2"},
    )
    assert outlook(case).warnings == ()


def test_outlook_at_rest_and_of_plating() -> None:
    # Exact: without current there are no layers and the time is the stop; plating has no capacity bound.
    rest = outlook(load(CASES / "foil_li5mg.toml", {"load.current_density": "0 A/m^2", "stop.time": "2 h"}))
    assert rest.layers is None and rest.duration == 7200.0
    plating = outlook(load(CASES / "foil_li5mg.toml", {"load.current_density": "-1 A/m^2", "stop.time": "2 h"}))
    assert plating.capacity_bound is None and plating.duration == 7200.0


def test_a_mesh_file_has_to_be_there() -> None:
    # Exact: exit code 3 and the path, before anything is solved.
    case = load(CASES / "foil_li5mg.toml", {"geometry.kind": "file", "geometry.file": "none.msh"})
    with pytest.raises(MeshError, match=r"none\.msh: no such file"):
        outlook(case)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_estimated_cells_of_a_plain_foil(dimension: int) -> None:
    # Exact: the number of cells that the mesh room makes, within 15 %.
    case = load(CASES / "foil_li5mg.toml", {"geometry.dimension": dimension})
    size = outlook(case).size
    assert size is not None
    assert size.cells == pytest.approx(len(parted(case)[0].cells), rel=0.15)
