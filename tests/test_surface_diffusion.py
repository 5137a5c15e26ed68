"""Diffusion along the walls of voids in metal that hardly creeps: exact rates and shapes, and what is kept."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shells
import test_surface_tension as S
import verification_runs as runs
from numpy.polynomial import Legendre
from test_wall_exchange import STRIPPED

import femli
from femli import mesh_geometry
from femli.case import Case
from femli.errors import CaseError
from femli.mesh_parts import BOUNDARIES, PartedMesh
from femli.stepper import Stepper

RT = 8.314462618 * 303.15  # J/mol
HARD = 1e-9  # creep prefactor, MPa^-1/h
TEXT = f"""
[geometry]
electrode_thickness = "4 um"
[electrode]
stress_coupling = false
[electrode.material]
base = "Li"
creep_exponent = 1.0
creep_prefactor = "{HARD} / MPa^1.0 / hour"
[interface]
contact = "no_slip"
[wall]
surface_tension = "0.4 J/m^2"
surface_diffusivity = "1e-9 m^2/s"
surface_thickness = "0.3 nm"
[load]
current_density = "0 mA/cm^2"
stack_pressure = "0 MPa"
[stop]
time = "1 h"
"""


def mobility(case: Case) -> float:
    """B = D_s delta_s gamma Omega/(R T) of Mullins [um4/h]."""
    wall = case.wall
    B = wall.surface_diffusivity * wall.surface_thickness * wall.surface_tension
    return B * case.electrode_properties().omega_li / RT * 3600 * 1e24


def marched(made: Stepper, time: float) -> Stepper:
    while made.levels[0].time < time * (1 - 1e-10):
        made.advance()
    return made


def wall(made: Stepper) -> np.ndarray:
    """Nodes of the wall, (nodes, 2) um."""
    return made.fields.domain.mesh.geometry.x[made.fields.node_of_dof[made.motion.on_void], :2]


def parted(points: np.ndarray, triangles: np.ndarray, lines: list[tuple[str, np.ndarray]]) -> PartedMesh:
    """A mesh with boundaries as lines of nodes."""
    facets = [np.column_stack([line[:-1], line[1:]]) for _, line in lines]
    tags = [np.full(len(line) - 1, BOUNDARIES[name]) for name, line in lines]
    return PartedMesh(points, triangles, np.vstack(facets), np.concatenate(tags))


def strip(cells: int, shape: Callable[[np.ndarray], np.ndarray]) -> PartedMesh:
    """Metal on a contact of width 1 um, its upper side the wall of a void at height 1 um and `shape` of x."""
    x, z = np.meshgrid(np.linspace(0, 1, cells + 1), np.linspace(0, 1, cells + 1))
    points = np.column_stack([x.ravel(), (z * (1 + shape(x))).ravel()])
    number = np.arange(x.size).reshape(x.shape)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    triangles = np.vstack([np.column_stack([t.ravel() for t in three]) for three in ((a, b, c), (a, c, d))])
    lines = [("contact", number[0]), ("void", number[-1]), ("side", number[:, 0]), ("side", number[:, -1])]
    return parted(points, triangles, lines)


def relaxing(folder: Path, whole: PartedMesh, time: float, steps: int, **keys: object) -> Stepper:
    """A wall that relaxes for a time [h] in steps of one size."""
    step = f"{time / steps} h"
    keys = {"stop.time": f"{time} h", "solver.largest_step": step, "solver.initial_step": step} | keys
    return marched(shells.built(femli.load(runs.written(folder, TEXT), keys), whole), time)


def test_a_wave_on_a_flat_wall_decays(tmp_path: Path) -> None:
    # Exact: exp(-B k^4 t) (Mullins 1957), k = pi/L of a half wave between mirrors, to half of the first amplitude; the
    # amplitude is 1e-3 L, what it adds is of its square. Cells and steps are halved together: order 2.
    case = femli.load(runs.written(tmp_path, TEXT))
    time = np.log(2) / (mobility(case) * np.pi**4)
    errors = []
    for cells in (8, 16):
        made = relaxing(tmp_path, strip(cells, lambda x: 1e-3 * np.cos(np.pi * x)), time, cells)
        x, z = wall(made).T
        order = np.argsort(x)
        amplitude = 2 * np.trapezoid((z * np.cos(np.pi * x))[order], x[order])
        errors.append(abs(amplitude / 0.5e-3 - 1))
    assert errors[-1] < 2e-3
    assert min(np.log2(np.array(errors[:-1]) / errors[1:])) > 1.7, errors


def half_shell(cells: int, mode: int, size: float, axisymmetric: bool) -> PartedMesh:
    """Half a shell of radii 1 and 2 um over a plane contact (axisymmetric: a quarter), its void 1 + size cos(mode t).

    In axisymmetry the Legendre polynomial of cos t in place of the cosine, t from the axis.
    """
    span = np.pi / 2 if axisymmetric else np.pi
    layers = max(2, round(np.log(2) / np.log1p(span / cells)))
    t = np.linspace(0.0, span, cells + 1)
    bump = Legendre.basis(mode)(np.sin(t)) if axisymmetric else np.cos(mode * t)
    share = np.arange(layers + 1)[:, None] / layers
    r = 2.0**share * (1 + size * bump * (1 - share))
    points = np.column_stack([(r * np.cos(t)).ravel(), (r * np.sin(t)).ravel()])
    number = np.arange(r.size).reshape(r.shape)
    points[number[:, 0], 1] = 0.0
    points[number[:, -1], 0 if axisymmetric else 1] = 0.0
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    triangles = np.vstack([np.column_stack([k.ravel() for k in three]) for three in ((a, b, c), (a, c, d))])
    lines = [("void", number[0]), ("collector", number[-1]), ("contact", number[:, 0])]
    lines += [("axis" if axisymmetric else "contact", number[:, -1])]
    return parted(points, triangles, lines)


def amplitude(made: Stepper, mode: int, axisymmetric: bool) -> float:
    """Of cos(mode t), or of the Legendre polynomial, in the radius of a wall [um]."""
    x, z = wall(made).T
    t = np.arctan2(z, x)
    order = np.argsort(t)
    r, t = np.hypot(x, z)[order], t[order]
    if axisymmetric:
        u = np.sin(t)
        return float((2 * mode + 1) * np.trapezoid((r - 1) * Legendre.basis(mode)(u), u))
    return float(2 / np.pi * np.trapezoid((r - 1) * np.cos(mode * t), t))


MODES = [(False, 2, 12), (False, 3, 72), (True, 2, 24), (True, 4, 360)]


@pytest.mark.parametrize(("axisymmetric", "mode", "rate"), MODES, ids=["circle 2", "circle 3", "sphere 2", "sphere 4"])
def test_a_void_becomes_round(tmp_path: Path, axisymmetric: bool, mode: int, rate: float) -> None:
    # Exact: r = R + e cos(n t) decays with B n^2 (n^2 - 1)/R^4 (Mullins 1957), r = R + e P_n with
    # B (n - 1) n (n + 1) (n + 2)/R^4 (Nichols and Mullins 1965), to half of the first amplitude, 1e-3 R. The wall meets
    # mirror and contact at 90 degrees. Half the difference of e and -e: a sphere of cones does not quite rest. Order 2
    # in cells and steps, halved together.
    case = femli.load(runs.written(tmp_path, TEXT))
    time = float(np.log(2) / (mobility(case) * rate))
    errors = []
    for cells in (12, 24) if mode == 3 else (6, 12):
        found = [
            amplitude(relaxing(tmp_path, half_shell(cells, mode, size, axisymmetric), time, cells), mode, axisymmetric)
            for size in (1e-3, -1e-3)
        ]
        errors.append(abs((found[0] - found[1]) / 1e-3 - 1))
    assert errors[1] < 0.03
    assert np.log2(errors[0] / errors[1]) > 1.7, errors


CAP = S.CAP.replace('creep_prefactor = "0.1', f'creep_prefactor = "{HARD}').replace(
    "[wall]\n", '[wall]\nsurface_diffusivity = "1e-9 m^2/s"\n'
)


def enclosed(folder: Path, seeded: float, angle: float, size: float, axisymmetric: bool, **keys: object) -> Stepper:
    """A void in metal that walls enclose on all sides, the top included."""
    text = CAP.format(seeded=seeded, angle=angle, size=size, gas=1, x=0 if axisymmetric else 6, end=1000)
    if axisymmetric:
        text = text.replace("[geometry]\n", '[geometry]\nkind = "axisymmetric"\n')
    case = femli.load(runs.written(folder, text), keys)
    whole, _ = mesh_geometry.parted(case)
    tags = np.where(whole.facet_tags == BOUNDARIES["collector"], BOUNDARIES["side"], whole.facet_tags)
    return shells.built(case, whole._replace(facet_tags=tags))


@pytest.mark.parametrize(("angle", "axisymmetric"), [(65.0, False), (105.0, False), (70.0, True), (110.0, True)])
def test_a_cap_takes_the_contact_angle_by_diffusion_alone(tmp_path: Path, angle: float, axisymmetric: bool) -> None:
    # Exact: half a circle, or sphere, becomes the cap of its size that meets the electrolyte at the contact angle
    # , where kappa = m sin(theta)/a is the same everywhere, m = 1 or 2. Half a degree on four cells along its half
    # width; its size is kept to round-off, and steps end hundreds of times longer than h^4/B.
    made = enclosed(tmp_path, 90.0, angle, 0.5, axisymmetric)
    B = mobility(made.case)
    li = made.newton.contents.totals()[0]
    steps = []
    while made.levels[0].time < 2 * 2.0**4 / B:
        steps.append(made.advance())
    points = wall(made)
    measured, off = S.fitted_angle(np.vstack([points, points * [-1, 1]]) if axisymmetric else points)
    assert measured == pytest.approx(angle, abs=0.5)
    assert off < 0.01
    assert made.newton.contents.totals()[0] == pytest.approx(li, rel=1e-12)
    half = points[points[:, 1] < 1e-9, 0].max() - (0 if axisymmetric else 6)
    kappa = (2 if axisymmetric else 1) * np.sin(np.radians(angle)) / half
    assert made.newton.curvature.scalar() == pytest.approx(kappa, rel=0.02)
    assert steps[-1].dt > 300 * 0.5**4 / B
    assert len(steps) < 40


def test_an_alloy_keeps_its_composition(tmp_path: Path) -> None:
    # Exact: metal of one composition that diffuses along walls keeps it everywhere, as both species go in their
    # proportion; Li and host are kept. Order of round-off and of solver.tolerance.
    keys = {"electrode.material": "Li-10Mg", "electrode.creep_scaling": "none", "interface.contact": "free_slip"}
    made = enclosed(tmp_path, 60.0, 110.0, 0.5, False, **keys)
    li, host = made.newton.contents.totals()
    x, first = made.fields.u.x.x.array.copy(), wall(made).copy()
    for _ in range(20):
        made.advance()
    assert np.abs(wall(made) - first).max() > 0.1
    assert made.fields.u.x.x.array == pytest.approx(x, abs=1e-9)
    assert made.newton.contents.totals() == pytest.approx((li, host), rel=1e-9)


def test_both_species_are_kept_where_composition_varies(tmp_path: Path) -> None:
    # Exact: nothing enters or leaves, whatever the composition along the wall.
    keys = {"electrode.material": "Li-10Mg", "electrode.creep_scaling": "none"}
    made = enclosed(tmp_path, 60.0, 110.0, 0.5, False, **keys)
    X = made.fields.u.x.function_space.tabulate_dof_coordinates()
    made.fields.u.x.x.array[:] -= 0.1 * np.exp(-(X[:, 1] ** 2))
    made.start()
    li, host = made.newton.contents.totals()
    for _ in range(15):
        made.advance()
    assert made.newton.contents.totals() == pytest.approx((li, host), rel=1e-9)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("wall.surface_tension", "0 J/m^2", "wall.surface_diffusivity: without surface tension"),
        ("geometry.dimension", 3, "wall.surface_diffusivity: not in three dimensions"),
        ("wall.surface_diffusivity", "-1 m^2/s", "wall.surface_diffusivity: .* must be positive"),
        ("wall.surface_thickness", "0 nm", "wall.surface_thickness: .* must be positive"),
    ],
)
def test_what_has_no_surface_diffusion_is_refused(tmp_path: Path, key: str, value: object, told: str) -> None:
    # Exact: a CaseError that names the key.
    text = CAP.format(seeded=90, angle=90, size=0.5, gas=1, x=6, end=1)
    path = runs.written(tmp_path, text)
    assert femli.load(path).wall.surface_thickness == pytest.approx(3e-10)
    keys = {key: value} | ({"geometry.depth": "12 um", "geometry.voids.list": None} if value == 3 else {})
    with pytest.raises(CaseError, match=told):
        femli.load(path, {key: value for key, value in keys.items() if value is not None})


@pytest.mark.slow
def test_new_meshes_on_the_way(tmp_path: Path) -> None:
    # Exact: Li and host of a whole run with new meshes are kept; the void keeps its area but for the creep of the metal
    # (1e-3: what resampling of the wall by cubics may change, made up for by the collector).
    case = femli.load(runs.ROOT / "cases" / "void_rounding.toml", {"stop.time": "2000 s"})
    summary = femli.run(case, tmp_path / "out")
    assert summary["remeshings"] >= 1
    assert abs(summary["li_balance_error"]) < 1e-10
    assert abs(summary["host_balance_error"]) < 1e-10
    assert abs(summary["collector_shift_m"]) < 1e-3 * np.pi / 2 * 3e-6 / 8


def test_walls_that_exchange_lithium_diffuse_as_well(tmp_path: Path) -> None:
    # Exact: metal that does not creep is stripped from the walls of its void alone, whose area grows by Omega i/F times
    # the width, and diffusion along them takes or adds nothing; Li is kept. Order of round-off and solver tolerance.
    keys = {"wall.lithium": "exchange", "wall.surface_diffusivity": "1e-11 m^2/s", "wall.surface_tension": "0.1 J/m^2"}
    made = runs.stepper(femli.load(runs.written(tmp_path, STRIPPED), keys))
    li, _ = made.newton.contents.totals()
    first = S.void_area(wall(made))
    for _ in range(20):
        made.advance()
    grown = S.void_area(wall(made)) - first
    removed = made.newton.applied_flux * 12.0 * made.levels[0].time
    assert grown == pytest.approx(removed, rel=1e-3)
    assert li - made.newton.contents.totals()[0] == pytest.approx(removed, abs=1e-8 * li)
