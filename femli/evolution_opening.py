"""A contact that opens: debonding, found as an active set at fixed time, and cavities that grow from flaws.

Debonding renews the run with the same points and cells, other names on facets of the contact. Each round lets go where
the traction exceeds the strength and lays back what would penetrate, and solves for velocity and pressure again. A
cavity is put into the outline and meshed anew.
"""

import logging

import numpy as np

from femli import remesh_opening
from femli.case import Case
from femli.errors import SolveError
from femli.evolution import Evolution, Renewal, conserve_host, gathered, in_order, solve_anew
from femli.materials_electrode import Electrode
from femli.mesh_parts import REGIONS, Floats
from femli.opening import Strength, flaws
from femli.outputs import Recorder
from femli.outputs_criteria import Criteria
from femli.outputs_events import Happening as Record
from femli.protocol import Protocol
from femli.remesh_drift import Drift
from femli.remesh_events import Happening
from femli.remesh_opening import Letting, Loads
from femli.remesh_outline import Outline
from femli.solver import Newton
from femli.solver_linear import NotConvergedError
from femli.units import LENGTH, TIME

log = logging.getLogger("femli")

ROUNDS = 60  # of letting go and laying back at one time
LOST = "contact_lost"
LONGEST = 6  # doublings of the wait after what has let go came down at once


