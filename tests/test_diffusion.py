"""Diffusion alone (`electrode.mechanics = "none"`): the answers of the whole model, closed forms, what is refused."""

import json
import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
import ufl
import verification_runs as runs
from dolfinx import fem

import femli
from femli import forms, solver_diffusion
from femli.case import Case
from femli.errors import CaseError
from femli.fields import flux_of_current
from femli.render import render
from femli.solver_diffusion import Diffusion
from femli.stepper import Stepper
from femli.units import LENGTH, TIME

record = runs.script("tools/verification_record.py")
FILE = runs.ROOT / "cases" / "foil_diffusion.toml"
FLAT = {"geometry.dimension": 2, "geometry.width": "6 um"}
SHAPES: dict[str, dict[str, object]] = {
    "1D": {},
    "2D": FLAT,
    "axisymmetric": {**FLAT, "geometry.kind": "axisymmetric"},
    "3D": {"geometry.dimension": 3, "geometry.width": "6 um"},
}
COARSE = {"geometry.mesh": {"interface_size": "0.5 um", "growth": 1.5}}


# Creeps linearly, so that any mesh will do: the composition does not depend on it.
SOFT = '{ base = "Li-20Mg", creep_exponent = 1.0, creep_prefactor = "0.01 / MPa / s" }'


def case(**more: object) -> Case:
    """The foil of `cases/`, with keys set (dots as double underscores)."""
    return femli.load(FILE, {key.replace("__", "."): value for key, value in more.items()})


def advanced(settings: Case, time: float) -> Stepper:
    """The run at a time [s]."""
    made = runs.stepper(settings)
    made.targets = lambda _now: time / TIME
    while made.levels[0].time < time / TIME * (1 - 1e-9):
        made.advance()
    return made


# --- the same answers -------------------------------------------------------------------------------------------------

UNCOUPLED = [v for v in record.VALUES if record.UNCOUPLED in v.run.settings and not v.slow]


@pytest.mark.parametrize("value", UNCOUPLED, ids=lambda v: f"{v.id} {v.what}")
def test_known_capacities(value, tmp_path: Path) -> None:
    # Exact: capacities at depletion without stress coupling, from an independent code (V2, V2b, V2c, V3).
    one = femli.load(runs.ROOT / value.run.case, [*value.run.settings, "electrode.mechanics=none"])
    summary = femli.run(one, tmp_path / "out")
    assert summary["stop_reason"] == "li_depleted"
    assert summary["capacity_mAh_cm2"] == pytest.approx(value.exact, rel=value.tolerance)


def test_the_full_solver_gives_the_same_profile(tmp_path: Path) -> None:
    # Exact: without stress coupling both solve the same equations of x. Discretely they differ by how v varies inside a
    # cell (creep decides it there, v = V - j here): order 2 in the size of cells (1.8 asked for). Same steps.
    found = []
    soft = runs.written(tmp_path, FILE.read_text().replace('"Li-20Mg"', SOFT))
    steps = {"solver.initial_step": "16 s", "solver.largest_step": "16 s", "solver.time_tolerance": 0.1}
    for size in (0.8, 0.4, 0.2, 0.1):
        mesh = {"interface_size": f"{size} um", "growth": 1 + 0.2 * size, "size": f"{4 * size} um"}
        keys = {"geometry.mesh": mesh, "electrode.activity": "subregular", **steps}
        x = {}
        for mechanics in ("creep", "none"):
            made = advanced(femli.load(soft, {**keys, "electrode.mechanics": mechanics}), 480.0)
            order = np.argsort(made.levels[0].positions[:, 0])
            x[mechanics] = made.levels[0].x[order]
            depth = made.levels[0].positions[order, 0]
        assert depth[0] == 0.0 and np.ptp(x["none"]) > 0.05
        found.append(float(np.abs(x["creep"] - x["none"]).max()))
    orders = np.log2(np.array(found[:-1]) / np.array(found[1:]))
    assert orders[-2:].min() > 1.8, (found, orders)
    assert found[-1] < 1e-4


