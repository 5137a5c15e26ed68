"""The recorder of a run: history, field snapshots, checkpoints, summary."""

import resource
import time as clock
from pathlib import Path
from typing import Any

from mpi4py import MPI

from femli import outputs_summary, tables
from femli.case import Case
from femli.errors import CaseError
from femli.fields import flux_of_current
from femli.materials_electrode import Electrode
from femli.outputs_checkpoint import Checkpoint
from femli.outputs_criteria import Criteria
from femli.outputs_electrolyte import ElectrolyteFrames
from femli.outputs_events import EVENTS, Happening, Opened, append
from femli.outputs_frames import frames_of
from femli.outputs_measures import CELL_COLUMNS, InterfaceState
from femli.outputs_progress import StepReport, share_done
from femli.outputs_ranges import Ranges
from femli.outputs_summary import COUNTED, PRESSURES, Tally, laws_of, versions
from femli.outputs_voids import VoidLog
from femli.protocol import Protocol
from femli.stepper_data import Step
from femli.units import LENGTH, MAH_CM2, STRESS, TIME

CHECKPOINT_SECONDS = 600.0
HISTORY = "history.csv"
STEPS = "protocol.csv"


class Recorder:
    """Writes the result folder of a run; every method is collective.

    Args:
        folder: result folder, exists and is writable.
        case, electrode: the numbers.
        protocol: the run.
    """

    def __init__(self, folder: Path, case: Case, electrode: Electrode, protocol: Protocol) -> None:
        self.folder, self.case, self.electrode, self.protocol = folder, case, electrode, protocol
        self.stepper, self.comm = protocol.stepper, protocol.stepper.comm
        self._series()
        fields, newton = self.fields, self.newton
        self.voids = VoidLog(
            folder,
            fields.domain.kinematics,
            case.output.void_detection / LENGTH,
            newton.contents.full_area,
            writes=self.comm.rank == 0,
        )
        self.voided = "void" in self.measures.integrals or (case.geometry.voids or case.opening) is not None
        self.opened = Opened()
        self.tally = Tally(*newton.contents.totals())
        self.began = self.saved = clock.monotonic()
        self.earlier = 0.0
        self.ranges = Ranges(electrode)
        self.steps_written = -1  # rows in the table of steps; what a run before this one left there is not counted
        self.state: InterfaceState | None = None
        self.void_column = "void_volume [m^3]" if self.measures.power == 3 else "void_area [m^2]"

    def _series(self) -> None:
        """What writes the state of the present mesh."""
        self.newton, self.measures = self.protocol.newton, self.protocol.measures
        newton, self.fields = self.newton, self.newton.fields
        fields = self.fields
        self.criteria = Criteria(fields, self.case)
        self.frames = frames_of(self.folder, newton, self.electrode.omega_li)
        self.below = None
        if newton.electrolyte is not None:
            self.below = ElectrolyteFrames(self.folder, newton.electrolyte, 1 / flux_of_current(1.0, self.electrode))
        self.checkpoint = Checkpoint(self.folder, self.stepper, self.case.sha256())

    def adopt(self) -> None:
        """Go on with the solver of another mesh, which the protocol has; what was counted and written stays."""
        frames, below, damaged = self.frames, self.below, self.checkpoint.damaged
        self._series()
        self.frames.written, self.checkpoint.damaged = frames.written, damaged
        if self.below is not None and below is not None:
            self.below.written = below.written

    def happened(self, event: Happening) -> None:
        """A row of the events, and the sums over them."""
        self.tally.values["remeshings"] += event.kind == "remesh"
        self.tally.values["collector_shift"] += event.shift
        if self.comm.rank == 0:
            when = (self.time(), self.capacity() / MAH_CM2)
            append(self.folder / EVENTS, event, when, self.measures.void_count, self.measures.power)

    # --- numbers ----------------------------------------------------------------------------------------------------

    def time(self) -> float:
        """Time of the newest level [s]."""
        return self.stepper.levels[0].time * TIME

    def capacity(self) -> float:
        """Areal charge passed [C/m2]."""
        return self.protocol.capacity()

    def wall_time(self) -> float:
        """Seconds that the run took so far, earlier parts included."""
        return self.earlier + clock.monotonic() - self.began

    def _balances(self) -> tuple[float, float]:
        """Relative errors of total Li and host; pure metal's host is held against the volume."""
        li, host = self.newton.contents.totals()
        li0, host0 = self.tally.values["li_start"], self.tally.values["host_start"]
        removed = self.stepper.levels[0].charge * self.newton.contents.full_area
        reference = host0 if abs(host0) > 1e-9 * li0 else li0
        return (li - li0 + removed) / li0, (host - host0) / reference

    def _row(self, state: InterfaceState, step: Step | None, errors: tuple[float, float]) -> dict[str, float]:
        row = {
            "time [s]": self.time(),
            "capacity [mAh/cm^2]": self.capacity() / MAH_CM2,
            "current_density [A/m^2]": self.protocol.current(),
        }
        if self.protocol.varies:
            row |= {
                "step [-]": self.protocol.leg.number,
                "stack_pressure [Pa]": self.stepper.levels[0].stack_pressure * STRESS,
            }
        row |= {name: value(state) for name, value in self.measures.columns.items()}
        names = [f"pressure_at_{depth * 1e6:g}um [Pa]" for depth in self.case.output.depths]
        row |= dict(zip(names, state.pressure_at, strict=True))
        if self.voided:
            row |= {"void_count [-]": self.measures.void_count, self.void_column: state.void_size}
            found = self.measures.walls.measure()
            row |= self.voids.columns(found, state.void_size, state.contact_fraction)
        if state.cell is not None:
            row |= {name: value(state.cell) for name, value in CELL_COLUMNS.items()}
        if state.layer_thickness is not None:
            row["layer_thickness [m]"] = state.layer_thickness
        if state.cell is not None and state.cell.layer is not None:
            row["overpotential_layer [V]"] = state.cell.layer
        row |= self.criteria.columns(state.pressure_min)
        row |= {"li_balance_error [-]": errors[0], "host_balance_error [-]": errors[1]}
        return row | {
            "dt [s]": step.dt * TIME if step else 0.0,
            "newton_iterations [-]": step.counts.newton if step else self.newton.counts.newton,
            "linear_iterations [-]": step.counts.linear if step else self.newton.counts.linear,
            "wall_time [s]": self.wall_time(),
        }

    # --- what is written --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Row 0, frame 0 and a first checkpoint: the consistent state at t = 0."""
        if self.comm.rank == 0:
            (self.folder / "case.toml").write_text(self.case.to_toml(), encoding="utf-8")
            (self.folder / HISTORY).unlink(missing_ok=True)
        self._record(None)
        self.frame()
        self.save()

    def record(self, step: Step) -> StepReport:
        """A row of the history for an accepted step, and a field snapshot where one was asked for."""
        self.tally.add(step)
        state = self._record(step)
        if step.asked and not step.stop:
            self.frame()
        return StepReport(
            self.time(),
            self.capacity(),
            step.dt * TIME,
            state.li_fraction_interface_min,
            state.pressure_interface_min,
            step.counts.newton,
            self._progress(state),
            f"step {self.protocol.leg.number}/{len(self.protocol.legs)}  " if self.case.protocol else "",
        )

    def _progress(self, state: InterfaceState) -> float:
        """Share of the run that is done [0..1]."""
        if self.case.protocol:
            return self.protocol.progress()
        return share_done(self.case, self.electrode.li_fraction, self.time(), self.capacity(), state)

    def keep(self, step: Step) -> None:
        """After the protocol has had its say: the steps that have ended, and a checkpoint where one is due."""
        self._write_steps()
        if (step.asked and not step.stop) or self.comm.bcast(clock.monotonic() - self.saved > CHECKPOINT_SECONDS):
            self.save()

    def _write_steps(self) -> None:
        """The table of the protocol's steps that have ended, whole."""
        rows = self.protocol.rows
        if self.comm.rank != 0 or len(rows) == self.steps_written or not self.case.protocol:
            return
        self.steps_written = len(rows)
        if not rows:
            (self.folder / STEPS).unlink(missing_ok=True)
            return
        tables.replace(self.folder / STEPS, list(rows[0]), [list(row.values()) for row in rows])

    def _record(self, step: Step | None) -> InterfaceState:
        state, errors = self.measures.state(), self._balances()
        self.tally.extremes(state, *errors)
        highest = self.measures.equivalent_stress_range()[1]
        self.ranges.check(self.time(), highest, state.li_fraction_interface_min, self.newton.layer is not None)
        row = self._row(state, step, errors)
        if self.comm.rank == 0:
            tables.append(self.folder / HISTORY, list(row), [list(row.values())])
        self.state = state
        return state

    def frame(self) -> None:
        """A field snapshot, one for each time."""
        if not self.frames.written or self.frames.written[-1][0] < self.time():
            self.frames.write(self.time())
            if self.below is not None:
                self.below.write(self.time())
            if self.voided:
                self.voids.write(self.time(), self.capacity(), self.measures.walls.measure())

    def save(self) -> None:
        """A checkpoint."""
        self.tally.values["wall_time"] = self.wall_time()
        self.checkpoint.save(
            {
                "tally": self.tally.values,
                "protocol": self.protocol.state(),
                "voids": self.voids.tracker.state(),
                "opened": list(self.opened),
            }
        )
        self.saved = clock.monotonic()

    def resume(self) -> None:
        """Restore the last checkpoint; rows and frames after it are dropped and written again."""
        numbers = self.checkpoint.load()
        if not {"tally", "protocol", "voids"} <= set(numbers):
            folder = self.checkpoint.folder
            raise CaseError(f"{folder}: is of an earlier version of femli; allowed: --force, to run anew")
        self.tally.values |= numbers["tally"]
        self.protocol.resume(numbers["protocol"])
        self.voids.tracker.restore(numbers["voids"])
        self.opened = Opened(*numbers.get("opened", ()))  # none in checkpoints of earlier versions
        self.earlier = self.tally.values["wall_time"]
        self.frames.resume(self.time())
        if self.below is not None:
            self.below.resume(self.time())
        if self.comm.rank == 0:
            tables.truncate(self.folder / HISTORY, self.time())
            tables.truncate(self.voids.path, self.time())
            # A new mesh comes after the checkpoint, also at t = 0.
            tables.truncate(self.folder / EVENTS, self.time() * (1 - 1e-9) - 1e-30)
        self.state = self.measures.state()

    def finish(self, reason: str, error: str | None = None) -> dict[str, Any]:
        """Last snapshot and the summary; also after a failure, from the last good state."""
        self._write_steps()
        self.frame()
        self.save()
        memory = self.comm.allreduce(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, op=MPI.SUM)
        v = self.tally.values
        solved_for = self.fields.u if self.newton.mechanical else (self.fields.u.x,)
        dofs = sum(
            u.function_space.dofmap.index_map.size_global * u.function_space.dofmap.index_map_bs for u in solved_for
        )
        summary: dict[str, Any] = {
            "stop_reason": reason,
            "capacity_mAh_cm2": self.capacity() / MAH_CM2,
            "time_s": self.time(),
            "pressure_interface_min_Pa": v["pressure_interface_min"],
            "pressure_min_Pa": v["pressure_min"],
            "li_balance_error": v["li_balance_error"],
            "host_balance_error": v["host_balance_error"],
            **{k: int(v[k]) for k in COUNTED},
            "dofs": int(dofs),
            "ranks": self.comm.size,
            "wall_time_s": self.wall_time(),
            "peak_memory_MB": memory,
            "versions": versions(),
            "case_sha256": self.case.sha256(),
            "laws": laws_of(self.case),
        }
        if not self.newton.mechanical:
            for key in PRESSURES:
                del summary[f"{key}_Pa"]
        if self.voided:
            summary["void_count"] = self.measures.void_count
            summary["collector_shift_m"] = v["collector_shift"] * LENGTH
        if self.state is not None:
            summary["li_fraction_interface_min"] = self.state.li_fraction_interface_min
            summary["contact_fraction"] = self.state.contact_fraction
            summary["electrode_thickness_m"] = self.state.electrode_thickness
            if self.state.cell is not None:
                summary["cell_voltage_V"] = self.state.cell.voltage
                summary["overpotential_V"] = self.state.cell.overpotential
        if self.case.protocol:
            summary["protocol"] = self.protocol.rows
        if error is not None:
            summary["error"] = error
        if self.comm.rank == 0:
            outputs_summary.write(self.folder, summary)
        return summary
