"""Contact that opens, on the outline: which stretches let go, which are laid back, cavities. NumPy only, um and MPa.

What has just let go lies on the electrolyte, at height zero, and is told from a wall that has come down by its motion
(`Drift`).
"""

from typing import NamedTuple

import numpy as np

from femli.mesh_parts import BOUNDARIES, REGIONS, Floats, Integers, PartedMesh, labels
from femli.remesh_events import Happening
from femli.remesh_outline import Chains, Flags, Outline

CLEARANCE = 1.05  # a cavity keeps this factor from sides and voids
AT_ONCE = 0.5  # of a stretch, the nodes let go whose excess is at least this share of its largest
CAP = 24  # segments of half a circle
EXACT = 1e-4  # of stresses and speeds, below which there is none


class Loads(NamedTuple):
    """What acts on the bottom, vertex by vertex from left to right, shape (n,).

    Attributes:
        traction: normal, tension positive [MPa]; 0 off the contact.
        strength: that the contact has there [MPa].
        rise: velocity away from the electrolyte [um/h].
        stress: scale of stresses [MPa].
        window: length over which the traction is averaged [um].
    """

    traction: Floats
    strength: Floats
    rise: Floats
    stress: float
    window: float = 0.0


def held(is_open: Flags) -> Flags:
    """Vertices of the bottom that belong to the contact, shape (n,)."""
    return np.append(~is_open, False) | np.append(False, ~is_open)


def averaged(x: Floats, traction: Floats, is_open: Flags, length: float) -> Floats:
    """Mean traction at each vertex over `length` along the contact around it, within its own piece of contact.

    A window that would reach beyond the piece is moved inwards: at a tip it is the mean over the first `length`.

    Args:
        x: places of the vertices, (n,), um.
        traction: there, (n,), linear between them.
        is_open: whether a segment is wall, (n - 1,).
        length: um; 0 changes nothing.
    """
    mean = traction.copy()
    edges = np.diff(np.concatenate([[0], (~is_open).astype(int), [0]]))
    for a, b in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        at, t = x[a : b + 1], traction[a : b + 1]
        window = min(length, float(at[-1] - at[0]))
        if window <= 0.0:
            continue
        low = np.clip(at - window / 2, at[0], at[-1] - window)
        mean[a : b + 1] = (_primitive(at, t, low + window) - _primitive(at, t, low)) / window
    return mean


def _primitive(x: Floats, t: Floats, at: Floats) -> Floats:
    """Integral of a piecewise linear function from its first point to places `at`."""
    dx = np.diff(x)
    whole = np.concatenate([[0.0], np.cumsum((t[1:] + t[:-1]) / 2 * dx)])
    k = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(dx) - 1)
    part = at - x[k]
    return np.asarray(whole[k] + t[k] * part + (t[k + 1] - t[k]) / dx[k] * part**2 / 2)


def next_state(x: Floats, is_open: Flags, fresh: Flags, barred: Flags, loads: Loads) -> Flags:
    """One round at fixed time: which segments are open after it, shape (n - 1,).

    A contact vertex whose traction exceeds its strength lets go of the segments beside it. A wall vertex that has let
    go in this event and moves toward the electrolyte is laid back with them.

    Args:
        x: places of the vertices, (n,), um.
        is_open: before the round.
        fresh: segments that have let go in this event, and may come back.
        barred: segments that have come back in this event, and stay.
        loads: on the vertices.
    """
    on = held(is_open)
    over = np.where(on, averaged(x, loads.traction, is_open, loads.window) - loads.strength, 0.0)
    over[over <= EXACT * loads.stress] = 0.0
    go = over > 0.0
    edges = np.diff(np.concatenate([[0], go.astype(int), [0]]))
    for a, b in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        go[a:b] = over[a:b] >= AT_ONCE * over[a:b].max()
    back = ~on & (loads.rise < -EXACT * np.abs(loads.rise).max(initial=0.0))
    changed = is_open | ((go[1:] | go[:-1]) & ~barred)
    return changed & ~(fresh & (back[1:] | back[:-1]))


