"""Contact that opens: what is drawn from a seed, the outline, and exact solutions for what has let go."""

from pathlib import Path

import numpy as np
import opening_cases as cases
import pandas as pd
import pytest
import verification_runs as runs
from opening_cases import EXCESS, HALF, MIDDLE, STRIP, VISCOSITY, WIDTH, bottom, opened
from scipy import stats

import femli
from femli import evolution_opening, mesh_electrolyte, mesh_geometry, mesh_parts, remesh_events, remesh_opening
from femli.case import Case
from femli.errors import CaseError
from femli.evolution import gathered
from femli.evolution_opening import OpeningEvolution
from femli.opening import Strength, flaws
from femli.outputs_criteria import Criteria
from femli.remesh_drift import Drift
from femli.remesh_opening import Letting, Loads
from femli.remesh_outline import Outline, chains


class Patch:
    """A strength for tests: none within half a width of a place, a given one [MPa] elsewhere."""

    def __init__(self, half: float, elsewhere: float) -> None:
        self.half, self.elsewhere = half, elsewhere

    def at(self, x: np.ndarray) -> np.ndarray:
        return np.where(np.abs(x - MIDDLE) < self.half, -1e3, self.elsewhere)


def weibull(folder: Path, seed: int) -> Case:
    keys = {"opening.weibull_modulus": 4.0, "opening.correlation_length": "2 um", "opening.seed": seed}
    return femli.load(runs.written(folder, STRIP), keys)


def test_strengths_are_weibull_and_correlated(tmp_path: Path) -> None:
    # Exact: at each place the strengths of many seeds are Weibull of the case's scale and modulus (Kolmogorov-Smirnov,
    # 400 seeds); at a distance d they have the rank correlation of normal numbers of correlation r = exp(-d^2/2 l^2),
    # 6/pi asin(r/2). The strength is a function of the place: asked alone or with others it is the same.
    case = weibull(tmp_path, 0)
    fields = [
        Strength(case.model_copy(update={"opening": case.opening.model_copy(update={"seed": k})})) for k in range(400)
    ]
    x = np.array([0.0, 3.7, 5.7, 16.0])
    found = np.array([field.at(x) for field in fields])
    for column in found.T:
        assert stats.kstest(column, stats.weibull_min(4.0, scale=1.0).cdf).pvalue > 0.01
    expected = 6 / np.pi * np.arcsin(np.exp(-0.5) / 2)  # d = l
    assert stats.spearmanr(found[:, 1], found[:, 2]).statistic == pytest.approx(expected, abs=0.08)
    assert abs(stats.spearmanr(found[:, 0], found[:, 3]).statistic) < 0.15
    np.testing.assert_allclose(Strength(case).at(x[1:2]), found[0, 1:2], rtol=1e-14)
    assert np.ptp(found[:, 1]) > 0.5


def test_flaws_are_drawn_from_the_seed(tmp_path: Path) -> None:
    # Exact: Poisson numbers of mean density x width, uniform places, lognormal radii of the asked mean and deviation.
    keys = {"wall.surface_tension": "0.4 J/m^2", "opening.flaw_density": "2 / um"}
    text = STRIP.replace("debonding = true", 'debonding = true\nflaw_radius = { mean = "0.5 um", std = "0.2 um" }')
    case = femli.load(runs.written(tmp_path, text), keys)
    drawn = [
        flaws(case.model_copy(update={"opening": case.opening.model_copy(update={"seed": k})})) for k in range(200)
    ]
    counts, radii = np.array([len(d.x) for d in drawn]), np.concatenate([d.radius for d in drawn])
    assert counts.mean() == pytest.approx(32.0, abs=3 * np.sqrt(32 / 200))
    assert counts.var() == pytest.approx(32.0, rel=0.35)
    assert stats.kstest(np.concatenate([d.x for d in drawn]) / WIDTH, "uniform").pvalue > 0.01
    assert radii.mean() == pytest.approx(0.5, rel=0.02)
    assert radii.std() == pytest.approx(0.2, rel=0.05)
    np.testing.assert_array_equal(flaws(case).x, drawn[0].x)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"geometry.dimension": 3}, "geometry.dimension = 2"),
        ({"interface.adhesion_strength": None}, "interface.adhesion_strength"),
        ({"opening.flaw_density": "1 / um", "opening.flaw_radius": "1 um"}, "wall.surface_tension"),
        ({"opening.flaw_density": "1 / um"}, "go together"),
        ({"opening.weibull_modulus": 3.0}, "go together"),
        ({"opening.debonding": False}, "opens nothing"),
    ],
)
def test_bad_input_is_refused(tmp_path: Path, keys: dict[str, object], words: str) -> None:
    # Exact: one sentence that names the key and what is allowed.
    text = STRIP
    if None in keys.values():
        keys, text = {}, STRIP.replace('adhesion_strength = "1 MPa"\n', "")
    with pytest.raises(CaseError, match=words):
        femli.load(runs.written(tmp_path, text), keys)


