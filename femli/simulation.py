"""From a case to a result folder: READ THIS FIRST. Mesh, fields, forms, solver, stepper, protocol, recorder."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mpi4py import MPI

from femli import mesh, outputs_voids
from femli.case import Case
from femli.errors import CaseError, OutputError, SolveError
from femli.evolution import Evolution
from femli.evolution_opening import OpeningEvolution
from femli.evolution_solid import SolidEvolution
from femli.outputs import HISTORY, STEPS, Recorder
from femli.outputs_checkpoint import stored_mesh
from femli.outputs_events import EVENTS
from femli.outputs_measures import Measures
from femli.outputs_progress import StepReport
from femli.outputs_summary import SUMMARY
from femli.protocol import Protocol
from femli.solver_diffusion import solver_of
from femli.stepper import Stepper


def run(
    case: Case,
    out: str | Path,
    *,
    resume: bool = False,
    force: bool = False,
    on_step: Callable[[StepReport], None] | None = None,
    stop: Callable[[], bool] | None = None,
    comm: MPI.Intracomm = MPI.COMM_WORLD,
) -> dict[str, Any]:
    """Run a case; collective over all ranks of `comm`.

    Args:
        case: from `femli.load`.
        out: result folder.
        resume: go on from the last checkpoint in the folder.
        force: replace a run that is in the folder.
        on_step: called on every rank after each accepted step.
        stop: called likewise; where it is true on any rank the run is interrupted, its state saved.
        comm: the ranks that share the work.

    Returns:
        the summary, as in `summary.json`.

    Raises:
        CaseError: the folder holds a run, is not writable, or there is nothing to resume.
        MeshError: the mesh cannot be made.
        SolveError: no convergence at the smallest time step; the last good state is saved.
        OutputError: `stop` was true.
    """
    folder = claim(Path(out), resume, force, comm)
    electrode = case.electrode_properties()
    if resume:
        domain = mesh.distribute(case, stored_mesh(folder, case.sha256(), comm), (), comm)
    else:
        domain = mesh.build(case, comm)
    newton = solver_of(domain, case, electrode)
    protocol = Protocol(case, electrode, Stepper(newton, case), Measures(newton, case.output.depths))
    recorder = Recorder(folder, case, electrode, protocol)
    if resume:
        recorder.resume()
    else:
        protocol.start()
        recorder.start()
    return march(protocol, recorder, evolution_of(case, protocol, recorder), on_step, stop)


def evolution_of(case: Case, protocol: Protocol, recorder: Recorder) -> Evolution | None:
    """What renews the mesh of a run: where voids were seeded, or the contact may open."""
    if case.geometry.voids is None and case.opening is None:
        return None
    protocol.stepper.remeshed = True
    solid, opens = case.geometry.dimension == 3, case.opening is not None
    kind = OpeningEvolution if opens else SolidEvolution if solid else Evolution
    return kind(case, recorder.electrode, protocol, recorder)


def march(
    protocol: Protocol,
    recorder: Recorder,
    evolution: Evolution | None,
    on_step: Callable[[StepReport], None] | None,
    stop: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Step until the protocol or a stop condition ends the run; a failure leaves its last good state and a summary."""
    try:
        while protocol.reason is None:
            if evolution is not None:
                evolution.watch()
                if protocol.reason is not None:
                    break
            try:
                step = protocol.stepper.advance()
            except SolveError:
                if evolution is None or not evolution.second_chance():
                    raise
                continue
            report = recorder.record(step)
            if on_step is not None:
                on_step(report)
            protocol.follow(step)
            recorder.keep(step)
            if stop is not None and protocol.reason is None and recorder.comm.allreduce(stop(), op=MPI.LOR):
                recorder.save()
                raise OutputError(
                    f"stopped from outside at t = {report.time:.6g} s; --resume goes on from there in {recorder.folder}"
                )
    except SolveError as failure:
        message = f"{failure}; the last good state is saved in {recorder.folder}"
        recorder.finish("failed", message)
        raise SolveError(message) from failure
    return recorder.finish(protocol.reason)


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
        for name in (HISTORY, EVENTS, STEPS, SUMMARY, outputs_voids.FILE, "fields.pvd", "electrolyte.pvd"):
            (folder / name).unlink(missing_ok=True)
        for name in ("checkpoint", "fields", "electrolyte"):
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        return f"{folder}: cannot be written: {why}; allowed: a folder that you may write"
    return None
