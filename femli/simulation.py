"""From a case to a result folder: READ THIS FIRST. Mesh, fields, forms, solver, stepper, recorder, in that order."""

import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mpi4py import MPI

from femli import fields as fields_room
from femli import mesh
from femli.case import Case
from femli.errors import CaseError, SolveError
from femli.evolution import Evolution
from femli.motion import Motion
from femli.outputs import HISTORY, SUMMARY, Recorder, StepReport
from femli.outputs_checkpoint import stored_mesh
from femli.outputs_events import EVENTS
from femli.solver import Newton
from femli.stepper import Event, Stepper
from femli.units import LENGTH, TIME

MET = 1e-9  # a resumed run that ended with a stop condition is within this of it


def run(
    case: Case,
    out: str | Path,
    *,
    resume: bool = False,
    force: bool = False,
    on_step: Callable[[StepReport], None] | None = None,
    comm: MPI.Intracomm = MPI.COMM_WORLD,
) -> dict[str, Any]:
    """Run a case; collective over all ranks of `comm`.

    Args:
        case: from `femli.load`.
        out: result folder.
        resume: go on from the last checkpoint in the folder.
        force: replace a run that is in the folder.
        on_step: called on every rank after each accepted step.
        comm: the ranks that share the work.

    Returns:
        the summary, as in `summary.json`.

    Raises:
        CaseError: the folder holds a run, is not writable, or there is nothing to resume.
        MeshError: the mesh cannot be made.
        SolveError: no convergence at the smallest time step; the last good state is saved.
    """
    folder = claim(Path(out), resume, force, comm)
    electrode = case.electrode_properties()
    if resume:
        domain = mesh.distribute(case, stored_mesh(folder, case.sha256(), comm), (), comm)
    else:
        domain = mesh.build(case, comm)
    fields = fields_room.create(domain, case, electrode)
    motion = Motion(fields)
    newton = Newton(fields, motion, case, electrode)
    stepper = Stepper(newton, case, lambda time: next_target(case, time), [])
    recorder = Recorder(folder, case, electrode, fields, newton, motion, stepper)
    stepper.events = stop_events(case, recorder)
    if resume:
        recorder.resume()
    else:
        stepper.start()
        recorder.start()
    return march(case, stepper, recorder, evolution_of(case, stepper, recorder), on_step)


def evolution_of(case: Case, stepper: Stepper, recorder: Recorder) -> Evolution | None:
    """What renews the mesh of a run: where voids were seeded in 2D."""
    if case.geometry.voids is None or case.geometry.dimension != 2 or not recorder.voided:
        return None
    stepper.remeshed = True
    return Evolution(case, recorder.electrode, stepper, recorder)


def march(
    case: Case,
    stepper: Stepper,
    recorder: Recorder,
    evolution: Evolution | None,
    on_step: Callable[[StepReport], None] | None,
) -> dict[str, Any]:
    """Step until a stop condition holds; a failure leaves its last good state and a summary."""
    done = (event.reason for event in stepper.events if event.value() <= MET)
    reason = next(done, None) or reached(case, stepper.levels[0].time)
    try:
        while reason is None:
            if evolution is not None:
                evolution.watch()
            try:
                step = stepper.advance()
            except SolveError:
                if evolution is None or not evolution.second_chance():
                    raise
                continue
            report = recorder.record(step)
            if on_step is not None:
                on_step(report)
            reason = step.stop or reached(case, step.time)
    except SolveError as failure:
        message = f"{failure}; the last good state is saved in {recorder.folder}"
        recorder.finish("failed", message)
        raise SolveError(message) from failure
    return recorder.finish(reason)


def stop_events(case: Case, recorder: Recorder) -> list[Event]:
    """Stop conditions that are found by root finding: depletion, contact loss, exhaustion."""
    stop = case.stop
    # The measures change with the mesh: they are asked for anew each time.
    events = [Event("exhausted", lambda: recorder.measures.thickness() - stop.thickness / LENGTH)]
    if stop.li_fraction is not None:
        limit = stop.li_fraction
        events.append(Event("li_depleted", lambda: recorder.measures.li_fraction_min() - limit))
    if recorder.voided:
        least = stop.contact_fraction
        events.append(Event("contact_lost", lambda: recorder.measures.contact_fraction() - least))
    return events


def stop_times(case: Case) -> dict[str, float]:
    """Times [h] at which a run ends, by reason."""
    current, stop = abs(case.load.current_density), case.stop
    times = {}
    if stop.time is not None:
        times["time"] = stop.time / TIME
    if stop.capacity is not None and current > 0:
        times["capacity"] = stop.capacity / current / TIME
    return times


def reached(case: Case, time: float) -> str | None:
    """The reason to stop at a time [h], if any."""
    return next((name for name, end in stop_times(case).items() if time >= end * (1 - 1e-12)), None)


def next_target(case: Case, time: float) -> float:
    """The next time [h] that must be hit: a snapshot or the end."""
    ends = list(stop_times(case).values())
    current = abs(case.load.current_density)
    interval = None
    if case.output.every_time is not None:
        interval = case.output.every_time / TIME
    elif case.output.every_capacity is not None and current > 0:
        interval = case.output.every_capacity / current / TIME
    if interval is not None:
        ends.append((math.floor(time / interval + 1e-9) + 1) * interval)
    return min((t for t in ends if t > time * (1 + 1e-12)), default=math.inf)


def claim(folder: Path, resume: bool, force: bool, comm: MPI.Intracomm) -> Path:
    """Make the result folder, or refuse it; collective.

    Raises:
        CaseError: it holds a run, or cannot be written.
    """
    fault = None
    if comm.rank == 0:
        fault = _claim(folder, resume, force)
    fault = comm.bcast(fault)
    if fault is not None:
        raise CaseError(fault)
    return folder


def _claim(folder: Path, resume: bool, force: bool) -> str | None:
    holds = [name for name in (HISTORY, SUMMARY, "checkpoint") if (folder / name).exists()]
    if resume:
        return (
            None
            if (folder / "checkpoint").is_dir()
            else f"{folder}: no checkpoint to resume from; run without --resume"
        )
    if holds and not force:
        return (
            f"{folder}: holds a run ({', '.join(holds)}); allowed: another -o, --resume to go on, --force to replace it"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".femli-probe"
        probe.touch()
        probe.unlink()
        for name in (HISTORY, EVENTS, SUMMARY, "fields.pvd"):
            (folder / name).unlink(missing_ok=True)
        for name in ("checkpoint", "fields"):
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        return f"{folder}: cannot be written: {why}; allowed: a folder that you may write"
    return None
