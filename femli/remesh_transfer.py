"""Values of an old mesh at the points of a new one: bounded interpolation. NumPy and SciPy, on one rank.

Inside a cell a linear field is completed to a quadratic one by the gradients at its corners, which takes most of the
smearing out of repeated transfers, and is then cut to the range of the corners: no new extremes.
"""

from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from femli.mesh_parts import Floats, Integers

NEIGHBOURS = {2: 24, 3: 80}  # cells tried around a point; the one that holds it, or is least outside, is taken


class Place(NamedTuple):
    """Where points lie in an old mesh: cells (n,), and weights of their corners (n, d + 1), none negative, sum 1."""

    cells: Integers
    weights: Floats


def located(points: Floats, cells: Integers, new: Floats) -> Place:
    """Find the cells that hold points; a point outside goes to the nearest place of a near cell.

    Args:
        points: of the old mesh, shape (n, d), um.
        cells: corners, shape (m, d + 1).
        new: shape (k, d), um.
    """
    corners = points[cells]
    tree = KDTree(corners.mean(axis=1))
    count = min(NEIGHBOURS[points.shape[1]], len(cells))
    near = np.asarray(tree.query(new, count)[1]).reshape(len(new), count)
    origin, edges = corners[near][:, :, 0], corners[near][:, :, 1:] - corners[near][:, :, :1]
    r = new[:, None, :] - origin
    others = np.linalg.solve(np.swapaxes(edges, -1, -2), r[..., None])[..., 0]
    weights = np.concatenate([1 - others.sum(axis=-1, keepdims=True), others], axis=-1)
    best = weights.min(axis=-1).argmax(axis=1)
    rows = np.arange(len(new))
    kept = np.clip(weights[rows, best], 0.0, None)
    return Place(near[rows, best], kept / kept.sum(axis=1, keepdims=True))


def gradients(points: Floats, cells: Integers, values: Floats) -> Floats:
    """Gradient of a linear field at the vertices: mean over their cells by size, shape (n, d)."""
    corners = points[cells]
    edges = corners[:, 1:] - corners[:, :1]
    rise = values[cells][:, 1:] - values[cells][:, :1]
    slope = np.linalg.solve(edges, rise[..., None])[..., 0]
    area = np.abs(np.linalg.det(edges))
    total, weight = np.zeros_like(points), np.zeros(len(points))
    for k in range(cells.shape[1]):
        np.add.at(total, cells[:, k], area[:, None] * slope)
        np.add.at(weight, cells[:, k], area)
    return total / np.maximum(weight, 1e-300)[:, None]


def carried(points: Floats, cells: Integers, values: Floats, new: Floats) -> Floats:
    """A linear field of the old mesh at new points, within the range of the old values nearby, shape (k,)."""
    place = located(points, cells, new)
    at = cells[place.cells]
    slope = gradients(points, cells, values)[at]
    rise = np.einsum("kcd,kcd->kc", slope, new[:, None, :] - points[at]) / 2
    # A point outside is not followed beyond the cell.
    inside = np.einsum("kc,kcd->kd", place.weights, points[at])
    rise -= np.einsum("kcd,kd->kc", slope, new - inside) / 2
    found = np.einsum("kc,kc->k", place.weights, values[at] + rise)
    return np.asarray(np.clip(found, values[at].min(axis=1), values[at].max(axis=1)))


def nearest(points: Floats, values: Floats, new: Floats) -> Floats:
    """Rows of values (n, components) at the nearest of points, for each new point."""
    return np.asarray(values[KDTree(points).query(new)[1]])
