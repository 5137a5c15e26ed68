"""Meshes: sizes and measures against exact numbers, parts, ranks."""

import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path

from mpi4py import MPI

import numpy as np
import pytest
from dolfinx.mesh import entities_to_geometry
from mesh_cases import box, made, one_void, part_sizes

from femli import mesh, mesh_foil, mesh_geometry, mesh_parts, mesh_resolution, scales
from femli.errors import MeshError


def test_graded_layers() -> None:
    # Exact: ratio of neighbours 1.15 up to the largest cell, 0 to 100; the first is at most what is asked
    # and no more than a factor 1.15 smaller.
    z = mesh_foil.graded(100.0, 0.01, 1.15, 5.0)
    cells = np.diff(z)
    assert z[0] == 0.0
    assert z[-1] == 100.0
    assert 0.01 / 1.15 <= cells[0] <= 0.01
    assert (cells[1:] / cells[:-1]).max() == pytest.approx(1.15, rel=1e-12)
    assert cells.max() <= 5.0
    assert len(mesh_foil.graded(1.0, 50.0, 1.15, 50.0)) == 4  # never fewer than three cells


def test_default_interface_cell_is_a_tenth_of_the_layer(tmp_path: Path) -> None:
    # Exact: l = 0.11 um for lithium at 303 K and 0.31 mA/cm2 (closed form of the pressure layer), so
    # 0.011 um, in 1D and 2D; 0.05 um is the floor in 3D, 0.2 um with voids in 2D, half of the half width
    # with voids in 3D.
    for dimension, more, size in (
        (1, "", None),
        (2, "", None),
        (3, "", 0.05),
        (2, one_void('height = "1 um"', "20 um"), 0.2),
        (3, one_void('height = "1 um"', "20 um", 'y = "20 um",'), 0.5),
    ):
        made_case = made(tmp_path, box(dimension, 40.0, 50.0, more))
        layer = scales.layer_length(made_case.electrode_properties(), made_case.load.current_density) * 1e6
        assert layer == pytest.approx(0.11, rel=0.02)
        voids = mesh_geometry.seeded(made_case)
        sizes = mesh_resolution.resolution(made_case, voids)
        assert sizes.interface == pytest.approx(layer / 10.0 if size is None else size)


@pytest.mark.parametrize(
    ("dimension", "kind", "most"),
    [(1, "foil", 70), (2, "foil", 3000), (2, "axisymmetric", 3000), (3, "foil", 4000)],
)
def test_foils_without_voids(tmp_path: Path, dimension: int, kind: str, most: int) -> None:
    # Exact: length 50, area 40 x 50, volume 40 x 40 x 50 um3 and the sizes of their sides; all cells
    # right-handed or not, none flat. Default meshes stay small.
    made_case = made(tmp_path, box(dimension, 40.0, 50.0, kind=kind))
    whole, voids = mesh_geometry.parted(made_case)
    assert voids == ()
    assert len(whole.cells) <= most
    assert np.abs(mesh_parts.cell_measures(whole)).sum() == pytest.approx(50.0 * 40.0 ** (dimension - 1))
    face = 40.0 ** (dimension - 1)
    side = {1: {}, 2: {"side": 100.0}, 3: {"side": 4 * 2000.0}}[dimension]
    if kind == "axisymmetric":
        side = {"side": 50.0, "axis": 50.0}
    assert part_sizes(whole) == pytest.approx({"contact": face, "collector": face, **side})


def test_no_cell_of_a_foil_has_two_outer_edges(tmp_path: Path) -> None:
    # Exact: two cells at each corner. Source: a cell with two outer edges has no freedom left in its
    # pressure.
    whole, _ = mesh_geometry.parted(made(tmp_path, box(2, 40.0, 50.0)))
    for corner in [(x, z) for x in (0.0, 40.0) for z in (0.0, 50.0)]:
        (point,) = np.flatnonzero(np.abs(whole.points - corner).max(axis=1) < 1e-9)
        assert (whole.cells == point).any(axis=1).sum() == 2


