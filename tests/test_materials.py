"""The material library and the numbers it hands to a solver."""

import math
from dataclasses import fields, is_dataclass

import pytest

from femli import library
from femli.materials import Value
from femli.materials_electrode import electrode

PLAIN = library.ACTIVITIES["ideal"]
ASPINALL = library.CREEP["Aspinall2024"]


def every_value() -> list[Value]:
    """Every Value in the library, found by walking it."""
    found: list[Value] = []

    def walk(thing: object) -> None:
        if isinstance(thing, Value):
            found.append(thing)
        elif isinstance(thing, dict | tuple):
            for item in thing.values() if isinstance(thing, dict) else thing:
                walk(item)
        elif is_dataclass(thing):
            for field in fields(thing):
                walk(getattr(thing, field.name))

    for shelf in (library.ALLOYS, library.CREEP, library.ACTIVITIES, library.ELECTROLYTES):
        walk(shelf)
    return found


def test_every_number_has_a_known_source_a_name_and_conditions() -> None:
    # Exact: no number without its paper. Source: the rule of the library.
    for value in every_value():
        assert value.source in library.SOURCES, value
        assert value.name and value.unit and value.conditions, value
        assert math.isfinite(value.number), value


@pytest.mark.parametrize("percent", [0.0, 1.0, 5.0, 10.0, 20.0, 40.0, 68.0])
def test_diffusivity_at_30_degc(percent: float) -> None:
    # Exact: D = 1.320e-14 m2/s exp(-0.1325 at%) at 30 degC, to the digits printed (4e-4 on 0.1325 at 69 at%).
    # Source: ln D linear between Li (9.73e-15, 0.475 eV) and Li-20Mg (6.31e-16, 0.608 eV), Aspinall 2024,
    # with the printed 298 K and 303 K read as 25 and 30 degC.
    metal = electrode(library.li_mg(percent / 100.0), ASPINALL, PLAIN, 303.15)
    assert metal.diffusivity == pytest.approx(1.320e-14 * math.exp(-0.1325 * percent), rel=2e-3)
    kept = electrode(library.li_mg(percent / 100.0), ASPINALL, PLAIN, 303.15, diffusivity="initial")
    assert kept.log_diffusivity[1] == 0.0
    assert kept.diffusivity == pytest.approx(metal.diffusivity, rel=1e-12)


def test_diffusivity_keeps_the_measured_points_at_25_degc() -> None:
    # Exact: 9.73e-15 and 6.31e-16 m2/s for Li and Li-20Mg. Source: Aspinall 2024.
    c0, c1 = library.LI_MG_DIFFUSIVITY.coefficients(298.15)
    assert math.exp(c0) == pytest.approx(9.73e-15, rel=1e-12)
    assert math.exp(c0 + 0.2 * c1) == pytest.approx(6.31e-16, rel=1e-12)


@pytest.mark.parametrize(
    ("percent", "millivolts"), [(1, 0.26), (5, 1.28), (10, 2.58), (20, 5.83), (50, 30.8), (69, 70.0)]
)
def test_open_circuit_potential_of_the_subregular_alloy(percent: int, millivolts: float) -> None:
    # Exact: E = -(RT/F)(ln x + y^2 (1.29 - 6.47 y)) at 303 K, the six values of the model's description (3
    # digits).
    law = library.ACTIVITIES["subregular"]
    potential = 1e3 * law.open_circuit_potential(1.0 - percent / 100.0, 303.0)
    assert potential == pytest.approx(millivolts, abs=0.006 if percent < 50 else 0.06)


@pytest.mark.parametrize(
    ("x", "above"), [(0.31, 0.0), (0.2, 0.0), (0.15, 0.0), (0.15 / math.e, 1.3), (0.15 / math.e**2, 2.6)]
)
def test_potential_beyond_the_solid_solution(x: float, above: float) -> None:
    # Exact: 70.0 mV (303 K) held to the hcp phase, then 1.3 RT/F for each e-fold of x, 26.11 mV at 303 K.
    law, stages = library.ACTIVITIES["subregular"], library.LI_MG_STAGES
    potential = 1e3 * stages.open_circuit_potential(law, x, 303.0)
    assert potential == pytest.approx(70.0 + 26.11 * above, abs=0.06)


