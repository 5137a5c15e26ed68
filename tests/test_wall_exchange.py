"""Void walls that give and take Li, in pure lithium that hardly creeps."""

from pathlib import Path

import numpy as np
import pytest
import shells
import verification_runs as runs
from scipy.integrate import solve_ivp
from test_surface_tension import CAP, void_area, wall

import femli
from femli.errors import CaseError

TENSION = 2.0  # MPa um
HARD = 1e-7  # creep prefactor, MPa^-1/h
EXCHANGE = f"""
[electrode.material]
base = "Li"
creep_exponent = 1.0
creep_prefactor = "{HARD} / MPa^1.0 / hour"
[wall]
lithium = "exchange"
surface_tension = "{TENSION} J/m^2"
"""


def conductance(made: shells.Stepper) -> float:
    """D Omega/(R T), the Li flux over the gradient of the pressure [um2/(h MPa)]."""
    k = made.fields.k
    return float(np.exp(k.log_diffusivity_0.value) * k.pressure_coupling.value)


def exact(time: float, inner: float, outer: float, K: float, axisymmetric: bool) -> np.ndarray:
    """Both radii of the shell after a time [um]."""
    m = 2 if axisymmetric else 1

    def rate(_: float, radii: np.ndarray) -> list[float]:
        R, b = radii
        low, high = -m * TENSION / R, m * TENSION / b
        if not axisymmetric:
            inward = K * (high - low) / np.log(b / R)
            return [-inward / R, -inward / b]
        rows = [[1, 1 / r, -(r**2) / 2] for r in (R, b)]
        rows.append([b**3 - R**3, 1.5 * (b**2 - R**2), -0.3 * (b**5 - R**5)])
        _, B, _ = np.linalg.solve(rows, [low, high, b**3 * high - R**3 * low])
        return [K * B / R**2, K * B / b**2]

    return solve_ivp(rate, (0.0, time), [inner, outer], rtol=1e-10, atol=1e-12).y[:, -1]


@pytest.mark.parametrize("axisymmetric", [False, True], ids=["cylinder", "sphere"])
def test_a_shell_of_hard_lithium_moves_inward(tmp_path: Path, axisymmetric: bool) -> None:
    # Exact: a shell whose surfaces, radii R and b, both exchange Li with gas of one pressure; quasi-steady. There p is
    # p_gas - m gamma/R (a convex void) and p_gas + m gamma/b (convex metal), m = 1 cylinder, 2 sphere; j = -K grad p,
    # K = D Omega/(R T). Cylinder: metal that does not creep cannot move in plane strain, div j = 0, p = A + B ln r, and
    # the walls move with j_r = -K B/r. Sphere: without creep it can still shrink alike in all directions, v = -c r, at
    # the expense of div j = 3 c: p = A + B/r - c r^2/(2 K), and the walls move with v + j_r = K B/r^2. Such a motion
    # costs no deviatoric work, so the work of p equals that of the surfaces: int 3 p dV = 4 pi (b^3 p_b - R^3 p_R).
    # Order 2 in the cells.
    text = (
        """[geometry]
electrode_thickness = "4 um"
[load]
current_density = "0 mA/cm^2"
stack_pressure = "1 MPa"
void_pressure = "1 MPa"
[stop]
time = "1 h"
"""
        + EXCHANGE
    )
    errors = []
    time = 0.05 if axisymmetric else 0.1
    for cells in (6, 12):
        keys = {"stop.time": f"{time} h", "solver.largest_step": f"{time / (5 * cells)} h"}
        made = shells.built(
            femli.load(runs.written(tmp_path, text), keys), shells.quarter(2.0, 4.0, cells, axisymmetric, "void")
        )
        while made.levels[0].time < time * (1 - 1e-10):
            made.advance()
        radii = exact(time, 2.0, 4.0, conductance(made), axisymmetric)
        found = np.array([shells.radius(made), shells.radius(made, outer=True)])
        errors.append(np.abs(found / radii - 1))
    assert errors[1].max() < 5e-3
    assert np.log2(errors[0] / errors[1]).min() > 1.6, errors


STRIPPED = (
    CAP.format(seeded=90, angle=90, size=0.4, gas=0, x=6, end=100)
    .replace('"0 mA/cm^2"', '"0.31 mA/cm^2"')
    .replace("stress_coupling = false\n", "")
    .replace('creep_prefactor = "0.1', f'creep_prefactor = "{HARD}')
)


def test_walls_feed_the_current_of_metal_that_cannot_creep(tmp_path: Path) -> None:
    # Exact: without creep no lattice vanishes, so that all Li that is stripped leaves the walls: the area of the void
    # grows by the current times the width, Omega i/F 12 um, and Li is kept; order of round-off and solver tolerance.
    keys = {"wall.lithium": "exchange", "wall.surface_tension": "0 J/m^2"}
    made = runs.stepper(femli.load(runs.written(tmp_path, STRIPPED), keys))
    li, _ = made.newton.contents.totals()
    first = void_area(wall(made))
    for _ in range(25):
        made.advance()
    grown = void_area(wall(made)) - first
    removed = made.newton.applied_flux * 12.0 * made.levels[0].time
    assert removed > 0.01 * first
    assert grown == pytest.approx(removed, rel=1e-3)
    assert li - made.newton.contents.totals()[0] == pytest.approx(removed, abs=1e-8 * li)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("electrode.material", "Li-5Mg", "wall.lithium: exchange: an alloy's host"),
        ("electrode.stress_coupling", False, "wall.lithium: exchange: pressure alone drives"),
    ],
)
def test_exchange_is_for_pure_lithium(tmp_path: Path, key: str, value: object, told: str) -> None:
    # Exact: a CaseError that names the key.
    text = 'load.current_density = "1 mA/cm^2"\ngeometry.electrode_thickness = "9 um"\nwall.lithium = "exchange"\n'
    assert femli.load(runs.written(tmp_path, text)).wall.lithium == "exchange"
    with pytest.raises(CaseError, match=told):
        femli.load(runs.written(tmp_path, text), {key: value})
