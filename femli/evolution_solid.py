"""Voids of 3D boxes through new meshes, up to the first change of topology: the steps of `Evolution` on surfaces."""

import numpy as np

from femli import mesh_electrolyte, mesh_solid, remesh_solid, remesh_transfer, remesh_wall
from femli.errors import MeshError
from femli.evolution import ROUNDS, STRETCHED, Evolution, Renewal
from femli.mesh_parts import Floats
from femli.mesh_solid import Fineness
from femli.remesh_solid import Happening
from femli.remesh_surface import Surface, surface
from femli.seeding import seeded

SHAPE = 0.15  # mean ratio of a tetrahedron; a cell with a smaller one asks for a new mesh


class SolidEvolution(Evolution):
    """Watches the voids of a 3D box and renews its mesh; every public method is collective."""

    def _look(self) -> None:
        voids, first = seeded(self.case), self.first
        self.fineness = Fineness(
            max(v.half_width / edge for v, edge in zip(voids, first.edges, strict=True)),
            max(min(v.half_width, v.height) / wall for v, wall in zip(voids, first.walls, strict=True)),
            self.smallest,
        )
        made = self.stepper.fields.domain.made
        self.solid: Surface | None = None
        if made is not None:
            self.whole = whole = mesh_electrolyte.split(made).metal
            self.solid = surface(whole)
            self.born = remesh_solid.lengths(whole.points, whole.cells)
            # Between contact and a flat wall no mesh has better cells than the wedge itself.
            self.sharpest = min(SHAPE, 0.5 * float(remesh_solid.shapes(whole.points, whole.cells).min()))

    def _at(self, points: Floats) -> Surface:
        if self.solid is None:
            raise MeshError("only rank 0 knows the surface")
        return self.solid._replace(points=points)

    def _due(self, points: Floats) -> str | None:
        """Rank 0: why a new mesh is needed, if so."""
        reason = remesh_solid.due(self._at(points), self.smallest)
        if reason is None and self.renewed_at < self.stepper.levels[0].time:
            cells = self.whole.cells
            ratio = remesh_solid.lengths(points, cells) / self.born
            shape = float(remesh_solid.shapes(points, cells).min())
            if shape < self.sharpest or ratio.max() > STRETCHED or ratio.min() < 1 / STRETCHED:
                reason = (
                    f"cells are out of shape (mean ratio {shape:.2f}, edges {ratio.min():.2g} to {ratio.max():.2g} of "
                    "their length)"
                )
        return reason

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
