"""The layer of hcp phase on the contact: growth, both species, its voltage, rollback, resumption, ranks, new meshes."""

from pathlib import Path

import numpy as np
import pytest
import verification_runs as runs

import femli
from femli import electrolyte_layer, evolution
from femli.case import Case
from femli.errors import CaseError
from femli.fields_layer import LayerState
from femli.stepper import Stepper
from femli.units import F, R

# An alloy near the end of its bcc phase, so that the layer grows from the first seconds on.
NEAR = """
[geometry]
dimension = 1
electrode_thickness = "20 um"
[electrode]
material = {{ mg_fraction = {y}, diffusivity = "1e-11 cm^2/s", diffusivity_slope = 0.0 }}
creep_scaling = "none"
[interface]
layer_diffusivity = "{diffusivity} cm^2/s"
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "5 MPa"
[stop]
{stop}
li_fraction = 0.0
"""
CELL = '[electrolyte]\nthickness = "100 um"\n'
FLAT = NEAR.replace("dimension = 1", 'dimension = 2\nwidth = "4 um"').replace('"20 um"', '"8 um"')
COARSE = '[geometry.mesh]\ninterface_size = "0.5 um"\nsize = "4 um"\ngrowth = 1.9\n'
VOIDED = runs.VOIDED.replace('"Li-5Mg"', '{ mg_fraction = 0.68, diffusivity = "1e-11 cm^2/s" }')
VOIDED = VOIDED.replace("[solver]", '[interface]\nlayer_diffusivity = "1e-10 cm^2/s"\n[electrolyte]\n[solver]').replace(
    "[stop]", "[stop]\nli_fraction = 0.0"
)


def ratio(x: float) -> float:
    """Li over host by volume [-]."""
    return x / ((1 - x) * 12 / 13)


def test_steady_growth_takes_what_each_host_brings(tmp_path: Path) -> None:
    # Exact: when the profile in front of the layer moves with it, each host that arrives brings the Li of the foil and
    # keeps that of hcp, so that d(host)/d(charge) = 1/(r0 - r_hcp) in volumes; thickness (1 + r_hcp) of it. Both
    # species are kept throughout. The metal relaxes over sqrt(D t), so the rate is met to parts in a thousand.
    text = NEAR.format(y=0.5, diffusivity="1e-10", stop='capacity = "0.5 mAh/cm^2"').replace('"1e-11', '"3e-12')
    case = femli.load(runs.written(tmp_path, text))
    summary = femli.run(case, tmp_path / "out")
    history = runs.history(tmp_path / "out")
    charge = history["capacity [mAh/cm^2]"].to_numpy() * 3.6e4 / F * 13e-6
    late = charge > 0.6 * charge[-1]
    rate = np.polyfit(charge[late], history["layer_thickness [m]"].to_numpy()[late], 1)[0]
    assert rate == pytest.approx((1 + ratio(0.15)) / (ratio(0.5) - ratio(0.15)), rel=5e-3)
    assert summary["li_balance_error"] < 1e-9
    assert summary["host_balance_error"] < 1e-9
    # Volumes are additive: all that the foil with its layer loses is the Li of the charge.
    lost = history["electrode_thickness [m]"].iloc[0] - history["electrode_thickness [m]"].iloc[-1]
    assert lost == pytest.approx(charge[-1], rel=1e-6)
    # The contact stays at the limit.
    assert history["li_fraction_interface_min [-]"].iloc[-1] == pytest.approx(0.31, abs=1e-3)


def test_voltage_of_the_layer_and_the_cut_off(tmp_path: Path) -> None:
    # Exact: with Li at a steady state in the layer, c_hcp D (1 - x/0.15) = i h/F: the layer costs -1.3 (RT/F)
    # ln(1 - i h/(F D c_hcp)), c_hcp of the volumes; the parts add up; 5 V are met. Of x below 1e-6 nothing is said.
    stop = 'voltage = "5 V"'
    case = femli.load(runs.written(tmp_path, NEAR.format(y=0.6, diffusivity="1e-12", stop=stop) + CELL))
    assert femli.run(case, tmp_path / "out")["stop_reason"] == "voltage"
    history = runs.history(tmp_path / "out")
    c = 0.15 / (0.15 * 13e-6 + 0.85 * 12e-6)
    share = 3.1 * history["layer_thickness [m]"] / (F * 1e-16 * c)
    some = (share > 1e-4) & (share < 1 - 1e-4)
    assert some.sum() > 10
    exact = -1.3 * R * 303.15 / F * np.log1p(-share[some])
    assert history["overpotential_layer [V]"][some].to_numpy() == pytest.approx(exact.to_numpy(), rel=1e-6)
    parts = [name for name in history if name.startswith("overpotential_")]
    assert np.abs(history[parts].sum(axis=1) - history["overpotential [V]"]).max() < 1e-8
    assert history["cell_voltage [V]"].iloc[-1] == pytest.approx(5.0, abs=1e-6)
    assert share.iloc[-1] == pytest.approx(1.0, abs=2e-3)


