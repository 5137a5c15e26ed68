"""Two regions in one mesh: an electrolyte joined under a foil, the whole checked, and taken apart by region.

NumPy only, lengths in um. The regions share the points of the contact; each has a mesh of its own in the solver.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from femli import mesh_parts
from femli.errors import MeshError
from femli.mesh_parts import BOUNDARIES, REGIONS, Floats, Integers, PartedMesh

Booleans = npt.NDArray[np.bool_]


class Regions(NamedTuple):
    """A whole mesh taken apart.

    Attributes:
        metal: the electrode.
        electrolyte: or None.
        shared: numbers of the contact's points in the one and in the other, shape (points, 2).
    """

    metal: PartedMesh
    electrolyte: PartedMesh | None
    shared: Integers


def joined(metal: PartedMesh, layers: PartedMesh) -> PartedMesh:
    """A foil and an electrolyte under it as one mesh.

    Args:
        metal: contact at 0, metal above.
        layers: a body with the same lateral points, contact at 0, the rest above; it is turned over, and its collector
            becomes the counter.
    """
    points, tags = _turned(layers)
    below, above = np.unique(layers.part("contact")), np.unique(metal.part("contact"))
    below = below[np.lexsort(points[below].T)]
    above = above[np.lexsort(metal.points[above].T)]
    if len(below) != len(above) or (points[below] != metal.points[above]).any():
        raise MeshError("the electrolyte and the metal do not meet at the same points of the contact")
    number = np.full(len(points), -1)
    number[below] = above
    own = number < 0
    number[own] = len(metal.points) + np.arange(own.sum())
    kept = tags != BOUNDARIES["contact"]
    return PartedMesh(
        np.concatenate([metal.points, points[own]]),
        np.concatenate([metal.cells, number[layers.cells]]),
        np.concatenate([metal.facets, number[layers.facets[kept]]]),
        np.concatenate([metal.facet_tags, tags[kept]]),
        np.repeat([REGIONS["electrode"], REGIONS["electrolyte"]], [len(metal.cells), len(layers.cells)]),
    )


def slab(layers: PartedMesh, contact: Callable[[Floats], Booleans]) -> PartedMesh:
    """An electrolyte alone, in contact where a function of the facets' middles says so.

    Args:
        layers: a body with its contact at 0, the rest above; it is turned over.
        contact: whether facets with these middles, shape (facets, d), are in contact; the others are under voids.
    """
    below, tags = _turned(layers)
    top = tags == BOUNDARIES["contact"]
    free = top.copy()
    free[top] = ~contact(below[layers.facets[top]].mean(axis=1))
    return layers._replace(points=below, facet_tags=np.where(free, BOUNDARIES["void"], tags))


def _turned(layers: PartedMesh) -> tuple[Floats, Integers]:
    """Points and facet tags of a body turned over at 0: its collector becomes the counter."""
    points = layers.points.copy()
    points[:, -1] *= -1.0
    points[:, -1] += 0.0  # no -0
    tags = layers.facet_tags
    return points, np.where(tags == BOUNDARIES["collector"], BOUNDARIES["counter"], tags)


def split(whole: PartedMesh) -> Regions:
    """The mesh of each region with the facets that belong to it, and where they meet."""
    if whole.regions is None:
        return Regions(whole, None, np.zeros((0, 2), dtype=np.int64))
    (metal, above), (electrolyte, below) = (_region(whole, name) for name in ("electrode", "electrolyte"))
    common = np.flatnonzero((above >= 0) & (below >= 0))
    return Regions(metal, electrolyte, np.column_stack([above[common], below[common]]))


def _region(whole: PartedMesh, name: str) -> tuple[PartedMesh, Integers]:
    """One region with points of its own, and the new number of each point of the whole (-1: not in it)."""
    cells = whole.cells[whole.regions == REGIONS[name]]
    faces = np.concatenate([np.delete(cells, k, axis=1) for k in range(cells.shape[1])])
    label = mesh_parts.labels(np.concatenate([faces, whole.facets]))
    own = np.isin(label[len(faces) :], label[: len(faces)])
    used = np.unique(cells)
    number = np.full(len(whole.points), -1)
    number[used] = np.arange(len(used))
    facets = number[whole.facets[own]]
    return PartedMesh(whole.points[used], number[cells], facets, whole.facet_tags[own]), number


def check(whole: PartedMesh) -> None:
    """Refuse a mesh on which the boundary conditions of femli would mean something else than they say.

    Raises:
        MeshError: see `mesh_parts.check` and `check_electrolyte`; the regions meet elsewhere than in the contact, or
            only in a part of it.
    """
    metal, electrolyte, shared = split(whole)
    mesh_parts.check(metal)
    if electrolyte is None:
        return
    mesh_parts.check_electrolyte(electrolyte)
    both = len(metal.part("contact")), len(electrolyte.part("contact"))
    common = set(np.unique(metal.part("contact")).tolist())
    if both[0] != both[1] or common != set(shared[:, 0].tolist()):
        raise MeshError(
            f"part contact has {both[0]} facets on the metal and {both[1]} on the electrolyte; the two have to meet in "
            "the contact and nowhere else"
        )


def agree(whole: PartedMesh, asked: bool, file: str) -> None:
    """Refuse a user's mesh that has an electrolyte where the case has none, or the other way round."""
    if asked and whole.regions is None:
        raise MeshError(f"{file}: the mesh has no region electrolyte, but the case has [electrolyte]")
    if not asked and whole.regions is not None:
        raise MeshError(f"{file}: the mesh has a region electrolyte; allowed: a case with [electrolyte]")
