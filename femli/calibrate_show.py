"""What the terminal and the folder show of a calibration: parameters, residuals, and a picture."""

from __future__ import annotations

import logging
from pathlib import Path

import tomli_w
from rich.console import Console

from .calibrate import Evaluation, Fit, fit
from .calibrate_plan import FitFile, Measurement, read
from .errors import SolveError
from .sweep_plan import Plan
from .sweep_show import run_shown
from .sweep_table import Row, write
from .terminal import console


def study(path: Path, out: Path, workers: int | None) -> None:
    """Fit, show and write what came out.

    Raises:
        CaseError: the fit file or its data are wrong.
        SolveError: a run failed, or the fit did.
    """
    file, measured = read(path)
    page = console()
    logging.getLogger("femli").setLevel(logging.ERROR)
    quiet = Console(quiet=True)

    def run(plan: Plan) -> None:
        """All members of a plan, shown."""
        page.print(f"{len(plan.members)} runs", markup=False)
        if run_shown(plan, out, workers, False, page if page.is_terminal else quiet):
            raise SolveError(f"{out}: a run failed (its error is in {out / 'sweep.csv'}); narrow the ranges of the fit")

    evaluation = Evaluation(file, path, measured, run, out)
    found = fit(evaluation)
    for line in sentences(file, found):
        page.print(line, markup=False, soft_wrap=True)
    write_all(file, measured, found, out)
    draw(measured, found, out / "fit.png")
    page.print(f"{out / 'fit.toml'}, {out / 'fit.csv'}, {out / 'fit.png'}", markup=False, soft_wrap=True)


def sentences(file: FitFile, found: Fit) -> list[str]:
    """What came out, in lines."""
    keys = list(file.parameters)
    lines = [
        f"{key} = {found.values[key]} +- {error:.3g}" + (" (at the end of its range)" if key in found.at_bound else "")
        for key, error in zip(keys, found.errors, strict=True)
    ]
    for i, one in enumerate(keys):
        for j, other in enumerate(keys[:i]):
            lines.append(f"correlation of {other} and {one}: {found.correlation[i, j]:.3f}")
    lines.append(f"chi^2 = {found.chi_square:.4g} with {found.freedom} degrees of freedom, {found.runs} evaluations")
    return lines


def write_all(file: FitFile, measured: list[Measurement], found: Fit, out: Path) -> None:
    """Write fit.toml (fitted keys, errors, correlation) and fit.csv (each measured number, model, residual)."""
    keys = list(file.parameters)
    told = {
        "set": found.values,
        "standard_deviation": dict(zip(keys, map(float, found.errors), strict=True)),
        "chi_square": found.chi_square,
        "degrees_of_freedom": found.freedom,
        "at_end_of_range": found.at_bound,
        "parameters": keys,
        "correlation": found.correlation.tolist(),
    }
    (out / "fit.toml").write_text(tomli_w.dumps(told), encoding="utf-8")
    rows: list[Row] = []
    for one, residuals in zip(measured, found.residuals, strict=True):
        for value, sigma, residual, model in zip(
            one.value, one.sigma, residuals, one.predicted(residuals), strict=True
        ):
            row: Row = {"run": one.label, "measured": value, "uncertainty": sigma}
            rows.append(row | {"model": model, "residual over uncertainty": residual})
    write(rows, out / "fit.csv")


def draw(measured: list[Measurement], found: Fit, file: Path) -> None:
    """Model over measured, with the uncertainty and the line on which they are equal."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from .render_style import DPI, MM, STYLE

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(85 * MM, 75 * MM), layout="constrained")
        axes = figure.add_subplot()
        every: list[float] = []
        for one, residuals in zip(measured, found.residuals, strict=True):
            model = one.predicted(residuals)
            spread = one.sigma * one.value if one.logarithmic else one.sigma
            axes.errorbar(one.value, model, xerr=spread, fmt="o", markersize=3, linewidth=0.8)
            every += [*(one.value - spread), *(one.value + spread), *model]
        low, high = min(every), max(every)
        if low > 0 and high > 10 * low:
            axes.set(xscale="log", yscale="log", xlim=(low / 1.2, high * 1.2), ylim=(low / 1.2, high * 1.2))
        else:
            margin = 0.05 * (high - low)
            axes.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin))
        axes.axline((low, low), (high, high), color="0.5", linewidth=0.8, zorder=0)
        axes.set_aspect("equal")
        axes.set(xlabel="measured", ylabel="model")
        figure.savefig(file, dpi=DPI)
