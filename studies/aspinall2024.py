"""The study of Aspinall et al. 2024 (doi 10.1038/s41467-024-48071-0) with the poro-viscous model, in one command.

    python studies/aspinall2024.py -o results/aspinall2024

Foils of Li-Mg, laterally uniform (1D), 100 um, 0.31 mA/cm2, 30 degC: capacity against Mg content for both
diffusivity modes, a series of stack pressures, the stress coupling on and off, and the history of the pressure at the
contact and of its minimum inside, with the creep of pure Li for all and with the assumed hardness scaling. A run that
is already in the folder is not repeated. docs/aspinall2024.md says what may be concluded and what not.
"""

import argparse
import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd

import femli

CONTENTS = (1, 3, 5, 10, 20)  # at% Mg
PRESSURES = ("2.5 MPa", "5 MPa", "10 MPa")
PRESSURE_SERIES = (5, 10, 20)  # at% Mg
HISTORIES = (0, 1, 5, 20)  # at% Mg
MODES = ("initial", "local")
SCALINGS = ("none", "hardness")
MILLIMETRES = 1 / 25.4
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "font.family": "DejaVu Sans",
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "legend.frameon": False,
    "savefig.dpi": 300,
    "figure.constrained_layout.use": True,
}
# Okabe and Ito: told apart by the colour-blind too.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7")

CASE = """
title = "{title}"
[geometry]
kind = "foil"
dimension = 1
electrode_thickness = "100 um"
# Finer than the default inside: the minimum of the pressure sits on a front that would else be seen to hop over nodes.
[geometry.mesh]
growth = 1.06
size = "1 um"
[electrode]
material = {material}
diffusivity = "{mode}"
activity = "subregular"
creep = "Aspinall2024"
creep_scaling = "{scaling}"
stress_coupling = {coupling}
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "{pressure}"
temperature = "30 degC"
[stop]
li_fraction = 0.31
{stop}
"""


class Variant(NamedTuple):
    """One run of the study."""

    percent: int
    mode: str = "initial"
    scaling: str = "none"
    pressure: str = "5 MPa"
    coupling: bool = True

    def name(self) -> str:
        """Of its folder."""
        words = (f"mg{self.percent:02d}", self.mode, self.scaling, self.pressure.replace(" ", ""))
        return "_".join(words) + ("" if self.coupling else "_uncoupled")

    def text(self) -> str:
        """Its case file; pure Li, which is never depleted, is stripped of 2 mAh/cm2."""
        return CASE.format(
            title=f"Aspinall 2024: {self.name()}",
            material='"Li"' if self.percent == 0 else f"{{ mg_fraction = {self.percent / 100} }}",
            mode=self.mode,
            scaling=self.scaling,
            coupling=str(self.coupling).lower(),
            pressure=self.pressure,
            stop='capacity = "2 mAh/cm^2"' if self.percent == 0 else "",
        )


def variants() -> list[Variant]:
    """All runs of the study, each once."""
    found = [Variant(c, m, s, coupling=k) for c in CONTENTS for m in MODES for s in SCALINGS for k in (True, False)]
    found += [Variant(c, m, pressure=p) for c in PRESSURE_SERIES for m in MODES for p in PRESSURES]
    found += [Variant(c, scaling=s) for c in HISTORIES for s in SCALINGS]
    # Without stress coupling creep drives nothing.
    return list(dict.fromkeys(v._replace(scaling="none") if not v.coupling else v for v in found))