def test_mean_traction_over_a_length() -> None:
    # Exact: means of x and x^2 over a window, at the ends over the window moved inwards; pieces of contact apart from
    # each other; length 0 changes nothing.
    x = np.linspace(0.0, 4.0, 401)
    is_open = np.zeros(400, bool)
    is_open[200:300] = True
    mean = remesh_opening.averaged(x, x, is_open, 0.5)
    np.testing.assert_allclose(mean[[0, 100, 200, 300, 400]], [0.25, 1.0, 1.75, 3.25, 3.75], atol=1e-12)
    square = remesh_opening.averaged(x, x**2, is_open, 0.5)
    assert square[100] == pytest.approx(1 + 0.5**2 / 12, rel=1e-4)
    np.testing.assert_array_equal(remesh_opening.averaged(x, x**2, is_open, 0.0), x**2)


def test_a_round_lets_go_and_lays_back() -> None:
    # Exact, by hand: of a stretch beyond its strength the nodes of at least half its largest excess go; what has let go
    # now and sinks comes back and stays; older wall is left alone.
    x = np.arange(9.0)
    shut, no = np.zeros(8, bool), np.zeros(8, bool)
    loads = Loads(np.array([0, 0, 2.0, 4.0, 1.2, 0, 0, 0, 0]), np.ones(9), np.zeros(9), 4.0)
    new = remesh_opening.next_state(x, shut, no, no, loads)
    assert new.tolist() == [False, False, True, True, False, False, False, False]
    sinks = loads._replace(traction=np.zeros(9), rise=np.array([0, 0, 0, -1.0, 0, 0, 0, 0, 0]))
    assert not remesh_opening.next_state(x, new, new, no, sinks).any()
    assert (remesh_opening.next_state(x, new, no, no, sinks) == new).all()
    assert not remesh_opening.next_state(x, shut, no, new | True, loads).any()


def test_what_has_just_let_go_is_not_taken_for_a_wall_that_came_down() -> None:
    # Exact: a stretch at height zero is due for contact where it sinks (or where nothing is known of its motion), and
    # is left alone while it rises.
    x = np.linspace(0.0, 4.0, 41)
    line = np.column_stack([x, np.zeros(41)])
    is_open = np.zeros(40, bool)
    is_open[10:30] = True
    outline = Outline(line, is_open, np.array([[0.0, 4.0], [4.0, 4.0]]), False)
    bump = np.sqrt(np.maximum(1 - (x - 2) ** 2, 0))
    rising = Drift(line, np.column_stack([np.zeros(41), bump]))
    assert remesh_events.due(outline, 0.1, rising) is None
    assert remesh_events.due(outline, 0.1) is not None
    sinking = rising._replace(velocity=-rising.velocity)
    assert remesh_events.due(outline, 0.1, sinking) is not None
    settled, found = remesh_events.settled(outline, 0.1, sinking)
    assert not settled.is_open.any()
    assert [event.kind for event in found] == ["collapse"]


