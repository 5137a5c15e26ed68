"""How the bottom of an outline moves: tells a wall that comes down from one that has just let go. NumPy, SciPy, um."""

from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from femli.mesh_parts import Floats
from femli.remesh_outline import Flags, Outline

STILL = 1e-3  # of the largest speed of the bottom: slower is at rest
UNDER = 1e-3  # a wall vertex this far below the electrolyte, over the segments beside it, has come down
AHEAD = 1e-4  # um by which the fastest vertex is moved to see whether a void grows


class Drift(NamedTuple):
    """Velocities [um/h] of the vertices of a bottom, (n, 2), at their places [um], (n, 2)."""

    points: Floats
    velocity: Floats

    def at(self, points: Floats) -> Floats:
        """Velocity of the nearest vertex, shape (k, 2)."""
        return np.asarray(self.velocity[KDTree(self.points).query(points)[1]])

    def _fastest(self) -> float:
        return max(float(np.linalg.norm(self.velocity, axis=1).max()), 1e-300)

    def falls(self, line: Floats, beside: Floats) -> Flags:
        """Vertices (n, 2) that sink, or have sunk; `beside` is the size of the segments there (n,) [um]."""
        sinks = self.at(line)[:, 1] < -STILL * self._fastest()
        return np.asarray(sinks | (line[:, 1] < -UNDER * beside))

    def grows(self, outline: Outline, wall: tuple[int, int]) -> bool:
        """Whether a void becomes larger."""
        inner = slice(wall[0], wall[1] + 1)
        ahead = outline.bottom.copy()
        ahead[inner] += AHEAD / self._fastest() * self.at(outline.bottom[inner])
        return outline._replace(bottom=ahead).void(wall) > outline.void(wall)
