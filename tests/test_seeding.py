"""Seeded voids: shapes, draws and refusals."""

import math
from pathlib import Path

import numpy as np
import pytest

from femli import case, seeding
from femli.errors import MeshError

FOIL = """
[geometry]
dimension = {dimension}
kind = "{kind}"
width = "{width} um"
electrode_thickness = "30 um"
[geometry.voids]
{voids}
[load]
current_density = "0.31 mA/cm^2"
"""


def foil(folder: Path, voids: str, dimension: int = 2, kind: str = "foil", width: float = 100.0) -> case.Case:
    path = folder / "case.toml"
    path.write_text(FOIL.format(dimension=dimension, kind=kind, width=width, voids=voids))
    return case.load(path)


def listed(*voids: str) -> str:
    return "list = [" + ", ".join("{ " + void + " }" for void in voids) + "]"


@pytest.mark.parametrize("angle", [20.0, 60.0, 90.0, 135.0, 165.0])
def test_cap_is_the_segment_of_a_circle(angle: float) -> None:
    # Exact: a cap of contact angle theta through the metal is the part z > 0 of the disk of radius
    # R = a/sin(theta) centred at z = R cos(theta); area and volume by quadrature of its half width over z.
    void = seeding.shaped((0.0, 0.0), 1.3, None, angle, "void")
    radius = 1.3 / math.sin(math.radians(angle))
    centre = radius * math.cos(math.radians(angle))
    assert void.radius == pytest.approx(radius, rel=1e-12)
    assert void.height == pytest.approx(radius + centre, rel=1e-12)
    assert void.contact_angle == pytest.approx(angle, rel=1e-12)
    assert void.reach == pytest.approx(radius if angle < 90.0 else 1.3, rel=1e-12)
    # z = centre + R sin(u): the square root at the roof becomes smooth
    u = np.linspace(-math.asin(centre / radius), math.pi / 2, 20001)
    half, dz = radius * np.cos(u), radius * np.cos(u)
    assert void.area == pytest.approx(np.trapezoid(2.0 * half * dz, u), rel=1e-7)
    assert void.volume == pytest.approx(np.trapezoid(math.pi * half**2 * dz, u), rel=1e-7)


def test_half_ellipse_measures() -> None:
    # Exact: pi a h / 2 and 2/3 pi a^2 h; with h = a they are those of the cap of 90 degrees.
    void = seeding.shaped((0.0, 0.0), 2.0, 0.5, None, "void")
    assert void.area == pytest.approx(math.pi / 2, rel=1e-14)
    assert void.volume == pytest.approx(4.0 / 3.0 * math.pi, rel=1e-14)
    ball, cap = (seeding.shaped((0.0, 0.0), 2.0, h, a, "void") for h, a in ((2.0, None), (None, 90.0)))
    assert ball.area == pytest.approx(cap.area, rel=1e-12)
    assert ball.volume == pytest.approx(cap.volume, rel=1e-12)


def test_half_widths_have_the_asked_mean_and_deviation() -> None:
    # Exact: mean 1.1, standard deviation 0.65 (Zhao 2025, lithium: 2.2 +- 1.3 um wide); 4e5 draws have
    # a standard error of 0.1 % of the mean and 0.5 % of the deviation.
    sizes = seeding.half_widths(400_000, 1.1, 0.65, np.random.default_rng(0))
    assert sizes.mean() == pytest.approx(1.1, rel=5e-3)
    assert sizes.std() == pytest.approx(0.65, rel=2e-2)
    assert (seeding.half_widths(3, 1.1, 0.0, np.random.default_rng(0)) == 1.1).all()


def test_a_seed_is_the_geometry(tmp_path: Path) -> None:
    # Exact: the same seed gives the same voids to the last bit, another seed others.
    text = 'count = 5\nradius = {{ mean = "1.1 um", std = "0.65 um" }}\nseed = {}'
    one, same, other = (seeding.seeded(foil(tmp_path, text.format(seed))) for seed in (7, 7, 8))
    assert one == same
    assert one != other
    assert [void.x for void in one] == sorted(void.x for void in one)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("shape", ["aspect = 0.5", 'contact_angle = "50 deg"'])
def test_drawn_voids_keep_their_distance(tmp_path: Path, dimension: int, shape: str) -> None:
    # Exact: centres are at least 1.4 x the sum of their reaches apart, also from their images in the sides.
    text = f'count = 12\nminimum_spacing = 1.4\nradius = {{ mean = "1.1 um", std = "0.5 um" }}\n{shape}'
    for seed in range(20):
        voids = seeding.seeded(foil(tmp_path, f"{text}\nseed = {seed}", dimension))
        assert len(voids) == 12
        for k, one in enumerate(voids):
            places = (one.x, one.y)[: dimension - 1]
            assert all(1.4 * one.reach <= place <= 100.0 - 1.4 * one.reach for place in places)
            for two in voids[:k]:
                apart = math.hypot(one.x - two.x, one.y - two.y)
                assert apart >= 1.4 * (one.reach + two.reach) * (1.0 - 1e-12)
        assert all((void.y != 0.0) == (dimension == 3) for void in voids)


