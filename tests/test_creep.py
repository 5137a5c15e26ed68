"""The power law at quadrature points, against its own definition."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from femli.creep import METRIC, PowerLaw

Array = NDArray[np.float64]
KINEMATICS = ["uniaxial", "plane", "axisymmetric", "full"]
EXPONENTS = [1.0, 3.0, 6.26]
A, S_REG = 0.02, 0.01


def law(n: float = 6.26, kinematics: str = "full", s_reg: float = S_REG) -> PowerLaw:
    return PowerLaw(A, n, s_reg, kinematics)


def stresses(p: PowerLaw, seed: int = 1, count: int = 200, decades: tuple[float, float] = (-3, 1.5)) -> Array:
    """Random directions, sizes spread over decades of MPa on both sides of the regularisation."""
    rng = np.random.default_rng(seed)
    t = rng.normal(size=(count, len(p.metric)))
    return t / p.equivalent(t)[:, None] * 10 ** rng.uniform(*decades, size=(count, 1))


def rate(p: PowerLaw, t: Array) -> Array:
    """D(T) = (3/2) A (sigma_eq^2 + s_reg^2)^((n-1)/2) T, written out."""
    sigma = np.sqrt(1.5 * np.einsum("pi,ij,pj->p", t, p.metric, t))
    return (1.5 * p.A * (sigma**2 + p.s_reg**2) ** ((p.n - 1) / 2))[:, None] * t


def rate_derivative(p: PowerLaw, t: Array, e: Array) -> Array:
    """dD(T)/dT e by central differences with a step relative to T."""
    h = 1e-5 * (p.equivalent(t) / p.equivalent(e))[:, None]
    return (rate(p, t + h * e) - rate(p, t - h * e)) / (2 * h)


def matrices(components: Array, kinematics: str) -> Array:
    """Deviators as 3 x 3 matrices, from the components (33), (11, 22, 12) or (11, 22, 12, 13, 23)."""
    T = np.zeros((len(components), 3, 3))
    if kinematics == "uniaxial":
        for i, factor in enumerate((-0.5, -0.5, 1.0)):
            T[:, i, i] = factor * components[:, 0]
        return T
    for c, (i, j) in enumerate([(0, 0), (1, 1), (0, 1), (0, 2), (1, 2)][: components.shape[1]]):
        T[:, i, j] = T[:, j, i] = components[:, c]
    T[:, 2, 2] = -T[:, 0, 0] - T[:, 1, 1]
    return T


@pytest.mark.parametrize("kinematics", KINEMATICS)
def test_inner_product_is_the_double_contraction(kinematics: str) -> None:
    # Exact: a:b = sum over all nine components of the 3 x 3 tensors.
    p = law(kinematics=kinematics)
    a, b = stresses(p, 1), stresses(p, 2)
    exact = np.einsum("pij,pij->p", matrices(a, kinematics), matrices(b, kinematics))
    scale = p.equivalent(a) * p.equivalent(b)
    assert np.max(np.abs(p.inner(a, b) - exact) / scale) < 1e-14


@pytest.mark.parametrize("n", EXPONENTS)
def test_uniaxial_tension(n: float) -> None:
    # Exact: a bar under the stress sigma lengthens at the rate A sigma^n (so the factor is 3/2 on a deviator), and
    # thins at half of that. Source: definition of the creep law by uniaxial tests.
    sigma = np.array([0.3, 1.0, 4.0])
    p = law(n, "full", s_reg=0.0)
    t = np.zeros((3, 5))
    t[:, 0], t[:, 1] = 2 * sigma / 3, -sigma / 3
    d = p.fluidity(p.equivalent(t))[:, None] * t
    assert p.equivalent(t) == pytest.approx(sigma, rel=1e-14)
    assert d[:, 0] == pytest.approx(A * sigma**n, rel=1e-13)
    assert d[:, 1] == pytest.approx(-A * sigma**n / 2, rel=1e-13)
    one = law(n, "uniaxial", s_reg=0.0)
    axial = (2 * sigma / 3)[:, None]
    assert (one.fluidity(one.equivalent(axial))[:, None] * axial)[:, 0] == pytest.approx(A * sigma**n, rel=1e-13)


@pytest.mark.parametrize("n", EXPONENTS)
@pytest.mark.parametrize("kinematics", KINEMATICS)
def test_tangent_inverts_the_derivative(kinematics: str, n: float) -> None:
    # Exact: C(T) dD/dT = identity, dD/dT by central differences of the law (error of the order of 1e-9).
    p = law(n, kinematics)
    t, e = stresses(p, 3), stresses(p, 4)
    back = p.apply_tangent(t, *p.tangent(t), rate_derivative(p, t, e))
    assert np.max(p.equivalent(back - e) / p.equivalent(e)) < 1e-7


@pytest.mark.parametrize("n", EXPONENTS)
@pytest.mark.parametrize("r", [0.0, 1e-6, 1.0, 1e6, 1e12])
def test_resolvent(n: float, r: float) -> None:
    # Exact: T + r D(T) = Y, residual against |Y|.
    p = law(n)
    y = stresses(p, 5)
    t = p.resolvent(y, np.full(len(y), r))
    assert np.max(p.equivalent(t + r * rate(p, t) - y) / p.equivalent(y)) < 1e-12


def test_resolvent_at_rest() -> None:
    # Exact: T + r D(T) = 0 has the only solution T = 0.
    p = law()
    assert np.all(p.resolvent(np.zeros((2, 5)), np.array([0.0, 1.0])) == 0)


@pytest.mark.parametrize("n", EXPONENTS)
@pytest.mark.parametrize("kinematics", KINEMATICS)
def test_stress_inverts_the_law(kinematics: str, n: float) -> None:
    # Exact: stress(D(T)) = T; the accuracy promised is relative to |T| + s_reg.
    p = law(n, kinematics)
    t = stresses(p, 6)
    gap = p.equivalent(p.stress(rate(p, t)) - t)
    assert np.max(gap / (p.equivalent(t) + p.s_reg)) < 1e-12


def test_no_flow_no_stress() -> None:
    # Exact: D(0) = 0, so the stress of metal at rest is 0.
    assert np.all(law().stress(np.zeros((3, 5))) == 0)


@pytest.mark.parametrize("n", EXPONENTS)
@pytest.mark.parametrize("kinematics", KINEMATICS)
def test_projection_leaves_the_law_alone(kinematics: str, n: float) -> None:
    # Exact: a pair (T, D(T)) on the law is its own projection, and the linearised stress is T.
    p = law(n, kinematics)
    t = stresses(p, 7)
    projected, linear = p.project(t, *p.tangent(t), rate(p, t))
    assert np.max(p.equivalent(linear - t) / p.equivalent(t)) < 1e-12
    assert np.max(p.equivalent(projected - t) / p.equivalent(t)) < 1e-12


def test_projection_distrusts_an_opposing_rate() -> None:
    # Exact: where the linearised stress opposes the rate, the rate has no weight and that stress is kept.
    p = law(3.0)
    t = stresses(p, 8, decades=(-1, 1))
    viscosity, zero = np.full(len(t), 1e-3), np.zeros(len(t))
    d = 0.1 * t / viscosity[:, None]
    # A tangent C = -3/2 viscosity along T (never that of a law) makes T - C (1.1 T/viscosity) = 2.65 T.
    reflected = 2.5 / p.inner(t, t)
    projected, linear = p.project(t, viscosity, reflected, -d)
    opposing = p.inner(linear, -d) < 0
    assert opposing.all()
    assert np.max(p.equivalent(projected - linear) / p.equivalent(linear)) < 1e-13
    assert np.all(np.isfinite(p.project(t, viscosity, zero, 0 * d)[0]))


@pytest.mark.parametrize("n", EXPONENTS)
@pytest.mark.parametrize("kinematics", KINEMATICS)
def test_dissipation_is_positive(kinematics: str, n: float) -> None:
    # Exact: T:D(T) = A (sigma_eq^2 + s_reg^2)^((n-1)/2) sigma_eq^2 > 0 for every T but 0.
    p = law(n, kinematics)
    t = stresses(p, 9)
    sigma = p.equivalent(t)
    points = [t[i : i + 1] for i in range(len(t))]
    dissipation = np.array([p.graph_distance(one, one, rate(p, one), np.ones(1))[1] for one in points])
    assert np.all(dissipation > 0)
    assert dissipation == pytest.approx(A * (sigma**2 + S_REG**2) ** ((n - 1) / 2) * sigma**2, rel=1e-12)


@pytest.mark.parametrize("n", EXPONENTS)
def test_law_is_monotone(n: float) -> None:
    # Exact: (T1 - T2):(D(T1) - D(T2)) >= 0, the law being the gradient of a convex potential.
    p = law(n)
    a, b = stresses(p, 10), stresses(p, 11)
    assert np.all(p.inner(a - b, rate(p, a) - rate(p, b)) > 0)


@pytest.mark.parametrize("kinematics", KINEMATICS)
def test_graph_distance(kinematics: str) -> None:
    # Exact: zero on the law; off it by a stress e, e:dD/dT e, and off it by a rate dD/dT e, the same again (by
    # central differences of the law).
    p = law(6.26, kinematics)
    t, w = stresses(p, 12, decades=(-1, 1)), np.linspace(0.5, 2, 200)
    d = rate(p, t)
    gap, dissipation = p.graph_distance(t, t, d, w)
    assert abs(gap) < 1e-24 * dissipation
    e = 1e-3 * stresses(p, 13, decades=(-1, 1))
    slope = rate_derivative(p, t, e)
    exact = float(w @ p.inner(e, slope))
    assert p.graph_distance(t, t + e, d, w)[0] == pytest.approx(exact, rel=1e-6)
    assert p.graph_distance(t, t, d + slope, w)[0] == pytest.approx(exact, rel=1e-6)


def test_metrics_are_of_the_kinematics() -> None:
    # Exact: a deviator has 1, 3, 3 and 5 independent components; the metric is symmetric and positive definite.
    sizes: dict[str, Any] = {"uniaxial": 1, "plane": 3, "axisymmetric": 3, "full": 5}
    for kinematics, size in sizes.items():
        M = METRIC[kinematics]
        assert M.shape == (size, size)
        assert np.all(np.linalg.eigvalsh(M) > 0)
