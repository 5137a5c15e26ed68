"""Voids of a run: their walls gathered from all ranks, `voids.csv` with one row a void a frame, and history columns."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mpi4py import MPI  # before dolfinx

import numpy as np
from dolfinx.mesh import entities_to_geometry

from femli import tables, voids
from femli.fields import Fields
from femli.units import LENGTH, MAH_CM2
from femli.voids import Void
from femli.voids_tracking import Row, Tracker

FILE = "voids.csv"
# Columns of history.csv behind the size of the voids (contract; only where there are void walls).
COLUMNS = (
    "contact_loss [-]",
    "void_width_median [m]",
    "void_width_max [m]",
    "void_height_median [m]",
    "void_height_max [m]",
    "mean_void_thickness [m]",
    "void_spacing [m]",
)


class Walls:
    """The void walls of one mesh; its nodes may move. Construction and `measure` are collective.

    Attributes:
        count: number of voids, however small, the same on all ranks.
    """

    def __init__(self, fields: Fields) -> None:
        domain = fields.domain
        self.mesh, self.comm, self.kinematics = domain.mesh, domain.mesh.comm, domain.kinematics
        tdim = self.mesh.topology.dim
        names = domain.facet_names
        facets = domain.facet_tags.find(names["void"]) if "void" in names else np.zeros(0, dtype=np.int32)
        self.facets = entities_to_geometry(self.mesh, tdim - 1, facets).reshape(-1, tdim)
        cells = self.mesh.topology.connectivity(tdim - 1, tdim)
        behind = np.array([cells.links(facet)[0] for facet in facets], dtype=np.int64)
        self.cells = self.mesh.geometry.dofmaps[0][behind].reshape(-1, tdim + 1)
        every = self.comm.allgather(self.mesh.geometry.input_global_indices[self.facets])
        nodes = np.concatenate(every)
        # In the order of the mesh that was read, sums are the same on any number of ranks.
        self.order = np.lexsort(np.sort(nodes, axis=1).T)
        self.label = voids.components(nodes[self.order])
        self.count = int(self.label.max(initial=-1)) + 1
        points = self.mesh.geometry.x
        self.window = [
            (
                float(self.comm.allreduce(points[:, axis].min(initial=np.inf), op=MPI.MIN)),
                float(self.comm.allreduce(points[:, axis].max(initial=-np.inf), op=MPI.MAX)),
            )
            for axis in range(tdim - 1)
        ]

    def measure(self) -> list[Void]:
        """The voids now (um), the same on all ranks."""
        if not self.count:
            return []
        dim = self.mesh.geometry.dim
        corners = self.mesh.geometry.x[self.facets][..., :dim]
        inner = self.mesh.geometry.x[self.cells][..., :dim].sum(axis=1) - corners.sum(axis=1)
        parts = self.comm.gather((corners, inner))
        found = None
        if parts is not None:
            corners, inner = (np.concatenate(arrays)[self.order] for arrays in zip(*parts, strict=True))
            found = voids.measure(corners, inner, self.label, self.window, self.kinematics == "axisymmetric")
        gathered: list[Void] = self.comm.bcast(found)
        return gathered


class VoidLog:
    """Writes `voids.csv` and remembers which void is which.

    Args:
        folder: result folder.
        kinematics: of the mesh.
        limit: smallest width and height that are seen [um].
        interface: length or area of the whole interface [um, um2].
        writes: whether this rank writes.
    """

    def __init__(self, folder: Path, kinematics: str, limit: float, interface: float, writes: bool) -> None:
        self.path, self.limit, self.interface, self.writes = folder / FILE, limit, interface, writes
        self.kinematics, self.tracker = kinematics, Tracker()

    def columns(self, found: Sequence[Void], size: float, contact_fraction: float) -> dict[str, float]:
        """Columns for the history.

        Args:
            found: all voids (um).
            size: area or volume of all voids [m2, m3].
            contact_fraction: [-].
        """
        plane = self.kinematics == "plane"
        s = voids.statistics(voids.seen(found, self.limit), self.interface, plane)
        lengths = [v * LENGTH for v in (s.width_median, s.width_max, s.height_median, s.height_max)]
        thickness = size / (self.interface * LENGTH ** (1 if plane else 2))
        values = (1.0 - contact_fraction, *lengths, thickness, s.spacing * LENGTH)
        return dict(zip(COLUMNS, values, strict=True))

    def write(self, time: float, capacity: float, found: Sequence[Void]) -> None:
        """Rows of one frame; time [s], capacity [C/m2]."""
        rows = self.tracker.frame(voids.seen(found, self.limit))
        if not self.writes:
            return
        lines = [[time, capacity / MAH_CM2, *self._cells(row)] for row in rows]
        tables.append(self.path, self._header(), lines)

    def _header(self) -> list[str]:
        plane, solid = self.kinematics == "plane", self.kinematics == "full"
        return [
            *("time [s]", "capacity [mAh/cm^2]", "void [-]", "x [m]", *(("y [m]",) if solid else ())),
            *("width [m]", "height [m]", "area [m^2]" if plane else "volume [m^3]", "parents [-]", "event [-]"),
            *("opening [m]" if plane else "opening [m^2]", "share [-]", "interior [-]"),
        ]

    def _cells(self, row: Row) -> list[Any]:
        """The rest of a line; a void that has ended has no sizes."""
        places = [place * LENGTH for place in row.place[: 2 if self.kinematics == "full" else 1]]
        names = ["+".join(map(str, row.parents)) or "-", row.event]
        v = row.void
        if v is None:
            return [row.number, *places, "", "", "", *names, "", "", ""]
        power = 1 if self.kinematics == "plane" else 2
        sizes = [v.width * LENGTH, v.height * LENGTH, v.size * LENGTH ** (power + 1)]
        last = [v.opening * LENGTH**power, v.share, int(v.interior)]
        return [row.number, *places, *sizes, *names, *last]
