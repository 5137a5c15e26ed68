"""Walls of a void that meet each other: what lies above becomes a pore inside the metal; pores that close or come down.

NumPy only, um; see `femli.remesh_outline` for what an outline is.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from femli.mesh_parts import Floats
from femli.remesh_outline import Happening, Outline, meetings

THIN = 0.5  # a void whose section over its extent is below this, over the smallest size, is closed
PINCH = 0.5  # opposite walls that are nearer than this, over the smallest size, have met
APART = 4.0  # along the wall they are further apart than this times their distance
SKIN = 0.5  # metal under a pore that is thinner than this, over the smallest size, has gone
MOST = 8  # cuts of one line at once


# Makes one change: its kind, where [um], and the new outline; nothing to change, nothing returned.
Step = Callable[[Outline, float], tuple[str, float, Outline] | None]


class Pinch(NamedTuple):
    """Vertices first < last of a wall between which it has met itself, and whether it has passed through itself."""

    first: int
    last: int
    passed: bool


def large(line: Floats, area: float, h: float, share: float = 1.0) -> bool:
    """Whether a void with this wall (n, 2) can be followed with cells of size h [um]: area [um2] and mean thickness.

    Args:
        line: of the part in the model, um.
        area: of that part, um2.
        h: size of the cells, um.
        share: how often that part makes up the whole void.
    """
    extent = max(float(np.ptp(line[:, 0])), float(np.ptp(line[:, 1]))) if len(line) else 0.0
    return share * area >= (2 * h) ** 2 and area >= THIN * h * extent


def due(outline: Outline, h: float) -> str | None:
    """What asks for a new mesh, if anything; h is the smallest size [um]."""
    for a, b in outline.walls():
        if _pinch(outline.bottom[a : b + 1], h, False) is not None:
            return "the walls of a void have met"
    for line in outline.pores:
        if not large(line, _area(line), h):
            return "a pore has closed"
        if line[:, 1].min() < SKIN * h:
            return "a pore has come down on the electrolyte"
        if _pinch(line, h, True) is not None:
            return "the walls of a pore have met"
    return None


def cut(outline: Outline, h: float) -> tuple[Outline, list[Happening]]:
    """The outline after walls have met."""
    return _repeated(outline, h, (_cut_wall, _cut_pore))


def settled(outline: Outline, h: float) -> tuple[Outline, list[Happening]]:
    """The outline after its pores have closed or come down."""
    return _repeated(outline, h, (_filled, _opened))


def _repeated(outline: Outline, h: float, steps: tuple[Step, ...]) -> tuple[Outline, list[Happening]]:
    found: list[Happening] = []
    for step in steps:
        for _ in range(MOST):
            after = step(outline, h)
            if after is None:
                break
            kind, x, new = after
            found.append(Happening(kind, x, new.voids() - outline.voids()))
            outline = new
    return outline, found


def _area(line: Floats) -> float:
    """What a closed line with the metal on its left encloses, um2."""
    x, dz = np.append(line[:, 0], line[0, 0]), np.diff(np.append(line[:, 1], line[0, 1]))
    return -float(np.sum((x[1:] + x[:-1]) * dz) / 2)


def _pinch(line: Floats, h: float, closed: bool) -> Pinch | None:
    """Where a wall has met itself: where it has passed, or else is nearest, with a void on both sides of that place."""
    ring = np.concatenate([line, line[:1]]) if closed else line
    met = meetings(ring[:-1], ring[1:])
    if len(met.first):
        return Pinch(int(met.first[0]), min(int(met.second[0]) + 1, len(line) - 1), True)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(ring, axis=0), axis=1))])
    gap = line[None, :, :] - line[:, None, :]
    distance = np.linalg.norm(gap, axis=2)
    along = np.abs(length[None, : len(line)] - length[: len(line), None])
    if closed:
        along = np.minimum(along, length[-1] - along)
    near = (distance < PINCH * h) & (along > np.maximum(APART * distance, 3 * h))
    if not near.any():
        return None
    tangent = (np.roll(line, -1, axis=0) - np.roll(line, 1, axis=0)) if closed else np.gradient(line, axis=0)
    outward = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)  # the metal is on the left
    ahead = np.einsum("ijk,ik->ij", gap, outward) > 0
    i, j = np.nonzero(np.triu(near & ahead & ahead.T, 1))
    for k in np.argsort(distance[i, j], kind="stable"):
        pinch = Pinch(int(i[k]), int(j[k]), False)
        inner, outer = _parts(line, pinch, h, closed)
        # Where one side of the place is too small to be followed, nothing has happened yet.
        if large(inner, _area(inner), h) and (len(outer) == 0 or large(outer, _area(outer), h)):
            return pinch
    return None


def _parts(line: Floats, pinch: Pinch, h: float, closed: bool) -> tuple[Floats, Floats]:
    """The line between the two vertices as a pore, and the rest without them; no rest where a mouth has closed."""
    i, j = pinch.first, pinch.last
    inner, outer = line[i + 1 : j], np.concatenate([line[:i], line[j + 1 :]])
    if not closed:  # its ends stay where they are
        outer = np.concatenate([line[: max(i, 1)], line[min(j + 1, len(line) - 1) :]])
    if not closed and outer[:, 1].max() < h:
        outer = line[:0]
        # So much metal is left under the pore.
        high = np.flatnonzero(inner[:, 1] > 2 * SKIN * h)
        inner = inner[high[0] : high[-1] + 1] if len(high) else line[:0]
    return inner, outer


def _untangled(line: Floats, h: float) -> Floats:
    """A closed line without the parts turned inside out that walls leave where they have passed each other twice."""
    for _ in range(MOST):
        pinch = _pinch(line, h, True) if len(line) > 2 else None
        if pinch is None or not pinch.passed:
            break
        parts = [part for part in _parts(line, pinch, h, True) if len(part) > 2 and _area(part) > 0]
        if len(parts) != 1:
            break
        line = parts[0]
    return line


def _cut_wall(outline: Outline, h: float) -> tuple[str, float, Outline] | None:
    """A void whose walls have met becomes one or two, the upper one a pore."""
    for a, b in outline.walls():
        line = outline.bottom[a : b + 1]
        pinch = _pinch(line, h, False)
        # Where a side or the axis cuts the void, the pore would be cut as well, which is not followed.
        if pinch is None or line[0, 1] > 0 or line[-1, 1] > 0:
            continue
        x = float(line[[pinch.first, pinch.last], 0].mean())
        inner, outer = _parts(line, pinch, h, False)
        inner = _untangled(inner, h)
        kept = len(inner) > 2 and large(inner, _area(inner), h)
        if len(outer):
            kind = "split" if kept else "fold"
            if not kept:  # no metal is needed between two parts
                outer = np.concatenate([line[: pinch.first + 1], line[pinch.last :]])
            bottom = np.concatenate([outline.bottom[:a], outer, outline.bottom[b + 1 :]])
            opened = np.ones(len(outer) - 1, bool)
        else:
            feet = line[[0, -1]] if line[0, 0] < line[-1, 0] else line[[0, -1]].mean(axis=0)[None, :]
            bottom = np.concatenate([outline.bottom[:a], feet, outline.bottom[b + 1 :]])
            opened = np.zeros(len(feet) - 1, bool)
            kind = "enclosure" if kept else "collapse"
        is_open = np.concatenate([outline.is_open[:a], opened, outline.is_open[b:]])
        pores = (*outline.pores, inner) if kept else outline.pores
        return kind, x, outline._replace(bottom=bottom, is_open=is_open, pores=pores)
    return None


def _cut_pore(outline: Outline, h: float) -> tuple[str, float, Outline] | None:
    """A pore whose walls have met becomes two, or what of them can be followed."""
    for k, line in enumerate(outline.pores):
        pinch = _pinch(line, h, True)
        if pinch is None:
            continue
        parts = [part for part in _parts(line, pinch, h, True) if len(part) > 2 and large(part, _area(part), h)]
        pores = (*outline.pores[:k], *parts, *outline.pores[k + 1 :])
        kind = ("collapse", "fold", "split")[len(parts)]
        return kind, float(line[[pinch.first, pinch.last], 0].mean()), outline._replace(pores=pores)
    return None


def _filled(outline: Outline, h: float) -> tuple[str, float, Outline] | None:
    """A pore too small to be followed is closed."""
    for k, line in enumerate(outline.pores):
        if not large(line, _area(line), h):
            left = (*outline.pores[:k], *outline.pores[k + 1 :])
            return "collapse", float(line[:, 0].mean()), outline._replace(pores=left)
    return None


def _opened(outline: Outline, h: float) -> tuple[str, float, Outline] | None:
    """A pore that has come down on the electrolyte is a void there again."""
    for k, line in enumerate(outline.pores):
        if line[:, 1].min() >= SKIN * h:
            continue
        wall = np.roll(line, -int(line[:, 1].argmin()), axis=0)
        high = np.flatnonzero(wall[:, 1] > 2 * SKIN * h)
        x = float(wall[0, 0])
        piece = next((p for p in outline.contacts() if outline.bottom[p[0], 0] < x < outline.bottom[p[1], 0]), None)
        if piece is None or not len(high):
            return None
        wall = wall[high[0] : high[-1] + 1]
        low, top = outline.bottom[list(piece), 0]
        left, right = min(wall[0, 0], x - h), max(wall[-1, 0], x + h)
        if left < low + h or right > top - h:
            return None  # it would meet the void or the side beside it as well
        a = int(np.searchsorted(outline.bottom[piece[0] : piece[1] + 1, 0], left)) + piece[0]
        b = int(np.searchsorted(outline.bottom[piece[0] : piece[1] + 1, 0], right, side="right")) + piece[0]
        bottom = np.concatenate([outline.bottom[:a], [[left, 0.0]], wall, [[right, 0.0]], outline.bottom[b:]])
        is_open = np.concatenate([outline.is_open[:a], np.ones(len(wall) + 1, bool), outline.is_open[b - 1 :]])
        pores = (*outline.pores[:k], *outline.pores[k + 1 :])
        return "reopening", x, outline._replace(bottom=bottom, is_open=is_open, pores=pores)
    return None