def test_an_electrolyte_is_parted_where_the_metal_lets_go(tmp_path: Path) -> None:
    # Exact: the mesh passes every check of a mesh, cells and areas are the same, the contact is shorter by what has let
    # go, which metal and electrolyte both have as wall; where a corner lets go the electrolyte's side keeps its points.
    case = femli.load(runs.written(tmp_path, STRIP + '[electrolyte]\nthickness = "5 um"\n'))
    whole, _ = mesh_geometry.parted(case)
    metal = mesh_electrolyte.split(whole).metal
    line = chains(metal, False)
    for chosen in (slice(0, 5), slice(20, 21), slice(60, 80)):
        letting = Letting(whole, line, metal.points)
        letting.now = letting.start.copy()
        letting.now[chosen] = True
        made = letting.mesh()
        mesh_electrolyte.check(made)
        parts = mesh_electrolyte.split(made)
        lengths = np.diff(letting.x)[chosen].sum()
        for part in parts[:2]:
            assert mesh_parts.facet_measures(part, "void").sum() == pytest.approx(lengths, rel=1e-12)
            assert mesh_parts.facet_measures(part, "contact").sum() == pytest.approx(WIDTH - lengths, rel=1e-12)
        np.testing.assert_array_equal(parts.metal.cells, metal.cells)
        np.testing.assert_array_equal(parts.metal.points, metal.points)


def rise_of_strips(x: np.ndarray) -> np.ndarray:
    """Roofs of a row of strips of period WIDTH: (P W/(2 pi eta)) arccosh(cos(pi x/W)/cos(pi b/W)) [um/h]."""
    ratio = np.cos(np.pi * x / WIDTH) / np.cos(np.pi * HALF / WIDTH)
    return EXCESS / (2 * VISCOSITY) * WIDTH / np.pi * np.arccosh(np.maximum(ratio, 1.0))


def traction_of_strips(x: np.ndarray) -> np.ndarray:
    """Traction beside them, less that of a uniform contact: P (sin(pi x/W)/sqrt(sin^2 - sin^2(pi b/W)) - 1) [MPa]."""
    s, b = np.sin(np.pi * x / WIDTH), np.sin(np.pi * HALF / WIDTH)
    return EXCESS * (np.abs(s) / np.sqrt(s**2 - b**2) - 1)


@pytest.fixture(scope="module")
def strip(tmp_path_factory: pytest.TempPathFactory) -> OpeningEvolution:
    """A strip that has let go, the middle of a periodic row (the sides are mirrors)."""
    folder = tmp_path_factory.mktemp("strip")
    _, evolution = opened(folder, femli.load(runs.written(folder, STRIP)))
    evolution.strength = Patch(HALF - 0.01, 1e6)
    evolution.watch()
    return evolution


def test_an_unbonded_strip_opens_as_a_crack(strip: OpeningEvolution) -> None:
    # Exact (row of cracks under internal pressure, Westergaard 1939, in creep: displacement -> speed, (1 - nu)/G ->
    # 1/(2 eta); one strip alone is VB10 with the sign turned): speed of the wall (0.6 %), traction from a tenth of the
    # width beyond the tip (0.4 %), both to 1 %; the contact that is left carries all of the load.
    x, traction, rise = bottom(strip)
    x = x - MIDDLE
    inner, outer = np.abs(x) < 0.8 * HALF, (np.abs(x) > 1.2 * HALF) & (np.abs(x) < 2 * HALF)
    np.testing.assert_allclose(rise[inner], rise_of_strips(x[inner]), rtol=0.01)
    np.testing.assert_allclose(traction[outer] + 1.0, traction_of_strips(x[outer]), rtol=0.01)
    t, area = Criteria(strip.stepper.fields, strip.case).traction()
    assert float(t @ area) == pytest.approx(-1.0 * WIDTH + 3.0 * 2 * HALF, rel=1e-6)


