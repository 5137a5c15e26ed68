"""What happens to the voids of a 2D outline: contact that advances, splits, coalescence, collapse. NumPy only, um.

Every change keeps the line from side to side. What it adds to or takes from the metal is made up for by the caller,
who shifts the collector.
"""

import numpy as np

from femli import remesh_pores
from femli.mesh_parts import Floats
from femli.remesh_drift import Drift
from femli.remesh_outline import Flags, Happening, Outline, crossing
from femli.remesh_pores import large

TOUCH = 0.03  # a wall vertex this low, over the length of the segments beside it, has come down on the electrolyte
NECK = 2.0  # new contact under a roof is this wide at least, over the smallest size


def low(outline: Outline, drift: Drift | None = None) -> Flags:
    """Vertices of the bottom that lie on the electrolyte, within the tolerance, shape (n,).

    Where the contact may open (`drift`), a wall vertex that lies there and does not sink has just let go.
    """
    length = np.linalg.norm(np.diff(outline.bottom, axis=0), axis=1)
    beside = (np.append(length[0], length) + np.append(length, length[-1])) / 2
    down = np.asarray(outline.bottom[:, 1] <= TOUCH * beside)
    return down if drift is None else down & (drift.falls(outline.bottom, beside) | ~_inner(outline))


def resolvable(outline: Outline, wall: tuple[int, int], h: float) -> bool:
    """Whether a void is large enough to be followed with cells of size h [um]: area and mean thickness."""
    line = outline.bottom[wall[0] : wall[1] + 1]
    area = outline._replace(axisymmetric=False).void(wall)
    share = 1.0 if line[0, 1] <= 0 and line[-1, 1] <= 0 else 2.0  # a side or the axis cuts it in half
    return large(line, area, h, share)


def _gone(outline: Outline, wall: tuple[int, int], h: float, drift: Drift | None) -> bool:
    """Whether a void is too small to be followed, and does not grow where that is known."""
    return not resolvable(outline, wall, h) and (drift is None or not drift.grows(outline, wall))


def due(outline: Outline, h: float, drift: Drift | None = None) -> str | None:
    """What asks for a new mesh, if anything; h is the smallest size [um], drift as in `low`."""
    if not outline.walls():
        return remesh_pores.due(outline, h)
    down = low(outline, drift)
    if np.any(outline.is_open & down[1:] & down[:-1]) or np.any(_inner(outline) & down):
        return "a wall has come down on the electrolyte"
    if any(_gone(outline, wall, h, drift) for wall in outline.walls()):
        return "a void has closed"
    if any(_narrow(outline, piece, h) for piece in outline.contacts()):
        return "two voids have met"
    return remesh_pores.due(outline, h)


def _inner(outline: Outline) -> Flags:
    """Vertices inside a wall, ends at the axis or a side included, shape (n,)."""
    return np.append(True, outline.is_open) & np.append(outline.is_open, True)


def _narrow(outline: Outline, piece: tuple[int, int], h: float) -> bool:
    """Whether a piece of contact between voids (or void and side) is narrower than h, others being left."""
    a, b = piece
    whole = len(outline.bottom) - 1
    return (a, b) != (0, whole) and outline.bottom[b, 0] - outline.bottom[a, 0] < h and len(outline.contacts()) > 1


def settled(outline: Outline, h: float, drift: Drift | None = None) -> tuple[Outline, list[Happening]]:
    """The outline after everything that has happened to it; h is the smallest size [um], drift as in `low`."""
    outline, first = touched(outline, h, drift)
    outline, second = coalesced(outline, h)
    outline, third = remesh_pores.cut(outline, h)
    outline, fourth = collapsed(outline, h, drift)
    outline, fifth = remesh_pores.settled(outline, h)
    return outline, [*first, *second, *third, *fourth, *fifth]


def touched(outline: Outline, h: float, drift: Drift | None = None) -> tuple[Outline, list[Happening]]:
    """Walls that have come down become contact; a roof that touches splits its void."""
    down = low(outline, drift)
    found: list[Happening] = []
    pieces: list[tuple[Floats, Flags]] = []
    last = 0
    for a, b in outline.walls():
        pieces.append((outline.bottom[last:a], outline.is_open[last:a]))
        line, opened = _lowered(outline.bottom[a : b + 1], down[a : b + 1], h)
        part = Outline(line, opened, outline.collector, outline.axisymmetric)
        if not opened.all():
            middle = float(
                np.average((line[1:, 0] + line[:-1, 0])[~opened] / 2, weights=np.diff(line[:, 0])[~opened] + 1e-9)
            )
            # What is cut off beside a larger piece and too small to be followed is part of the advance.
            pockets = [wall for wall in part.walls() if not resolvable(part, wall, h)]
            for wall in reversed(pockets if len(pockets) < len(part.walls()) else []):
                part = _closed(part, wall)
            kind = {0: "collapse", 1: "contact_advance"}.get(len(part.walls()), "split")
            found.append(Happening(kind, middle, part.voids() - outline.void((a, b))))
            line, opened = part.bottom, part.is_open
        pieces.append((line[:-1], opened))
        last = b
    pieces.append((outline.bottom[last:], outline.is_open[last:]))
    bottom = np.concatenate([p for p, _ in pieces])
    return outline._replace(bottom=bottom, is_open=np.concatenate([o for _, o in pieces])), found