class Study:
    """The runs in a folder.

    Args:
        folder: for result folders, table and figures.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.summaries: dict[Variant, dict[str, Any]] = {}

    def run(self, variant: Variant) -> dict[str, Any]:
        """The summary of a run; what is in the folder for the same case is taken."""
        out = self.folder / variant.name()
        out.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{variant.name()}.toml"
        file.write_text(variant.text(), encoding="utf-8")
        case = femli.load(file)
        summary = None
        if (out / "summary.json").exists():
            summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
            if summary["case_sha256"] != case.sha256() or summary["stop_reason"] == "failed":
                summary = None
        if summary is None:
            summary = femli.run(case, out, force=True)
        self.summaries[variant] = summary
        return summary

    def history(self, variant: Variant) -> pd.DataFrame:
        """Its history, with S = p_stack - p at the contact and at its largest [MPa]."""
        history = pd.read_csv(self.folder / variant.name() / "history.csv")
        stack = float(variant.pressure.split()[0])
        history["S contact"] = stack - history["pressure_interface_min [Pa]"] / 1e6
        history["S largest"] = stack - history["pressure_min [Pa]"] / 1e6
        return history

    def capacity(self, variant: Variant) -> float:
        """Capacity at the end [mAh/cm2]."""
        return float(self.summaries[variant]["capacity_mAh_cm2"])

    def table(self) -> pd.DataFrame:
        """One row for each run."""
        rows = []
        for variant, summary in self.summaries.items():
            history = self.history(variant)
            rows.append(
                {
                    "mg [at%]": variant.percent,
                    "diffusivity": variant.mode,
                    "creep_scaling": variant.scaling,
                    "stack_pressure [MPa]": float(variant.pressure.split()[0]),
                    "stress_coupling": variant.coupling,
                    "stop_reason": summary["stop_reason"],
                    "capacity [mAh/cm^2]": summary["capacity_mAh_cm2"],
                    "S_contact_start [MPa]": history["S contact"].iloc[0],
                    "S_contact_end [MPa]": history["S contact"].iloc[-1],
                    "S_largest_end [MPa]": history["S largest"].iloc[-1],
                    "S_largest_depth_end [um]": history["pressure_min_depth [m]"].iloc[-1] * 1e6,
                    "li_balance_error": summary["li_balance_error"],
                    "steps": summary["steps"],
                }
            )
        return pd.DataFrame(rows)


# --- figures ----------------------------------------------------------------------------------------------------------


def capacity_figure(study: Study, folder: Path) -> None:
    """Capacity against Mg content for both diffusivity modes; pressure series; effect of the stress coupling."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(180 * MILLIMETRES, 62 * MILLIMETRES))
    labels = {"initial": "D of the initial composition", "local": "D of the local composition"}
    curves = {m: [study.capacity(Variant(c, m)) for c in CONTENTS] for m in MODES}
    left.fill_between(CONTENTS, curves["local"], curves["initial"], color="0.9", linewidth=0)
    left.text(8.5, 1.7, "measured:\nreported to lie\nbetween", ha="center", va="center", fontsize=7)
    for mode, colour, marker in zip(MODES, COLOURS[1:], "os", strict=False):
        left.semilogy(CONTENTS, curves[mode], marker=marker, color=colour, markersize=4, label=labels[mode])
    left.set(xlabel="Mg content (at%)", ylabel="capacity to depletion (mAh cm$^{-2}$)", xscale="log", ylim=(2e-2, 60))
    left.set_xticks(CONTENTS, [str(c) for c in CONTENTS])
    left.minorticks_off()
    left.legend(loc="lower left", fontsize=7, handlelength=1.2, borderaxespad=0.2)
    for percent, colour, marker in zip(PRESSURE_SERIES, COLOURS[1:], "os^", strict=False):
        for mode, line in zip(MODES, ("-", "--"), strict=True):
            values = [study.capacity(Variant(percent, mode, pressure=p)) for p in PRESSURES]
            pressures = [float(p.split()[0]) for p in PRESSURES]
            name = f"{percent} at%" if mode == "initial" else None
            middle.semilogy(pressures, values, line, marker=marker, color=colour, markersize=4, label=name)
    middle.set(xlabel="stack pressure (MPa)", ylabel="capacity to depletion (mAh cm$^{-2}$)", ylim=(8e-3, 200))
    middle.set_xticks([2.5, 5, 10], ["2.5", "5", "10"])
    middle.minorticks_off()
    middle.legend(loc="upper center", ncols=3, fontsize=7, columnspacing=0.6, handlelength=1.0, handletextpad=0.4)
    middle.text(10, 1.3e-2, "solid: D initial, dashed: D local", ha="right", fontsize=7)
    for scaling, marker in zip(SCALINGS, "os", strict=True):
        for mode, colour, line in zip(MODES, COLOURS[1:], ("-", "--"), strict=False):
            coupled = [study.capacity(Variant(c, mode, scaling)) for c in CONTENTS]
            free = [study.capacity(Variant(c, mode, coupling=False)) for c in CONTENTS]
            ratio = [100 * (a / b - 1) for a, b in zip(coupled, free, strict=True)]
            creep = "Li creep" if scaling == "none" else "hardness"
            face = colour if scaling == "none" else "white"
            right.plot(
                CONTENTS, ratio, line, marker=marker, color=colour, mfc=face, markersize=4, label=f"D {mode}, {creep}"
            )
    right.axhline(0, color="0.6", linewidth=0.6, zorder=0)
    right.set(xlabel="Mg content (at%)", ylabel="gain by stress coupling (%)", xscale="log")
    right.set_xticks(CONTENTS, [str(c) for c in CONTENTS])
    right.minorticks_off()
    right.legend(loc="upper left", fontsize=7, handlelength=2.0)
    for axes, letter in zip((left, middle, right), "abc", strict=True):
        axes.set_title(letter, loc="left", fontweight="bold", fontsize=9)
    figure.savefig(folder / "aspinall2024_capacity.png")
    plt.close(figure)


