"""A triangulated wall of voids edited in place: long edges divided, short ones contracted, others turned. um.

Vertices stay where they are unless they crowd; new ones are set on the cubic through their neighbours' tangent planes,
so that the shape is kept to higher order than the chords. The rim stays in its planes exactly. In the end voids get
back the volumes that they had.
"""

from collections.abc import Callable

import numpy as np

from femli import remesh_refill
from femli.mesh_parts import Floats, Integers
from femli.remesh_surface import Flags, Surface, on_planes

LONG = 1.5  # an edge longer than this times the wanted size is divided
SHORT = 0.6  # one shorter than this is contracted
ROUNDS = 5
SHARP = 25.0  # degrees; a triangle with a smaller angle loses its shortest edge, or has its longest one divided
FOLD = 0.5  # cosine of the largest angle between neighbours, or between old and new, that an edit may leave

Wanted = Callable[[Floats], Floats]


class Sheet:
    """Triangles that are edited one by one.

    Args:
        surface: of which the walls are taken.
    """

    def __init__(self, surface: Surface) -> None:
        self.box = surface.box
        self.points: list[Floats] = list(surface.points)
        self.triangles: dict[int, tuple[int, int, int]] = {}
        self.star: dict[int, set[int]] = {}
        self.fresh = 0
        for a, b, c in surface.walls.tolist():
            self._add(a, b, c)

    def _add(self, a: int, b: int, c: int) -> None:
        self.triangles[self.fresh] = (a, b, c)
        for node in (a, b, c):
            self.star.setdefault(node, set()).add(self.fresh)
        self.fresh += 1

    def _drop(self, t: int) -> None:
        for node in self.triangles.pop(t):
            self.star[node].discard(t)

    def array(self) -> Integers:
        """The triangles, shape (m, 3)."""
        return np.array(list(self.triangles.values()), dtype=np.int64).reshape(-1, 3)

    def edges(self) -> list[tuple[int, int]]:
        """Every edge once."""
        pairs = {(min(p), max(p)) for a, b, c in self.triangles.values() for p in ((a, b), (b, c), (c, a))}
        return sorted(pairs)

    def _around(self, a: int, b: int) -> set[int]:
        return self.star.get(a, set()) & self.star.get(b, set())

    def _planes(self, a: int) -> Flags:
        return on_planes(self.points[a][None, :], self.box)[0]

    def _on_rim(self, a: int) -> bool:
        return any(len(self._around(a, b)) == 1 for b in self._neighbours(a))

    def _neighbours(self, a: int) -> set[int]:
        return {node for t in self.star[a] for node in self.triangles[t]} - {a}

    def length(self, a: int, b: int) -> float:
        """Of an edge, um."""
        return float(np.linalg.norm(self.points[a] - self.points[b]))

    def _area(self, corners: tuple[int, int, int], moved: dict[int, int]) -> Floats:
        p, q, r = (self.points[moved.get(node, node)] for node in corners)
        return np.asarray(np.cross(q - p, r - p) / 2)

    def _in_plane(self, corners: tuple[int, int, int], moved: dict[int, int]) -> bool:
        """Whether a triangle would lie in a plane of the box: it would be no wall, and nothing could move its tip."""
        return bool(np.logical_and.reduce([self._planes(moved.get(node, node)) for node in corners]).any())

    def normal(self, a: int) -> Floats:
        """Unit normal at a vertex, at the edge carried on from its neighbours: triangles are on one side of it only."""
        n = self._mean_normal(a)
        if self.points[a][2] == 0.0:
            inner = [b for b in sorted(self._neighbours(a)) if self.points[b][2] != 0.0]
            if inner:
                n = 2 * n - np.mean([self._mean_normal(b) for b in inner], axis=0)
        return np.asarray(n / max(float(np.linalg.norm(n)), 1e-300))

    def _mean_normal(self, a: int) -> Floats:
        """Unit mean normal of the triangles of a vertex; in the planes of sides, which are mirrors."""
        n = np.sum([self._area(self.triangles[t], {}) for t in sorted(self.star[a])], axis=0)
        planes = self._planes(a)
        n[:2][planes[:4].reshape(2, 2).any(axis=1)] = 0.0
        return np.asarray(n / max(float(np.linalg.norm(n)), 1e-300))

    def middle(self, a: int, b: int) -> Floats:
        """Middle of the cubic along an edge; in the planes that both ends share if it is on the rim."""
        p, q = self.points[a], self.points[b]
        chord = q - p
        length = float(np.linalg.norm(chord))
        common = self._planes(a) & self._planes(b) if len(self._around(a, b)) == 1 else np.zeros(5, dtype=bool)
        axes = np.array([common[:2].any(), common[2:4].any(), common[4]])
        tangents = []
        for node in (a, b):
            n = np.where(axes, 0.0, self.normal(node))
            n = n / max(float(np.linalg.norm(n)), 1e-300)
            t = chord - (chord @ n) * n
            tangents.append(t * (length / max(float(np.linalg.norm(t)), 0.3 * length)))
        return np.asarray((p + q) / 2 + (tangents[0] - tangents[1]) / 8)

    # --- edits ------------------------------------------------------------------------------------------------------

    def split(self, a: int, b: int) -> None:
        """Divide an edge in the middle."""
        new = len(self.points)
        self.points.append(self.middle(a, b))
        for t in sorted(self._around(a, b)):
            corners = self.triangles[t]
            self._drop(t)
            for gone in (a, b):
                p, q, r = (new if node == gone else node for node in corners)
                self._add(p, q, r)

    def contract(self, a: int, b: int, wanted: Wanted) -> bool:
        """Contract an edge into its end b, if that leaves a sound wall."""
        shared = self._around(a, b)
        if not shared or (self._on_rim(a) and (len(shared) != 1 or (self._planes(a) & ~self._planes(b)).any())):
            return False
        if len(self._neighbours(a) & self._neighbours(b)) != len(shared):
            return False
        kept = sorted(self.star[a] - shared)
        if not kept:
            return False
        far = [self.points[n] for n in self._neighbours(a) - {b}]
        size = wanted(np.array([(p + self.points[b]) / 2 for p in far]))
        if np.any(np.linalg.norm(np.array(far) - self.points[b], axis=1) > LONG * size):
            return False
        moved = {a: b}
        if any(self._in_plane(self.triangles[t], moved) for t in kept):
            return False
        old = [self._area(self.triangles[t], {}) for t in kept]
        new = [self._area(self.triangles[t], moved) for t in kept]
        if any(_cosine(p, q) < FOLD for p, q in zip(old, new, strict=True)):
            return False
        before = min(self.angle(self.triangles[t]) for t in sorted(self.star[a]))
        after = min(self.angle(self.triangles[t], moved) for t in kept)
        if after < min(before, SHARP):
            return False
        for t in kept:
            p, q, r = (moved.get(node, node) for node in self.triangles[t])
            self._drop(t)
            self._add(p, q, r)
        for t in sorted(shared):
            self._drop(t)
        return True

    def turn(self, a: int, b: int) -> bool:
        """Give the two triangles of an edge their other diagonal, if that widens the smallest angle."""
        both = sorted(self._around(a, b))
        if len(both) != 2:
            return False
        one, two = (self.triangles[t] for t in both)
        k = one.index(a)
        if one[(k + 1) % 3] != b:
            a, b = b, a
        c, d = (next(n for n in corners if n not in (a, b)) for corners in (one, two))
        if self._around(c, d) or c == d:
            return False
        # One triangle runs a-b-c, the other b-a-d.
        new = ((a, d, c), (d, b, c))
        if any(self._in_plane(corners, {}) for corners in new):
            return False
        areas = [self._area(corners, {}) for corners in (one, two, *new)]
        if min(_cosine(areas[2], areas[3]), _cosine(areas[0], areas[2]), _cosine(areas[1], areas[3])) < FOLD:
            return False
        if min(map(self.angle, new)) <= min(map(self.angle, (one, two))) + 1.0:
            return False
        for t in both:
            self._drop(t)
        for corners in new:
            self._add(*corners)
        return True

    def angle(self, corners: tuple[int, int, int], moved: dict[int, int] | None = None) -> float:
        """Smallest angle of a triangle, degrees."""
        p = np.array([self.points[(moved or {}).get(node, node)] for node in corners])
        e = p[[1, 2, 0]] - p
        length = np.maximum(np.linalg.norm(e, axis=1), 1e-300)
        cosines = [-(e[k] @ e[k - 1]) / (length[k] * length[k - 1]) for k in range(3)]
        return float(np.degrees(np.arccos(np.clip(max(cosines), -1.0, 1.0))))


