"""Electrode and electrolyte solved together: voltage, charge, contact laws, controls, and what the columns say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pyvista
import ufl
import verification_runs as runs
from dolfinx import fem

import femli
from femli.case import Case
from femli.electrolyte_conduction import conduct
from femli.errors import CaseError, MeshError
from femli.fields import flux_of_current
from femli.outputs_measures import Measures
from femli.stepper import Stepper
from femli.units import F, R

BELOW = """
[electrolyte]
thickness = "20 um"
conductivity = "0.4 mS/cm"
[interface]
resistance = "5 ohm cm^2"
[cell]
counter_potential = "0.623 V"
counter_resistance = "3 ohm cm^2"
"""
VOIDED = runs.VOIDED + BELOW
FLAT = """
[geometry]
dimension = 1
width = "8 um"
electrode_thickness = "10 um"
[electrode]
material = "Li-5Mg"
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "2 MPa"
[stop]
capacity = "0.001 mAh/cm^2"
"""
THERMAL = R * 303.15 / F


def stepper(folder: Path, text: str, **keys: object) -> tuple[Case, Stepper]:
    """A run at its consistent start."""
    case = femli.load(runs.written(folder, text), {k.replace("__", "."): v for k, v in keys.items()})
    return case, runs.stepper(case)


def rest_potential(y: float) -> float:
    """E of Li-Mg with a fraction y of Mg [V], sub-regular activity."""
    return -THERMAL * (np.log(1 - y) + y**2 * (1.29 - 6.47 * y))


@pytest.mark.parametrize(
    "shape",
    [
        {"geometry__dimension": 1},
        {"geometry__dimension": 2},
        {"geometry__dimension": 2, "geometry__kind": "axisymmetric"},
        {"geometry__dimension": 3},
    ],
)
@pytest.mark.parametrize("coupled", [True, False])
def test_uniform_contact_has_the_exact_voltage(tmp_path: Path, shape: dict[str, object], coupled: bool) -> None:
    # Exact: V = E(x0) - E_counter + i (t/kappa + R_int + R_counter) - Omega (p - p_stack)/F, p the pressure at the
    # contact (VD2); to round-off.
    mesh = {"geometry__mesh__interface_size": "0.5 um", "geometry__mesh__size": "4 um", "geometry__mesh__growth": 1.9}
    _, made = stepper(tmp_path, FLAT + BELOW, electrode__stress_coupling=coupled, **shape, **mesh)
    found = Measures(made.newton).state()
    i = 3.1
    stress = -13e-6 * (found.pressure_interface_mean - 2e6) / F if coupled else 0.0
    exact = rest_potential(0.05) - 0.623 + i * (20e-6 / 0.04 + 5e-4 + 3e-4) + stress
    assert found.cell.voltage == pytest.approx(exact, rel=1e-10)
    # A pressure that is uneven by some kPa on triangles of unequal shape drives currents between its places.
    uneven = 1e-6 if coupled else 1e-12
    assert found.cell[2:8] == pytest.approx((i * 5e-4, i * 5e-4, 0, 0, stress, i * 3e-4), abs=uneven)
    assert found.cell.current_focusing == pytest.approx(1, rel=0.1 if coupled else 1e-9)


@pytest.mark.parametrize("kind", ["foil", "axisymmetric"])
def test_coupled_solve_is_conduction_where_the_metal_is_uniform(tmp_path: Path, kind: str) -> None:
    # Exact: over pure Li without stress coupling E = 0 on the contact, and the voltage is i times the impedance that
    # `conduct` finds on the same electrolyte by another way (forms on the electrolyte alone). To the direct
    # solver, whose matrix also holds the metal's viscosities.
    text = (VOIDED if kind == "foil" else runs.AXISYMMETRIC + BELOW).replace("Li-5Mg", "Li")
    _, made = stepper(tmp_path, text, electrode__stress_coupling=False)
    cell = Measures(made.newton).state().cell
    impedance = conduct(made.fields.domain.electrolyte, 0.04, 1 / 5e-4).impedance.real
    assert cell.voltage + 0.623 - cell.counter == pytest.approx(3.1 * impedance, rel=1e-8)
    parts = cell.ohmic + cell.interface + cell.constriction
    assert parts == pytest.approx(3.1 * impedance, rel=1e-8)
    assert cell.constriction > 1e-3 * cell.ohmic
    assert cell.current_focusing > 1.05


@pytest.fixture(scope="module")
def discharged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Path, dict[str, object]]:
    """A voided foil over an electrolyte after some steps on a moving mesh."""
    folder = tmp_path_factory.mktemp("electrolyte")
    case = femli.load(runs.written(folder, VOIDED))
    return case, folder / "out", femli.run(case, folder / "out")


def test_parts_of_the_overpotential_add_up(discharged) -> None:
    # Exact: I V = int kappa |grad phi|^2 + int i eta + int i E: the parts sum up to the overpotential; the ohmic part
    # is i t/kappa, the counter's i R, the interface's at least i R_int/f (Cauchy-Schwarz).
    _, out, _ = discharged
    history = pd.read_csv(out / "history.csv")
    parts = [name for name in history if name.startswith("overpotential_")]
    assert len(parts) == 6
    assert np.abs(history[parts].sum(axis=1) - history["overpotential [V]"]).max() < 1e-9
    assert history["overpotential_ohmic [V]"].to_numpy() == pytest.approx(3.1 * 5e-4, rel=1e-9)
    assert history["overpotential_counter [V]"].to_numpy() == pytest.approx(3.1 * 3e-4, rel=1e-9)
    least = 3.1 * 5e-4 / history["contact_fraction [-]"]
    assert (history["overpotential_interface [V]"] > least).all()
    assert (history["overpotential_interface [V]"] < 1.1 * least).all()
    shift = history["cell_voltage [V]"] - history["overpotential [V]"]
    assert shift.to_numpy() == pytest.approx(-0.623 + (-THERMAL * np.log(0.95)), abs=1e-9)


def test_lithium_is_the_charge(discharged) -> None:
    # Exact: what leaves the metal is the current's charge, though every point of the contact passes another current.
    _, _, summary = discharged
    assert summary["li_balance_error"] < 1e-8
    assert summary["cell_voltage_V"] == pytest.approx(
        pd.read_csv(discharged[1] / "history.csv").iloc[-1]["cell_voltage [V]"]
    )


@pytest.mark.parametrize("law", ["asr", "butler_volmer"])
def test_charge_is_conserved_on_the_moving_mesh(tmp_path: Path, law: str) -> None:
    # Exact: int i over the contact = int i over the counter side = I after any step, to 1e-10 (VD4); the electrolyte's
    # contact is where the electrode's is.
    _, made = stepper(tmp_path, VOIDED, interface__law=law)
    newton, e = made.newton, made.newton.electrolyte
    for _ in range(12):
        made.advance()
        current = newton.applied_flux * newton.contents.full_area
        assert e.over_contact("current") == pytest.approx(current, rel=1e-10)
        assert e.integral("leaving") == pytest.approx(current, rel=1e-10)
    above, below = made.fields.domain, made.fields.domain.electrolyte
    lengths = []
    for domain in (above, below):
        ds = ufl.Measure("ds", domain.mesh, subdomain_data=domain.facet_tags)
        one = fem.Constant(domain.mesh, 1.0)
        lengths.append(fem.assemble_scalar(fem.form(one * ds(domain.facet_names["contact"]))))
    assert lengths[1] == pytest.approx(lengths[0], rel=1e-12)
    assert abs(lengths[0] - 4.0) > 1e-6  # it has moved


def test_void_floors_are_stretched_between_triple_lines(tmp_path: Path) -> None:
    # Exact: where the triple lines of a void at 1.5 to 5.5 um have moved, a point of its floor at a share of the way
    # between them stays at that share, and no cell is turned over even when a void loses a quarter of its width.
    _, made = stepper(tmp_path, VOIDED)
    follower, positions = made.newton.electrolyte.follower, made.motion.positions()
    first = follower.mesh.geometry.x.copy()
    floor = np.isclose(first[:, 1], 0) & (first[:, 0] > 1.5) & (first[:, 0] < 5.5)
    assert floor.sum() > 10
    x, z = positions.T
    # Left part of the metal follows its triple line to the right, the right one to the left.
    moved = positions.copy()
    left, right = (x <= 1.5 + 1e-9) & np.isclose(z, 0), (x >= 5.5 - 1e-9) & np.isclose(z, 0)
    moved[left, 0] += 0.6 * x[left] / 1.5
    moved[right, 0] -= 0.4 * (8 - x[right]) / 2.5
    made.motion.place(moved)
    follower.follow()
    exact = 2.1 + (first[floor, 0] - 1.5) / 4 * (5.1 - 2.1)
    assert follower.mesh.geometry.x[floor, 0] == pytest.approx(exact, abs=1e-9)
    assert np.all(follower.mesh.geometry.x[:, 1] == first[:, 1])
    assert follower.upright()


@pytest.mark.parametrize(
    ("current", "asr", "butler_volmer"),
    [(5, 50, 44), (10, 100, 73), (25, 250, 117), (50, 500, 153), (500, 5000, 271)],
)
def test_contact_laws_differ_where_current_is_large(
    tmp_path: Path, current: float, asr: float, butler_volmer: float
) -> None:
    # Exact: 10 ohm cm2 at 25 degC: eta = R i, and 2RT/F asinh(i/2 i0), i0 = RT/(F R) [mV]; the currents are those of
    # 0.5 mA/cm2 with 0.1 to 0.001 of the contact left.
    for law, expected in (("asr", asr), ("butler_volmer", butler_volmer)):
        _, made = stepper(
            tmp_path,
            FLAT + '[electrolyte]\nthickness = "20 um"\n',
            interface__law=law,
            electrode__stress_coupling=False,
            load__current_density=f"{current} mA/cm^2",
            load__temperature="25 degC",
        )
        cell = Measures(made.newton).state().cell
        assert 1e3 * cell.interface == pytest.approx(expected, abs=0.5)
        i0 = R * 298.15 / F / 1e-3
        exact = current * 10 * 1e-3 if law == "asr" else 2 * R * 298.15 / F * np.arcsinh(current * 10 / (2 * i0))
        assert cell.interface == pytest.approx(exact, rel=1e-9)


def test_butler_volmer_is_a_resistance_at_small_overpotential(tmp_path: Path) -> None:
    # Exact: sinh(z) = z + z^3/6: at 1 uA/cm2 and 5 ohm cm2 z is 2e-4 on average, and the voltages
    # agree to 1e-7 of eta (VD6).
    volts, uncoupled = [], {"electrode__stress_coupling": False}
    for law in ("asr", "butler_volmer"):
        _, made = stepper(tmp_path, VOIDED, interface__law=law, load__current_density="1 uA/cm^2", **uncoupled)
        volts.append(Measures(made.newton).state().cell)
    assert volts[1].interface == pytest.approx(volts[0].interface, rel=1e-7)
    assert volts[1].voltage - volts[0].voltage == pytest.approx(0, abs=1e-7 * volts[0].interface)


@pytest.mark.parametrize("resistance", ["0 ohm cm^2", "3 ohm cm^2"])
@pytest.mark.parametrize("law", ["asr", "butler_volmer"])
def test_voltage_control_finds_the_current(tmp_path: Path, resistance: str, law: str) -> None:
    # Exact: a uniform cell held at the voltage of a given current passes that current; one step later as well.
    keys = {"interface__law": law, "cell__counter_resistance": resistance}
    _, given = stepper(tmp_path, FLAT + BELOW, **keys)
    volts = Measures(given.newton).voltage()
    _, held = stepper(tmp_path, FLAT + BELOW, **keys)
    newton = held.newton
    newton.control, newton.applied_voltage = "voltage", volts
    newton.applied_flux *= 0.1  # of no account
    held.start()
    measures = Measures(newton)
    assert measures.newton.flux() == pytest.approx(given.newton.applied_flux, rel=1e-6)
    assert measures.voltage() == pytest.approx(volts, rel=1e-12)
    held.advance()
    state = measures.state().cell
    assert state.voltage == pytest.approx(volts, rel=1e-12)
    assert sum(state[2:8]) == pytest.approx(state.overpotential, abs=1e-8)


def test_voltage_control_of_a_voided_contact(tmp_path: Path) -> None:
    # Exact: the same field as with the given current, where the counter side is far enough to be an equipotential: the
    # constriction has decayed by exp(-2 pi 20/8).
    _, given = stepper(tmp_path, VOIDED)
    volts = Measures(given.newton).voltage()
    for resistance in ("0 ohm cm^2", "3 ohm cm^2"):
        _, held = stepper(tmp_path, VOIDED, cell__counter_resistance=resistance)
        lumped = 3e-4 if resistance.startswith("0") else 0.0
        held.newton.control, held.newton.applied_voltage = "voltage", volts - 3.1 * lumped
        held.start()
        assert Measures(held.newton).newton.flux() == pytest.approx(given.newton.applied_flux, rel=1e-6)


@pytest.mark.parametrize("text", [FLAT + BELOW, VOIDED], ids=["flat", "voided"])
def test_cell_at_rest(tmp_path: Path, text: str) -> None:
    # Exact: without current V = E(x0) - E_counter, every part is zero and nothing is divided by zero.
    ideal = -THERMAL * np.log(0.95)
    _, made = stepper(
        tmp_path,
        text,
        load__current_density="0 mA/cm^2",
        stop__time="1 h",
        electrode__activity="ideal",
        electrode__stress_coupling=False,
    )
    cell = Measures(made.newton).state().cell
    assert cell.voltage == pytest.approx(ideal - 0.623, rel=1e-10)
    assert cell[1:9] == pytest.approx((0.0,) * 8, abs=1e-12)


def test_rows_and_columns_are_the_derivative(tmp_path: Path) -> None:
    # Exact: A d = [b(u + h d) - b(u - h d)]/2h for directions in p, x and phi at a fixed mesh, all four rows, to the
    # h^2 of central differences.
    _, made = stepper(tmp_path, VOIDED, interface__law="butler_volmer")
    newton, fields, e = made.newton, made.fields, made.newton.electrolyte
    fields.k.rate.value = 3.0
    fields.x_old.x.array[:] = fields.u.x.x.array
    rng = np.random.default_rng(3)
    e.phi.x.array[:] += 0.03 * rng.normal(size=e.phi.x.array.size)
    e.refresh()
    system = newton.step_system
    system.assemble([])
    directions = []
    for u, scale in ((fields.u.p, 1.0), (fields.u.x, 0.01), (e.phi, 0.01)):
        start, d = u.x.array.copy(), scale * rng.normal(size=u.x.array.size)
        sides = []
        for sign in (1, -1):
            u.x.array[:] = start + sign * 1e-4 * d
            e.refresh()
            system.residual([])
            sides.append(system.b.array.copy())
        u.x.array[:] = start
        e.refresh()
        directions.append((d, (sides[0] - sides[1]) / 2e-4))
    for number, (d, exact) in enumerate(directions, start=1):
        vector, image = system.A.createVecs()
        vector.array[newton.offsets[number] : newton.offsets[number] + d.size] = d
        system.A.mult(vector, image)
        image.array[system.metal.held] = exact[system.metal.held]
        for where in (*newton.slices[:3], slice(newton.offsets[3], None)):
            size = max(np.max(np.abs(exact[where])), 1e-6)
            assert np.max(np.abs(image.array[where] - exact[where])) < 1e-6 * size, number


@pytest.mark.parametrize(
    ("keys", "reason", "column", "at"),
    [
        ({"stop.voltage": "0.02 V"}, "voltage", "cell_voltage [V]", 0.02),
        ({"stop.polarisation": "10 mV"}, "polarisation", None, 0.01),
    ],
)
def test_stops_by_voltage_are_met_exactly(
    tmp_path: Path, keys: dict[str, object], reason: str, column: str | None, at: float
) -> None:
    # Exact: the last row stands at the voltage of the stop; polarisation is the overpotential less i (t/kappa + R).
    text = FLAT.replace("Li-5Mg", "Li-20Mg").replace("0.001 mAh", "1 mAh") + '[electrolyte]\nthickness = "200 um"\n'
    case = femli.load(runs.written(tmp_path, text), keys | {"electrode.creep_scaling": "none"})
    summary = femli.run(case, tmp_path / "out")
    last = pd.read_csv(tmp_path / "out" / "history.csv").iloc[-1]
    kappa = 0.35 * (12.4 / 3.5) ** ((1 / 298.15 - 1 / 303.15) / (1 / 298.15 - 1 / 333.15))
    intact = 3.1 * (200e-6 / kappa + 1e-3)
    value = last[column] if column else last["overpotential [V]"] - intact
    assert summary["stop_reason"] == reason
    assert value == pytest.approx(at, abs=1e-8)


def test_voltages_need_an_electrolyte(tmp_path: Path) -> None:
    # Exact: one sentence a key, naming it and what to do.
    with pytest.raises(CaseError, match=r"stop\.voltage: there is no voltage without an electrolyte.*\[electrolyte\]"):
        femli.load(runs.written(tmp_path, FLAT), {"stop.voltage": "0.1 V"})
    _, made = stepper(tmp_path, FLAT)
    measures = Measures(made.newton)
    with pytest.raises(CaseError, match="no voltage without an electrolyte"):
        measures.voltage()
    assert measures.state().cell is None


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("interface.resistance", "0 ohm cm^2", "more than zero"),
        ("interface.resistance", "10 ohm", "wrong dimension"),
        ("electrolyte.material", "Li6PS5C", 'did you mean "Li6PS5Cl"'),
        ("electrolyte.conductivity", "0 mS/cm", "must be positive"),
        ("cell", {"kind": "symmetric", "counter_potential": "0.6 V"}, "symmetric has a counter_potential"),
    ],
)
def test_impossible_cells_are_refused(tmp_path: Path, key: str, value: object, told: str) -> None:
    # Exact: the key and what is allowed.
    with pytest.raises(CaseError, match=told):
        femli.load(runs.written(tmp_path, FLAT + BELOW), {key: value} if key != "cell" else {"cell": value})


def test_symmetric_cell_counts_the_contact_twice(tmp_path: Path) -> None:
    # Exact: Li is plated on the other side, at 0 V and through the same resistance.
    _, made = stepper(tmp_path, FLAT + '[electrolyte]\nthickness = "20 um"\n[cell]\nkind = "symmetric"\n')
    e = made.newton.electrolyte
    assert e.counter_resistance == pytest.approx(1e-3 / flux_of_current(1.0, runs.short().electrode_properties()))
    assert e.counter_potential == 0.0


def test_snapshots_of_the_electrolyte_read_back(discharged) -> None:
    # Exact: one snapshot for each of the electrode's, at its times; the current leaves through the counter side as 3.1
    # A/m2 downwards, none passes the floor of the void, and the mean potential below is -(V + E_counter) + i R_counter.
    _, out, summary = discharged
    times = []
    for name in ("fields.pvd", "electrolyte.pvd"):
        reader = pyvista.get_reader(str(out / name))
        times.append(list(reader.time_values))
    assert times[0] == times[1]
    assert len(times[1]) == 3
    reader.set_active_time_value(times[1][-1])
    grid = reader.read().combine()
    x, z = grid.points[:, 0], grid.points[:, 1]
    below = np.isclose(z, -20)
    current = grid["current_density [A/m^2]"]
    assert current[below, 1] == pytest.approx(-3.1, rel=1e-3)
    floor = np.isclose(z, 0) & (np.abs(x - 3.5) < 0.6)  # cells of 0.3 um see some of the current under them
    assert floor.sum() > 2
    assert np.abs(current[floor, 1]).max() < 0.15 * 3.1
    potential = grid["potential [V]"][below]
    assert potential.mean() == pytest.approx(-(summary["cell_voltage_V"] + 0.623) + 3.1 * 3e-4, abs=1e-7)


def test_an_electrolyte_of_a_file(tmp_path: Path) -> None:
    # Exact: the state of the case whose mesh was written; a file without the region, or with one too many, is refused.
    from femli import mesh

    case = femli.load(runs.written(tmp_path, VOIDED))
    mesh.write(case, tmp_path / "both.msh")
    mesh.write(femli.load(runs.written(tmp_path, runs.VOIDED, "dry.toml")), tmp_path / "dry.msh")
    head = VOIDED[: VOIDED.index("[geometry.mesh]")]
    rest = VOIDED[VOIDED.index("[electrode]") :]
    text = head + 'kind = "file"\nfile = "both.msh"\n' + rest
    volts = [Measures(made.newton).voltage() for _, made in (stepper(tmp_path, VOIDED), stepper(tmp_path, text))]
    assert volts[1] == pytest.approx(volts[0], rel=1e-9)
    with pytest.raises(MeshError, match=r"dry\.msh: the mesh has no region electrolyte"):
        stepper(tmp_path, text.replace("both", "dry"))
    with pytest.raises(MeshError, match=r"both\.msh: the mesh has a region electrolyte"):
        stepper(tmp_path, text[: text.index("[electrolyte]")])


def test_pictures_of_the_cell(discharged) -> None:
    # Expected: the potential with the current, and the voltage with its parts, next to the pictures of the electrode.
    from femli.render import render

    _, out, _ = discharged
    names = {path.name for path in render(out)}
    assert {"electrolyte.png", "voltage.png", "overview.png"} <= names
    assert all((out / name).stat().st_size > 20_000 for name in ("electrolyte.png", "voltage.png"))


def test_three_dimensional_void_over_an_electrolyte(tmp_path: Path) -> None:
    # Exact: charge conserved to 1e-10, parts that add up; the constriction is between 0 and that of a spot of the size
    # of the contact in a tube of the same area, from the other side: a patch turns away less current than a spot.
    text = VOIDED.replace("dimension = 2", "dimension = 3").replace('x = "3.5 um"', 'x = "4 um"\ny = "4 um"')
    keys = {"geometry__mesh__edge_size": "0.5 um", "geometry__mesh__size": "3 um", "geometry__mesh__growth": 2.0}
    _, made = stepper(tmp_path, text, geometry__mesh__interface_size="1 um", **keys)
    made.advance()
    e = made.newton.electrolyte
    assert e.over_contact("current") == pytest.approx(
        made.newton.applied_flux * made.newton.contents.full_area, rel=1e-10
    )
    cell = Measures(made.newton).state().cell
    assert sum(cell[2:8]) == pytest.approx(cell.overpotential, abs=1e-9)
    assert 0 < cell.constriction < 3.1 * 4e-6 / (4 * 0.04)
