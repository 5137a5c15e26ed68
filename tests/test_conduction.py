"""The electrolyte alone against closed forms: constriction (V13), edge flux (V12), contact laws, complex admittance."""

from mpi4py import MPI

import numpy as np
import pytest
from electrolyte_cases import electrolyte

from femli import mesh, mesh_electrolyte, mesh_foil
from femli.electrolyte_conduction import EQUIPOTENTIAL, conduct, contact_profile

KAPPA = 0.35  # S/m
PERIOD = 10.0  # um
UM = 1e-6


def strip(f: float):
    """Half a period of strips with contact fraction f, two periods deep."""
    half = PERIOD / 2
    return electrolyte(f * half, half, 2 * PERIOD, 3e-3 * min(f, 1 - f) * half, axisymmetric=False, inner=True)


def strip_limits(f: float) -> tuple[float, float]:
    """Constriction of strips [ohm m2], equipotential and uniform flux: conformal map, Fourier series."""
    n = np.arange(1, 200_000)
    unit = PERIOD * UM / (np.pi * KAPPA)
    return unit * np.log(1 / np.sin(np.pi * f / 2)), unit * np.sum((np.sin(n * np.pi * f) / (n * np.pi * f)) ** 2 / n)


def excess(domain, admittance: complex | None) -> float:
    """Impedance less that of a uniform current through the electrolyte [ohm m2]."""
    found = conduct(domain, KAPPA, admittance)
    return found.impedance.real - found.thickness / KAPPA


@pytest.mark.parametrize("f", [0.1, 0.2, 0.5, 0.8])
def test_constriction_of_strips(f: float) -> None:
    # Exact: (s/pi kappa) ln 1/sin(pi f/2) for an equipotential contact, the series of its flux's Fourier coefficients
    # for a uniform one; 1 % (V13).
    domain = strip(f)
    equipotential, uniform = strip_limits(f)
    assert excess(domain, EQUIPOTENTIAL) == pytest.approx(equipotential, rel=0.01)
    assert excess(domain, None) == pytest.approx(uniform, rel=0.01)


@pytest.mark.parametrize(
    ("e", "equipotential", "uniform"),
    [(0.1, 0.8592, 0.9400), (0.3, 0.5866, 0.6645), (0.5, 0.3397, 0.4091), (0.7, 0.1403, 0.1895)],
)
def test_constriction_of_spots(e: float, equipotential: float, uniform: float) -> None:
    # Exact: psi of 4 kappa a R for a circular spot a in an insulated tube b = a/e, by an independent finite volume
    # code and Yovanovich's polynomials; 1 % (V13).
    b = 10.0
    domain = electrolyte(e * b, b, 3 * b, 3e-3 * e * b, axisymmetric=True, inner=True)
    psi = 4 * KAPPA * e * b * UM / (np.pi * (b * UM) ** 2)
    assert psi * excess(domain, EQUIPOTENTIAL) == pytest.approx(equipotential, rel=0.01)
    assert psi * excess(domain, None) == pytest.approx(uniform, rel=0.01)


@pytest.mark.parametrize("f", [0.9, 0.5, 0.2, 0.1, 0.05, 0.02])
def test_resistance_of_the_contact_is_between_its_limits(f: float) -> None:
    # Exact: R_anode is between R_int/f + R_con of an equipotential contact and that of a uniform flux (trial fields of
    # the two variational principles), and within 1 % of the excess over R_int/f in the limits of small and large
    # kappa R_int/s.
    domain = strip(f)
    low, high = strip_limits(f)
    for wagner in (1e-4, 0.1, 1.0, 10.0, 1e3):
        resistance = wagner * PERIOD * UM / KAPPA
        constriction = excess(domain, 1 / resistance) - resistance / f
        assert 0.99 * low < constriction < 1.01 * high
        if wagner == 1e3:
            assert constriction == pytest.approx(high, rel=0.01)
    assert excess(domain, 1e12) == pytest.approx(low, rel=0.01)


@pytest.mark.parametrize(
    ("ratio", "exact"), [(0.1, 1.055), (0.5, 1.219), (1.0, 1.379), (5.0, 2.190), (10.0, 2.859), (100.0, 8.131)]
)
def test_edge_flux_of_a_debonded_patch(ratio: float, exact: float) -> None:
    # Exact: k_J of V12 by two independent codes, 2 %: Roy, Fleck and Deshpande 2021, a circular patch of radius a under
    # a contact of resistance Z, flux at its edge over that far away.
    kappa, Z = 0.04, 5e-4
    a = ratio * kappa * Z / UM
    domain = electrolyte(a, 12 * a, 12 * a, 0.01 * a / (1 + ratio), axisymmetric=True, inner=False)
    _, potential = contact_profile(conduct(domain, kappa, 1 / Z), domain)
    flux = 1 - potential
    assert flux[0] / flux[-1] == pytest.approx(exact, rel=0.02)


def test_uniform_contact_of_complex_admittance() -> None:
    # Exact: Z = t/kappa + 1/Y for any complex Y, to round-off: the potential is linear.
    layers = mesh_foil.rectangle(np.linspace(0, 10, 5), np.linspace(0, 20, 9), axisymmetric=True)
    whole = mesh_electrolyte.slab(layers, lambda middle: middle[:, 0] >= 0)
    domain = mesh.electrolyte_alone(whole, True, MPI.COMM_WORLD)
    assert "void" not in domain.facet_names
    for Y in (1e3, 1e3 + 2e3j, 50j):
        found = conduct(domain, KAPPA, Y)
        assert found.impedance == pytest.approx(found.thickness / KAPPA + 1 / Y, rel=1e-9)


def test_capacitive_contact_is_between_its_limits() -> None:
    # Exact: for |Y| -> infinity the constriction of a contact of area f is the equipotential one, whatever its phase;
    # for |Y| -> 0 it is that of a uniform flux beside 1/(Y f).
    f = 0.5
    domain = strip(f)
    low, high = strip_limits(f)
    path = 2 * PERIOD * UM / KAPPA
    assert conduct(domain, KAPPA, 1e12j).impedance == pytest.approx(path + low, rel=5e-3)
    slow = 1e2j
    assert conduct(domain, KAPPA, slow).impedance - 1 / (slow * f) == pytest.approx(path + high, rel=5e-3)
