"""Voids of real runs: voids.csv and the columns of the history, as a user reads them."""

from pathlib import Path

from mpi4py import MPI

import numpy as np
import pandas as pd
import pytest
import verification_runs as runs

import femli
from femli import fields, mesh, mesh_geometry, mesh_gmsh
from femli.mesh_parts import BOUNDARIES
from femli.outputs_voids import Walls

# Two voids, one of them close to the limit of detection; three snapshots and the end.
TWO = (
    runs.VOIDED.replace('width = "8 um"', 'width = "12 um"')
    .replace(
        "[electrode]", '[[geometry.voids.list]]\nx = "9 um"\nhalf_width = "0.8 um"\nheight = "0.5 um"\n[electrode]'
    )
    .replace('"0.001 mAh', '"0.0003 mAh')
    .replace('"0.0005 mAh', '"0.0001 mAh')
)
SAME = 1e-8


def _run(case: Path, out: Path, ranks: int, *words: str) -> pd.DataFrame:
    ended = runs.command("-m", "femli", "run", str(case), "-o", str(out), *words, ranks=ranks)
    assert ended.returncode == 0, ended.stderr
    return _voids(out)


def _voids(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "voids.csv", dtype={"parents [-]": str})


def _same(a: pd.DataFrame, b: pd.DataFrame) -> None:
    """Equal words and numbers, sizes to SAME of the largest of their column."""
    assert list(a.columns) == list(b.columns)
    assert len(a) == len(b)
    for name in a.columns:
        if name in ("void [-]", "parents [-]", "event [-]", "interior [-]"):
            assert a[name].equals(b[name]), name
        else:
            assert np.allclose(a[name], b[name], rtol=0, atol=SAME * a[name].abs().max(), equal_nan=True), name


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A case file and its results on one rank."""
    folder = tmp_path_factory.mktemp("two")
    case = runs.written(folder, TWO)
    _run(case, folder / "one", 1)
    return case, folder / "one"


def test_rows_agree_with_the_history(reference: tuple[Path, Path]) -> None:
    # Exact: a row a void at each of 4 snapshots; openings sum up to the contact loss, areas to the void area; medians
    # and maxima of two; spacing 12 um/2; thickness = area/12 um; the first frame has the measures of the seeds (cap of
    # 60 degrees, half width 2 um: width 2 R = 4.619 um, height 3.464 um, and the ellipse), to
    # the mesh: heights to the sagitta 0.2^2/(8 R) = 4 nm of the ellipse's top, R = 1.28 um.
    _, folder = reference
    rows, history = _voids(folder), runs.history(folder)
    assert len(rows) == 8 and rows["void [-]"].tolist() == [1, 2] * 4
    assert rows["event [-]"].tolist() == ["start"] * 2 + ["continue"] * 6
    assert rows["parents [-]"].tolist() == ["-", "-"] + ["1", "2"] * 3
    for time, frame in rows.groupby("time [s]"):
        row = history[history["time [s]"] == time].iloc[0]
        assert frame["opening [m]"].sum() / 12e-6 == pytest.approx(row["contact_loss [-]"], rel=1e-10)
        assert row["contact_loss [-]"] == pytest.approx(1 - row["contact_fraction [-]"], rel=1e-12)
        assert frame["area [m^2]"].sum() == pytest.approx(row["void_area [m^2]"], rel=1e-10)
        for name in ("width", "height"):
            assert row[f"void_{name}_median [m]"] == pytest.approx(frame[f"{name} [m]"].median(), rel=1e-12)
            assert row[f"void_{name}_max [m]"] == frame[f"{name} [m]"].max()
        assert row["void_spacing [m]"] == pytest.approx(6e-6, rel=1e-12)
        assert row["mean_void_thickness [m]"] == pytest.approx(row["void_area [m^2]"] / 12e-6, rel=1e-12)
        assert row["capacity [mAh/cm^2]"] == frame["capacity [mAh/cm^2]"].iloc[0]
    assert rows["x [m]"][:2].to_numpy() == pytest.approx([3.5e-6, 9e-6], rel=1e-3)
    assert rows["width [m]"][:2].to_numpy() == pytest.approx([4.619e-6, 1.6e-6], rel=2e-3)
    assert rows["height [m]"][:2].to_numpy() == pytest.approx([3.464e-6, 0.5e-6], abs=4e-9)
    assert rows["opening [m]"][:2].to_numpy() == pytest.approx([4e-6, 1.6e-6], rel=1e-6)


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_same_voids_on_more_ranks(reference: tuple[Path, Path], ranks: int, tmp_path: Path) -> None:
    # Exact: the rows of one rank, words and numbers alike, sizes to 1e-8 (round-off of the solve).
    case, folder = reference
    _same(_voids(folder), _run(case, tmp_path / "out", ranks))


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [(1, 1), pytest.param((2, 1), marks=pytest.mark.slow)], ids=str)
def test_interrupted_and_resumed(reference: tuple[Path, Path], ranks: tuple[int, int], tmp_path: Path) -> None:
    # Exact: the rows without interruption. Rows behind the checkpoint, and half a row, are dropped and written again.
    case, folder = reference
    script, out = runs.written(tmp_path, runs.INTERRUPTED, "interrupt.py"), tmp_path / "out"
    ended = runs.command(str(script), str(case), str(out), "start", "0.00015", ranks=ranks[0])
    assert ended.returncode == 0, ended.stderr
    whole = _voids(folder)
    assert 0 < len(_voids(out)) < len(whole)
    with (out / "voids.csv").open("a") as file:
        file.write("9e9,1.0,7,1e-6,1e-6,1e-6,1e-12,-,nucleate,1e-6,1.0,0\n9e9,1.0,8")
    _same(whole, _run(case, out, ranks[1], "--resume"))


def test_limit_of_detection(reference: tuple[Path, Path], tmp_path: Path) -> None:
    # Exact: the void of height 0.5 um is not seen by 0.6 um: no row, not in the medians; the count is that of the mesh.
    case = femli.load(reference[0], {"output.void_detection": "0.6 um", "stop.capacity": "0.0001 mAh/cm^2"})
    femli.run(case, tmp_path / "out")
    rows, history = _voids(tmp_path / "out"), runs.history(tmp_path / "out")
    assert set(rows["void [-]"]) == {1}
    assert history["void_height_median [m]"][0] == pytest.approx(3.464e-6, rel=5e-3)
    assert (history["void_count [-]"] == 2).all()


def test_no_voids_no_file(tmp_path: Path) -> None:
    # Exact: a foil without walls has neither the file nor the columns; an old file goes where a run is replaced.
    out = tmp_path / "out"
    out.mkdir()
    (out / "voids.csv").write_text("of another run")
    femli.run(runs.short(stop__capacity="0.001 mAh/cm^2"), out, force=True)
    assert not (out / "voids.csv").exists()
    assert not [name for name in runs.history(out) if "void" in name or "loss" in name]


def test_a_half_void_of_a_users_mesh(tmp_path: Path) -> None:
    # Exact: half a void on the side of a plane foil (the mesh of an axisymmetric one with its axis renamed) counts as
    # the whole: width 2 R = 4.619 um, area R^2 (2 pi/3 + sin 60 cos 60), share 1/2; contact loss 2 um of 8 um.
    text = runs.AXISYMMETRIC
    whole, _ = mesh_geometry.parted(femli.load(runs.written(tmp_path, text)))
    tags = np.where(whole.facet_tags == BOUNDARIES["axis"], BOUNDARIES["side"], whole.facet_tags)
    mesh_gmsh.save(whole._replace(facet_tags=tags), tmp_path / "half.msh", 1e-6)
    start, end = text.index("[[geometry"), text.index("[electrode]")
    text = (text[:start] + text[end:]).replace('"axisymmetric"', '"file"\nfile = "half.msh"')
    case = femli.load(runs.written(tmp_path, text), {"stop.capacity": "1e-6 mAh/cm^2"})
    femli.run(case, tmp_path / "out")
    row, first = _voids(tmp_path / "out").iloc[0], runs.history(tmp_path / "out").iloc[0]
    radius, angle = 4e-6 / np.sqrt(3), np.radians(60)
    assert (row["share [-]"], row["x [m]"], row["interior [-]"]) == (0.5, 0.0, 0)
    assert row["width [m]"] == pytest.approx(2 * radius, rel=2e-3)
    assert row["area [m^2]"] == pytest.approx(radius**2 * (np.pi - angle + np.sin(angle) / 2), rel=1e-2)
    assert row["area [m^2]"] / 2 == pytest.approx(first["void_area [m^2]"], rel=1e-10)
    assert first["contact_loss [-]"] == pytest.approx(0.25, rel=1e-6)
    assert first["void_spacing [m]"] == pytest.approx(16e-6, rel=1e-10)
    assert first["void_count [-]"] == 1


@pytest.mark.parametrize("kind", ["axisymmetric", "solid"])
def test_bodies(kind: str, tmp_path: Path) -> None:
    # Exact: half an ellipsoid of half width 1 um and height 0.6 um, on the axis or in a block: volume 2/3 pi 0.6 um3,
    # width 2 um, opening pi um2, to the mesh; the volume is that of the boundary integral to round-off.
    solid = 'dimension = 3\ndepth = "4 um"\n' if kind == "solid" else 'kind = "axisymmetric"\ndimension = 2\n'
    place = 'x = "2 um"\ny = "1.8 um"' if kind == "solid" else 'x = "0 um"'
    text = f"""
[geometry]
{solid}width = "4 um"
electrode_thickness = "4 um"
[geometry.mesh]
interface_size = "0.5 um"
growth = 1.6
edge_size = "0.1 um"
[[geometry.voids.list]]
{place}
half_width = "1 um"
height = "0.6 um"
[electrode]
material = "Li-5Mg"
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "2 MPa"
"""
    case = femli.load(runs.written(tmp_path, text), {"stop.capacity": "0.001 mAh/cm^2"})
    owned = fields.create(mesh.build(case, MPI.COMM_WORLD), case, case.electrode_properties())
    walls = Walls(owned)
    (void,) = walls.measure()
    assert walls.count == 1 and void.share == 1.0 and not void.interior
    assert (void.width, void.height) == pytest.approx((2.0, 0.6), rel=5e-3)
    assert void.size == pytest.approx(0.4 * np.pi, rel=2e-2)
    assert void.opening == pytest.approx(np.pi, rel=2e-2)
    assert (void.x, void.y) == pytest.approx((2.0, 1.8) if kind == "solid" else (0.0, 0.0), abs=5e-3)