class OpeningEvolution(Evolution):
    """Evolution of a run whose contact may open; every method is collective.

    Args:
        case, electrode: the numbers, with `case.opening`.
        protocol, recorder: the run.
    """

    def __init__(self, case: Case, electrode: Electrode, protocol: Protocol, recorder: Recorder) -> None:
        super().__init__(case, electrode, protocol, recorder)
        asked = case.opening
        self.debonds = asked is not None and asked.debonding
        self.window = 0.0 if asked is None else asked.averaging_length / LENGTH
        self.strength, self.flaws = Strength(case), flaws(case)
        self.asked: list[int] = []  # flaws that are to become voids with the next mesh

    def watch(self) -> None:
        """Renew the mesh where that is due, let cavities grow, let the contact go.

        Raises:
            SolveError: as `Evolution.watch`; or there is no velocity where the contact has opened.
        """
        self._drift()
        super().watch()
        if len(self.flaws.x):
            self._drift()
            self._grow()
        if self.debonds and self.recorder.opened.wait:
            self.recorder.opened = self.recorder.opened._replace(wait=self.recorder.opened.wait - 1)
        elif self.debonds:
            self._debond()

    def _bottom(self, newton: Newton, component: int) -> Floats | None:
        """On rank 0 one component of the mesh velocity at the vertices of the bottom [um/h]."""
        w = newton.fields.w.x.array.reshape(-1, 2)[:, component]
        values = gathered(newton.fields, np.ascontiguousarray(w))
        return None if values is None or self.chains is None else values[self.chains.bottom]

    def second_chance(self) -> bool:
        """As `Evolution.second_chance`, with the motion from before the step that failed."""
        self._drift()
        return super().second_chance()

    def _drift(self) -> None:
        """Rank 0: how the bottom moves, by the velocity at hand; the run's own mesh velocity stays."""
        w = self.stepper.fields.w.x.array
        kept = w.copy()
        self.stepper.motion.follow()
        points = gathered(self.stepper.fields, None)
        across, up = (self._bottom(self.stepper.newton, k) for k in range(2))
        w[:] = kept
        if points is not None and self.chains is not None and across is not None and up is not None:
            self.drift = Drift(points[self.chains.bottom], np.column_stack([across, up]))

    # --- cavities ---------------------------------------------------------------------------------------------------

    def _grow(self) -> None:
        """Put voids where flaws are pulled apart."""
        fields = self.stepper.fields
        points, p = gathered(fields, None), gathered(fields, fields.u.p.x.array)
        ripe: list[int] = []
        if points is not None and p is not None and self.chains is not None:
            outline = self._outline(points)
            gas, gamma = (float(c.value) for c in (fields.k.void_pressure, fields.k.surface_tension))
            at = np.interp(self.flaws.x, outline.bottom[:, 0], p[self.chains.bottom])
            beyond = gas - at > 2 * gamma / self.flaws.radius
            left = [int(k) for k in np.flatnonzero(beyond) if k not in self.recorder.opened.flaws]
            ripe = [left[k] for k in remesh_opening.cavities(outline, *self._of(left))[1]]
        self.asked = self.comm.bcast(ripe)
        if self.asked:
            self.renew("flaws grow")
            opened = self.recorder.opened
            self.recorder.opened = opened._replace(flaws=[*opened.flaws, *self.asked])
            self.asked = []

    def _of(self, chosen: list[int]) -> tuple[Floats, Floats]:
        return self.flaws.x[chosen], self.flaws.radius[chosen]

    def _begun(self, outline: Outline) -> tuple[Outline, list[Happening]]:
        made, happenings = outline, []
        for k in self.asked:
            before = made
            made, _ = remesh_opening.cavities(before, *self._of([k]))
            happenings.append(Happening("cavity", float(self.flaws.x[k]), made.voids() - before.voids()))
        return made, happenings

    # --- debonding --------------------------------------------------------------------------------------------------

    def _debond(self) -> None:
        """Let go and lay back until the contact holds; what is left after ROUNDS comes with the next step.

        Raises:
            SolveError: there is no velocity on the way.
        """
        old = newton = self.stepper.newton
        points, x = gathered(old.fields, None), gathered(old.fields, old.fields.u.x.x.array)
        letting = self._letting(points)
        for _ in range(ROUNDS):
            loads = self._loads(newton)
            verdict = None if letting is None or loads is None else letting.advance(loads)
            verdict = self.comm.bcast(verdict)
            if verdict != "go on":
                break
            made = None if letting is None or x is None else Renewal(letting.mesh(), x, [], 0.0)
            newton = self._again(made, newton)
        self._end(newton, verdict == "lost", None if letting is None else letting.happenings())

    def _letting(self, points: Floats | None) -> Letting | None:
        """Rank 0: what may let go, on the mesh where it is now."""
        below = self.stepper.fields.domain.electrolyte
        under = None if below is None else in_order(below.mesh, below.mesh.geometry.x[:, :2])
        made = self.stepper.fields.domain.made
        if points is None or made is None or self.chains is None:
            return None
        now = made.points.copy()
        if under is not None and made.regions is not None:
            now[np.unique(made.cells[made.regions == REGIONS["electrolyte"]])] = under
        metal = slice(None) if made.regions is None else made.regions == REGIONS["electrode"]
        now[np.unique(made.cells[metal])] = points
        return Letting(made._replace(points=now), self.chains, points)

    def _loads(self, newton: Newton) -> Loads | None:
        """On rank 0 what acts on the bottom."""
        fields = newton.fields
        criteria = self.recorder.criteria if newton is self.stepper.newton else Criteria(fields, self.case)
        points, traction = gathered(fields, None), gathered(fields, criteria.traction()[0])
        p, rise = gathered(fields, fields.u.p.x.array), self._bottom(newton, 1)
        if points is None or traction is None or p is None or rise is None or self.chains is None:
            return None
        bottom = self.chains.bottom
        scale = float(np.abs(np.concatenate([traction[bottom], p[bottom]])).max())
        return Loads(traction[bottom], self.strength.at(points[bottom, 0]), rise, scale, self.window)

    def _again(self, made: Renewal | None, newton: Newton) -> Newton:
        """The solver after a round, solved; the one before is closed.

        Raises:
            SolveError: there is no velocity.
        """
        old, time = self.stepper.newton, self.stepper.levels[0].time
        new = self._engine(made, old)
        conserve_host(new, old.contents.totals()[1])
        try:
            solve_anew(new, newton, time)
        except NotConvergedError as error:
            raise SolveError(f"the contact opens at t = {time * TIME:.6g} s, and there {error}") from error
        new.motion.follow()
        if newton is not old:
            newton.close()
        return new

    def _end(self, newton: Newton, lost: bool, happenings: list[Happening] | None) -> None:
        """Go on with what the contact has become, or end the run where none is left."""
        happenings = self.comm.bcast(happenings) or []
        if newton is not self.stepper.newton:
            self._remember(futile=not happenings)
        if (lost or not happenings) and newton is not self.stepper.newton:
            newton.close()
        elif newton is not self.stepper.newton:
            self._adopt(newton)
            self._look()
        for happening in happenings:
            self.recorder.happened(Record(happening.kind, happening.x, happening.void))
        if happenings and self.comm.rank == 0:
            places = ", ".join(f"{h.x:.4g}" for h in happenings)
            log.info("t = %.6g s: contact opens around x = %s um", self.recorder.time(), places)
        fraction = self.protocol.measures.contact_fraction()
        if lost or (happenings and fraction <= self.case.stop.contact_fraction):
            self.protocol.end(LOST)

    def _remember(self, futile: bool) -> None:
        """Wait ever longer where nothing of what lets go stays open: where Li no longer leaves, metal comes down."""
        opened = self.recorder.opened
        count = opened.futile + 1 if futile else 0
        self.recorder.opened = opened._replace(futile=count, wait=2 ** min(count, LONGEST) if futile else 0)
        if futile and count == 1:
            log.warning(
                "warning: the contact is pulled beyond its strength at t = %.6g s, and comes down at once where it "
                "lets go, since no Li leaves there; it is kept",
                self.recorder.time(),
            )