def test_first_depletion_goes_as_the_root_of_time() -> None:
    # Exact (Sand): while y = 1 - x has hardly changed, dy/dt = D y0 d2y/dz2 with D dy/dz = V on the contact, so that
    # y(0) - y0 = 2 |V| sqrt(y0 t/(pi D)) (D constant, equal volumes); deviations are linear in that and extrapolated.
    one = case(solver__time_tolerance=1e-6, geometry__mesh={"interface_size": "0.3 nm", "growth": 1.05})
    electrode = one.electrode_properties()
    V = flux_of_current(one.load.current_density, electrode) * LENGTH / TIME  # m/s
    y0, ratios = 1 - electrode.li_fraction, []
    for time in (1.0, 4.0):
        level = advanced(one, time).levels[0]
        drop = electrode.li_fraction - level.x[np.argmin(level.positions[:, 0])]
        ratios.append(drop / (2 * V * math.sqrt(y0 * time / (math.pi * electrode.diffusivity))))
    assert ratios[0] == pytest.approx(1.0, abs=0.02) and ratios[1] != pytest.approx(1.0, abs=1e-3)
    assert 2 * ratios[0] - ratios[1] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("shape", ["2D", "axisymmetric", "3D"])
def test_every_dimension_gives_that_of_one(shape: str) -> None:
    # Exact: the mean composition on the contact and the thickness of the same foil in 1D on cells of the same height;
    # triangles and tetrahedra scatter the former a little (1 % of its drop), the latter is the charge (1e-12).
    def state(settings: dict[str, object]) -> tuple[float, float]:
        made = runs.protocol(femli.load(FILE, {**settings, **COARSE, "stop.time": "600 s"}))
        while made.reason is None:
            made.follow(made.stepper.advance())
        measured = made.measures.state()
        return measured.li_fraction_interface_mean, measured.electrode_thickness

    exact, found = state({}), state(SHAPES[shape])
    assert 0.8 - found[0] == pytest.approx(0.8 - exact[0], rel=1e-2)
    assert found[1] == pytest.approx(exact[1], rel=1e-12)


# --- balances ---------------------------------------------------------------------------------------------------------

CYCLE = [
    {"current_density": "0.31 mA/cm^2", "until": {"capacity": "0.02 mAh/cm^2"}},
    {"rest": True, "until": {"time": "0.5 h"}},
    {"current_density": "-0.31 mA/cm^2", "until": {"capacity": "0.02 mAh/cm^2"}},
    {"rest": True, "until": {"time": "4000 h"}, "stack_pressure_to": "8 MPa"},
]


@pytest.mark.parametrize("shape", ["1D", "axisymmetric"])
def test_a_cycle_comes_back(shape: str, tmp_path: Path) -> None:
    # Exact: what was plated is what had been stripped, so that after a long rest composition (0.8 everywhere) and
    # thickness (100 um) are those of the start; both balances to 1e-10 throughout.
    keys = {**SHAPES[shape], **COARSE, "protocol": CYCLE, "geometry.electrode_thickness": "10 um"}
    keys |= {"load": {"temperature": "30 degC"}, "electrode.diffusivity": "local", "output.every": "0.01 mAh/cm^2"}
    keys |= {"electrode.molar_volumes": "measured"}
    text = FILE.read_text().replace('current_density = "0.31 mA/cm^2"\n', "")
    one = femli.load(runs.written(tmp_path, text), keys)
    summary = femli.run(one, tmp_path / "out")
    assert summary["stop_reason"] == "protocol" and len(summary["protocol"]) == 4
    assert max(summary["li_balance_error"], summary["host_balance_error"]) < 1e-10
    rows = runs.history(tmp_path / "out")
    last = rows.iloc[-1]
    assert rows["li_fraction_interface_min [-]"].min() < 0.75
    assert last["li_fraction_interface_min [-]"] == pytest.approx(0.8, abs=1e-6)
    assert last["electrode_thickness [m]"] == pytest.approx(1e-5, rel=1e-10)
    assert last["stack_pressure [Pa]"] == pytest.approx(8e6)
    assert "pressure_interface_min [Pa]" not in summary["protocol"][0]


