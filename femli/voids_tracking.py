"""Which void is which from one frame to the next, by their places alone: meshes and numbers of facets may change.

An old and a new void are linked where the middle of the narrower one lies within the wider one (seen from the
electrolyte: within its extent in 2D, within the ellipse of its extents in 3D) and their heights overlap. Voids that are
left without a link are linked where their boxes overlap at all: they moved by more than half of their width. From the
links follow the events:

* `start`: there in the first frame; `nucleate`: no parent; `coalesce`: two parents or more; `split`: a parent has two
  children or more; `collapse`: the height fell by more than 20 %, or no child (then the void has a last row without
  sizes); `continue`: none of these.

A number is kept along the link with the largest common size (the largest parent, the largest child); none comes twice.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from femli.voids import Void

COLLAPSE = 0.2  # share of its height that a void loses between two frames when it is said to collapse


class Row(NamedTuple):
    """One void in one frame.

    Attributes:
        number: identity.
        void: its measures, or None after its end.
        place: x and y (um), the last ones after its end.
        parents: numbers in the frame before.
        event: one or two words joined by "+".
    """

    number: int
    void: Void | None
    place: tuple[float, float]
    parents: tuple[int, ...]
    event: str


class Old(NamedTuple):
    """What is remembered of a void: enough to link it, and to be written as JSON."""

    number: int
    place: tuple[float, float]
    height: float
    size: float
    low: tuple[float, ...]
    high: tuple[float, ...]


class Tracker:
    """Names voids frame by frame."""

    def __init__(self) -> None:
        self.started = False
        self.next = 1
        self.known: list[Old] = []

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"started": self.started, "next": self.next, "known": [list(old) for old in self.known]}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.started, self.next = bool(state["started"]), int(state["next"])
        self.known = [
            Old(int(n), tuple(place), height, size, tuple(low), tuple(high))
            for n, place, height, size, low, high in state["known"]
        ]

    def frame(self, voids: Sequence[Void]) -> list[Row]:
        """Name the voids of a frame; rows sorted by number, ended voids included."""
        links = linked(self.known, voids)
        numbers = self._numbers(voids, links)
        children = {i: sum(link[0] == i for link in links) for i in range(len(self.known))}
        rows = []
        for j, void in enumerate(voids):
            parents = sorted(i for i, child in links if child == j)
            rows.append(
                Row(
                    numbers[j],
                    void,
                    (void.x, void.y),
                    tuple(sorted(self.known[i].number for i in parents)),
                    self._event(void, parents, children),
                )
            )
        for i, old in enumerate(self.known):
            if not children[i]:
                rows.append(Row(old.number, None, old.place, (old.number,), "collapse"))
        self.known = [
            Old(numbers[j], (v.x, v.y), v.height, v.size * v.share, v.low, v.high) for j, v in enumerate(voids)
        ]
        self.started = True
        return sorted(rows, key=lambda row: row.number)

    def _numbers(self, voids: Sequence[Void], links: Sequence[tuple[int, int]]) -> list[int]:
        """Identity of each new void."""
        given: dict[int, int] = {}
        taken: set[int] = set()
        for i, j in sorted(links, key=lambda link: _rank(self.known[link[0]], voids[link[1]])):
            if j not in given and i not in taken:
                given[j] = self.known[i].number
                taken.add(i)
        for j in range(len(voids)):
            if j not in given:
                given[j] = self.next
                self.next += 1
        return [given[j] for j in range(len(voids))]

    def _event(self, void: Void, parents: Sequence[int], children: dict[int, int]) -> str:
        if not parents:
            return "nucleate" if self.started else "start"
        words = []
        if len(parents) > 1:
            words.append("coalesce")
        if any(children[i] > 1 for i in parents):
            words.append("split")
        if not words and void.height < (1 - COLLAPSE) * self.known[parents[0]].height:
            words.append("collapse")
        return "+".join(words) or "continue"


def linked(old: Sequence[Old | Void], new: Sequence[Old | Void]) -> list[tuple[int, int]]:
    """Pairs (old, new) of voids that are one or came from one another."""
    links = [(i, j) for i, a in enumerate(old) for j, b in enumerate(new) if _same_place(a, b)]
    lone_old = set(range(len(old))) - {i for i, _ in links}
    lone_new = set(range(len(new))) - {j for _, j in links}
    loose = [(_common(old[i], new[j]), i, j) for i in lone_old for j in lone_new if _common(old[i], new[j]) > 0.0]
    for _, i, j in sorted(loose, reverse=True):
        if i in lone_old and j in lone_new:
            links.append((i, j))
            lone_old.discard(i)
            lone_new.discard(j)
    return sorted(links)


def _same_place(a: Old | Void, b: Old | Void) -> bool:
    """The middle of the narrower one lies within the wider one, and the heights overlap."""
    if a.high[-1] < b.low[-1] or b.high[-1] < a.low[-1]:
        return False
    spans = [[top - end for end, top in zip(v.low[:-1], v.high[:-1], strict=True)] for v in (a, b)]
    narrow, wide = (a, b) if max(spans[0]) < max(spans[1]) else (b, a)
    away = 0.0
    for left, right, start, end in zip(wide.low[:-1], wide.high[:-1], narrow.low[:-1], narrow.high[:-1], strict=True):
        away += ((start + end - left - right) / max(right - left, 1e-300)) ** 2
    return away < 1.0


def _common(a: Old | Void, b: Old | Void) -> float:
    """Length, area or volume that two boxes share, 0 where they are apart."""
    shared = 1.0
    for left, right, start, end in zip(a.low, a.high, b.low, b.high, strict=True):
        shared *= max(min(right, end) - max(left, start), 0.0)
    return shared


def _rank(old: Old, new: Void) -> tuple[float, float, int]:
    """What decides which link of an old void with a new one counts first: the larger the two are, the earlier."""
    size = new.size * new.share
    return -min(old.size, size), -max(old.size, size), old.number
