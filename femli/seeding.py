"""Voids seeded at the interface: their shapes, drawing them, refusing impossible ones. NumPy only.

Lengths are in micrometres. A void sits on the contact plane, centred at (x, y), with half width a there:

* `cap`: a circular (3D: spherical) cap that meets the contact at the angle theta, measured through the metal.
  R = a / sin(theta), height = a cot(theta / 2) = R (1 + cos(theta)), centre at R cos(theta). Below 90 degrees
  it bulges beyond its footprint, out to R.
* `semi_ellipse`: half an ellipse (3D: half an ellipsoid with a circular footprint) of half axes a and height.
"""

import math
from typing import NamedTuple

import numpy as np

from femli.case import Case
from femli.case_geometry import Geometry, Void, Voids
from femli.errors import MeshError
from femli.units import LENGTH

CLEARANCE = 1.05  # voids keep this factor apart from each other, from the sides and from the collector
TRIES = 20_000  # places tried for one void before the draw is given up
ANGLES = (10.0, 170.0)  # contact angles (degrees) that can be meshed


class SeededVoid(NamedTuple):
    """One void on the contact plane, um.

    Attributes:
        x: centre (0 on the axis of an axisymmetric foil).
        y: centre, 0 in 2D.
        half_width: half of the footprint on the contact.
        height: of the roof above the contact plane.
        shape: "cap" or "semi_ellipse".
    """

    x: float
    y: float
    half_width: float
    height: float
    shape: str

    @property
    def contact_angle(self) -> float:
        """Angle through the metal between contact and wall, degrees."""
        if self.shape == "semi_ellipse":
            return 90.0
        return math.degrees(2.0 * math.atan2(self.half_width, self.height))

    @property
    def radius(self) -> float:
        """Radius of a cap's circle, um."""
        return self.half_width / math.sin(math.radians(self.contact_angle))

    @property
    def reach(self) -> float:
        """Largest lateral extent from the centre, um: the half width, or the radius where the wall bulges."""
        return self.radius if self.contact_angle < 90.0 else self.half_width

    @property
    def area(self) -> float:
        """Area of the section through the centre, um2: R^2 (pi - theta + sin cos) or half an ellipse."""
        if self.shape == "semi_ellipse":
            return math.pi * self.half_width * self.height / 2.0
        angle = math.radians(self.contact_angle)
        return self.radius**2 * (math.pi - angle + math.sin(angle) * math.cos(angle))

    @property
    def volume(self) -> float:
        """Volume of the body of revolution, um3: spherical cap pi h^2 (3 R - h) / 3 or half ellipsoid."""
        if self.shape == "semi_ellipse":
            return 2.0 / 3.0 * math.pi * self.half_width**2 * self.height
        return math.pi * self.height**2 * (3.0 * self.radius - self.height) / 3.0


def lateral_extents(geometry: Geometry) -> list[float]:
    """Width, and in 3D depth (the width where the case gives none), um; empty in 1D."""
    width = geometry.width / LENGTH
    depth = width if geometry.depth is None else geometry.depth / LENGTH
    return [width, depth][: geometry.dimension - 1]


def seeded(case: Case) -> tuple[SeededVoid, ...]:
    """The voids of a case: its explicit list, or drawn from its seed. The same seed gives the same voids.

    Args:
        case: the resolved case (lengths in m); `case.geometry.voids` may be None.

    Returns:
        Voids in um, as listed or (drawn) sorted by x; maybe none.

    Raises:
        MeshError: no place found, or a void is impossible (see `check`).
    """
    geometry = case.geometry
    group = geometry.voids
    if group is None:
        return ()
    if geometry.dimension == 1:
        raise MeshError("geometry.voids: a 1D foil is laterally uniform: no voids; use dimension 2 or 3")
    asked = group.count is not None or group.density is not None
    if group.list and asked:
        raise MeshError("geometry.voids: give a list of voids, or a count or density to draw, not both")
    if geometry.kind == "axisymmetric" and asked:
        raise MeshError("geometry.voids: an axisymmetric foil has one void, on its axis: list it, with x = 0")
    if group.list:
        voids = [_listed(void, group, geometry.dimension, k) for k, void in enumerate(group.list, start=1)]
    elif asked:
        voids = _drawn(group, lateral_extents(geometry))
    else:
        raise MeshError("geometry.voids: give a list of voids, or a count or density to draw")
    check(voids, geometry)
    return tuple(voids)


def check(voids: list[SeededVoid], geometry: Geometry) -> None:
    """Refuse voids that are too high, leave the foil, lie on its sides or overlap; all faults in one message.

    Raises:
        MeshError: one line for each fault, with the void's number and its measures.
    """
    faults: list[str] = []
    thickness = geometry.electrode_thickness / LENGTH
    for number, void in enumerate(voids, start=1):
        if void.height * CLEARANCE >= thickness:
            faults.append(
                f"void {number}: height {void.height:.4g} um does not fit the foil of {thickness:.4g} um "
                f"(height x {CLEARANCE} has to stay below the thickness)"
            )
        faults += _outside(number, void, geometry)
    for i, one in enumerate(voids):
        for j, two in enumerate(voids[:i]):
            apart, least = math.hypot(one.x - two.x, one.y - two.y), CLEARANCE * (one.reach + two.reach)
            if apart < least:
                faults.append(
                    f"voids {j + 1} and {i + 1} overlap or touch: their centres are {apart:.4g} um apart, "
                    f"at least {least:.4g} um ({CLEARANCE} x the sum of their reaches) is needed"
                )
    if faults:
        raise MeshError("\n".join(f"geometry.voids: {fault}" for fault in faults))


