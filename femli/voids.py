"""Voids as a microscope sees them, measured on their walls alone. NumPy and SciPy only, lengths in um.

A void is a connected group of wall facets. Its size follows from the divergence theorem on the wall: with n out of the
metal (into the void), size = -int z n_z dS and opening = -int n_z dS, since the plane z = 0 and the upright sides that
close the void add nothing. Width and height are the extents of the wall.

Sides are mirrors (v.n = 0). A void cut by one is counted once, as the whole that it is with its image: place on the
side, doubled width, size and opening, `share` 1/2 (1/4 in the corner of a block). A gap from side to side has the
window's width and share 1. A void on the axis is a whole body, its width twice its radius; off the axis it is a ring,
its width the ring's; the outer side of an axisymmetric foil is no mirror.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

FLAT = 1e-6  # a wall node is on a plane when it is this near, over the lateral size of the foil


class Void(NamedTuple):
    """One void at one time, um.

    Attributes:
        x: middle along the interface (the side or the axis of a symmetric one; a ring's radius); y: in 3D, else 0.
        width: extent along the interface; in 3D the geometric mean of the extents along x and y.
        height: extent at right angles to it.
        size: area (2D, um2) or volume (axisymmetric and 3D, um3) of the whole void.
        opening: contact that the whole void takes: a length in 2D (um), else an area (um2); 0 for an interior void.
        share: part of the void that lies in the model: 1, 1/2 or 1/4.
        interior: it does not touch the interface.
        low, high: corners of the box around the part in the model, last coordinate upwards.
    """

    x: float
    y: float
    width: float
    height: float
    size: float
    opening: float
    share: float
    interior: bool
    low: tuple[float, ...]
    high: tuple[float, ...]


class Statistics(NamedTuple):
    """What the history shows of all voids of one time that are large enough to be seen; NaN where there is none.

    Attributes:
        width_median, width_max, height_median, height_max: um.
        spacing: mean distance of neighbours, interface over number in 2D, else the root of that (um).
    """

    width_median: float
    width_max: float
    height_median: float
    height_max: float
    spacing: float


def components(facets: Integers) -> Integers:
    """Number of the connected group of each facet, shape (facets,), by facets' node numbers, (facets, nodes)."""
    if not len(facets):
        return np.zeros(0, dtype=np.int64)
    _, local = np.unique(facets, return_inverse=True)
    local = local.reshape(facets.shape)
    n = int(local.max()) + 1
    rows, columns = np.repeat(local[:, 0], facets.shape[-1]), local.ravel()
    _, label = connected_components(coo_array((np.ones(len(rows)), (rows, columns)), shape=(n, n)), directed=False)
    return np.unique(label[local[:, 0]], return_inverse=True)[1].astype(np.int64)


def normals(corners: Floats, inner: Floats) -> Floats:
    """Normals out of the metal times the facets' length or area, shape (facets, d).

    Args:
        corners: of each facet, (facets, d, d).
        inner: a point of the metal beside each facet, (facets, d).
    """
    edges = corners[:, 1:] - corners[:, :1]
    if corners.shape[2] == 2:
        n = np.stack([edges[:, 0, 1], -edges[:, 0, 0]], axis=1)
    else:
        n = 0.5 * np.cross(edges[:, 0], edges[:, 1])
    away = np.einsum("ij,ij->i", n, corners.mean(axis=1) - inner)
    return n * np.where(away < 0.0, -1.0, 1.0)[:, None]


def measure(
    corners: Floats, inner: Floats, label: Integers, window: Sequence[tuple[float, float]], axisymmetric: bool
) -> list[Void]:
    """Measure all voids.

    Args:
        corners: of each wall facet, (facets, d, d).
        inner: a point of the metal beside each, (facets, d).
        label: void of each facet, (facets,).
        window: lateral extents of the foil.
        axisymmetric: the first coordinate is a radius.

    Returns:
        Voids sorted by place.
    """
    n = normals(corners, inner)[:, -1]
    z = corners[..., -1]
    mean, ring = z.mean(axis=1), np.ones(len(n))
    if axisymmetric:  # int 2 pi r z and int 2 pi r over straight segments, exact
        r = corners[..., 0]
        ring = 2 * np.pi * r.mean(axis=1)
        mean = 2 * np.pi * ((r * z).sum(axis=1) * 2 + r[:, 0] * z[:, 1] + r[:, 1] * z[:, 0]) / 6 / ring
    size = -np.bincount(label, weights=mean * n * ring)
    opening = -np.bincount(label, weights=n * ring)
    found = []
    for k in range(len(size)):
        nodes = corners[label == k].reshape(-1, corners.shape[2])
        found.append(_void(nodes, float(size[k]), float(opening[k]), window, axisymmetric))
    return sorted(found, key=lambda void: (round(void.x, 6), round(void.y, 6), void.low[-1]))


def _void(
    nodes: Floats, size: float, opening: float, window: Sequence[tuple[float, float]], axisymmetric: bool
) -> Void:
    """One void from its wall nodes, (nodes, d), and the size and opening of its part in the model."""
    low, high = nodes.min(axis=0), nodes.max(axis=0)
    tolerance = FLAT * max(end - start for start, end in window)
    place, extent, share = [], [], 1.0
    for axis, (start, end) in enumerate(window):
        middle, wide = 0.5 * (low[axis] + high[axis]), high[axis] - low[axis]
        at_start, at_end = low[axis] < start + tolerance, high[axis] > end - tolerance
        if axisymmetric:
            middle, wide = (0.0, 2 * high[axis]) if at_start else (middle, wide)
        elif at_start != at_end:
            middle, wide, share = (start if at_start else end), 2 * wide, share / 2
        place.append(float(middle))
        extent.append(float(wide))
    interior = bool(low[-1] > tolerance)
    return Void(
        x=place[0],
        y=place[1] if len(place) > 1 else 0.0,
        width=float(np.prod(extent)) ** (1 / len(extent)),
        height=float(high[-1] - (low[-1] if interior else 0.0)),
        size=size / share,
        opening=0.0 if interior else opening / share,
        share=share,
        interior=interior,
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
    )


def seen(voids: Sequence[Void], limit: float) -> list[Void]:
    """The voids whose width and height both reach the limit of detection (um)."""
    return [void for void in voids if min(void.width, void.height) >= limit]


def statistics(voids: Sequence[Void], interface: float, plane: bool) -> Statistics:
    """Summarise voids for the history.

    Args:
        voids: those that are seen.
        interface: length (plane, um) or area (um2) of the whole interface.
        plane: whether the model is a plane section.
    """
    if not voids:
        return Statistics(*[float("nan")] * 5)
    width, height = ([getattr(void, name) for void in voids] for name in ("width", "height"))
    each = interface / sum(void.share for void in voids)
    return Statistics(
        float(np.median(width)),
        max(width),
        float(np.median(height)),
        max(height),
        each if plane else float(np.sqrt(each)),
    )