def _lowered(line: Floats, down: Flags, h: float) -> tuple[Floats, Flags]:
    """One wall with its low runs laid on the electrolyte: vertices, and which segments are still open."""
    edges = np.diff(np.concatenate([[0], down.astype(int), [0]]))
    runs = zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) - 1).tolist(), strict=True)
    n, x = len(line) - 1, line[:, 0]
    out: list[list[float]] = []
    closed: list[tuple[int, int]] = []
    done = 0
    for a, b in runs:
        first, last, left, right = a, b, float(x[a]), float(x[b])
        if a == b and a in (0, n) and line[a, 1] == 0.0:  # a triple line where it was
            foot = [[left, 0.0]]
        else:
            # Wide enough for it not to be taken at once for two voids that meet.
            left = left if a == 0 else min(left, (x[a] + x[b] - NECK * h) / 2)
            right = right if b == n else max(right, (x[a] + x[b] + NECK * h) / 2)
            if a > 0 and b < n:
                left, right = max(left, float(x[0]) + h / 10), min(right, float(x[n]) - h / 10)
                while first > 1 and x[first - 1] > left:
                    first -= 1
                while last < n - 1 and x[last + 1] < right:
                    last += 1
            else:
                left, right = (float(x[a]) if a else left), (float(x[b]) if b < n else right)
                if a == b:
                    left, right = (left, left + h) if a == 0 else (left - h, left)
            foot = [[float(left), 0.0], [float(right), 0.0]]
        out += line[done:first].tolist()
        if closed and first <= done and foot[0][0] <= out[-1][0]:  # it reaches the run before
            out[-1] = foot[-1]
            closed[-1] = (closed[-1][0], len(out) - 1)
        else:
            closed.append((len(out), len(out) + len(foot) - 1))
            out += foot
        done = max(last + 1, done)
    out += line[done:].tolist()
    opened = np.ones(len(out) - 1, dtype=bool)
    for first, last in closed:
        opened[first:last] = False
    return np.array(out), opened


def coalesced(outline: Outline, h: float) -> tuple[Outline, list[Happening]]:
    """Voids whose contact between them has become narrower than h become one; the low tip of metal there goes."""
    found: list[Happening] = []
    while True:
        piece = next((p for p in outline.contacts() if _narrow(outline, p, h)), None)
        if piece is None:
            return outline, found
        before, middle = outline.voids(), float(outline.bottom[list(piece), 0].mean())
        outline = _joined(outline, piece, h)
        found.append(Happening("coalescence", middle, outline.voids() - before))


def _joined(outline: Outline, piece: tuple[int, int], h: float) -> Outline:
    a, b = piece
    bottom, n = outline.bottom, len(outline.bottom) - 1
    middle = bottom[[a, b], 0].mean()
    tip = (bottom[:, 1] < h) & (np.abs(bottom[:, 0] - middle) < 2 * h) & _inner(outline)
    ends = [wall for wall in outline.walls() if wall[0] == b or wall[1] == a]
    first, last = a, b
    if a > 0:
        least = next(w[0] for w in ends if w[1] == a) + 1
        first = max(a - 1, least)
        while first > least and tip[first]:
            first -= 1
    if b < n:
        most = next(w[1] for w in ends if w[0] == b) - 1
        last = min(b + 1, most)
        while last < most and tip[last]:
            last += 1
    left = bottom[: first + 1] if a > 0 else bottom[last : last + 1] * [0.0, 1.0] + [bottom[0, 0], 0.0]
    right = bottom[last:] if b < n else bottom[first : first + 1] * [0.0, 1.0] + [bottom[-1, 0], 0.0]
    opened = [outline.is_open[:first] if a > 0 else [], [True], outline.is_open[last:] if b < n else []]
    return outline._replace(bottom=np.concatenate([left, right]), is_open=np.concatenate(opened).astype(bool))


def collapsed(outline: Outline, h: float, drift: Drift | None = None) -> tuple[Outline, list[Happening]]:
    """Voids too small to be followed are closed; so is a thin one whose walls have met."""
    found: list[Happening] = []
    while True:
        met = crossing(outline)
        gone = [w for w in outline.walls() if _gone(outline, w, 2 * h if _holds(outline, w, met) else h, drift)]
        if not gone:
            return outline, found
        found.append(Happening("collapse", float(outline.bottom[list(gone[0]), 0].mean()), -outline.void(gone[0])))
        outline = _closed(outline, gone[0])


def _closed(outline: Outline, wall: tuple[int, int]) -> Outline:
    """The outline without one void: contact from one of its ends to the other."""
    (a, b), line = wall, outline.bottom
    feet = line[[a, b]] * [1.0, 0.0]
    is_open = np.concatenate([outline.is_open[:a], [False], outline.is_open[b:]])
    return outline._replace(bottom=np.concatenate([line[:a], feet, line[b + 1 :]]), is_open=is_open)


def _holds(outline: Outline, wall: tuple[int, int], met: tuple[float, float] | None) -> bool:
    """Whether the place where walls have met lies on this wall."""
    if met is None:
        return False
    line = outline.bottom[wall[0] : wall[1] + 1]
    low_corner, high_corner = line.min(axis=0), line.max(axis=0)
    return bool((low_corner <= met).all() and (met <= high_corner).all())
