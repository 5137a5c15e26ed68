"""Voids through their events: when a new mesh is needed, what has happened, and everything rebuilt on it.

2D plane and axisymmetric. Rank 0 looks at the outline of the mesh after each step and decides; what belongs to a mesh
(fields, motion, Newton) is made anew on the new one, stepper and recorder take it over. Kept to round-off: Li, host and
so the metal's volume. What an event adds to the section of the metal is made up for by a rigid shift of the collector.
"""

import logging
from typing import NamedTuple

import numpy as np
from dolfinx.mesh import Mesh

from femli import mesh, mesh_electrolyte, mesh_outline, mesh_parts, remesh_events, remesh_transfer
from femli.case import Case
from femli.errors import MeshError, SolveError
from femli.fields import Fields
from femli.materials_electrode import Electrode
from femli.mesh_geometry import electrolyte_size
from femli.mesh_parts import Floats, PartedMesh
from femli.mesh_resolution import Resolution, resolution
from femli.mesh_underlay import Underlay
from femli.outputs import Recorder
from femli.outputs_events import Happening as Record
from femli.outputs_measures import Measures
from femli.protocol import Protocol
from femli.remesh_drift import Drift
from femli.remesh_events import Happening
from femli.remesh_outline import Chains, Outline, chains, crossing
from femli.seeding import seeded
from femli.solver import Newton, on_mesh
from femli.solver_linear import NotConvergedError
from femli.units import TIME

log = logging.getLogger("femli")

STRETCHED = 2.0  # a cell with an edge so much longer or shorter than when it was made asks for a new mesh
ROUNDS = 4  # how often new vertices may come down on the electrolyte at once
RESTART = 24  # rungs of the ladder that the step drops by on a new mesh: a factor of 64


class Renewal(NamedTuple):
    """What rank 0 has made: the new mesh, Li fraction at its points, what happened, shift of the collector (um)."""

    whole: PartedMesh
    x: Floats
    happenings: list[Happening]
    shift: float