def test_inverse_of_the_law() -> None:
    # Exact: U(inverse(eta)) = eta for strong and weak layers, both directions and beyond what the layer can pass; at
    # small eta contact and layer are resistances in series.
    eta = np.array([-1.0, -1e-3, 0.0, 1e-3, 0.1, 1.0, 5.0])[:, None]
    h = np.array([0.0, 1e-6, 0.1, 0.6, 10.0])[None, :]
    eta, h = (a.ravel() for a in np.broadcast_arrays(eta, h))
    i = electrolyte_layer.inverse(eta, 0.002, 0.034, h)
    left = 1 - i * h
    on = left >= electrolyte_layer.LEAST
    assert (0.002 * i - 0.034 * np.log(np.where(on, left, 1.0)))[on] == pytest.approx(eta[on], rel=1e-10, abs=1e-13)
    assert np.all((i[~on] * h[~on] >= 1) | (left[~on] < electrolyte_layer.LEAST))
    assert np.any(~on)
    weak = electrolyte_layer.inverse(np.array([1e-9]), 0.002, 0.034, np.array([0.6]))
    assert weak == pytest.approx(1e-9 / (0.002 + 0.034 * 0.6), rel=1e-6)


def test_rest_takes_the_layer_back(tmp_path: Path) -> None:
    # Exact: at rest the foil is rich enough to turn the layer back into bcc: its host is in the metal again, and the
    # composition is the ledger's, x = Li left over all there is.
    steps = """
[[protocol]]
current_density = "0.31 mA/cm^2"
until = { capacity = "0.02 mAh/cm^2" }
[[protocol]]
rest = true
until = { time = "200 h" }
"""
    text = NEAR.format(y=0.6, diffusivity="1e-10", stop="").replace('current_density = "0.31 mA/cm^2"\n', "", 1)
    # Without stress coupling: with it a rest takes steps of milliseconds.
    text = text.replace("creep_scaling", "stress_coupling = false\ncreep_scaling")
    case = femli.load(runs.written(tmp_path, text.replace('"20 um"', '"5 um"') + steps))
    summary = femli.run(case, tmp_path / "out")
    history = runs.history(tmp_path / "out")
    assert history["layer_thickness [m]"].max() > 1e-9
    assert history["layer_thickness [m]"].iloc[-1] == 0.0
    assert summary["host_balance_error"] < 1e-9
    # Amounts per area: 5 um of x = 0.4, less the charge.
    host = 0.6 * 5e-6 / (0.4 * 13e-6 + 0.6 * 12e-6)
    li = host * 0.4 / 0.6 - 0.02 * 3.6e4 / F
    assert history["li_fraction_interface_min [-]"].iloc[-1] == pytest.approx(li / (li + host), abs=1e-6)


@pytest.mark.parametrize("row", [0, 1, 2])
def test_terms_are_the_derivative(tmp_path: Path, row: int) -> None:
    # Exact: A d = [b(u + h d) - b(u - h d)]/2h at a fixed mesh for a contact that turns, to the h^2 of differences.
    made = grown(tmp_path, FLAT.format(y=0.68, diffusivity="1e-12", stop='time = "1 h"') + COARSE)
    newton = made.newton
    newton.fields.k.rate.value = 3.0
    newton.fields.x_old.x.array[:] = newton.fields.u.x.x.array
    system = newton.step_system
    system.assemble([])
    u = newton.fields.u[row]
    rng = np.random.default_rng(5)
    start, d = u.x.array.copy(), rng.normal(size=u.x.array.size) * (1.0, 1.0, 1e-5)[row]
    held = np.asarray(system.held) - newton.offsets[row]
    d[held[(held >= 0) & (held < d.size)]] = 0.0
    sides = []
    for sign in (1, -1):
        u.x.array[:] = start + sign * 1e-3 * d
        system.residual([])
        sides.append(system.b.array.copy())
    u.x.array[:] = start
    exact = (sides[0] - sides[1]) / 2e-3
    vector, image = system.A.createVecs()
    vector.array[newton.offsets[row] : newton.offsets[row] + d.size] = d
    # Rows of moving walls hold more than the derivative at a fixed mesh: the contact's alone are compared.
    system.A.mult(vector, image)
    on = np.flatnonzero(newton.layer.layer.base.x.array > 0)
    for where in newton.offsets[1:3]:
        size = np.max(np.abs(exact[where + on]))
        assert np.max(np.abs(image.array[where + on] - exact[where + on])) < 1e-5 * max(size, 1e-9)


def grown(folder: Path, text: str, steps: int = 12) -> Stepper:
    """A run with some layer on its contact."""
    made = runs.stepper(femli.load(runs.written(folder, text)))
    for _ in range(400):
        made.advance()
        if made.newton.layer.totals()[1] > 0:
            steps -= 1
        if steps == 0:
            break
    assert steps == 0
    return made


