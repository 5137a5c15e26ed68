"""Meshes written and read back, and files of a user's that cannot be used."""

import subprocess
import sys
from pathlib import Path

from mpi4py import MPI

import numpy as np
import pytest
from mesh_cases import box, made, one_void, part_sizes

from femli import case, mesh, mesh_geometry, mesh_gmsh, mesh_parts
from femli.errors import MeshError


def file_case(folder: Path, path: Path, dimension: int, unit: str = "m") -> case.Case:
    more = f'file = "{path}"\nlength_unit = "{unit}"\n'
    return made(folder, box(dimension, 1.0, 5.0, more, kind="file"))


@pytest.mark.parametrize(("dimension", "kind"), [(1, "foil"), (2, "foil"), (2, "axisymmetric"), (3, "foil")])
def test_a_written_mesh_reads_back(tmp_path: Path, dimension: int, kind: str) -> None:
    # Exact: the same points to round-off, cells and parts, after metres in the file; so does a file in um.
    whole = mesh.write(made(tmp_path, box(dimension, 8.0, 5.0, kind=kind)), tmp_path / "foil.msh")
    for unit, scale in (("m", None), ("um", 1.0)):
        if scale is not None:
            mesh_gmsh.save(whole, tmp_path / "foil.msh", scale)
        back, voids = mesh_geometry.parted(file_case(tmp_path, tmp_path / "foil.msh", dimension, unit))
        assert voids == ()
        assert np.abs(back.points - whole.points).max() < 1e-12 * 8.0
        assert (back.cells == whole.cells).all()
        assert part_sizes(back) == pytest.approx(part_sizes(whole), rel=1e-12)
    domain = mesh.build(file_case(tmp_path, tmp_path / "foil.msh", dimension, "um"), MPI.COMM_SELF)
    expected = {1: "uniaxial", 2: "plane" if kind == "foil" else "axisymmetric", 3: "full"}
    assert domain.kinematics == expected[dimension]