class Evolution:
    """Watches the voids of one run and renews its mesh; every method is collective.

    Args:
        case, electrode: the numbers.
        protocol, recorder: the run.
    """

    sharp, wedge, shape = 15.0, 0.6, "smallest angle {:.0f} degrees"  # a cell below `sharp` asks for a new mesh
    chains: Chains | None = None  # on rank 0

    def __init__(self, case: Case, electrode: Electrode, protocol: Protocol, recorder: Recorder) -> None:
        self.case, self.electrode, self.protocol, self.recorder = case, electrode, protocol, recorder
        self.stepper = protocol.stepper
        self.comm = self.stepper.comm
        self.axisymmetric = case.geometry.kind == "axisymmetric"
        self.first: Resolution = resolution(case, seeded(case))
        self.smallest = mesh_outline.smallest_size(self.first)
        self.under = None if case.electrolyte is None else Underlay(*electrolyte_size(case))
        self.renewed_at = -1.0
        self.drift: Drift | None = None  # on rank 0, where the contact may open
        self._look()

    def _look(self) -> None:
        """Rank 0: what is asked of the present mesh at every step, once for all."""
        made = self.stepper.fields.domain.made
        if made is not None:
            self.whole = mesh_electrolyte.split(made).metal
            self.born = mesh_parts.edge_lengths(self.whole.points, self.whole.cells)
            # Between contact and a flat wall no mesh has better cells than the wedge itself.
            self.sharpest = min(self.sharp, self.wedge * self._shape(self.whole.points))
            self._bounds()

    def _bounds(self) -> None:
        """Rank 0: the boundary of the present mesh."""
        self.chains = chains(self.whole, self.axisymmetric)

    def _shape(self, points: Floats) -> float:
        """Rank 0: smallest angle of all cells [degrees]."""
        return float(mesh_parts.smallest_angles(self.whole._replace(points=points)).min())

    # --- when -------------------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Renew the mesh where that is due.

        Raises:
            SolveError: the walls have met in a way that cannot be followed, or no new mesh can be made.
        """
        points = gathered(self.stepper.fields, None)
        reason = self.comm.bcast(None if points is None else self._due(points))
        if reason is not None:
            self.renew(reason)

    def _due(self, points: Floats) -> str | None:
        """Rank 0: why a new mesh is needed, if so."""
        reason = self._event(points)
        if reason is None and self.renewed_at < self.stepper.levels[0].time:
            ratio = mesh_parts.edge_lengths(points, self.whole.cells) / self.born
            shape = self._shape(points)
            if shape < self.sharpest or ratio.max() > STRETCHED or ratio.min() < 1 / STRETCHED:
                reason = (
                    f"cells are out of shape ({self.shape.format(shape)}, edges {ratio.min():.2g} to "
                    f"{ratio.max():.2g} of their length)"
                )
        return reason

    def _event(self, points: Floats) -> str | None:
        """Rank 0: what has happened to the voids that asks for a new mesh, if anything."""
        outline = self._outline(points)
        reason = remesh_events.due(outline, self.smallest, self.drift)
        if reason is None and crossing(outline) is not None:
            reason = "walls have met"
        return reason

    def _outline(self, points: Floats) -> Outline:
        if self.chains is None:
            raise MeshError("only rank 0 knows the outline")
        return self.chains.outline(points)

    def second_chance(self) -> bool:
        """After a failed step: a new mesh, unless the present one has not made a single step."""
        time = self.stepper.levels[0].time
        if self.renewed_at >= time:
            return False
        self.renew("the step failed on the old mesh")
        return True

    # --- how --------------------------------------------------------------------------------------------------------

    def renew(self, reason: str) -> None:
        """Put the run on a new mesh.

        Raises:
            SolveError: that is not possible; the run stays on the old one.
        """
        stepper, old = self.stepper, self.stepper.newton
        level = stepper.levels[0]
        host = old.contents.totals()[1]
        points, x = gathered(old.fields, None), gathered(old.fields, level.x)
        made, fault = None, None
        if points is not None and x is not None:
            try:
                made = self._made(points, x)
            except MeshError as error:
                fault = str(error)
        fault = self.comm.bcast(fault)
        if fault is not None:
            cause, time = fault.removeprefix(f"{reason}; "), f"{level.time * TIME:.6g} s"
            raise SolveError(f"{reason} at t = {time}, and no new mesh could be made: {cause}")
        newton = self._engine(made, old)
        conserve_host(newton, host)
        try:
            solve_anew(newton, old, level.time)
        except NotConvergedError as error:
            raise SolveError(f"{reason} at t = {level.time * TIME:.6g} s: on the new mesh {error}") from error
        self._adopt(newton)
        self.renewed_at = level.time
        self._look()
        self._tell(reason, made)

    def _adopt(self, newton: Newton) -> None:
        """Let stepper, protocol and recorder go on with another solver, whose velocity is known."""
        old = self.stepper.newton
        newton.motion.follow()
        self.stepper.adopt(newton, RESTART)
        self.protocol.adopt(Measures(newton, self.case.output.depths))
        self.recorder.adopt()
        old.close()

    def _made(self, points: Floats, x: Floats) -> Renewal:
        """Rank 0: outline, events, new mesh, Li fraction on it."""
        old = self._outline(points)
        outline, happenings = self._begun(old)
        for _ in range(ROUNDS):
            outline, new = remesh_events.settled(outline, self.smallest, self.drift)
            happenings += new
            where = crossing(outline)
            if where is not None:
                raise MeshError(f"the walls of a void touch each other at ({where[0]:.4g}, {where[1]:.4g}) um")
            sizes = mesh_outline.sizes_of(outline, self.first)
            outline = mesh_outline.resampled(outline, sizes)
            if remesh_events.due(outline, self.smallest, self.drift) is None:
                break
        shift = (old.metal() - outline.metal()) / outline.footing()
        outline = outline._replace(collector=outline.collector + np.array([0.0, shift]))
        whole = mesh_outline.meshed(outline, sizes, self.under)
        cells = self.whole.cells
        metal = mesh_electrolyte.split(whole).metal
        return Renewal(whole, remesh_transfer.carried(points, cells, x, metal.points), happenings, shift)

    def _begun(self, outline: Outline) -> tuple[Outline, list[Happening]]:
        """Rank 0: what is done to the outline before its events are looked for."""
        return outline, []

    def _engine(self, made: Renewal | None, old: Newton) -> Newton:
        """Fields, motion and Newton on the new mesh, with the composition there and the numbers of the old ones."""
        domain = mesh.distribute(self.case, None if made is None else made.whole, (), self.comm)
        newton = on_mesh(domain, self.case, self.electrode)
        new = newton.fields
        x = self.comm.bcast(None if made is None else made.x)
        scatter(new, x)
        for constant, value in zip(new.k, old.fields.k, strict=True):
            constant.value = value.value
        newton.control, newton.applied_voltage = old.control, old.applied_voltage
        newton.applied_flux, newton.stack = old.applied_flux, old.stack
        if newton.layer is not None and old.layer is not None:
            newton.layer.take(old.layer)
        return newton

    def _tell(self, reason: str, made: Renewal | None) -> None:
        happenings, shift = self.comm.bcast(None if made is None else (made.happenings, made.shift))
        for happening in happenings:
            self.recorder.happened(Record(happening.kind, happening.x, float(happening.void)))
        self.recorder.happened(Record("remesh", None, 0.0, float(shift)))
        if self.comm.rank == 0:
            kinds = ", ".join(f"{h.kind} at x = {h.x:.4g} um" for h in happenings) or "no event"
            log.info("t = %.6g s: %s: new mesh (%s)", self.recorder.time(), reason, kinds)


def gathered(fields: Fields, values: Floats | None) -> Floats | None:
    """On rank 0 the node positions (n, 2), or values (n,) of P1 dofs, in the order of the whole mesh; else None."""
    mesh = fields.domain.mesh
    if values is None:
        return in_order(mesh, mesh.geometry.x[:, : mesh.geometry.dim])
    at_nodes = np.empty(len(mesh.geometry.x))
    at_nodes[fields.node_of_dof] = values
    return in_order(mesh, at_nodes)


def in_order(mesh: Mesh, rows: Floats) -> Floats | None:
    """On rank 0 a row for each node (local nodes, ...) in the order of the whole mesh; else None; collective."""
    geometry = mesh.geometry
    owned = geometry.index_map().size_local
    parts = mesh.comm.gather((geometry.input_global_indices[:owned], rows[:owned].copy()))
    if parts is None:
        return None
    whole = np.empty((geometry.index_map().size_global, *rows.shape[1:]))
    for where, part in parts:
        whole[where] = part
    return whole


def scatter(fields: Fields, x: Floats) -> None:
    """Set the Li fraction from its values at the points of the whole mesh."""
    nodes = fields.domain.mesh.geometry.input_global_indices[fields.node_of_dof]
    fields.u.x.x.array[:] = x[nodes]


def solve_anew(newton: Newton, old: Newton, time: float) -> None:
    """Velocity and pressure on the new mesh at a time [h], from the stress at the nearest points of the old one.

    Raises:
        NotConvergedError: neither so nor from uniform viscosity.
    """
    comm, order = newton.comm, old.fields.domain.mesh.topology.original_cell_index
    parts = comm.allgather((order[: len(old.points.cells)], old.points.places(), old.stress()))
    cells = np.concatenate([np.repeat(part[0], len(old.points.corner_weights)) for part in parts])
    first = np.argsort(cells, kind="stable")  # the same order on any number of ranks
    places, stress = (np.concatenate([part[k] for part in parts])[first] for k in (1, 2))
    try:
        newton.consistent(time, remesh_transfer.nearest(places, stress, newton.points.places()))
    except NotConvergedError:
        newton.consistent(time)


def conserve_host(newton: Newton, host: float) -> None:
    """Correct the composition so that its host content is the given one [um^dim].

    The host fraction y becomes y + c y (1 - y): no new extremes beyond 0 and 1, pure metal stays pure; c by secants.
    """
    x = newton.fields.u.x.x.array
    if host <= 1e-12 * newton.contents.full_area:  # pure metal: what there is of host is round-off
        x[:] = 1.0
        return
    start = x.copy()
    weight = (1 - start) * start
    c, found = 0.0, newton.contents.totals()[1]
    x[:] = start - 1e-6 * weight
    slope = (newton.contents.totals()[1] - found) / 1e-6
    for _ in range(8):
        if abs(host - found) <= 1e-15 * abs(host):
            break
        c += (host - found) / slope
        x[:] = start - c * weight
        found = newton.contents.totals()[1]
    x[:] = start - c * weight