def _cosine(a: Floats, b: Floats) -> float:
    return float(a @ b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-300)


def edited(surface: Surface, wanted: Wanted) -> Surface:
    """The surface with walls whose triangles have about the wanted sizes and sound shapes."""
    if not len(surface.walls):
        return surface
    sheet = Sheet(surface)
    for _ in range(ROUNDS):
        done = _resized(sheet, wanted)
        for a, b in sheet.edges():
            done += sheet.turn(a, b)
        done += _sharpened(sheet, wanted)
        if not done:
            break
    made = surface._replace(points=np.array(sheet.points), walls=sheet.array())
    return remesh_refill.filled_as(made, surface)


def _resized(sheet: Sheet, wanted: Wanted) -> int:
    """Divide what is too long, longest first, and contract what is too short; returns how many edits."""
    done = 0
    for limit in (LONG, SHORT):
        edges = sheet.edges()
        ends = np.array([[sheet.points[a], sheet.points[b]] for a, b in edges])
        ratio = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) / wanted(ends.mean(axis=1))
        order = np.argsort(-ratio) if limit == LONG else np.argsort(ratio)
        for k in order[ratio[order] > LONG] if limit == LONG else order[ratio[order] < SHORT]:
            a, b = edges[k]
            if limit == LONG:
                if sheet._around(a, b):
                    sheet.split(a, b)
                    done += 1
            else:
                done += sheet.contract(a, b, wanted) or sheet.contract(b, a, wanted)
    return done


def _sharpened(sheet: Sheet, wanted: Wanted) -> int:
    """Take sharp triangles away by their shortest edge; returns how many went."""
    done = 0
    for t in sorted(sheet.triangles):
        corners = sheet.triangles.get(t)
        if corners is None or sheet.angle(corners) >= SHARP:
            continue
        a, b = min(zip(corners, corners[1:] + corners[:1], strict=True), key=lambda e: sheet.length(*e))
        done += sheet.contract(a, b, wanted) or sheet.contract(b, a, wanted)
    return done