def pressure_figure(study: Study, folder: Path) -> None:
    """History of S at the contact and of its largest value inside, pure-Li creep beside hardness scaling."""
    figure, axes = plt.subplots(1, 2, figsize=(180 * MILLIMETRES, 80 * MILLIMETRES), sharey=True)
    titles = {"none": "creep of pure Li for all", "hardness": "creep scaled with hardness (assumed)"}
    for axis, scaling, letter in zip(axes, SCALINGS, "ab", strict=True):
        for percent, colour in zip(HISTORIES, COLOURS, strict=False):
            history = study.history(Variant(percent, scaling=scaling)).iloc[1:]
            q = history["capacity [mAh/cm^2]"]
            name = f"{percent} at% Mg" if percent else "Li"
            axis.loglog(q, history["S contact"], color=colour, label=name)
            axis.loglog(q, history["S largest"], "--", color=colour)
            axis.plot(q.iloc[-1], history["S contact"].iloc[-1], "o", color=colour, markersize=3)
        for stack in (2.5, 5, 10):
            axis.axhline(stack, color="0.7", linewidth=0.6, zorder=0)
            axis.text(0.3, stack * 1.03, f"{stack:g} MPa", color="0.4", fontsize=6.5)
        axis.set(xlabel="capacity (mAh cm$^{-2}$)", xlim=(1e-7, 40), ylim=(0.4, 70))
        axis.set_yticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
        axis.set_title(letter, loc="left", fontweight="bold", fontsize=9)
        axis.set_title(titles[scaling], fontsize=8)
    axes[0].set_ylabel("drop of pressure $S = p_\\mathrm{stack} - p$ (MPa)")
    axes[0].legend(loc="upper right", fontsize=7)
    axes[0].text(2e-7, 47, "solid: at the contact, dashed: largest inside", fontsize=7)
    axes[0].text(2e-7, 33, "above a grey line: hydrostatic tension\nat that stack pressure", fontsize=7, va="center")
    figure.savefig(folder / "aspinall2024_pressure.png")
    plt.close(figure)


def main() -> int:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the runs and what is made of them")
    parser.add_argument("--figures", type=Path, help="a copy of the figures goes there")
    parser.add_argument("--table", type=Path, help="a copy of the table goes there")
    options = parser.parse_args()
    logging.getLogger("femli").setLevel(logging.ERROR)
    options.output.mkdir(parents=True, exist_ok=True)
    study, wanted = Study(options.output), variants()
    for number, variant in enumerate(wanted, start=1):
        summary = study.run(variant)
        result = f"{summary['stop_reason']} at {summary['capacity_mAh_cm2']:.5g} mAh/cm2"
        print(f"{number}/{len(wanted)} {variant.name()}: {result}, {summary['steps']} steps", flush=True)
    table = options.output / "results.csv"
    study.table().to_csv(table, index=False, float_format="%.6g")
    if options.table:
        shutil.copyfile(table, options.table)
    with mpl.rc_context(STYLE):
        capacity_figure(study, options.output)
        pressure_figure(study, options.output)
    if options.figures:
        options.figures.mkdir(parents=True, exist_ok=True)
        for picture in sorted(options.output.glob("aspinall2024_*.png")):
            shutil.copyfile(picture, options.figures / picture.name)
    print(f"table: {table}; figures: {options.figures or options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