def _outside(number: int, void: SeededVoid, geometry: Geometry) -> list[str]:
    """Faults of one void's place relative to the sides."""
    if geometry.kind == "axisymmetric":
        width = geometry.width / LENGTH
        if void.x != 0.0:
            return [f"void {number}: x = {void.x:.4g} um would be a ring in an axisymmetric foil; allowed: x = 0"]
        if void.reach * CLEARANCE >= width:
            return [f"void {number}: reach {void.reach:.4g} um does not fit the outer radius {width:.4g} um"]
        return []
    faults = []
    for name, place, length in zip("xy", (void.x, void.y), lateral_extents(geometry), strict=False):
        room = CLEARANCE * void.reach
        if place in (0.0, length):
            faults.append(
                f"void {number}: {name} = {place:.4g} um lies exactly on a side; put the whole void inside, "
                f"{name} between {room:.4g} and {length - room:.4g} um (or use kind = axisymmetric)"
            )
        elif not room <= place <= length - room:
            faults.append(
                f"void {number}: {name} = {place:.4g} um with reach {void.reach:.4g} um leaves the foil; "
                f"{name} has to lie between {room:.4g} and {length - room:.4g} um"
            )
    return faults


def _listed(entry: Void, group: Voids, dimension: int, number: int) -> SeededVoid:
    y = entry.y
    if dimension == 3 and y is None:
        raise MeshError(f"geometry.voids: void {number}: a 3D foil needs x and y of each void")
    angle, height = entry.contact_angle, entry.height
    if angle is None and height is None:
        angle = group.contact_angle
        height = None if group.aspect is None else group.aspect * entry.half_width
    place = (entry.x / LENGTH, 0.0 if y is None or dimension == 2 else y / LENGTH)
    height = None if height is None else height / LENGTH
    return shaped(place, entry.half_width / LENGTH, height, angle, f"void {number}")


def shaped(
    place: tuple[float, float], half_width: float, height: float | None, angle: float | None, name: str
) -> SeededVoid:
    """A void from its half width and either its height (half ellipse) or its contact angle (cap).

    Args:
        place: centre (x, y), um.
        half_width: on the contact, um.
        height: um, or None.
        angle: through the metal, degrees, or None.
        name: for messages.

    Raises:
        MeshError: neither or both of height and angle, a size that is not positive, an angle that cannot be
            meshed.
    """
    if (height is None) == (angle is None):
        raise MeshError(f"geometry.voids: {name}: give either height (or aspect) or contact_angle, and not both")
    if half_width <= 0.0 or (height is not None and height <= 0.0):
        raise MeshError(f"geometry.voids: {name}: half width {half_width:.4g} um and height have to be positive")
    if angle is not None:
        if not ANGLES[0] <= angle <= ANGLES[1]:
            raise MeshError(
                f"geometry.voids: {name}: contact angle {angle:.4g} degrees; allowed: {ANGLES[0]:g} to {ANGLES[1]:g}"
            )
        return SeededVoid(*place, half_width, half_width / math.tan(math.radians(angle) / 2.0), "cap")
    return SeededVoid(*place, half_width, float(height or 0.0), "semi_ellipse")


def half_widths(count: int, mean: float, std: float, rng: np.random.Generator) -> np.ndarray:
    """Lognormal half widths, shape (count,), of this mean and standard deviation (not those of the log)."""
    if std == 0.0:
        return np.full(count, mean)
    spread = math.log1p((std / mean) ** 2)
    return rng.lognormal(math.log(mean) - spread / 2.0, math.sqrt(spread), count)


def _drawn(group: Voids, extents: list[float]) -> list[SeededVoid]:
    """Voids placed one after the other at random (largest first), none closer than the minimum spacing.

    The centres of two voids stay minimum_spacing x (sum of their reaches) apart; the sides are mirrors, so a
    void keeps half of its distance to its own image: minimum_spacing x reach.
    """
    if group.radius is None:
        raise MeshError("geometry.voids: drawn voids need a radius")
    rng = np.random.default_rng(group.seed)
    count = group.count
    if count is None:
        count = int(rng.poisson((group.density or 0.0) * LENGTH ** len(extents) * math.prod(extents)))
    spacing = max(group.minimum_spacing, CLEARANCE)
    sizes = half_widths(count, group.radius.mean / LENGTH, group.radius.std / LENGTH, rng)
    placed: list[SeededVoid] = []
    for number, size in enumerate(np.sort(sizes)[::-1].tolist(), start=1):
        height = None if group.aspect is None else group.aspect * size
        void = shaped((0.0, 0.0), size, height, group.contact_angle, f"void {number}")
        low, high = spacing * void.reach, np.array(extents) - spacing * void.reach
        for _ in range(TRIES if (high > low).all() else 0):
            place = rng.uniform(low, high)
            void = void._replace(x=float(place[0]), y=float(place[1]) if len(place) > 1 else 0.0)
            if all(math.hypot(void.x - v.x, void.y - v.y) >= spacing * (void.reach + v.reach) for v in placed):
                placed.append(void)
                break
        else:
            raise MeshError(
                f"geometry.voids: no room for void {number} of {count} (half width {size:.4g} um, reach "
                f"{void.reach:.4g} um) after {TRIES} tries on {' x '.join(f'{e:.4g}' for e in extents)} um "
                f"with minimum_spacing {spacing:.4g}; ask for fewer or smaller voids, or another seed"
            )
    return sorted(placed)
