"""Problems with known answers, on default settings: V1 to V5, V9, V10 of the verification plan.

The table of V1 to V5 is the one of `tools/verification_record.py`, which writes docs/verification.md from it.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import ufl
import verification_runs as runs
from dolfinx import fem

import femli
from femli import laws, mesh_resolution
from femli.fields import total
from femli.outputs_frames import Frames
from femli.solver_data import StepData
from femli.stepper import Stepper
from femli.units import TIME

record = runs.script("tools/verification_record.py")


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    logging.getLogger("femli").setLevel(logging.ERROR)
    yield record.Runner(tmp_path_factory.mktemp("verification"))
    logging.getLogger("femli").setLevel(logging.NOTSET)


def _problems() -> list[object]:
    marks = {True: pytest.mark.slow, False: ()}
    return [pytest.param(v, id=f"{v.id}-{v.what}".replace(" ", "_"), marks=marks[v.slow]) for v in record.VALUES]


@pytest.mark.parametrize("value", _problems())
def test_known_answers(value, runner) -> None:
    # Exact: the answer in the table: closed forms (V1, V5 at t = 0), an independent code (V2, V2b, V2c, V3, the rest of
    # V5), invariance (V4).
    measured = runner.measured(value)
    assert abs(value.deviation(measured)) <= value.tolerance, f"{measured} {value.unit}, exact {value.exact}"


def test_closed_form_of_the_record() -> None:
    # Exact: S0 = 1.753 MPa, l = 0.11 um for Li; S0 = 1.934 and 2.604 MPa for 5 and 20 at% Mg (section 5 and V5).
    assert record.closed_form(0.0) == pytest.approx(1.753, abs=5e-4)
    assert record.layer(0.0) == pytest.approx(0.11, rel=0.02)
    assert record.closed_form(0.05) == pytest.approx(1.934, abs=1e-3)
    assert record.closed_form(0.20) == pytest.approx(2.604, abs=1e-3)


def test_v1_converges_with_the_mesh(tmp_path: Path) -> None:
    # Exact: the closed form of S0; with all cells halved its error falls at the order of P1, 2 (1.7 is asked for).
    errors = []
    for size, growth in ((0.04, 1.4), (0.02, 1.4**0.5), (0.01, 1.4**0.25)):
        mesh = {"interface_size": f"{size} um", "growth": growth, "size": f"{125 * size} um"}
        case = femli.load(runs.ROOT / record.LITHIUM, {f"geometry.mesh.{k}": v for k, v in mesh.items()})
        level = runs.stepper(case).levels[0]
        drop = case.load.stack_pressure / 1e6 - level.p[np.argmin(level.positions[:, 0])]
        errors.append(abs(drop / record.closed_form(0.0) - 1))
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert errors[-1] < 1e-3
    assert orders.min() > 1.7, (errors, orders)


def test_cell_at_the_contact_for_local_diffusivity() -> None:
    # Exact: D(x)/(|d ln D/dx| v0) with D = 1.320e-14 exp(-13.25 (1 - x)) m2/s and v0 = Omega i/F: 2.55 nm at x = 0.31
    # for 0.031 mA/cm2, where a tenth of the pressure layer is more; at 0.31 mA/cm2 the floor of 0.5 nm. Only in 1D,
    # only for local D.
    for current, expected in (("0.031 mA/cm^2", 2.55e-3), ("0.31 mA/cm^2", 5e-4)):
        keys = {"load.current_density": current, "electrode.diffusivity": "local"}
        sizes = mesh_resolution.resolution(femli.load(runs.FOIL, keys), ())
        assert sizes.interface == pytest.approx(expected, rel=5e-3)
        assert sizes.growth == 1.12
    for keys in ({}, {"electrode.diffusivity": "local", "geometry.dimension": 2}):
        assert mesh_resolution.resolution(femli.load(runs.FOIL, keys), ()).interface == pytest.approx(
            3.165e-3, rel=1e-3
        )


# --- V9: uniform pressure ---------------------------------------------------------------------------------------------


def _one_step(pressure: str, **more: object) -> tuple[Stepper, Frames, dict[str, np.ndarray]]:
    made = runs.stepper(runs.short(load__stack_pressure=pressure, **more))
    dt = 10.0 / TIME
    last = made.levels[0]
    made.newton.solve(StepData(last.positions, last.x, last.displacement, last.increments, 1 / dt, 0.0, last.time + dt))
    frames = Frames(Path("."), made.newton, made.newton.fields.k.volume_ratio.value * 13e-6)
    frames.update()
    values = {name: f.x.array.copy() for name, f in (frames.point | frames.vectors).items()}
    return made, frames, values


@pytest.mark.parametrize("more", [{}, {"electrode__diffusivity": "local", "electrode__activity": "subregular"}])
def test_v9_uniform_pressure_shifts_the_potential_alone(more: dict[str, object]) -> None:
    # Exact: with the stack pressure p_s, p and mu/Omega shift by p_s; flux, velocity, stress and Li fraction do not
    # change. What is written is mu relative to Li at p_s, which then does not change either.
    (low, _, a), (high, _, b) = (_one_step(pressure, **more) for pressure in ("0 MPa", "10 MPa"))
    for name in a:
        if name == "pressure [Pa]":
            assert np.abs(b[name] - a[name] - 10e6).max() < 1e-10 * 10e6
        else:
            assert np.abs(b[name] - a[name]).max() <= 1e-10 * np.abs(a[name]).max(), name
    absolute = [
        fem.assemble_scalar(
            fem.form(
                (laws.chemical_potential(s.fields.u.x, s.fields.u.p, s.fields.k) + s.fields.k.stack_pressure) * ufl.dx
            )
        )
        for s in (low, high)
    ]
    volume = fem.assemble_scalar(fem.form(fem.Constant(low.fields.domain.mesh, 1.0) * ufl.dx))
    assert (absolute[1] - absolute[0]) / volume == pytest.approx(10.0, rel=1e-10)  # MPa


# --- V10: translation and rest ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", runs.VOIDED, runs.AXISYMMETRIC], ids=["1D", "2D", "axisymmetric"])
def test_v10_a_rigid_translation_adds_nothing(text: str, tmp_path: Path) -> None:
    # Exact: zero. Mesh and metal move alike along the normal: no strain rate, no content added, no flux through the
    # mesh.
    case = femli.load(runs.written(tmp_path, text)) if text else runs.short()
    made = runs.stepper(case)
    f = made.fields
    for field, speed in ((f.u.v, 3.0), (f.w, 3.0), (f.displacement, 0.25)):
        values = field.x.array.reshape(-1, f.domain.mesh.geometry.dim)
        values[:] = 0.0
        values[:, -1] = speed
    f.x_old.x.array[:] = f.u.x.x.array
    f.u.x.x.array[:] = f.x_old.x.array
    assert np.abs(made.newton.points.strain_rate()).max() < 1e-9  # 1/h; speed over the smallest cell is 1e3 and more
    for increment in made.newton.contents.step_increments():
        assert np.abs(increment).max() < 1e-13
    host = (
        f.frame.weight
        * (1 - laws.li_volume_fraction(f.u.x, f.k))
        * ufl.dot(f.u.v - f.w, ufl.FacetNormal(f.domain.mesh))
    )
    assert abs(fem.assemble_scalar(fem.form(host * ufl.ds))) < 1e-12


@pytest.mark.parametrize("text", ["", runs.VOIDED, runs.AXISYMMETRIC], ids=["1D", "2D", "axisymmetric"])
def test_v10_uniform_metal_at_rest_stays(text: str, tmp_path: Path) -> None:
    # Exact: without current, and with the gas in the voids at the stack pressure, nothing moves: x is that of the
    # start, p the stack pressure, v = 0.
    case_file = runs.written(tmp_path, text) if text else runs.FOIL
    rest = {"load.current_density": "0 mA/cm^2", "stop.time": "10 h", "output.every": "5 h"}
    rest |= {"stop.capacity": "1 mAh/cm^2", "load.void_pressure": "2 MPa", "load.stack_pressure": "2 MPa"}
    case = femli.load(case_file, rest)
    made = runs.stepper(case)
    start = made.levels[0]
    for _ in range(5):
        made.advance()
    end = made.levels[0]
    assert np.abs(end.x - start.x).max() < 1e-12
    assert np.abs(end.p - 2.0).max() < 1e-9
    assert np.abs(end.v).max() < 1e-9  # um/h
    assert np.abs(end.positions - start.positions).max() < 1e-9


def _free_energy(made: Stepper) -> float:
    """Gibbs energy of mixing of the metal over RT/Omega [um^dim]; volumes of both species equal."""
    f = made.fields
    x, (a, b) = f.u.x, (f.k.activity_0, f.k.activity_1)
    y = 1 - x

    def host_part(y: object) -> object:
        # d ln gamma_M = -(x/y) d ln gamma_Li (Gibbs-Duhem), integrated up to pure host.
        return 2 * a * y + (3 * b - 2 * a) * y**2 / 2 - b * y**3

    host = host_part(1) - host_part(y)
    mixing = x * (ufl.ln(x) + laws.log_activity_coefficient(x, f.k)) + y * (ufl.ln(y) + host)
    return total(made.comm, fem.assemble_scalar(fem.form(f.frame.weight * mixing * f.frame.dx)))


def _stripped_then_rested(**more: object) -> Stepper:
    """A thin foil, 5 at% poorer in Li at the contact, at the moment when the current ends."""
    thin = {"geometry__electrode_thickness": "2 um", "stop__time": "100 h", "output__every": "100 h"}
    made = runs.stepper(runs.short(**thin, **more))
    while np.ptp(made.levels[0].x) < 0.05:
        made.advance()
    made.newton.applied_flux = 0.0
    made.start()  # pressure and velocity jump as the current ends
    return made


@pytest.mark.parametrize("activity", ["ideal", "subregular"])
def test_v10_a_rested_alloy_becomes_uniform(activity: str) -> None:
    # Exact: driven by composition alone, x goes to one value, that of what is left of both species, and the free energy
    # never rises; Li and host stay as they are.
    made = _stripped_then_rested(electrode__activity=activity, electrode__stress_coupling=False)
    spread, contents = np.ptp(made.levels[0].x), made.newton.contents.totals()
    energies = [_free_energy(made)]
    while np.ptp(made.levels[0].x) > 1e-4 * spread and len(energies) < 400:
        made.advance()
        energies.append(_free_energy(made))
    x = made.levels[0].x
    assert np.ptp(x) <= 1e-4 * spread
    assert np.diff(energies).max() < 1e-9 * abs(energies[0])
    assert energies[-1] < energies[0]
    li, host = made.newton.contents.totals()
    assert x.mean() == pytest.approx(li / (li + host), abs=1e-5)
    assert (li, host) == pytest.approx(contents, rel=1e-10)


def test_v10_stress_holds_a_gradient_while_it_creeps_away() -> None:
    # Exact: with the stress coupled the potential becomes uniform first: then RT ln x + Omega p is the same everywhere
    # (ideal), so that a difference of p holds one of ln x, which goes as slowly as the metal creeps. The free energy
    # never rises.
    made = _stripped_then_rested()
    energies = [_free_energy(made)]
    while made.levels[0].time < 6.0:
        made.advance()
        energies.append(_free_energy(made))
    assert np.diff(energies).max() < 1e-9 * abs(energies[0])
    level, k = made.levels[0], made.fields.k
    pressure = float(k.thermal_pressure.value) * np.log(level.x) + level.p
    assert np.ptp(level.p) > 0.3
    assert np.ptp(pressure) < 0.05 * np.ptp(level.p)
