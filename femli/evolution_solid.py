"""Voids of 3D boxes through new meshes, up to the first change of topology: the steps of `Evolution` on surfaces."""

import numpy as np

from femli import mesh_electrolyte, mesh_solid, remesh_solid, remesh_transfer, remesh_wall
from femli.case import Case
from femli.errors import MeshError
from femli.evolution import ROUNDS, Evolution, Renewal
from femli.materials_electrode import Electrode
from femli.mesh_parts import Floats
from femli.mesh_solid import Fineness
from femli.outputs import Recorder
from femli.protocol import Protocol
from femli.remesh_outline import Happening
from femli.remesh_surface import Surface, surface
from femli.seeding import seeded


class SolidEvolution(Evolution):
    """Watches the voids of a 3D box and renews its mesh; every public method is collective.

    Args:
        case, electrode, protocol, recorder: as of `Evolution`.
    """

    sharp, wedge, shape = 0.15, 0.5, "mean ratio {:.2f}"
    solid: Surface | None = None  # on rank 0

    def __init__(self, case: Case, electrode: Electrode, protocol: Protocol, recorder: Recorder) -> None:
        super().__init__(case, electrode, protocol, recorder)
        voids, first = seeded(case), self.first
        self.fineness = Fineness(
            max(v.half_width / edge for v, edge in zip(voids, first.edges, strict=True)),
            max(min(v.half_width, v.height) / wall for v, wall in zip(voids, first.walls, strict=True)),
            self.smallest,
        )

    def _bounds(self) -> None:
        self.solid = surface(self.whole)

    def _shape(self, points: Floats) -> float:
        return float(remesh_solid.shapes(points, self.whole.cells).min())

    def _event(self, points: Floats) -> str | None:
        return remesh_solid.due(self._at(points), self.smallest)

    def _at(self, points: Floats) -> Surface:
        if self.solid is None:
            raise MeshError("only rank 0 knows the surface")
        return self.solid._replace(points=points)

    def _made(self, points: Floats, x: Floats) -> Renewal:
        """Rank 0: surface, events, new mesh, Li fraction on it."""
        old = self._at(points)
        new, happenings = old, list[Happening]()
        for _ in range(ROUNDS):
            new, found = remesh_solid.settled(new, self.smallest)
            happenings += found
            sizes = mesh_solid.sizes_of(new, self.first, self.fineness)
            new = remesh_wall.edited(new, sizes.at)
            if remesh_solid.due(new, self.smallest) is None:
                break
        shift = (old.metal() - new.metal()) / new.footing()
        lifted = new.points.copy()
        top = np.unique(new.collector)
        lifted[top[lifted[top, 2] > 0.0], 2] += shift
        whole = mesh_solid.meshed(new._replace(points=lifted), sizes, self.under)
        metal = mesh_electrolyte.split(whole).metal
        return Renewal(whole, remesh_transfer.carried(points, self.whole.cells, x, metal.points), happenings, shift)
