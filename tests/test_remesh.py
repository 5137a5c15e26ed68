"""Outlines, their events, and what is carried from mesh to mesh: NumPy on one rank, no solver."""

import numpy as np
import pytest

from femli import mesh_outline, mesh_parts, remesh_events, remesh_transfer
from femli.mesh_resolution import Resolution
from femli.remesh_outline import Outline, chains, crossing

H = 0.1
SIZES = Resolution(interface=0.3, size=1.0, lateral=(1.0,), growth=1.3, edges=(H,), walls=(0.2,))


def outline(*voids: np.ndarray, width: float = 10.0, axisymmetric: bool = False) -> Outline:
    """A foil 8 um thick with walls given from left to right."""
    bottom, is_open = [np.zeros((0, 2))], [np.zeros(0, bool)]
    at_axis = bool(len(voids)) and voids[0][0, 1] > 0
    if not at_axis:
        bottom.append(np.zeros((1, 2)))
        is_open.append(np.array([False]))
    for wall in voids:
        bottom.append(wall)
        is_open += [np.ones(len(wall) - 1, bool), np.array([False])]
    bottom.append(np.array([[width, 0.0]]))
    return Outline(np.concatenate(bottom), np.concatenate(is_open), np.array([[0.0, 8.0], [width, 8.0]]), axisymmetric)


