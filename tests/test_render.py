"""Pictures from result files alone: what is read is right, every picture comes out, damage is named."""

import subprocess
import sys
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import pandas as pd
import pytest
import result_folders as made
from matplotlib.colors import LogNorm
from PIL import Image

from femli import render_curves, render_plane, render_read, render_shape, render_solid, render_style
from femli.errors import CaseError, OutputError
from femli.render import render

VOIDS = [(12.0, 1.1, 0.55), (27.0, 2.0, 1.2)]
PLANE = {"overview.png", "interface.png", "composition.png", "pressure.png", "stress.png", "velocity.png"}


@pytest.fixture(scope="module")
def foil(tmp_path_factory) -> Path:
    return made.two_voids(tmp_path_factory.mktemp("results") / "foil", frames=3, voltage=True)


def _print_size(path: Path) -> tuple[float, float]:
    """Width (mm) and resolution (dots an inch) of a picture."""
    with Image.open(path) as image:
        dots = float(image.info["dpi"][0])
        return image.width / dots * 25.4, dots


def test_two_ranks_read_as_one_mesh(foil):
    # Exact: the boundary of a block with two voids is one contact in three runs, two sides, a collector and
    # two void walls; a seam between ranks would be a further one. Widths and heights as in made.two_voids.
    frame = render_read.read(foil).frame(-1)
    outline = render_shape.outline(frame.points, frame.cells)
    plane = render_shape.plane(frame)
    assert len(render_shape.contact_lines(plane)) == 3
    boxes = [render_shape.void_box(plane, void) for void in outline.voids]
    expected = [(x - a, x + a, 0.0, b) for x, a, b in VOIDS]
    assert np.allclose(boxes, expected, atol=1e-6)
    length = np.linalg.norm(np.diff(frame.points[outline.contact], axis=1), axis=-1).sum()
    assert length == pytest.approx(40.0 - 2 * (1.1 + 2.0), abs=1e-6)
    assert len(np.unique(outline.sides, axis=0)) == len(outline.sides)


def test_values_survive_reading(foil):
    # Exact: the formulas of result_folders at the nodes; time and capacity i t / 3.6e4.
    run = render_read.read(foil)
    frame = run.frame(1)
    assert frame.time == pytest.approx(made.DURATION / 2)
    assert frame.capacity == pytest.approx(made.capacity(frame.time), rel=1e-6)
    x = made.li_fraction(frame.points[:, 1], frame.time)
    assert np.allclose(frame.fields["li_fraction [-]"], x, rtol=1e-12)
    assert run.stack_pressure == made.STACK_PRESSURE
    values, inside = render_plane.sample(
        render_shape.plane(frame), "li_fraction [-]", np.array([[5.0, 1.0], [27.0, 0.5]])
    )
    assert list(inside) == [True, False]  # the second place is in a void
    assert values[0] == pytest.approx(float(made.li_fraction(np.array([1.0]), frame.time)[0]), abs=2e-3)


def test_plane_pictures(foil, tmp_path):
    # Every file of a plane case, at 300 dots an inch and 85 or 180 mm wide; the film has a frame a snapshot.
    overlay = tmp_path / "bench.csv"
    overlay.write_text("capacity [mAh/cm^2],li_fraction_interface_min [-]\n0.1,0.8\n0.9,0.6\n")
    paths = render(foil, overlay)
    names = {path.name for path in paths}
    assert names == PLANE | {"history.png", "profiles.csv", "voids.png", "film.mp4", "film_interface.mp4"}
    assert all(path.stat().st_size > 1000 for path in paths)
    for name, width in (
        ("overview.png", 180),
        ("interface.png", 180),
        ("pressure.png", 85),
        ("history.png", 180),
    ):
        assert _print_size(foil / name) == pytest.approx((width, 300), rel=0.01), name
    with imageio.get_reader(foil / "film.mp4") as film:
        assert film.count_frames() == 3
        assert film.get_data(0).shape == (720, 1280, 3)
    with Image.open(foil / "overview.png") as picture:
        assert picture.getpixel((2, 2))[:3] == (255, 255, 255)


def test_contact_profiles(foil):
    # Exact: at the contact x is li_fraction(0, t); its nodes lie on 0 <= x <= 40 outside both voids.
    render_run = render_read.read(foil)
    frame = render_run.frame(-1)
    rows = render_curves.profile_table(frame, render_shape.contact_nodes(frame))
    assert np.allclose(rows["li_fraction [-]"], made.LI_END)
    assert rows["x [um]"].is_monotonic_increasing
    for x, half, _ in VOIDS:
        assert not rows["x [um]"].between(x - 0.99 * half, x + 0.99 * half).any()


