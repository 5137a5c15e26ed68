"""The command line: the only place that parses, prints, logs and exits."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from . import __version__
from .endings import reported, stoppable, together
from .errors import CaseError

app = typer.Typer(
    name="femli",
    help="Stripping of lithium and lithium-alloy anodes against a solid electrolyte.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

CaseFile = Annotated[Path, typer.Argument(metavar="CASE.toml", help="The case file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="section.key=VALUE", help="Override a key; VALUE is TOML, or else a text."),
]


@app.callback(invoke_without_command=True)
def options(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Stripping of lithium and lithium-alloy anodes against a solid electrolyte."""
    if version:
        typer.echo(f"femli {__version__}")
        raise typer.Exit


@app.command()
def run(
    case_file: CaseFile,
    out: Annotated[Path | None, typer.Option("-o", "--output", help="Result folder [results/<case>].")] = None,
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in the folder.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a run that is in the folder.")] = False,
) -> None:
    """Run a case; `mpiexec -n N femli run ...` runs it on N ranks with the same results."""
    folder = out or Path("results") / case_file.stem
    with together() as comm:
        from .case import load
        from .journal import Journal
        from .outlook import outlook
        from .terminal import provenance_lines, summary_line

        if resume and force:
            raise CaseError("--resume and --force: one goes on with a run, the other replaces it; allowed: one")
        case = load(case_file, overrides or ())
        with Journal(folder, comm.rank, resume) as journal:
            log = logging.getLogger("femli")
            log.info("femli %s: %s on %d rank%s", __version__, case_file, comm.size, "s" * (comm.size > 1))
            laws, *numbers = provenance_lines(case, case.electrode_properties())
            log.info(laws)
            for line in numbers:
                log.debug(line)
            for warning in outlook(case).warnings:
                log.warning("warning: %s", warning)
            from . import simulation

            with stoppable() as stop:  # after PETSc, which answers these signals with an abort
                summary = simulation.run(case, folder, resume=resume, force=force, on_step=journal.step, stop=stop)
            log.info(summary_line(summary, folder))


@app.command()
def check(case_file: CaseFile, overrides: Overrides = None) -> None:
    """Validate a case; print it with every default, its derived scales and warnings. Solves nothing."""
    with reported():
        from .case import load
        from .outlook import outlook
        from .terminal import console, show_check

        case = load(case_file, overrides or ())
        show_check(case, outlook(case), console())


@app.command()
def mesh(
    case_file: CaseFile,
    out: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE.msh", help="[<case>.msh]")] = None,
    overrides: Overrides = None,
    picture: Annotated[Path | None, typer.Option("--picture", metavar="FILE.png", help="Draw it too.")] = None,
) -> None:
    """Write geometry and mesh only."""
    with reported():
        from .case import load

        case = load(case_file, overrides or ())
        from . import mesh as meshes

        file = out or Path(f"{case_file.stem}.msh")
        made = meshes.write(case, file)
        typer.echo(f"{file}: {len(made.points)} points, {len(made.cells)} cells")
        if picture is not None:
            from .picture import draw

            draw(made.points, made.cells, made.facets, picture)
            typer.echo(picture)


@app.command()
def render(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A result folder.")],
    overlay: Annotated[Path | None, typer.Option("--overlay", metavar="CSV", help="Measured curve to draw.")] = None,
) -> None:
    """Make pictures and films from a result folder alone."""
    with reported():
        from .render import render as pictures

        for picture in pictures(folder, overlay):
            typer.echo(picture)


@app.command()
def impedance(
    source: Annotated[Path, typer.Argument(metavar="DIR_OR_CASE", help="A result folder, or a case file.")],
    out: Annotated[Path | None, typer.Option("-o", "--output", help="Folder for the files.")] = None,
    overrides: Overrides = None,
    capacity: Annotated[
        str | None,
        typer.Option(
            "--capacity", help='State after this charge, "0.5 mAh/cm^2"; the case, of a folder too, is run anew to it.'
        ),
    ] = None,
) -> None:
    """Impedance of a fresh cell, of a result at its last checkpoint, or of a case after a charge."""
    with together() as comm:
        from .impedance_files import study

        for line in study(source, out, overrides or (), capacity, comm):
            typer.echo(line)


@app.command()
def sweep(
    sweep_file: Annotated[Path, typer.Argument(metavar="SWEEP.toml", help="Base case and keys to vary.")],
    out: Annotated[Path | None, typer.Option("-o", "--output", help="Folder [results/<sweep>].")] = None,
    jobs: Annotated[int | None, typer.Option("-j", "--jobs", min=1, help="Members at once [all cores].")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Run failed members again.")] = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Check and list the members, run nothing.")] = False,
) -> None:
    """Run many cases side by side; the same command goes on where it was interrupted."""
    with reported():
        from . import sweep_show

        code = sweep_show.sweep(sweep_file, out or Path("results") / sweep_file.stem, jobs, retry, dry)
    raise typer.Exit(code)


@app.command()
def converge(
    case_file: CaseFile,
    out: Annotated[Path | None, typer.Option("-o", "--output", help="Folder [results/<case>_converge].")] = None,
    overrides: Overrides = None,
    jobs: Annotated[int | None, typer.Option("-j", "--jobs", min=1, help="Runs at once [all cores].")] = None,
    levels: Annotated[int, typer.Option("--levels", min=3, max=6, help="Levels in each direction.")] = 3,
    ranks: Annotated[int, typer.Option("--ranks", min=1, help="MPI ranks of each run.")] = 1,
    inputs: Annotated[bool, typer.Option("--inputs", help="Move n, alpha and D instead of mesh and steps.")] = False,
) -> None:
    """How far a case is from converged in mesh, step and regularisation; --inputs: how it hangs on n, alpha and D."""
    with reported():
        from .converge_show import study

        name = f"{case_file.stem}_{'inputs' if inputs else 'converge'}"
        code = study(case_file, overrides or (), out or Path("results") / name, jobs, levels, ranks, inputs)
    raise typer.Exit(code)


@app.command()
def calibrate(
    fit_file: Annotated[Path, typer.Argument(metavar="FIT.toml", help="Base case, parameters, measured numbers.")],
    out: Annotated[Path | None, typer.Option("-o", "--output", help="Folder [results/<fit>].")] = None,
    jobs: Annotated[int | None, typer.Option("-j", "--jobs", min=1, help="Runs at once [all cores].")] = None,
) -> None:
    """Fit parameters of a case to measured capacities or curves, with their uncertainty."""
    with reported():
        from .calibrate_show import study

        study(fit_file, out or Path("results") / fit_file.stem, jobs)


@app.command()
def materials(name: Annotated[str | None, typer.Argument(help="One entry.")] = None) -> None:
    """Print the material library: every number with unit, conditions, source, measured or assumed."""
    with reported():
        import difflib

        from .terminal import console, names, show_materials

        if name is not None and name not in names():
            near = difflib.get_close_matches(name, names(), 1)
            hint = f'did you mean "{near[0]}"? ' if near else ""
            raise CaseError(f"materials: {name}: is not in the library; {hint}allowed: {', '.join(names())}")
        show_materials(name, console())


@app.command()
def schema() -> None:
    """Print the JSON schema of the case file, for completion in editors."""
    with reported():
        from .case import schema as case_schema

        typer.echo(json.dumps(case_schema(), indent=2))


def main() -> None:
    """Entry point of the command `femli`."""
    # The command itself, not `app()`: Typer would put its own hook in place of the one that ends all ranks.
    typer.main.get_command(app)()


if __name__ == "__main__":
    main()
