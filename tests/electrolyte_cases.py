"""Electrolytes of tensor meshes that are graded toward the edge of a contact, and small coupled cases."""

from mpi4py import MPI

import numpy as np
from numpy.typing import NDArray

from femli import mesh, mesh_electrolyte, mesh_foil
from femli.mesh import ElectrolyteDomain

Array = NDArray[np.float64]


def toward(start: float, end: float, first: float, growth: float, largest: float) -> Array:
    """Points from start (finest) to end."""
    points = mesh_foil.graded(abs(end - start), first, growth, largest)
    return start + np.sign(end - start) * points


def electrolyte(
    edge: float, width: float, depth: float, fine: float, axisymmetric: bool, inner: bool
) -> ElectrolyteDomain:
    """An electrolyte in contact on one side of a lateral place.

    Args:
        edge: where contact ends, um.
        width, depth: of the electrolyte, um.
        fine: cell at the edge, um.
        axisymmetric: circular patch or spot, else a strip with mirrors at 0 and the width.
        inner: contact from 0 to the edge (a spot); else beyond the edge (a debonded patch).
    """
    left = toward(edge, 0.0, fine, 1.12, edge / 8)[::-1]
    right = toward(edge, width, fine, 1.12, (width - edge) / 8)
    x = np.concatenate([left, right[1:]])
    x[0] = 0.0
    heights = toward(0.0, depth, fine, 1.12, depth / 10)
    layers = mesh_foil.rectangle(x, heights, axisymmetric)
    made = mesh_electrolyte.slab(layers, lambda middle: (middle[:, 0] < edge) == inner)
    return mesh.electrolyte_alone(made, axisymmetric, MPI.COMM_WORLD)
