"""The electrolyte's region of a mesh: sizes of its parts, the points it shares, what is refused."""

from pathlib import Path

from mpi4py import MPI

import numpy as np
import pytest
from mesh_cases import box, made, one_void, part_sizes

from femli import mesh, mesh_electrolyte, mesh_geometry, mesh_parts
from femli.errors import MeshError
from femli.mesh_parts import BOUNDARIES, REGIONS

BELOW = '\n[electrolyte]\nthickness = "6 um"\n'
FLAT = [(1, "foil"), (2, "foil"), (2, "axisymmetric"), (3, "foil")]


def regions(folder: Path, geometry: str) -> mesh_electrolyte.Regions:
    whole, _ = mesh_geometry.parted(made(folder, geometry + BELOW))
    return mesh_electrolyte.split(whole)


@pytest.mark.parametrize(("dimension", "kind"), FLAT)
def test_foils_without_voids(tmp_path: Path, dimension: int, kind: str) -> None:
    # Exact: a box of 8 x (8 x) 6 under the contact; the metal is the mesh that the case has without an electrolyte.
    geometry = box(dimension, 8.0, 5.0, kind=kind)
    metal, below, shared = regions(tmp_path, geometry)
    alone, _ = mesh_geometry.parted(made(tmp_path, geometry))
    assert (metal.points == alone.points).all() and (metal.cells == alone.cells).all()
    face = 8.0 ** (dimension - 1)
    assert np.abs(mesh_parts.cell_measures(below)).sum() == pytest.approx(6 * face)
    sizes = part_sizes(below)
    assert sizes["contact"] == pytest.approx(face) and sizes["counter"] == pytest.approx(face)
    assert (metal.points[shared[:, 0]] == below.points[shared[:, 1]]).all()
    assert set(shared[:, 0]) == set(np.unique(metal.part("contact")))


@pytest.mark.parametrize(
    ("dimension", "kind", "x", "y", "contact", "floor"),
    [
        (2, "foil", "4 um", "", 6.0, 2.0),
        (2, "axisymmetric", "0 um", "", 7.0, 1.0),
        (3, "foil", "4 um", 'y = "4 um",', 64 - np.pi, np.pi),
    ],
)
def test_floors_of_voids_are_insulated(
    tmp_path: Path, dimension: int, kind: str, x: str, y: str, contact: float, floor: float
) -> None:
    # Exact: under a void of half width 1 um the electrolyte has a part `void`, contact is the rest; the same facets
    # belong to both regions (the circle in 3D as a polygon, 5 %).
    geometry = box(dimension, 8.0, 5.0, kind=kind) + one_void('height = "1 um"', x, y)
    metal, below, shared = regions(tmp_path, geometry)
    sizes = part_sizes(below)
    tolerance = 0.05 if dimension == 3 else 1e-9
    assert sizes["void"] == pytest.approx(floor, rel=tolerance)
    assert sizes["contact"] == pytest.approx(contact, rel=tolerance)
    assert part_sizes(metal)["contact"] == pytest.approx(sizes["contact"], rel=1e-12)
    pair = dict(shared.tolist())
    above = {frozenset(pair[int(p)] for p in facet) for facet in metal.part("contact")}
    assert above == {frozenset(facet.tolist()) for facet in below.part("contact")}
    domain = mesh.build(made(tmp_path, geometry + BELOW), MPI.COMM_SELF)
    assert domain.electrolyte is not None
    assert set(domain.electrolyte.facet_names) >= {"contact", "counter", "void"}
    assert "counter" not in domain.facet_names


def test_regions_that_do_not_meet_in_the_contact_are_refused(tmp_path: Path) -> None:
    # Exact: a counter that is a side, a floor that is named contact, an electrolyte that is no slab below.
    whole, _ = mesh_geometry.parted(made(tmp_path, box(2, 8.0, 5.0) + one_void('height = "1 um"') + BELOW))
    tags = whole.facet_tags
    floor = (whole.points[whole.facets][:, :, 1] == 0).all(axis=1) & (tags == BOUNDARIES["void"])
    bent = whole.points.copy()
    bent[bent[:, 1] < 0, 1] *= 1 + 0.01 * bent[bent[:, 1] < 0, 0]
    for wrong, told in (
        (whole._replace(facet_tags=np.where(tags == BOUNDARIES["counter"], BOUNDARIES["side"], tags)), "counter"),
        (whole._replace(facet_tags=np.where(floor, BOUNDARIES["contact"], tags)), "facets on the metal and"),
        (whole._replace(points=bent), "part counter has to be a plane"),
        (whole._replace(regions=np.full(len(whole.cells), REGIONS["electrode"])), "lie inside the metal|counter"),
    ):
        with pytest.raises(MeshError, match=told):
            mesh_electrolyte.check(wrong)