def test_demo_mesh(tmp_path: Path) -> None:
    # Aim: 40 x 50 um with three voids of half width about 1.1 um in 6 to 12 thousand triangles, no angle
    # below 20 degrees; exact: contact = width - footprints, area = foil - half ellipses up to their
    # polygons.
    voids = '[geometry.voids]\nseed = 7\ncount = 3\nradius = { mean = "1.1 um", std = "0.65 um" }'
    whole, found = mesh_geometry.parted(made(tmp_path, box(2, 40.0, 50.0, voids)))
    assert 6000 <= len(whole.cells) <= 12000
    assert mesh_parts.smallest_angles(whole).min() > 20.0
    sizes = part_sizes(whole)
    assert sizes["contact"] == pytest.approx(40.0 - 2.0 * sum(v.half_width for v in found), rel=1e-9)
    assert sizes["side"] == pytest.approx(100.0)
    area = np.abs(mesh_parts.cell_measures(whole)).sum()
    assert 2000.0 - area == pytest.approx(sum(v.area for v in found), rel=2e-3)


@pytest.mark.parametrize(
    ("shape", "area", "wall"),
    [
        # half disk
        ('height = "1 um"', math.pi / 2, math.pi),
        # R^2 (pi - theta + sin cos) and 2 R (pi - theta) for R = 1/sin(theta)
        (
            'contact_angle = "60 deg"',
            4 / 3 * (2 * math.pi / 3 + math.sqrt(3) / 4),
            8 / math.sqrt(27) * math.pi,
        ),
        ('contact_angle = "30 deg"', 4 * (5 * math.pi / 6 + math.sqrt(3) / 4), 20 / 6 * math.pi),
        ('contact_angle = "150 deg"', 4 * (math.pi / 6 - math.sqrt(3) / 4), 4 / 6 * math.pi),
        # half ellipse with a = 1, h = 2: area pi, half of Ramanujan's perimeter
        ('height = "2 um"', math.pi, 9.688448220547675 / 2),
    ],
)
def test_one_void_in_2d(tmp_path: Path, shape: str, area: float, wall: float) -> None:
    # Exact: the numbers above; inscribed polygons are short by about (h/R)^2/6 of the area, h/R <= 0.1.
    whole, (void,) = mesh_geometry.parted(made(tmp_path, box(2, 10.0, 10.0, one_void(shape, "5 um"))))
    missing = 100.0 - np.abs(mesh_parts.cell_measures(whole)).sum()
    assert void.area == pytest.approx(area, rel=1e-12)
    assert missing == pytest.approx(area, rel=2e-3)
    assert missing < area
    sizes = part_sizes(whole)
    assert sizes["void"] == pytest.approx(wall, rel=2e-3)
    assert sizes["contact"] == pytest.approx(8.0, rel=1e-9)
    assert sizes["collector"] == pytest.approx(10.0, rel=1e-9)
    assert mesh_parts.smallest_angles(whole).min() > 20.0


def test_axisymmetric_void(tmp_path: Path) -> None:
    # Exact: half a disk of radius R = 2/sqrt(3) around the axis is cut: contact 10 - 1, axis 10 -
    # sqrt(3); swept volume pi 10^2 10 minus that of the cap, pi h^2 (3 R - h)/3 with h = sqrt(3): 3 pi (2
    # sqrt(3) - sqrt(3))/3.
    text = box(2, 10.0, 10.0, one_void('contact_angle = "60 deg"', "0 um"), kind="axisymmetric")
    whole, (void,) = mesh_geometry.parted(made(tmp_path, text))
    sizes = part_sizes(whole)
    assert sizes["contact"] == pytest.approx(9.0)
    assert sizes["axis"] == pytest.approx(10.0 - math.sqrt(3.0))
    assert sizes["side"] == pytest.approx(10.0)
    radii = whole.points[whole.cells, 0].mean(axis=1)
    volume = 2.0 * math.pi * (radii * np.abs(mesh_parts.cell_measures(whole))).sum()
    assert void.volume == pytest.approx(math.sqrt(3.0) * math.pi, rel=1e-12)
    assert 1000.0 * math.pi - volume == pytest.approx(void.volume, rel=3e-3)