def half_ellipse(x: float, a: float, b: float, count: int = 40) -> np.ndarray:
    t = np.linspace(np.pi, 0, count + 1)
    wall = np.column_stack([x + a * np.cos(t), b * np.sin(t)])
    wall[[0, -1], 1] = 0.0
    wall[count // 2, 0] = x
    return wall


def test_areas_and_volumes() -> None:
    # Exact: n/2 sin(pi/n) a b is half the inscribed polygon of an ellipse; a cone has pi r^2 h/3; metal + void = foil.
    made = outline(half_ellipse(5.0, 2.0, 1.0))
    assert made.voids() == pytest.approx(40 / 2 * np.sin(np.pi / 40) * 2.0, rel=1e-12)
    assert made.metal() + made.voids() == pytest.approx(80.0, rel=1e-14)
    cone = outline(np.array([[0.0, 2.0], [1.0, 0.0]]), axisymmetric=True)
    assert cone.voids() == pytest.approx(np.pi * 2 / 3, rel=1e-14)
    assert cone.metal() == pytest.approx(np.pi * (100 * 8 - 2 / 3), rel=1e-14)


def test_new_mesh_holds_what_the_outline_encloses() -> None:
    # Exact: the cells fill the outline to round-off, plane and axisymmetric; every wall vertex is a node; a second
    # mesh of the same outline is the same mesh.
    for made in (outline(half_ellipse(5.0, 2.0, 1.0)), outline(half_ellipse(0.0, 2.0, 1.0)[20:], axisymmetric=True)):
        sizes = mesh_outline.sizes_of(made, SIZES)
        made = mesh_outline.resampled(made, sizes)
        whole = mesh_outline.meshed(made, sizes)
        weight = np.ones(len(whole.cells))
        if made.axisymmetric:
            weight = 2 * np.pi * whole.points[whole.cells][:, :, 0].mean(axis=1)
        assert (np.abs(mesh_parts.cell_measures(whole)) * weight).sum() == pytest.approx(made.metal(), rel=1e-13)
        found = chains(whole, made.axisymmetric).outline(whole.points)
        np.testing.assert_array_equal(found.bottom, made.bottom)
        np.testing.assert_array_equal(found.is_open, made.is_open)
        again = mesh_outline.meshed(made, sizes)
        np.testing.assert_array_equal(again.points, whole.points)
        assert mesh_parts.smallest_angles(whole).min() > 25.0


def test_resampling_keeps_the_area() -> None:
    # Independent: the area of the half ellipse; divided segments follow a smooth curve, so refining a coarse polygon
    # brings its area (1.6 % low) closer to the ellipse's, and doing it twenty times over does not eat it away.
    made = outline(half_ellipse(5.0, 2.0, 1.0, count=10))
    for _ in range(20):
        made = mesh_outline.resampled(made, mesh_outline.sizes_of(made, SIZES))
    assert made.voids() == pytest.approx(np.pi, rel=4e-3)


def test_contact_advances_next_to_a_triple_line() -> None:
    # Exact: the low vertices beside the left triple line become contact, at z = 0; one void is left.
    wall = half_ellipse(5.0, 2.0, 1.0)
    wall[1:3, 1] = [0.0002, 0.002]
    assert remesh_events.due(outline(wall), H) is not None
    after, events = remesh_events.settled(outline(wall), H)
    assert [e.kind for e in events] == ["contact_advance"]
    assert events[0].x == pytest.approx((wall[0, 0] + wall[2, 0]) / 2)
    assert events[0].void == pytest.approx(after.voids() - outline(wall).voids())
    ((a, _b),) = after.walls()
    np.testing.assert_allclose(after.bottom[a], [wall[2, 0], 0.0])
    assert remesh_events.due(after, H) is None


def test_a_roof_that_touches_splits_the_void() -> None:
    # Exact: two voids, a neck of contact NECK h wide between them at the touch; nothing more to do afterwards.
    wall = half_ellipse(5.0, 2.0, 1.0)
    wall[20, 1] = -0.001
    after, events = remesh_events.settled(outline(wall), H)
    assert [e.kind for e in events] == ["split"]
    assert events[0].x == pytest.approx(5.0)
    (_, right), (left, _) = after.walls()
    neck = after.bottom[[right, left], 0]
    np.testing.assert_allclose(neck, [5.0 - H, 5.0 + H], atol=1e-12)
    assert remesh_events.due(after, H) is None


def test_a_roof_on_the_axis_touches() -> None:
    # Exact: contact from the axis outwards, the void becomes a ring.
    wall = half_ellipse(0.0, 2.0, 1.0)[20:]
    wall[0, 1] = 0.0005
    after, events = remesh_events.settled(outline(wall, axisymmetric=True), H)
    assert [e.kind for e in events] == ["contact_advance"]
    ((a, _b),) = after.walls()
    assert after.bottom[a, 1] == 0.0
    assert after.bottom[a, 0] >= H
    np.testing.assert_array_equal(after.bottom[0], [0.0, 0.0])


def test_two_voids_meet() -> None:
    # Exact: contact between triple lines narrower than h goes, with the metal's tip; one void, which is larger, and
    # whose roof does not touch there again.
    both = outline(half_ellipse(3.0, 1.5, 1.0), half_ellipse(6.05, 1.5, 1.0))
    assert remesh_events.due(both, H) == "two voids have met"
    after, events = remesh_events.settled(both, H)
    assert [e.kind for e in events] == ["coalescence"]
    assert events[0].x == pytest.approx(4.525, abs=0.01)
    ((a, b),) = after.walls()
    assert after.bottom[a, 0] == pytest.approx(1.5)
    assert after.bottom[b, 0] == pytest.approx(7.55)
    assert after.voids() > both.voids()
    assert after.bottom[a + 1 : b, 1].min() > 0.05
    assert remesh_events.due(after, H) is None


def test_a_void_meets_the_side() -> None:
    # Exact: contact narrower than h beside the side goes; the wall then ends on the side, above the electrolyte.
    made = outline(half_ellipse(2.05, 2.0, 1.0))
    after, events = remesh_events.settled(made, H)
    assert [e.kind for e in events] == ["coalescence"]
    assert after.is_open[0]
    assert after.bottom[0, 0] == 0.0
    assert after.bottom[0, 1] > 0.0


def test_small_and_thin_voids_close() -> None:
    # Exact: section below (2 h)^2, or mean thickness below h/2: gone, with its area; a larger one stays.
    made = outline(half_ellipse(2.0, 0.15, 0.15), half_ellipse(5.0, 1.5, 0.05), half_ellipse(8.0, 0.4, 0.4))
    after, events = remesh_events.settled(made, H)
    assert [e.kind for e in events] == ["collapse", "collapse"]
    assert len(after.walls()) == 1
    assert sum(e.void for e in events) == pytest.approx(after.voids() - made.voids())
    assert after.metal() + after.voids() == pytest.approx(80.0)


def test_walls_that_cross_are_found() -> None:
    # Exact: a tall slot whose walls meet at x = 5, z = 1; a half ellipse does not.
    slot = np.array([[4.5, 0.0], [5.1, 1.5], [4.5, 3.0], [5.5, 3.0], [4.9, 1.5], [5.5, 0.0]])
    where = crossing(outline(slot))
    assert where is not None
    assert where[0] == pytest.approx(5.0)
    assert crossing(outline(half_ellipse(5.0, 2.0, 1.0))) is None


def _meshes() -> list[mesh_parts.PartedMesh]:
    made = outline(half_ellipse(5.0, 2.0, 1.0))
    coarse = mesh_outline.sizes_of(made, SIZES)
    fine = coarse._replace(interface=0.2, size=0.6)
    return [mesh_outline.meshed(mesh_outline.resampled(made, s), s) for s in (coarse, fine)]


def test_carried_values_are_bounded_and_exact_for_linear_fields() -> None:
    # Exact: a linear field is itself on the new mesh; a step has no new extremes.
    old, new = _meshes()
    linear = 2 * old.points[:, 0] - old.points[:, 1]
    found = remesh_transfer.carried(old.points, old.cells, linear, new.points)
    inside = new.points[:, 1] > 1.2
    np.testing.assert_allclose(found[inside], (2 * new.points[:, 0] - new.points[:, 1])[inside], atol=1e-12)
    step = (old.points[:, 0] > 5.0).astype(float)
    found = remesh_transfer.carried(old.points, old.cells, step, new.points)
    assert found.min() == 0.0
    assert found.max() == 1.0


def test_carried_to_and_fro_ten_times() -> None:
    # Independent: the analytic field; the completed interpolation loses a third of what plain linear interpolation
    # does, measured over ten transfers to and fro.
    old, new = _meshes()
    start = np.sin(old.points[:, 0]) * np.exp(-old.points[:, 1] / 2)
    kept, plain = start, start
    for _ in range(10):
        for a, b in ((old, new), (new, old)):
            place = remesh_transfer.located(a.points, a.cells, b.points)
            plain = np.einsum("kc,kc->k", place.weights, plain[a.cells[place.cells]])
            kept = remesh_transfer.carried(a.points, a.cells, kept, b.points)
    lost, worse = (np.sqrt(np.mean((v - start) ** 2)) for v in (kept, plain))
    assert lost < worse / 3
    assert lost < 0.01
