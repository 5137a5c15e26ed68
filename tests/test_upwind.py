"""Upwinding of the host where cells are too coarse for it."""

from pathlib import Path

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import manufactured
import numpy as np
import pytest
from dolfinx import fem

from femli import fields, forms

# Longest chord along the last axis over the edge of a box's cell, and its share of the volume: squares are cut by both
# diagonals, two of their triangles are half as high.
CHORDS = {"uniaxial": [(1.0, 1.0)], "plane": [(0.5, 0.5), (1.0, 0.5)]}


@pytest.mark.parametrize("kinematics", CHORDS)
@pytest.mark.parametrize("speed", [0.001, 50.0])
def test_stream_diffusivity(tmp_path: Path, kinematics: str, speed: float) -> None:
    # Exact: the least diffusivity of a stream b in cells of length l along it is b l/2 (one-dimensional upwinding), so
    # max(b l/2 - D (1 - x) Theta, 0)/b^2 is added, of which a host of 0.4 at% has 1 - 0.4 and one of 1 at% nothing. At
    # 0.001 um/h the cells resolve the layer and nothing is added. D, Theta: the manufactured metal at x = 0.996.
    metal, x, cells = manufactured.metal(3.0), 0.996, 4
    made = fields.create(manufactured.box(kinematics, cells, wavy=False), manufactured.settings(tmp_path), metal)
    made.u.x.x.array[:] = x
    component = made.u.v.function_space.dofmap.index_map_bs - 1
    made.u.v.x.array[component :: component + 1] = speed
    y = 1 - x
    a, b = manufactured.ACTIVITY
    theta = 1 - x * y * (2 * a + 3 * b * y)
    D = np.exp(manufactured.DIFFUSIVITY[0] + manufactured.DIFFUSIVITY[1] * y)
    added = [max(speed * chord / cells / 2 - D * y * theta, 0.0) * share for chord, share in CHORDS[kinematics]]
    mean = fem.assemble_scalar(fem.form(forms.stream_diffusivity(made.u, made.k, made.frame) * made.frame.dx))
    assert mean == pytest.approx(0.6 * sum(added) / speed**2, rel=1e-6, abs=1e-12)
    assert (sum(added) > 0) == (speed > 1)
    made.u.x.x.array[:] = 0.99
    assert fem.assemble_scalar(fem.form(forms.stream_diffusivity(made.u, made.k, made.frame) * made.frame.dx)) < 1e-15