@pytest.mark.parametrize("shape", ['contact_angle = "60 deg"', 'height = "0.5 um"', 'height = "2 um"'])
def test_one_void_in_3d(tmp_path: Path, shape: str) -> None:
    # Exact: volumes of cap (sqrt(3) pi) and half ellipsoids (2/3 pi h), contact 8 x 8 - pi; polyhedra
    # with edges a quarter of the half width long lose up to 4 %. About 3e4 unknowns (P2 velocity, P1
    # pressure and composition).
    size = "[geometry.mesh]\ngrowth = 1.3\n"
    text = box(3, 8.0, 8.0, size + one_void(shape, "4 um", 'y = "4 um",'))
    whole, (void,) = mesh_geometry.parted(made(tmp_path, text))
    missing = 512.0 - np.abs(mesh_parts.cell_measures(whole)).sum()
    exact = math.sqrt(3.0) * math.pi if "angle" in shape else 2.0 / 3.0 * math.pi * void.height
    assert void.volume == pytest.approx(exact, rel=1e-12)
    assert missing == pytest.approx(exact, rel=4e-2)
    sizes = part_sizes(whole)
    assert 64.0 - sizes["contact"] == pytest.approx(math.pi, rel=2e-2)
    assert sizes["collector"] == pytest.approx(64.0)
    assert sizes["side"] == pytest.approx(4.0 * 64.0)
    edges = {tuple(sorted(e)) for c in whole.cells.tolist() for e in zip(c, c[1:] + c[:1], strict=True)}
    edges |= {tuple(sorted((c[i], c[i + 2]))) for c in whole.cells.tolist() for i in (0, 1)}
    assert 3 * (len(whole.points) + len(edges)) + 2 * len(whole.points) <= 32_000


def test_an_edge_too_coarse_for_its_void_is_refused(tmp_path: Path) -> None:
    # Exact: 0.3 um is more than a quarter of the half width 1 um; 0.25 um is allowed.
    void = one_void('height = "1 um"')
    for edge in ("0.3 um", "0.25 um"):
        text = box(2, 8.0, 8.0, f'[geometry.mesh]\nedge_size = "{edge}"\n{void}')
        if edge == "0.3 um":
            with pytest.raises(MeshError, match=r"edge_size: 0.3 um is too coarse for void 1 .*most 0.25 um"):
                mesh_geometry.parted(made(tmp_path, text))
        else:
            mesh_geometry.parted(made(tmp_path, text))


def test_domain_has_the_parts(tmp_path: Path) -> None:
    # Exact: the tagged facets of the DOLFINx mesh have the lengths of the parts; gdim == tdim in every
    # dimension.
    for dimension, kind, kinematics in (
        (1, "foil", "uniaxial"),
        (2, "foil", "plane"),
        (2, "axisymmetric", "axisymmetric"),
        (3, "foil", "full"),
    ):
        domain = mesh.build(made(tmp_path, box(dimension, 8.0, 5.0, kind=kind)), MPI.COMM_SELF)
        assert domain.kinematics == kinematics
        assert domain.mesh.geometry.dim == domain.mesh.topology.dim == dimension
        assert (domain.cell_tags.values == domain.cell_names["electrode"]).all()
        for name, height in (("contact", 0.0), ("collector", 5.0)):
            facets = domain.facet_tags.find(domain.facet_names[name])
            nodes = entities_to_geometry(domain.mesh, dimension - 1, facets)
            points = domain.mesh.geometry.x[nodes]
            assert np.abs(points[..., dimension - 1] - height).max() < 1e-12 * 8.0
            if dimension == 2:
                assert np.ptp(points[..., 0], axis=1).sum() == pytest.approx(8.0)
        assert ("axis" in domain.facet_names) == (kind == "axisymmetric")
        assert ("side" in domain.facet_names) == (dimension > 1)