def test_depth_pictures(tmp_path):
    # Exact: pressure at the contact at t = 0 is p_stack - S0; every frame has every depth, sorted.
    folder = made.write(tmp_path / "depth", 1, frames=3, ranks=1)
    names = {path.name for path in render(folder)}
    assert names == {"history.png", "profiles.csv", "profiles.png", "film.mp4"}
    rows = pd.read_csv(folder / "profiles.csv")
    start = rows[rows["time [s]"] == 0]
    assert start["depth [um]"].is_monotonic_increasing
    assert start["pressure [Pa]"].iloc[0] == pytest.approx(made.STACK_PRESSURE - made.S0)
    assert rows["time [s]"].nunique() == 3


def test_axisymmetric_is_mirrored(tmp_path):
    # Exact: the half plane 0 <= r <= 20 becomes -20 <= r <= 20; the void at the axis stays one, twice as
    # wide; the radial velocity changes sign.
    folder = made.write(tmp_path / "axi", axisymmetric=True, voids=[(0.0, 3.0, 1.5)], width=20.0, frames=1)
    run = render_read.read(folder)
    plane = render_shape.plane(run.frame(0), axisymmetric=run.axisymmetric)
    assert plane.width == (-20.0, 20.0)
    assert [render_shape.void_box(plane, void) for void in plane.outline.voids] == [
        pytest.approx((-3.0, 3.0, 0.0, 1.5), abs=1e-6)
    ]
    places = np.array([[4.0, 1.0], [-4.0, 1.0]])
    velocity, _ = render_plane.sample(plane, "velocity [m/s]", places)
    assert velocity[0, 0] == pytest.approx(-velocity[1, 0])
    assert velocity[0, 1] == pytest.approx(velocity[1, 1])
    assert {path.name for path in render(folder)} >= PLANE - {"film.mp4"}


@pytest.fixture(scope="module")
def solid(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "solid"
    return made.write(folder, 3, voids=[(7.0, 8.0, 2.0, 1.2)], width=16.0, thickness=12.0, count=7, frames=2)


def test_solid_pictures(solid):
    # All pictures of a 3D case; the view shows more than one colour on white ground.
    if not render_solid.opengl():
        pytest.skip("no OpenGL on this machine: " + render_solid.ADVICE)
    names = {path.name for path in render(solid)}
    views = {"view3d_composition.png", "view3d_pressure.png"}
    assert names == PLANE | views | {"history.png", "profiles.csv", "voids.png", "contact.png", "film.mp4"}
    with Image.open(solid / "view3d_composition.png") as picture:
        image = np.asarray(picture.convert("RGB"))
    assert tuple(image[3, -3]) == (255, 255, 255)
    assert len(np.unique(image[::7, ::7].reshape(-1, 3), axis=0)) > 50


def test_section_of_a_solid(solid):
    # Exact: the section through the void's middle is a plane case with one void, 4 um wide and 1.2 um high;
    # 5 %, as the coarse grid holds the ellipsoid at its nodes only.
    frame = render_shape.section(render_read.read(solid).frame(0))
    plane = render_shape.plane(frame)
    assert len(plane.outline.voids) == 1
    left, right, bottom, top = render_shape.void_box(plane, plane.outline.voids[0])
    assert (right - left, bottom, top) == (
        pytest.approx(4.0, rel=0.05),
        pytest.approx(0.0, abs=1e-4),
        pytest.approx(1.2, rel=0.05),
    )


def test_without_opengl_the_rest_is_made(solid, monkeypatch):
    # A machine without OpenGL: one sentence with the packages, after all pictures that need none.
    for path in solid.glob("*.png"):
        path.unlink()
    monkeypatch.setattr(render_solid, "opengl", lambda: False)
    with pytest.raises(OutputError, match=r"libegl1 libgl1") as caught:
        render(solid)
    assert caught.value.exit_code == 5
    names = {path.name for path in solid.glob("*.png")}
    assert names >= PLANE | {"history.png", "contact.png"}
    assert not any(name.startswith("view3d") for name in names)


def test_history_alone(tmp_path, foil):
    # A run that failed before its first snapshot has a history only, here with half a line at its end.
    text = (foil / "history.csv").read_text()
    (tmp_path / "history.csv").write_text(text[: text.rindex(",") - 40])
    assert [path.name for path in render(tmp_path)] == ["history.png"]
    rows = render_read.read(tmp_path).history
    assert rows is not None and len(rows) == text.count("\n") - 2


def test_unwritable_picture(tmp_path, foil):
    # A folder stands where a picture is to be written: one sentence that names it.
    (tmp_path / "history.csv").write_text((foil / "history.csv").read_text())
    (tmp_path / "history.png").mkdir()
    with pytest.raises(OutputError, match=r"history\.png: cannot be written"):
        render(tmp_path)


def test_faults_are_named(tmp_path, foil):
    # Each fault: the error class of the contract, its sentence names the file.
    with pytest.raises(CaseError, match="no such folder"):
        render(tmp_path / "absent")
    with pytest.raises(CaseError, match=r"neither fields\.pvd nor history\.csv"):
        render(tmp_path)
    (tmp_path / "history.csv").write_text("time [s],capacity [mAh/cm^2]\n0,zero\n1,one\n")
    with pytest.raises(OutputError, match=r"history\.csv: column 'capacity"):
        render(tmp_path)
    (tmp_path / "history.csv").unlink()
    for content in ("", "<VTKFile><Coll", "<VTKFile></VTKFile>"):
        (tmp_path / "fields.pvd").write_text(content)
        with pytest.raises(OutputError, match=r"fields\.pvd: is damaged"):
            render(tmp_path)
    (tmp_path / "fields.pvd").write_text((foil / "fields.pvd").read_text())
    with pytest.raises(OutputError, match=r"frame_000000\.pvtu: is missing"):
        render(tmp_path)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "array"])
