"""What `femli impedance` writes: spectra as CSV, circuit and ratios as JSON, Nyquist and Bode pictures from them."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mpi4py import MPI

from femli import impedance, simulation
from femli.case import Case, load
from femli.errors import OutputError
from femli.impedance import SmallSignal, Spectrum
from femli.impedance_fit import fitted
from femli.render_impedance import spectra

TABLE, NUMBERS = "impedance.csv", "impedance.json"
CM2 = 1e4  # ohm cm2 for 1 ohm m2


def measure(case: Case, result: Path | None, out: Path, comm: MPI.Intracomm = MPI.COMM_WORLD) -> dict[str, Any]:
    """Impedance of a state beside the fresh one, written to a folder; collective.

    Args:
        case: the case.
        result: folder whose last checkpoint is the state; None for the fresh state.
        out: folder for the files.
        comm: the ranks.

    Returns:
        circuit and ratios, as in `impedance.json`.

    Raises:
        CaseError: no electrolyte, or no usable checkpoint.
        OutputError: the folder cannot be written.
    """
    first = SmallSignal(impedance.fresh(case, comm), case).spectrum()
    state = first
    if result is not None:
        state = SmallSignal(impedance.state_of(result, case, comm), case).spectrum()
    numbers = report(state, first)
    fault = None
    if comm.rank == 0:
        try:
            write(out, state, first, numbers)
        except OSError as error:
            fault = f"{out}: cannot be written: {error.strerror}"
    fault = comm.bcast(fault)
    if fault is not None:
        raise OutputError(fault)
    return numbers


def report(spectrum: Spectrum, first: Spectrum) -> dict[str, Any]:
    """Circuit of a spectrum, and its ratios to that of the fresh state."""
    then = fitted(first)
    now = then if spectrum is first else fitted(spectrum)
    product = {name: now[name] / then[name] for name in ("contact_resistance_ohm_m2", "phase_element")}
    return {
        "contact_fraction": spectrum.contact_fraction,
        "circuit": now,
        "circuit_fresh": then,
        "R/R0": product["contact_resistance_ohm_m2"],
        "Q/Q0": product["phase_element"],
        "R Q/(R0 Q0)": product["contact_resistance_ohm_m2"] * product["phase_element"],
    }


def study(
    source: Path, out: Path | None, overrides: Sequence[str], capacity: str | None, comm: MPI.Intracomm
) -> list[str]:
    """What the command does: find the state, measure it, draw it; collective.

    Args:
        source: result folder or case file.
        out: folder for the files; the result folder, or results/<case>, where None.
        overrides: texts `section.key=VALUE`.
        capacity: the case, of a result folder too, is run anew to this charge first; no snapshot is used, because none
            is at that charge.
        comm: the ranks.

    Returns:
        lines for the terminal, on rank 0.
    """
    result = source if source.is_dir() else None
    file = source / "case.toml" if result else source
    folder = out or result or Path("results") / source.stem
    case = load(file, overrides if capacity is None else [*overrides, f"stop.capacity={capacity}"])
    if capacity is not None:
        result = folder / "state"
        simulation.run(case, result, force=True, comm=comm)
    numbers = measure(case, result, folder, comm)
    if comm.rank:
        return []
    lines = [str(picture) for picture in spectra(folder)]
    return [*lines, f"R/R0 = {numbers['R/R0']:.4g}, Q/Q0 = {numbers['Q/Q0']:.4g}, {folder / NUMBERS}"]


def write(folder: Path, state: Spectrum, first: Spectrum, numbers: dict[str, Any]) -> None:
    """Table and numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / TABLE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "frequency [Hz]",
                "real [ohm cm^2]",
                "imaginary [ohm cm^2]",
                "fresh_real [ohm cm^2]",
                "fresh_imaginary [ohm cm^2]",
            ]
        )
        for f, z, z0 in zip(state.frequency, state.impedance * CM2, first.impedance * CM2, strict=True):
            writer.writerow([repr(float(v)) for v in (f, z.real, z.imag, z0.real, z0.imag)])
    (folder / NUMBERS).write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