def test_metal_at_rest_stays() -> None:
    # Exact: without current nothing moves and nothing mixes.
    made = runs.stepper(case(load__current_density="0 mA/cm^2", stop__time="10 h", **{"geometry.dimension": 2}))
    start = made.levels[0]
    for _ in range(5):
        made.advance()
    assert np.abs(made.levels[0].x - start.x).max() < 1e-14
    assert np.array_equal(made.levels[0].positions, start.positions)


@pytest.mark.parametrize("upwinded", [True, False])
def test_a_dilute_host_needs_upwinding(upwinded: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Exact: no host is lost, and x is nowhere above 1: for 0.02 at% of host on cells much larger than its layer to
    # 0.5 %, where plain Galerkin goes beyond 1.5.
    if not upwinded:
        monkeypatch.setattr(solver_diffusion, "DILUTE", 0.0)
    dilute = runs.written(tmp_path, FILE.read_text().replace('"Li-20Mg"', "{ mg_fraction = 0.0002 }"))
    made = runs.protocol(femli.load(dilute, {**COARSE, "stop.capacity": "2 mAh/cm^2"}))
    host, highest = made.newton.contents.totals()[1], 0.0
    while made.reason is None:
        made.follow(made.stepper.advance())
        highest = max(highest, made.stepper.levels[0].x.max())
    assert made.newton.contents.totals()[1] == pytest.approx(host, rel=1e-9)
    assert (highest < 1.005 and made.reason == "capacity") if upwinded else highest > 1.5


# --- the solver -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_closed_forms_of_the_mesh(shape: str) -> None:
    # Exact: mesh velocity and growth as expressions are those of the fields that move the nodes (1e-13).
    made = runs.stepper(femli.load(FILE, {**SHAPES[shape], **COARSE}))
    for _ in range(3):
        made.advance()
    newton, f = made.newton, made.fields
    assert isinstance(newton, Diffusion)
    plain = f.frame._replace(w=f.w, displacement=f.displacement)
    q = ufl.TestFunction(f.u.x.function_space)
    growth, exact = (fem.assemble_vector(fem.form(forms.volume_increment(q, g))).array for g in (f.frame, plain))
    assert np.abs(growth - exact).max() < 1e-13 * np.abs(exact).max() + 1e-18
    slip = f.frame.w - f.w
    assert fem.assemble_scalar(fem.form(ufl.dot(slip, slip) * f.frame.dx)) < 1e-26
    assert np.abs(exact).max() > 0.0


def test_few_iterations() -> None:
    # Expected: from an extrapolated guess two iterations a step (three asked for), the second on the matrix at hand.
    made = runs.stepper(case(geometry__dimension=2, **COARSE))
    counts = [made.advance().counts for _ in range(40)]
    assert np.mean([c.newton for c in counts]) < 3.0


# --- what is written, read and refused --------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["1D", "2D"])
def test_the_result_folder(shape: str, tmp_path: Path) -> None:
    # Exact: no column, key or array of a pressure or stress; JSON without NaN; pictures are made without them. In 1D
    # the flux on the contact is i/F, and the metal there rests (to 3 %: averages of cells).
    keys = {**SHAPES[shape], **(COARSE if SHAPES[shape] else {}), "stop.time": "300 s", "output.every": "100 s"}
    femli.run(femli.load(FILE, keys), tmp_path)
    columns = set(runs.history(tmp_path).columns)
    assert not [name for name in columns if "pressure" in name or "stress" in name]
    assert {"li_fraction_interface_mean [-]", "electrode_thickness [m]", "host_balance_error [-]"} <= columns

    def refused(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    summary = json.loads((tmp_path / "summary.json").read_text(), parse_constant=refused)
    assert not [key for key in summary if "pressure" in key]
    assert summary["laws"]["mechanics"] == "none"
    made = {path.name for path in render(tmp_path)}
    assert "history.png" in made and "profiles.csv" in made and "pressure.png" not in made
    if shape == "1D":
        profile = runs.pd.read_csv(tmp_path / "profiles.csv")
        end = profile[profile["time [s]"] == profile["time [s]"].max()].sort_values("depth [um]")
        assert "pressure [Pa]" not in profile
        speed = 13.0e-6 * 3.1 / 96485.33
        assert end["speed [m/s]"].iloc[-1] == pytest.approx(speed, rel=1e-3)
        assert end["speed [m/s]"].iloc[0] < 0.03 * speed


def test_what_does_not_go_without_mechanics(tmp_path: Path) -> None:
    # Exact: one sentence for each contradiction, which names key, value and what is allowed.
    wrong: dict[str, object] = {
        "electrode.stress_coupling": True,
        "electrode.material": "Li",
        "interface.adhesion_strength": "1 MPa",
        "wall.surface_tension": "0.4 J/m^2",
        "output.depths": ["2 um"],
        "solver.linear": "iterative",
        "electrolyte": {"thickness": "20 um", "conductivity": "1 mS/cm"},
        "interface.layer_diffusivity": "1e-14 m^2/s",
        "wall.surface_diffusivity": "1e-10 m^2/s",
    }
    for key, value in wrong.items():
        with pytest.raises(CaseError) as caught:
            femli.load(FILE, {key: value, "stop.li_fraction": 0.2})
        lines = [line for line in str(caught.value).splitlines() if 'electrode.mechanics = "creep"' in line]
        assert len(lines) == 1 and f"{key}: " in lines[0] and "; allowed: " in lines[0], key
    voids = {"geometry.dimension": 2, "geometry.voids": {"count": 1}}
    with pytest.raises(CaseError, match=r"geometry\.voids: given: there are no voids without mechanics"):
        femli.load(FILE, voids)
    with pytest.raises(CaseError, match=r"electrode\.mechanics: \"non\": did you mean \"none\""):
        femli.load(FILE, {"electrode.mechanics": "non"})


@pytest.mark.slow
def test_a_blend_of_diffusivities_comes_back(tmp_path: Path) -> None:
    # Exact: fitted to capacities of runs with a slope of -5 (of -13 for the local law), the slope is -5 (to 0.5 %).
    local = {"electrode.diffusivity": "local", "geometry.mesh": {"interface_size": "20 nm", "growth": 1.3}}
    text = FILE.read_text().replace('"Li-20Mg"', '{ base = "Li-20Mg", diffusivity_slope = -5.0 }')
    rows = ["load.current_density [mA/cm^2],capacity_mAh_cm2"]
    for current in (0.31, 1.0):
        one = femli.load(runs.written(tmp_path, text), {**local, "load.current_density": f"{current} mA/cm^2"})
        rows.append(f"{current},{femli.run(one, tmp_path / str(current))['capacity_mAh_cm2']!r}")
    runs.written(tmp_path, "\n".join(rows) + "\n", "data.csv")
    runs.written(tmp_path, FILE.read_text().replace('"Li-20Mg"', '{ base = "Li-20Mg" }'))
    fit = """
case = "case.toml"
set = { electrode.diffusivity = "local", geometry.mesh = { interface_size = "20 nm", growth = 1.3 } }
[parameters]
electrode.material.diffusivity_slope = { from = -13.0, to = 0.0, start = -8.0 }
[[data]]
file = "data.csv"
uncertainty = 0.01
"""
    file = runs.written(tmp_path, fit, "fit.toml")
    ended = runs.command("-m", "femli", "calibrate", str(file), "-o", str(tmp_path / "out"), "-j", "1", timeout=600)
    assert ended.returncode == 0, ended.stderr
    told = tomllib.loads((tmp_path / "out" / "fit.toml").read_text())["set"]
    assert float(told["electrode.material.diffusivity_slope"]) == pytest.approx(-5.0, rel=5e-3)