def test_damaged_pieces_are_named(tmp_path, damage):
    # A piece that is absent, empty, cut off, or lacks the pressure.
    folder = made.write(tmp_path / "run", frames=1, count=5)
    piece = folder / "fields" / "frame_000000_p1.vtu"
    if damage == "missing":
        piece.unlink()
    elif damage == "empty":
        piece.write_bytes(b"")
    elif damage == "cut":
        piece.write_bytes(piece.read_bytes()[:900])
    else:
        for file in (folder / "fields").iterdir():
            file.write_bytes(file.read_bytes().replace(b'Name="pressure [Pa]"', b'Name="pressura [Pa]"'))
    with pytest.raises(OutputError, match=r"frame_000000"):
        render(folder)


def test_overlay_faults(foil, tmp_path):
    # A misspelt column is answered with the nearest right one; an overlay needs an abscissa and a curve.
    rows = render_read.read(foil).history
    path = tmp_path / "bench.csv"
    path.write_text("capacity [mAh/cm^2],cel_voltage [V]\n0,1\n")
    with pytest.raises(CaseError, match=r"did you mean 'cell_voltage \[V\]'"):
        render_curves.measured(path, rows)
    path.write_text("cell_voltage [V]\n1\n")
    with pytest.raises(CaseError, match="neither"):
        render_curves.measured(path, rows)
    path.write_text("time [s]\n1\n")
    with pytest.raises(CaseError, match="nothing to draw"):
        render_curves.measured(path, rows)
    with pytest.raises(CaseError, match="no such file"):
        render_curves.measured(tmp_path / "absent.csv", rows)
    # Against time: 7200 s at 3.1 A/m2 are 0.62 mAh/cm2.
    path.write_text("time [s],cell_voltage [V]\n7200,0.03\n")
    assert render_curves.measured(path, rows)["capacity [mAh/cm^2]"].iloc[0] == pytest.approx(0.62)


def test_colours():
    # Tension anywhere: limits symmetric about 0; a wide stress: a log scale; a uniform field: a band.
    tension = render_style.colours(render_style.PRESSURE, np.array([-0.5, 1.0, 2.0]))
    assert tension.name == "RdBu_r" and tension.norm.vmin == -tension.norm.vmax
    assert render_style.colours(render_style.PRESSURE, np.array([1.0, 2.0])).name == "cividis"
    stress = render_style.colours(render_style.STRESS, np.array([0.01, 0.1, 5.0]))
    assert isinstance(stress.norm, LogNorm)
    uniform = render_style.colours(render_style.COMPOSITION, np.full(5, 0.95))
    assert uniform.norm.vmin < 0.95 < uniform.norm.vmax


def test_needs_no_solver():
    # Pictures are made where no solver is installed: importing render must not import DOLFINx, MPI or PETSc.
    solvers = "{'dolfinx', 'mpi4py', 'petsc4py'}"
    code = f"import sys, femli.render; raise SystemExit(bool({solvers} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