class Letting:
    """The bottom of a mesh while it lets go, at one time.

    Args:
        whole: all regions, points where they are now.
        line: which of its points make up the bottom.
        points: of the metal, shape (n, 2), um.
    """

    def __init__(self, whole: PartedMesh, line: Chains, points: Floats) -> None:
        self.whole, self.line, self.x = whole, line, points[line.bottom, 0]
        self.start = self.now = line.is_open
        self.barred = np.zeros(len(self.now), dtype=bool)

    def advance(self, loads: Loads) -> str:
        """One round: "go on" to solve with what it has changed, "still", or "lost" where no contact is left."""
        new = next_state(self.x, self.now, self.now & ~self.start, self.barred, loads)
        if (new == self.now).all():
            return "still"
        self.barred |= self.now & ~new
        self.now = new
        return "lost" if new.all() else "go on"

    def mesh(self) -> PartedMesh:
        """The mesh with the facets that have let go as walls."""
        segments = np.column_stack([self.line.bottom[:-1], self.line.bottom[1:]])
        return retagged(self.whole, segments[self.now & ~self.start])

    def happenings(self) -> list[Happening]:
        """A `debond` for each stretch that has let go."""
        new = np.concatenate([[0], (self.now & ~self.start).astype(int), [0]])
        ends = zip(np.flatnonzero(np.diff(new) == 1), np.flatnonzero(np.diff(new) == -1), strict=True)
        return [Happening("debond", float(self.x[a] + self.x[b]) / 2, 0.0) for a, b in ends]


def retagged(whole: PartedMesh, let_go: Integers) -> PartedMesh:
    """The mesh with facets of its contact turned into walls of voids.

    An electrolyte below is parted from the metal there: points that no contact is left at are doubled.

    Args:
        whole: all regions.
        let_go: points of the facets, as numbers in the metal alone, shape (n, 2).
    """
    metal = np.unique(whole.cells if whole.regions is None else whole.cells[whole.regions == REGIONS["electrode"]])
    named = np.concatenate([whole.facets, metal[let_go]])
    label = labels(named)
    hit = np.isin(label[: len(whole.facets)], label[len(whole.facets) :])
    tags = np.where(hit, BOUNDARIES["void"], whole.facet_tags)
    made = whole._replace(facet_tags=tags)
    if whole.regions is None:
        return made
    lone = np.setdiff1d(np.unique(whole.facets[hit]), np.unique(made.part("contact")))
    number = np.arange(len(whole.points))
    number[lone] = len(whole.points) + np.arange(len(lone))
    below = whole.regions == REGIONS["electrolyte"]
    floor = number[whole.facets[hit]]
    doubled = (floor != whole.facets[hit]).any(axis=1)
    # Sides of the electrolyte that end at a doubled corner go with their cells.
    cells = whole.cells[below]
    faces = np.concatenate([np.delete(cells, k, axis=1) for k in range(3)])
    label = labels(np.concatenate([faces, whole.facets]))
    own = np.isin(label[len(faces) :], label[: len(faces)]) & ~hit
    facets = np.where(own[:, None], number[whole.facets], whole.facets)
    return PartedMesh(
        np.concatenate([whole.points, whole.points[lone]]),
        np.where(below[:, None], number[whole.cells], whole.cells),
        np.concatenate([facets, floor[doubled]]),
        np.concatenate([tags, np.full(int(doubled.sum()), BOUNDARIES["void"])]),
        whole.regions,
    )


def cavities(outline: Outline, x: Floats, radius: Floats) -> tuple[Outline, list[int]]:
    """Half-circular caps put on the contact where there is room.

    Args:
        outline: before.
        x: middles of the caps, (n,), um.
        radius: of the caps, (n,), um.

    Returns:
        The outline with those that found room, and which they are.
    """
    placed = []
    for k, (middle, r) in enumerate(zip(x.tolist(), radius.tolist(), strict=True)):
        made = _cavity(outline, middle, r)
        if made is not None:
            outline = made
            placed.append(k)
    return outline, placed


def _cavity(outline: Outline, middle: float, r: float) -> Outline | None:
    """The outline with one cap, or None where there is no room."""
    room = CLEARANCE * r
    for a, b in outline.contacts():
        left, right = (float(outline.bottom[k, 0]) for k in (a, b))
        if not left + room <= middle <= right - room or room >= float(outline.collector[:, 1].min()):
            continue
        angle = np.linspace(np.pi, 0.0, CAP + 1)
        cap = np.column_stack([middle + r * np.cos(angle), r * np.sin(angle)])
        cap[[0, -1], 1] = 0.0
        line = np.concatenate([outline.bottom[: a + 1], cap, outline.bottom[b:]])
        is_open = np.concatenate([outline.is_open[:a], [False], np.ones(CAP, bool), [False], outline.is_open[b:]])
        return outline._replace(bottom=line, is_open=is_open)
    return None