RANKS = """
import sys, hashlib
from mpi4py import MPI
import numpy as np
from femli import case, mesh
from femli.errors import MeshError
comm = MPI.COMM_WORLD
try:
    domain = mesh.build(case.load(sys.argv[1]), comm)
except MeshError as error:
    # In one write: ranks share the pipe, and where output is not buffered two prints would mix.
    sys.stdout.write("MeshError: " + str(error)[:60].replace("\\n", " ") + "\\n")
    sys.exit(0)
n = domain.mesh.geometry.index_map().size_local
points = comm.gather(domain.mesh.geometry.x[:n])
numbers = comm.gather(np.asarray(domain.mesh.geometry.input_global_indices)[:n])
tags = comm.gather({k: len(domain.facet_tags.find(v)) for k, v in domain.facet_names.items()})
if comm.rank == 0:
    whole = np.concatenate(points)[np.argsort(np.concatenate(numbers))]
    total = {k: sum(t[k] for t in tags) for k in tags[0]}
    print(hashlib.sha256(whole.tobytes()).hexdigest(), sorted(total.items()), domain.voids)
"""


def on_ranks(count: int, path: Path) -> list[str]:
    """Lines printed by the ranks that build the mesh of a case."""
    mpiexec = Path(sys.executable).parent / "mpiexec"
    command = [str(mpiexec), "-n", str(count), sys.executable, "-c", RANKS, str(path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.mpi
def test_same_seed_same_mesh_on_one_and_two_ranks(tmp_path: Path) -> None:
    # Exact: the same points to the last bit, the same number of facets in each part, the same voids.
    voids = '[geometry.voids]\nseed = 3\ncount = 2\nradius = { mean = "1.1 um", std = "0.5 um" }'
    made(tmp_path, box(2, 40.0, 20.0, voids))
    one, two = (on_ranks(count, tmp_path / "case.toml") for count in (1, 2))
    assert one == two
    assert "SeededVoid" in one[0]


@pytest.mark.mpi
def test_a_failure_on_rank_0_is_raised_on_all(tmp_path: Path) -> None:
    # Exact: both ranks raise the same MeshError; nothing hangs.
    made(tmp_path, box(2, 8.0, 8.0, one_void('height = "1 um"', "0.5 um")))
    lines = on_ranks(2, tmp_path / "case.toml")
    assert len(lines) == 2
    assert all(line.startswith("MeshError: geometry.voids: void 1") for line in lines)


def test_gmsh_is_repeatable(tmp_path: Path) -> None:
    # Exact: two meshes of one case in one process are the same to the last bit (checkpoints count on it).
    text = box(3, 8.0, 8.0, one_void('height = "0.7 um"', "4 um", 'y = "4 um",'))
    one, two = (mesh_geometry.parted(made(tmp_path, text))[0] for _ in range(2))
    digests = {hashlib.sha256(m.points.tobytes() + m.cells.tobytes()).hexdigest() for m in (one, two)}
    assert len(digests) == 1


def test_small_voids_get_fine_edges_by_themselves(tmp_path: Path) -> None:
    # Exact: half width 0.1 um: a quarter of it, 0.025 um, not the floor 0.05 um; 2 um: a twentieth, 0.1 um.
    for width, edge in ((0.1, 0.025), (0.5, 0.05), (2.0, 0.1)):
        listed = f'x = "5 um", half_width = "{width} um", height = "{width} um"'
        void = f"[geometry.voids]\nlist = [{{ {listed} }}]"
        made_case = made(tmp_path, box(2, 10.0, 10.0, void))
        sizes = mesh_resolution.resolution(made_case, mesh_geometry.seeded(made_case))
        assert sizes.edges == pytest.approx((edge,))
