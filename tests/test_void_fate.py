"""The studies of lone voids and of patches that have lost contact, at a small size, against exact limits."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import shells
import verification_runs as runs

STUDIES = Path(__file__).parent.parent / "studies"


def study(name: str) -> ModuleType:
    """A study as a module; what it imports lies beside it."""
    sys.path.insert(0, str(STUDIES))
    try:
        return runs.script(f"studies/{name}.py")
    finally:
        sys.path.remove(str(STUDIES))


fate = study("void_fate")
flow = study("roy2021_flow")
cell = sys.modules["void_cell"]


@pytest.fixture(scope="module")
def exchanging() -> object:
    return fate.LONE[0].cell()


def test_a_void_much_smaller_than_the_layer_sees_uniform_tension(exchanging: object) -> None:
    # Exact for R << l: the metal around the hemisphere is under the pressure P - S0 and hardly creeps; p is harmonic,
    # the wall gives 2 pi R K (S0 - P), K = D Omega/(R T); over pi R^2 and the foil's speed (n - 1)(l/R)(1 - P/S0).
    # The critical load is S0. At R/l = 0.03 creep and the finite layer are left, of the order of R/l.
    current = fate.current_for(exchanging, 0.03)
    stress, layer = exchanging.scales(current)
    assert 1 / layer == pytest.approx(0.03, rel=1e-10)
    n = exchanging.electrode.creep_exponent
    for load in (0.1, 0.5):
        exchanging.stress = None
        growth = exchanging.wall(current, load * stress).growth
        assert growth == pytest.approx((n - 1) / 0.03 * (1 - load), rel=0.03)
    assert fate.critical_load(exchanging, 0.03)[0] == pytest.approx(1.0, abs=0.03)


def test_creep_closes_a_lone_hemisphere() -> None:
    # Independent: closure of half a sphere in a large shell of power-law metal (`shells.closure`), here without
    # current, a blocked wall and nothing that diffuses; there the section's rate over the opening is 2 dR/dt. The cell
    # is a box, not a shell; of its size only 1 - (R/b)^(3/n) is left, between b = 300 R and b = 300 R sqrt(2).
    made = fate.LONE[1].cell()
    made.newton.fields.k.pressure_coupling.value = 0.0
    wall = made.wall(1e-9, 5.0)
    recession = made.newton.applied_flux
    law = made.newton.law
    exact = [2 * shells.closure(True, law.n, law.A, 5.0, 0.0, 1.0, b) for b in (300.0, 300 * np.sqrt(2))]
    assert 0.98 * abs(exact[1]) < abs(wall.growth * recession) < 1.02 * abs(exact[0])
    assert wall.growth < 0


def test_surface_tension_is_a_load(exchanging: object) -> None:
    # Exact: on a wall of uniform curvature gamma kappa is a pressure, in the traction and in the exchange, and only
    # differences of pressure matter: p_stack with tension gives the growth of p_stack + 2 gamma/R without. Curvature of
    # facets: of second order in the cells.
    tension = 0.1
    tense = cell.VoidCell(fate.Shape(1.0, 1.0, 300.0, 300.0, axisymmetric=True), "exchange", tension=tension)
    with_it = tense.wall(0.01, 0.2).growth
    exchanging.stress = None
    assert with_it == pytest.approx(exchanging.wall(0.01, 0.2 + 2 * tension).growth, rel=0.02)
    assert abs(with_it - exchanging.wall(0.01, 0.2).growth) > 0.5


def test_an_alloy_starts_as_lithium_of_its_scales() -> None:
    # Exact: while the composition is uniform the equations of Li-5Mg are those of Li with its own S0 and l (D x0).
    growths = []
    for material in ("Li", "Li-5Mg"):
        made = cell.VoidCell(fate.Shape(1.0, 1.0, 300.0, 300.0), "blocked", material, cells=cell.COARSE)
        current = fate.current_for(made, 0.3)
        growths.append(made.wall(current, 0.3 * made.scales(current)[0]).growth)
    assert growths[0] == pytest.approx(growths[1], rel=5e-3)
    assert growths[0] < 0


def test_fates_by_hand() -> None:
    # Exact: a roof that comes down everywhere at once leads by 1; a shoulder at half the speed comes down last, a
    # split; a growing section grows whatever its roof does; a rising shoulder (negative) leaves the middle to land.
    place = np.column_stack([np.linspace(2.0, 0.0, 41), np.full(41, 0.4)])
    even = fate.Wall(place, np.ones(41), np.ones(41), -1.0)
    assert fate.lead(even, 2.0) == pytest.approx(1.0)
    slow = even._replace(fall=np.where(place[:, 0] > 1.0, 0.5, 1.0))
    assert fate.lead(slow, 2.0) == pytest.approx(2.0)
    ends = [fate.fate(*pair) for pair in ((-1, 0.5), (-1, 1.01), (-1, 2.0), (-1, -3.0), (1, 0.9))]
    assert ends == ["collapse from its edges", "collapse at once", "split", "split", "grow"]


def test_the_study_at_a_small_size(tmp_path: Path) -> None:
    # Exact: the table read back at its own points; no critical pressure beyond the largest R/l that grows; S0 less
    # 2 gamma/R stands beside it. Order: exchange grows where blocked walls do, and further.
    table = fate.master((0.2, 7.0), cell.COARSE, fate.LONE[:2])
    read = {lone: fate.reader(table, lone) for lone in fate.LONE[:2]}
    first = table[table["R/l [-]"] == 0.2].set_index(["void", "walls"])["P_c/S0 [-]"]
    for lone in fate.LONE[:2]:
        assert read[lone](0.2) == pytest.approx(first[tuple(lone)], rel=1e-9)
        assert np.isnan(read[lone](50.0))
    assert read[fate.LONE[0]](0.2) > read[fate.LONE[1]](0.2) > 0
    critical = fate.pressures(table, np.array([0.01, 0.31]))
    tension = critical["S0 [MPa]"] - critical["S0 - m gamma/R [MPa]"]
    assert (tension * critical["R [um]"]).to_numpy() == pytest.approx(0.832)
    slits = fate.fates((2.0,), (20.0,))
    assert len(slits) == 4
    assert set(slits["fate"]) <= set(sys.modules["void_fate_figure"].FATES)
    fate.draw(table, critical, slits, tmp_path / "fate.png")
    assert (tmp_path / "fate.png").stat().st_size > 50_000


@pytest.mark.parametrize("plane", [False, True], ids=["disk", "strip"])
def test_current_around_a_patch(plane: bool) -> None:
    # Independent: k_J = 1.379 of two other codes for the disk at a/(kappa Z) = 1. Exact: what the patch turns away
    # flows through the contact, int (flux over the mean - 1) = the patch; trapezoids of a fine mesh.
    found = flow.edge(1.0, plane=plane)
    if not plane:
        assert found.factor == pytest.approx(1.379, rel=3e-3)
    weight = np.ones_like(found.place) if plane else 2 * found.place
    size = flow.FAR if plane else flow.FAR**2
    total = np.trapezoid(found.flux * weight, found.place)
    far = found.flux[-1] / total * size  # over the mean
    assert far == pytest.approx(1.0, abs=0.05 if plane else 0.01)


@pytest.mark.parametrize("plane", [False, True], ids=["disk", "strip"])
def test_metal_held_at_the_top_keeps_its_volume(plane: bool) -> None:
    # Exact: what enters at the top leaves through contact and face: mean face velocity = far^d - int flux (d = 1 strip,
    # 2 disk), the flux interpolated quadratically on the metal's mesh.
    found = flow.edge(3.0, plane=plane)
    face = flow.Metal(flow.OPEN._replace(top="held", plane=plane, fine=0.005)).face(found, (1.0, 5.0))
    weight = np.ones_like(found.place) if plane else 2 * found.place
    kept = (flow.FAR if plane else flow.FAR**2) - np.trapezoid(found.flux * weight, found.place)
    for m in (1.0, 5.0):
        assert face[m].mean == pytest.approx(kept, abs=5e-3)
        assert face[m].least < face[m].mean < face[m].most
    free = flow.Metal(flow.OPEN._replace(plane=plane)).face(found, (5.0,))[5.0]
    assert free.mean > 0.5 > face[5.0].mean
