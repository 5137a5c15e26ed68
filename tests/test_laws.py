"""The constitutive laws as UFL, against their definitions; and the working units against SI."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mpi4py import MPI

import manufactured
import numpy as np
import pytest
import ufl
from dolfinx import fem
from dolfinx import mesh as dmesh
from numpy.typing import NDArray

from femli import case, fields, laws, library, solver, units
from femli.materials_electrode import Electrode, electrode

Array = NDArray[np.float64]
COMPOSITIONS = np.linspace(0.32, 0.999, 12)
# Li-Mg at 303.15 K: the sub-regular activity, D of the local composition, unequal volumes.
LI_MG = SimpleNamespace(
    log_diffusivity_0=np.log(4.75e-5),
    log_diffusivity_1=-13.25,
    activity_0=1.29,
    activity_1=-6.47,
    volume_ratio=12.0 / 13.0,
    thermal_pressure=193.9,
    pressure_coupling=1 / 193.9,
    stack_pressure=5.0,
    thermal_voltage=0.02612,
)
GRADIENTS = {"uniaxial": 1, "plane": 2, "axisymmetric": 2, "full": 3}


def li_mg(percent: float, temperature: float = 303.15) -> Electrode:
    return electrode(
        library.li_mg(percent / 100), library.CREEP["Aspinall2024"], library.ACTIVITIES["subregular"], temperature
    )


def constants(tmp_path: Path, percent: float = 5.0) -> fields.Constants:
    """The constants of a case: 0.31 mA/cm2 and 5 MPa at 30 degC."""
    path = tmp_path / "case.toml"
    path.write_text(
        '[geometry]\nkind = "foil"\ndimension = 1\nelectrode_thickness = "50 um"\n[electrode]\nmaterial = "Li-5Mg"\n'
        '[load]\ncurrent_density = "0.31 mA/cm^2"\nstack_pressure = "5 MPa"\n[stop]\ncapacity = "1 mAh/cm^2"\n'
    )
    return fields.create(manufactured.box("uniaxial", 2), case.load(path), li_mg(percent)).k


def number(m: Any) -> Array:
    """A constant UFL matrix as numbers."""
    return np.array([[float(m[i, j]) for j in range(3)] for i in range(3)])


@pytest.mark.parametrize("x", COMPOSITIONS)
def test_thermodynamic_factor_is_the_derivative_of_activity(x: float) -> None:
    # Exact: Theta = 1 + d ln gamma/d ln x, by a complex step of 1e-30 (no cancellation).
    h = 1e-30
    slope = laws.log_activity_coefficient(x + 1j * h, LI_MG).imag / h
    assert laws.thermodynamic_factor(x, LI_MG) == pytest.approx(1 + x * slope, rel=1e-13)


def test_thermodynamic_factor_of_li_mg() -> None:
    # Exact: 1 - x y (2.58 - 19.41 y), between 0.92 and 3.31 and never negative: no spinodal.
    x = np.linspace(0.31, 1, 2000)
    theta = laws.thermodynamic_factor(x, LI_MG)
    assert theta == pytest.approx(1 - x * (1 - x) * (2.58 - 19.41 * (1 - x)), rel=1e-12)
    assert theta.min() == pytest.approx(0.92, abs=0.005)
    assert theta.max() == pytest.approx(3.31, abs=0.005)


@pytest.mark.parametrize("x", [0.99, 0.8, 0.5, 0.31, 0.3, 0.2, 0.15, 0.1, 0.01])
def test_open_circuit_potential_is_that_of_the_library(x: float) -> None:
    # Exact: the formula of the library, in Python's own logarithms, in all three stages.
    k = SimpleNamespace(**{**vars(LI_MG), "thermal_voltage": units.R * 303.15 / units.F})
    stages = library.LI_MG_STAGES
    exact = stages.open_circuit_potential(library.ACTIVITIES["subregular"], x, 303.15)
    assert float(laws.open_circuit_potential(ufl.as_ufl(x), k)) == pytest.approx(exact, rel=1e-12)
    assert (stages.limit.number, stages.poor.number) == (laws.BCC_LIMIT, laws.HCP_LIMIT)
    assert stages.slope.number == laws.HCP_SLOPE


def test_potential_and_flux_have_one_activity() -> None:
    # Exact: -F x dE/dx = R T Theta in the solid solution, by central differences.
    h, volt = 1e-6, LI_MG.thermal_voltage
    for x in np.linspace(0.32, 0.98, 12):
        up, down = (float(laws.open_circuit_potential(ufl.as_ufl(x + d), LI_MG)) for d in (h, -h))
        assert -x * (up - down) / (2 * h) == pytest.approx(volt * laws.thermodynamic_factor(x, LI_MG), rel=1e-7)


def test_volume_fraction_with_unequal_volumes() -> None:
    # Exact: phi = x Omega_Li/(x Omega_Li + (1 - x) Omega_host): 13/25 at x = 1/2 for 13 and 12 cm3/mol; x for equal
    # ones.
    assert laws.li_volume_fraction(0.5, LI_MG) == pytest.approx(13 / 25, rel=1e-15)
    assert laws.li_volume_fraction(0.9, LI_MG) == pytest.approx(0.9 * 13 / (0.9 * 13 + 0.1 * 12), rel=1e-15)
    assert laws.li_volume_fraction(1.0, LI_MG) == 1.0
    assert laws.li_volume_fraction(0.0, LI_MG) == 0.0
    assert laws.li_volume_fraction(0.37, SimpleNamespace(volume_ratio=1.0)) == pytest.approx(0.37, rel=1e-15)


def test_diffusivity_of_the_alloys(tmp_path: Path) -> None:
    # Exact: 1.320e-14 exp(-0.1325 at%) m2/s at 303 K, law of the local composition (the fit is good to 1 %).
    k = {name: float(c.value) for name, c in constants(tmp_path)._asdict().items()}
    for percent in (0, 5, 20):
        working = float(laws.diffusivity(1 - percent / 100, SimpleNamespace(**k)))
        si = working * units.LENGTH**2 / units.TIME
        assert si == pytest.approx(1.320e-14 * np.exp(-0.1325 * percent), rel=0.015)


@pytest.fixture(scope="module")
def random_state() -> tuple[fem.Function, fem.Function, Array]:
    """Random x in (0.35, 0.99) and p in (-50, 50) MPa on a square, and points inside the cells."""
    mesh = dmesh.create_unit_square(MPI.COMM_WORLD, 6, 6)
    Q = fem.functionspace(mesh, ("Lagrange", 1))
    x, p = fem.Function(Q), fem.Function(Q)
    rng = np.random.default_rng(4)
    x.x.array[:] = rng.uniform(0.35, 0.99, len(x.x.array))
    p.x.array[:] = rng.uniform(-50, 50, len(p.x.array))
    return x, p, np.array([[0.2, 0.3], [0.6, 0.1], [1 / 3, 1 / 3]])


def values(expression: Any, mesh: dmesh.Mesh, points: Array, size: int) -> Array:
    cells = np.arange(mesh.topology.index_map(mesh.topology.dim).size_local, dtype=np.int32)
    return fem.Expression(expression, points).eval(mesh, cells).reshape(-1, size)


def test_flux_is_down_the_chemical_potential(random_state: Any) -> None:
    # Exact: Omega J = -(D phi/(R T/Omega)) grad(mu/Omega), c Omega = phi; by UFL's own gradient of the potential.
    x, p, points = random_state
    mesh = x.function_space.mesh
    flux = values(laws.li_flux(x, p, LI_MG), mesh, points, 2)
    mu = laws.chemical_potential(x, p, LI_MG)
    mobility = laws.diffusivity(x, LI_MG) * laws.li_volume_fraction(x, LI_MG) / LI_MG.thermal_pressure
    exact = values(-mobility * ufl.grad(mu), mesh, points, 2)
    assert np.max(np.abs(flux - exact)) < 1e-12 * np.max(np.abs(exact))


def test_dissipation_of_diffusion_is_positive(random_state: Any) -> None:
    # Exact: the second law, J.grad mu <= 0 whatever the gradients of composition and pressure.
    x, p, points = random_state
    work = ufl.dot(laws.li_flux(x, p, LI_MG), ufl.grad(laws.chemical_potential(x, p, LI_MG)))
    assert np.all(values(work, x.function_space.mesh, points, 1) < 0)


def test_uniform_pressure_drives_nothing(random_state: Any) -> None:
    # Exact: mu shifts by Omega dp and the flux stays (V9).
    x, p, points = random_state
    mesh = x.function_space.mesh
    shift = [values(laws.chemical_potential(x, p + dp, LI_MG), mesh, points, 1) for dp in (0.0, 7.0)]
    assert shift[1] - shift[0] == pytest.approx(7.0, rel=1e-12)
    flux = [values(laws.li_flux(x, p + dp, LI_MG), mesh, points, 2) for dp in (0.0, 7.0)]
    assert np.max(np.abs(flux[1] - flux[0])) <= 1e-14 * np.max(np.abs(flux[0]))


def test_potential_of_pure_lithium() -> None:
    # Exact: mu of pure Li at the stack pressure is the reference, zero.
    assert laws.chemical_potential(1.0, 5.0, LI_MG) == pytest.approx(0.0, abs=1e-13)


@pytest.mark.parametrize("kinematics", GRADIENTS)
def test_deviator_and_its_components(kinematics: str) -> None:
    # Exact: symmetric, trace-free, and the inverse of taking components.
    size = {"uniaxial": 1, "plane": 3, "axisymmetric": 3, "full": 5}[kinematics]
    t = np.random.default_rng(5).normal(size=size)
    tensor = laws.deviator([float(a) for a in t], kinematics)
    T = number(tensor)
    assert np.trace(T) == pytest.approx(0.0, abs=1e-15)
    assert np.all(T == T.T)
    back = laws.deviator_components(tensor, kinematics)
    assert [float(back[i]) for i in range(size)] == pytest.approx(list(t), rel=1e-15)


@pytest.mark.parametrize("kinematics", GRADIENTS)
def test_strain_rate_of_a_linear_flow(kinematics: str) -> None:
    # Exact: v = G X has the deviator sym G - tr G/3, in three dimensions: plane strain has d_zz = -tr G/3, uniaxial
    # flow (G/3)(-1, -1, 2), and around an axis the hoop rate is v_r/r.
    domain = manufactured.box(kinematics, 2)
    dim = GRADIENTS[kinematics]
    G = np.array([[0.7, 0.3, -0.2], [-0.5, 0.4, 0.6], [0.1, -0.8, 1.1]])[:dim, :dim]
    if kinematics == "axisymmetric":
        G[0, 1] = 0.0  # v_r proportional to r
    X = ufl.SpatialCoordinate(domain.mesh)
    v = fem.Function(fem.functionspace(domain.mesh, ("Lagrange", 2, (dim,))))
    v.interpolate(fem.Expression(ufl.dot(ufl.as_matrix(G.tolist()), X), v.function_space.element.interpolation_points))
    full = np.zeros((3, 3))
    full[:dim, :dim] = G
    if kinematics == "uniaxial":
        full = np.diag([0.0, 0.0, G[0, 0]])
    if kinematics == "axisymmetric":
        full[2, 2] = G[0, 0]
    exact = (full + full.T) / 2 - np.trace(full) / 3 * np.eye(3)
    r = X[0] if kinematics == "axisymmetric" else None
    d = laws.strain_rate(laws.velocity_gradient(v, kinematics, r))
    got = values(d, domain.mesh, np.full((1, dim), 1 / (dim + 1)), 9)
    assert np.max(np.abs(got - exact.ravel())) < 1e-13


def test_working_units(tmp_path: Path) -> None:
    # Exact: Omega i/F = 13e-6 x 3.1/96485.33 m/s = 1.50365 um/h; R T/Omega = 8.314463 x 303.15/13e-6 Pa = 193.887
    # MPa; ln of 1 m2/s = 3.6e15 um2/h. 0.31 mA/cm2 at 30 degC.
    k = constants(tmp_path)
    assert float(k.contact_flux.value) == pytest.approx(13e-6 * 3.1 / 96485.33212 * 1e6 * 3600, rel=1e-9)
    assert float(k.contact_flux.value) == pytest.approx(1.50365, rel=1e-5)
    assert float(k.thermal_pressure.value) == pytest.approx(193.887, rel=1e-5)
    assert float(k.pressure_coupling.value) == pytest.approx(1 / 193.887, rel=1e-5)
    assert float(k.stack_pressure.value) == pytest.approx(5.0, rel=1e-14)
    si = li_mg(5.0).log_diffusivity[0]
    assert float(k.log_diffusivity_0.value) == pytest.approx(si + np.log(3.6e15), rel=1e-14)


def test_working_creep() -> None:
    # Exact: alpha sigma^n in 1/s at 2e6 Pa times 3600 is A sigma^n in 1/h at 2 MPa.
    li = li_mg(0.0)
    A, n = solver.working_creep(li)
    assert A * 2.0**n == pytest.approx(li.creep_prefactor * 2e6**n * 3600, rel=1e-12)


@pytest.mark.parametrize(
    ("percent", "millivolt"), [(0, 0.0), (1, 0.26), (5, 1.28), (10, 2.58), (20, 5.8), (50, 31), (69, 70)]
)
def test_open_circuit_potential(percent: float, millivolt: float) -> None:
    # Exact: -(RT/F)[ln x + y^2 (1.29 - 6.47 y)] at 303 K, to the digits of the table that it was fitted to.
    k = SimpleNamespace(**{**vars(LI_MG), "thermal_voltage": units.R * 303.15 / units.F})
    x = 1 - percent / 100
    found = 1e3 * float(laws.open_circuit_potential(ufl.as_ufl(x), k))
    assert found == pytest.approx(millivolt, rel=0.02, abs=0.006)
    assert found == pytest.approx(
        1e3 * library.ACTIVITIES["subregular"].open_circuit_potential(x, 303.15), rel=1e-12, abs=1e-15
    )
    volts = float(laws.stress_potential(ufl.as_ufl(3.0), k))
    assert volts == pytest.approx(13e-6 * 2e6 / units.F, rel=1e-3)  # 2 MPa of tension


def test_butler_volmer_never_overflows() -> None:
    # Exact: 2 i0 sinh(F eta/2RT) up to 2 V, its tangent beyond: finite and increasing at 1 kV; odd.
    k = SimpleNamespace(thermal_voltage=0.026, interface_resistance=2e-3)
    law = [float(laws.contact_butler_volmer(ufl.as_ufl(eta), k)) for eta in (0.3, -0.3, 1e3, 2e3)]
    assert law[0] == pytest.approx(2 * 0.026 / 2e-3 * np.sinh(0.3 / 0.052), rel=1e-12)
    assert law[1] == -law[0]
    assert np.isfinite(law[2]) and law[3] > law[2] > 0
    assert float(laws.contact_asr(ufl.as_ufl(0.3), k)) == pytest.approx(150)