def test_a_users_mesh_is_moved_to_the_contact(tmp_path: Path) -> None:
    # Exact: contact at 0 and the left side at 0 wherever the file puts them.
    whole, _ = mesh_geometry.parted(made(tmp_path, box(2, 8.0, 5.0, one_void('height = "1 um"'))))
    mesh_gmsh.save(whole._replace(points=whole.points + np.array([31.7, -12.3])), tmp_path / "far.msh", 1e-3)
    back, _ = mesh_geometry.parted(file_case(tmp_path, tmp_path / "far.msh", 2, "mm"))
    assert np.abs(back.points - whole.points).max() < 1e-9
    assert back.points[np.unique(back.part("contact")), 1].max() == 0.0
    assert back.points[:, 0].min() == 0.0


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"contact"', '"kontakt"', "unknown part kontakt .* allowed: contact, void, collector, side, axis"),
        ('"collector"', '"void"', "no part named collector"),
        ('"electrode"', '"elektrode"', "unknown part elektrode .* allowed: electrode, electrolyte"),
        ('"electrode"', '"electrolyte"', "no part named electrode"),
        ('"collector"', '"side"', "no part named collector"),
        ("$Elements", "$Elemental", "foil.msh: .*(no part|cells|could not be read)"),
    ],
)
def test_wrong_names_in_a_file(tmp_path: Path, old: str, new: str, told: str) -> None:
    # Exact: which name is wrong or missing, and what is allowed.
    path = tmp_path / "foil.msh"
    mesh.write(made(tmp_path, box(2, 8.0, 5.0)), path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(MeshError, match=told):
        mesh.build(file_case(tmp_path, path, 2), MPI.COMM_SELF)


def test_unusable_files(tmp_path: Path) -> None:
    # Exact: a MeshError with the file's name: none there, no mesh in it, cut short, another dimension.
    path = tmp_path / "foil.msh"
    with pytest.raises(MeshError, match="no such mesh file"):
        mesh_geometry.parted(file_case(tmp_path, path, 2))
    for text in ("not a mesh\n", "$MeshFormat\n4.1 0 8\n$EndMeshFormat\n", ""):
        path.write_text(text)
        with pytest.raises(MeshError, match=r"foil\.msh: "):
            mesh_geometry.parted(file_case(tmp_path, path, 2))
    mesh.write(made(tmp_path, box(2, 8.0, 5.0)), path)
    with pytest.raises(MeshError, match=r"dimension 2, but geometry\.dimension is 3"):
        mesh_geometry.parted(file_case(tmp_path, path, 3))
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    with pytest.raises(MeshError, match=r"foil\.msh: "):
        mesh_geometry.parted(file_case(tmp_path, path, 2))


def square(tmp_path: Path) -> mesh_parts.PartedMesh:
    return mesh_geometry.parted(made(tmp_path, box(2, 8.0, 5.0)))[0]


def with_facet(whole: mesh_parts.PartedMesh, facet: np.ndarray) -> mesh_parts.PartedMesh:
    facets = np.vstack([whole.facets, facet])
    return whole._replace(facets=facets, facet_tags=np.append(whole.facet_tags, mesh_parts.BOUNDARIES["void"]))


def test_meshes_whose_parts_mean_something_else_are_refused(tmp_path: Path) -> None:
    # Exact: the contact a plane along the last coordinate, the collector over all of it, sides axis-aligned, every
    # outer facet named once.
    foil = square(tmp_path)
    points, facets, tags = foil.points, foil.facets, foil.facet_tags
    turned = points @ np.array([[0.8, 0.6], [-0.6, 0.8]])
    slanted = points + np.column_stack([0.1 * points[:, 1], 0.0 * points[:, 1]])
    swapped = np.where(tags == 1, 3, np.where(tags == 3, 1, tags))
    high, middle = points[facets][:, :, 1].min(axis=1) > 4.9, points[facets][:, :, 0].mean(axis=1) > 4
    halved = np.where(high & middle, 2, tags)
    inner = np.array([[np.argmin(np.abs(points - (x, 2.5)).sum(axis=1)) for x in (3.2, 4.0)]])
    for wrong, told in (
        (foil._replace(points=turned), "part contact has to be a plane"),
        (foil._replace(facet_tags=np.where(tags == 4, 3, tags)), "part collector has to face away from the contact"),
        (foil._replace(facet_tags=halved), "part collector spans 4 of the 8 um along coordinate 1"),
        (foil._replace(points=slanted), "side do not lie in an axis-aligned plane"),
        (foil._replace(facet_tags=swapped), "part contact is not the bottom"),
        (foil._replace(facets=facets[1:], facet_tags=tags[1:]), "1 boundary facets carry no name"),
        (foil._replace(facets=facets[tags != 1], facet_tags=tags[tags != 1]), "no part named contact"),
        (with_facet(foil, facets[:1]), "two boundary parts"),
        (with_facet(foil, inner), "inside the metal"),
        (foil._replace(points=points * (1.0, 0.0)), "without volume"),
        (foil._replace(facet_tags=np.where(tags == 4, 5, tags)), "part axis has to be a plane"),
    ):
        with pytest.raises(MeshError, match=told):
            mesh_parts.check(mesh_parts.placed(wrong))


def test_cells_that_are_not_simplices_are_refused(tmp_path: Path) -> None:
    # Exact: one quadrilateral; allowed are straight intervals, triangles, tetrahedra.
    path = tmp_path / "quad.msh"
    path.write_text(
        "$MeshFormat\n2.2 0 8\n$EndMeshFormat\n$PhysicalNames\n5\n"
        '1 1 "contact"\n1 3 "collector"\n1 4 "side"\n2 1 "electrode"\n1 2 "void"\n$EndPhysicalNames\n'
        "$Nodes\n4\n1 0 0 0\n2 1 0 0\n3 1 1 0\n4 0 1 0\n$EndNodes\n$Elements\n5\n"
        "1 1 2 1 1 1 2\n2 1 2 4 2 2 3\n3 1 2 3 3 3 4\n4 1 2 4 4 4 1\n5 3 2 1 1 1 2 3 4\n$EndElements\n"
    )
    with pytest.raises(MeshError, match=r"Quadrilateral.*allowed: straight"):
        mesh_geometry.parted(file_case(tmp_path, path, 2))


def test_writing_refuses_other_formats_and_places(tmp_path: Path) -> None:
    # Exact: .msh only, into a folder that exists.
    foil = made(tmp_path, box(1, 1.0, 5.0))
    with pytest.raises(MeshError, match=r"ends in \.msh"):
        mesh.write(foil, tmp_path / "foil.vtk")
    with pytest.raises(MeshError, match="no folder"):
        mesh.write(foil, tmp_path / "none" / "foil.msh")


def test_the_example_of_the_readme_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Exact: 18 x 12 um without the notch 2 x 2 um: area 212, contact 16, walls 6, sides 24, collector 18.
    text = (Path(__file__).parent.parent / "meshes" / "README.md").read_text()
    script, table = (text.split(f"```{language}\n")[1].split("```")[0] for language in ("python", "toml"))
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=60)
    whole, _ = mesh_geometry.parted(made(tmp_path, table.replace("[geometry]\n", "")))
    assert np.abs(mesh_parts.cell_measures(whole)).sum() == pytest.approx(212.0)
    assert part_sizes(whole) == pytest.approx({"contact": 16.0, "void": 6.0, "side": 24.0, "collector": 18.0})