def test_thermodynamic_factor_is_the_derivative_of_the_activity() -> None:
    # Exact: Theta = 1 + dln(gamma)/dln(x), here by central differences; between 0.92 and 3.31, so no
    # spinodal.
    law = library.ACTIVITIES["subregular"]

    def log_gamma(x: float) -> float:
        y = 1.0 - x
        return y * y * (law.a.number + law.b.number * y)

    factors = []
    for i in range(31, 100):
        x, h = i / 100.0, 1e-6
        slope = x * (log_gamma(x + h) - log_gamma(x - h)) / (2.0 * h)
        assert law.thermodynamic_factor(x) == pytest.approx(1.0 + slope, abs=1e-7)
        factors.append(law.thermodynamic_factor(x))
    assert min(factors) == pytest.approx(0.92, abs=0.005)
    assert max(factors) == pytest.approx(3.31, abs=0.005)


def test_creep_prefactor_is_as_printed_at_30_degc_and_follows_arrhenius() -> None:
    # Exact: alpha = 2.29e-43 Pa^-n/s at 30 degC; ratio exp[-(37 kJ/mol / R)(1/T - 1/303.15)] elsewhere.
    assert ASPINALL.prefactor_at(303.15) == 2.29e-43
    expected = math.exp(-37e3 / 8.31446261815324 * (1.0 / 333.15 - 1.0 / 303.15))
    assert ASPINALL.prefactor_at(333.15) / 2.29e-43 == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "rate"), [("Aspinall2024", 2.29e-43 * 1e6**6.26), ("Masias2019", 7.7e-3), ("Roy2021", 1e-2)]
)
def test_creep_rate_at_one_megapascal(name: str, rate: float) -> None:
    # Exact: the rates of the sources at 1 MPa.
    law = library.CREEP[name]
    assert law.prefactor.number * 1e6**law.exponent.number == pytest.approx(rate, rel=1e-12)


@pytest.mark.parametrize(
    ("scaling", "percent", "ratio"),
    [
        ("none", 20.0, 1.0),
        ("hardness", 20.0, 28.5),
        ("hardness", 5.0, 28.5**0.25),
        ("hardness", 60.0, 28.5),
        ("hardness_linear", 10.0, 14.75),
        ("hardness_linear", 60.0, 28.5),
    ],
)
def test_hardness_scaling(scaling: str, percent: float, ratio: float) -> None:
    # Exact: alpha falls by (H0/H0_Li)^-n, H0 = 2 (57/2)^(at%/20) MPa or linear, constant beyond 20 at%; the
    # measured range of stress moves with H0. Source: the stated assumption on alloy creep.
    metal = electrode(library.li_mg(percent / 100.0), ASPINALL, PLAIN, 303.15, scaling=scaling)
    assert metal.creep_prefactor == pytest.approx(2.29e-43 * ratio**-6.26, rel=1e-12)
    assert metal.creep_stress_range[1] == pytest.approx(2.8e6 * ratio, rel=1e-12)


def test_molar_volumes_measured_and_equal() -> None:
    # Exact: 13.0e-6 and 12.0e-6 m3/mol, or both 13.0e-6.
    measured = electrode(library.ALLOYS["Li-5Mg"], ASPINALL, PLAIN, 303.15)
    equal = electrode(library.ALLOYS["Li-5Mg"], ASPINALL, PLAIN, 303.15, equal_volumes=True)
    assert (measured.omega_li, measured.omega_host) == (13.0e-6, 12.0e-6)
    assert (equal.omega_li, equal.omega_host) == (13.0e-6, 13.0e-6)


def test_provenance_names_what_is_assumed() -> None:
    # Exact: an alloy with scaled creep rests on an assumption and says so; pure Li does not use it.
    alloy = electrode(library.ALLOYS["Li-5Mg"], ASPINALL, library.ACTIVITIES["subregular"], 303.15)
    assert "hardness over that of the pure metal" in {v.name for v in alloy.provenance if v.assumed}
    pure = electrode(library.ALLOYS["Li"], ASPINALL, library.ACTIVITIES["subregular"], 303.15)
    assert not any("hardness" in v.name or "Mg" in v.name for v in pure.provenance)
    warm = electrode(library.ALLOYS["Li"], ASPINALL, library.ACTIVITIES["subregular"], 333.15)
    assert "creep activation energy" in {v.name for v in warm.provenance if v.assumed}


def test_conductivity_of_the_electrolyte() -> None:
    # Exact: the two measured values at their temperatures; 4.27 mS/cm at 30 degC by Arrhenius' law through them, whose
    # activation energy is R ln(12.4/3.5)/(1/298.15 - 1/333.15) = 29.8 kJ/mol.
    law = library.ELECTROLYTES["Li6PS5Cl"].conductivity
    assert law.at(298.15) == pytest.approx(0.35, rel=1e-12)
    assert law.at(333.15) == pytest.approx(1.24, rel=1e-12)
    assert law.at(303.15) == pytest.approx(0.35 * math.exp(29.84e3 / 8.31446 * (1 / 298.15 - 1 / 303.15)), rel=1e-3)