def test_a_rejected_step_leaves_nothing(tmp_path: Path) -> None:
    # Exact: after a trial step and the way back the layer is what it was, and the same step again gives the same.
    made = grown(tmp_path, NEAR.format(y=0.68, diffusivity="1e-12", stop='time = "1 h"'))
    stress, layer = made.newton.stress().copy(), made.newton.layer
    before = layer.content.copy()
    found = []
    for _ in range(2):
        made.attempt(2e-4)
        found.append(layer.content.copy())
        assert layer.content.sum() > before.sum()
        made.restore(stress)
        np.testing.assert_array_equal(layer.content, before)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


def test_a_new_mesh_has_the_same_layer(tmp_path: Path) -> None:
    # Exact: the whole content to round-off, and a thickness that is linear along the contact stays what it is, on
    # a mesh with other points; Li and host of the whole run then agree as well.
    text = FLAT.format(y=0.68, diffusivity="1e-12", stop='time = "1 h"')
    states = []
    for size in ("0.5 um", "0.3 um"):
        case = femli.load(runs.written(tmp_path, text + COARSE.replace("0.5 um", size)))
        states.append(runs.stepper(case).newton.layer)
    old, new = states
    shares = nodal_shares(old)
    old.set((0.2 + 0.05 * old._places()) * shares, np.zeros_like(shares))
    new.take(old)
    assert new.totals() == pytest.approx(old.totals(), rel=1e-14)
    on = nodal_shares(new) > 0
    assert new.layer.base.x.array[on] == pytest.approx(0.2 + 0.05 * new._places()[on], rel=1e-3)


def nodal_shares(layer: LayerState) -> np.ndarray:
    return layer._assembled(layer.share_form)


@pytest.mark.slow
def test_a_voided_run_keeps_both_species_over_new_meshes(tmp_path: Path) -> None:
    # Exact: Li and host over a run whose mesh is renewed by force every few steps; the layer is there before and after.
    case = femli.load(runs.written(tmp_path, VOIDED))
    protocol = runs.protocol(case)
    first = protocol.newton.contents.totals()
    for step in range(45):
        protocol.stepper.advance()
        if step % 15 == 14:
            renewed(case, protocol)
    layer = protocol.newton.layer
    assert layer.totals()[1] > 0
    li, host = protocol.newton.contents.totals()
    removed = protocol.stepper.levels[0].charge * protocol.newton.contents.full_area
    assert li + removed == pytest.approx(first[0], rel=1e-9)
    assert host == pytest.approx(first[1], rel=1e-9)


def renewed(case: Case, protocol: object) -> None:
    """A new mesh for a run without a recorder."""

    class Silent:
        def adopt(self) -> None: ...
        def happened(self, event: object) -> None: ...
        def time(self) -> float:
            return 0.0

    evolution.Evolution(case, case.electrode_properties(), protocol, Silent()).renew("asked for")


def test_a_case_that_never_grows_one_is_refused(tmp_path: Path) -> None:
    # Expected: one sentence each.
    text = NEAR.format(y=0.5, diffusivity="1e-10", stop='time = "1 h"')
    with pytest.raises(CaseError, match=r"stop\.li_fraction = 0\.31 ends the run before a layer grows; allowed"):
        femli.load(runs.written(tmp_path, text.replace("li_fraction = 0.0", "li_fraction = 0.31")))
    with pytest.raises(CaseError, match=r'layer_diffusivity is given with law = "butler_volmer"; allowed: law = "asr"'):
        femli.load(runs.written(tmp_path, text + CELL), {"interface.law": "butler_volmer"})
    case = femli.load(runs.written(tmp_path, text + CELL))
    from femli import impedance

    with pytest.raises(CaseError, match="layer on the contact is not in the small signal; allowed"):
        impedance.fresh(case)


@pytest.mark.mpi
@pytest.mark.parametrize(
    "text", [NEAR + CELL, pytest.param(FLAT + COARSE + CELL, marks=pytest.mark.slow)], ids=["1D", "2D"]
)
def test_same_on_two_ranks_and_resumed(tmp_path: Path, text: str) -> None:
    # Exact: the history of one rank on two, and of a run that is interrupted on two ranks and resumed on one.
    case = runs.written(tmp_path, text.format(y=0.687, diffusivity="1e-12", stop='capacity = "0.00005 mAh/cm^2"'))
    histories = []
    for ranks in (1, 2):
        ended = runs.command("-m", "femli", "run", str(case), "-o", str(tmp_path / str(ranks)), ranks=ranks)
        assert ended.returncode == 0, ended.stderr
        histories.append(runs.history(tmp_path / str(ranks)))
    assert histories[0]["layer_thickness [m]"].iloc[-1] > 0
    script, out = runs.written(tmp_path, runs.INTERRUPTED, "interrupted.py"), tmp_path / "resumed"
    ended = runs.command(str(script), str(case), str(out), "start", "0.00003", ranks=2)
    assert ended.returncode == 0, ended.stderr
    ended = runs.command("-m", "femli", "run", str(case), "-o", str(out), "--resume")
    assert ended.returncode == 0, ended.stderr
    for other in (histories[1], runs.history(out)):
        # Without voids nothing is constricted: the column is round-off.
        first, other = (h.drop(columns="overpotential_constriction [V]") for h in (histories[0], other))
        worst, column = runs.worst_difference(first, other)
        assert worst < 1e-6, column