@pytest.mark.parametrize(("factor", "grows"), [(1.1, False), (0.9, True)])
def test_a_crack_grows_where_its_mean_traction_reaches_the_strength(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float, grows: bool
) -> None:
    # Exact: the mean of the traction above over a length beside the tip, by quadrature; a strength 10 % above holds,
    # one 10 % below does not.
    length = 1.0
    t = np.linspace(0.0, 1.0, 20001)[1:]
    mean = float(np.mean(traction_of_strips(HALF + length * t**2) * 2 * t)) - 1.0
    case = femli.load(runs.written(tmp_path, STRIP), {"opening.averaging_length": "1 um"})
    _, evolution = opened(tmp_path, case)
    patch = Patch(HALF - 0.01, 1e6)
    evolution.strength = patch
    evolution.watch()
    patch.elsewhere = factor * mean
    monkeypatch.setattr(evolution_opening, "ROUNDS", 1)  # it would run to the sides
    evolution.watch()
    happened = pd.read_csv(tmp_path / "events.csv")
    assert happened["event [-]"].tolist() == ["debond"] * (3 if grows else 1)  # on both sides


@pytest.mark.parametrize("text", [cases.CYCLE, cases.AXISYMMETRIC], ids=["2D", "axisymmetric"])
def test_without_strength_nothing_pulls_and_nothing_sinks(tmp_path: Path, text: str) -> None:
    # Exact (Signorini): after the active set has come to rest no node of the contact carries tension, no node that has
    # let go sinks; tension beforehand was a fifth of the pressures and more.
    keys: dict[str, object] = {"interface.adhesion_strength": "0 MPa", "opening.averaging_length": "0 um"}
    keys |= {"geometry.mesh.interface_size": "0.5 um", "geometry.mesh.growth": 1.8, "geometry.mesh.edge_size": "0.3 um"}
    _, evolution = opened(tmp_path, femli.load(runs.written(tmp_path, text), keys))
    _, before, _ = bottom(evolution)
    scale = float(np.abs(evolution.stepper.fields.u.p.x.array).max())
    evolution.watch()
    _, traction, rise = bottom(evolution)
    assert evolution.chains is not None
    on = remesh_opening.held(evolution.chains.is_open)
    assert before.max() > 0.1 * scale
    assert traction[on].max() < 2e-4 * scale
    roof = np.abs(gathered(evolution.stepper.fields, None)[evolution.chains.bottom, 1]) < 1e-12
    assert (~on & roof).sum() > 4
    assert rise[~on & roof].min() > -1e-3 * rise.max()


def test_what_lets_go_under_stripping_comes_down_at_once(tmp_path: Path) -> None:
    # Exact: an opened stretch passes no current, so metal that sinks as a block comes down on it (see docs/voids.md).
    # The run keeps mesh and state bit by bit, though the contact is pulled beyond its strength, and waits two steps.
    keys: dict[str, object] = {"electrode.material": "Li-20Mg", "load.stack_pressure": "2 MPa"}
    text = cases.CYCLE.split("[[protocol]]")[0].replace("[load]", '[load]\ncurrent_density = "0.31 mA/cm^2"')
    recorder, evolution = opened(tmp_path, femli.load(runs.written(tmp_path, text), keys))
    newton, p = evolution.stepper.newton, evolution.stepper.fields.u.p.x.array.copy()
    evolution.watch()
    assert evolution.stepper.newton is newton
    np.testing.assert_array_equal(evolution.stepper.fields.u.p.x.array, p)
    assert recorder.criteria.columns(0.0)["contact_traction_max [Pa]"] > 1e6
    assert (recorder.opened.futile, recorder.opened.wait) == (1, 2)
    assert not (tmp_path / "events.csv").exists()
    evolution.watch()
    assert (recorder.opened.futile, recorder.opened.wait) == (1, 1)