def test_density_draws_a_poisson_number(tmp_path: Path) -> None:
    # Exact: 17 per 100 um on 100 um: a Poisson number of mean 17; its mean over 300 seeds is good to 0.24.
    text = 'density = "17 / (100 um)"\nradius = "0.3 um"\nseed = {}'
    counts = [len(seeding.seeded(foil(tmp_path, text.format(seed)))) for seed in range(300)]
    assert np.mean(counts) == pytest.approx(17.0, abs=1.0)
    assert np.var(counts) == pytest.approx(17.0, rel=0.35)


def test_listed_voids_take_their_own_shape(tmp_path: Path) -> None:
    # Exact: height -> half ellipse, angle -> cap of height a cot(theta/2), neither -> the group's aspect.
    voids = seeding.seeded(
        foil(
            tmp_path,
            listed(
                'x = "10 um", half_width = "1 um", height = "2 um"',
                'x = "50 um", half_width = "1 um", contact_angle = "60 deg"',
                'x = "30 um", half_width = "1 um"',
            )
            + "\naspect = 0.25",
        )
    )
    assert [void.shape for void in voids] == ["semi_ellipse", "cap", "semi_ellipse"]
    assert [void.x for void in voids] == pytest.approx([10.0, 50.0, 30.0])
    assert [void.height for void in voids] == pytest.approx([2.0, math.sqrt(3.0), 0.25])


@pytest.mark.parametrize(
    ("voids", "told"),
    [
        (('x = "0 um", half_width = "1 um"',), ["void 1", "on a side"]),
        (('x = "100 um", half_width = "1 um"',), ["void 1", "x = 100 um", "on a side"]),
        (('x = "0.9 um", half_width = "1 um"',), ["void 1", "x = 0.9 um", "between 1.05 and 98.95"]),
        (('x = "1.5 um", half_width = "1 um", contact_angle = "30 deg"',), ["reach 2 um"]),
        (
            ('x = "20 um", half_width = "1 um"', 'x = "22 um", half_width = "1 um"'),
            ["voids 1 and 2", "2 um apart"],
        ),
        (
            ('x = "50 um", half_width = "5 um", height = "30 um"',),
            ["void 1", "height 30 um", "foil of 30 um"],
        ),
        (('x = "0 um", half_width = "1 um"', 'x = "200 um", half_width = "1 um"'), ["void 1", "void 2"]),
    ],
)
def test_impossible_voids_are_refused(tmp_path: Path, voids: tuple[str, ...], told: list[str]) -> None:
    # Exact: a message that names the void and its numbers; all faults at once. Source: the foil 100 x 30
    # um.
    with pytest.raises(MeshError) as error:
        seeding.seeded(foil(tmp_path, listed(*voids)))
    assert all(part in str(error.value) for part in told), str(error.value)


@pytest.mark.parametrize(
    ("height", "angle", "told"),
    [
        (None, 5.0, "allowed: 10 to 170"),
        (1.0, 60.0, "either"),
        (None, None, "either"),
        (-1.0, None, "positive"),
    ],
)
def test_impossible_shapes_are_refused(height: float | None, angle: float | None, told: str) -> None:
    # Exact: one of height and angle, positive sizes, angles that leave a wedge to mesh.
    with pytest.raises(MeshError, match=f"void 3: .*{told}"):
        seeding.shaped((0.0, 0.0), 1.0, height, angle, "void 3")


def test_axisymmetric_foil_takes_a_void_on_its_axis_alone(tmp_path: Path) -> None:
    # Exact: x = 0 is the axis; a void elsewhere would be a ring, one as wide as the foil leaves no contact.
    on_axis = foil(tmp_path, listed('x = "0 um", half_width = "1 um"'), kind="axisymmetric")
    assert seeding.seeded(on_axis)[0].x == 0.0
    for void, told in (
        ('x = "3 um", half_width = "1 um"', "ring"),
        ('x = "0 um", half_width = "100 um", height = "1 um"', "outer radius"),
    ):
        with pytest.raises(MeshError, match=told):
            seeding.seeded(foil(tmp_path, listed(void), kind="axisymmetric"))


def test_a_crowded_foil_is_refused(tmp_path: Path) -> None:
    # Exact: 20 voids of half width 3 um at spacing 1.2 need 144 um of 100 um.
    with pytest.raises(MeshError, match=r"no room for void \d+ of 20 .half width 3 um.*fewer or smaller"):
        seeding.seeded(foil(tmp_path, 'count = 20\nradius = "3 um"'))


def test_a_3d_void_needs_both_places(tmp_path: Path) -> None:
    # Exact: x and y; the contract's list has y in 3D.
    with pytest.raises(MeshError, match="x and y"):
        seeding.seeded(foil(tmp_path, listed('x = "10 um", half_width = "1 um"'), dimension=3))
