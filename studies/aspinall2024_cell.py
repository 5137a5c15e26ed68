"""The cells of Aspinall et al. 2024 (doi 10.1038/s41467-024-48071-0) as a potentiostat sees them, in one command.

    python studies/aspinall2024_cell.py -o results/aspinall2024_cell      about five minutes

Symmetric cells of Li-Mg foils on 700 um Li6PS5Cl, laterally uniform (1D), 0.31 mA/cm2, 30 degC, 5 MPa, creep of pure Li
for all, with a layer of hcp phase beyond the bcc limit, stripped to 5 V: voltage against capacity for both diffusivity
modes, capacity at the bcc limit and at the cut-offs of 0.1 V and 5 V. The diffusivity of Li in the layer is fitted to
one number, the 0.155 mAh/cm2 of stage 2 in Li-5Mg (D local). A run that is already there is not repeated.
docs/aspinall2024_cell.md compares with the measurements and says what the model cannot show.
"""

import argparse
import logging
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from aspinall2024 import COLOURS, MILLIMETRES, STYLE

import femli

CONTENTS = (0, 1, 5, 10, 20)  # at% Mg
MODES = ("local", "initial")
CUT_OFF = 0.1  # V
LIMIT = 0.31
STAGE_2 = 0.155  # mAh/cm2, 30 min
LAYER = "9.1e-13 cm^2/s"
CAPACITY, VOLTAGE = "capacity [mAh/cm^2]", "cell_voltage [V]"
CASE = """
title = "Li-{percent}Mg, D {mode}, symmetric cell"
[geometry]
dimension = 1
electrode_thickness = "100 um"
[electrode]
material = "{material}"
diffusivity = "{mode}"
creep_scaling = "none"
[electrolyte]
thickness = "700 um"
[cell]
kind = "symmetric"
[interface]
layer_diffusivity = "{layer}"
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "5 MPa"
[stop]
li_fraction = 0.0
voltage = "5 V"
"""


def history(percent: int, mode: str, folder: Path) -> pd.DataFrame:
    """The history of a cell, run where it is not there yet."""
    out = folder / f"li{percent}mg_{mode}"
    if not (out / "summary.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{out.name}.toml"
        material = "Li" if percent == 0 else f"Li-{percent}Mg"
        file.write_text(CASE.format(percent=percent, mode=mode, material=material, layer=LAYER))
        femli.run(femli.load(file), out, force=True)
    return pd.read_csv(out / "history.csv")


def capacity_where(rows: pd.DataFrame, column: str, value: float, rising: bool) -> float:
    """Capacity at which a column first passes a value, linear between steps; NaN where it does not [mAh/cm2]."""
    values = rows[column].to_numpy() * (1.0 if rising else -1.0)
    limit = value if rising else -value
    passed = np.flatnonzero(values >= limit)
    if not len(passed) or passed[0] == 0:
        return float("nan")
    i = passed[0]
    share = (limit - values[i - 1]) / (values[i] - values[i - 1])
    return float(rows[CAPACITY][i - 1] + share * (rows[CAPACITY][i] - rows[CAPACITY][i - 1]))


def table(folder: Path) -> pd.DataFrame:
    """One row a cell."""
    rows = []
    for percent in CONTENTS:
        for mode in MODES[: 1 if percent == 0 else 2]:
            cell = history(percent, mode, folder)
            limit = capacity_where(cell, "li_fraction_interface_min [-]", LIMIT, rising=False)
            cut_off, end = capacity_where(cell, VOLTAGE, CUT_OFF, rising=True), cell[CAPACITY].iloc[-1]
            at_limit = float(np.interp(limit, cell[CAPACITY], cell["overpotential_composition [V]"]))
            start = float(cell[VOLTAGE][0] - cell["overpotential [V]"][0])
            rows.append(
                {
                    "mg [at%]": percent,
                    "diffusivity": mode,
                    "first_voltage [V]": cell[VOLTAGE][0],
                    "potential_at_bcc_limit [V]": start + at_limit,
                    "capacity_at_bcc_limit [mAh/cm^2]": limit,
                    "capacity_at_cut_off [mAh/cm^2]": cut_off,
                    "capacity_at_end [mAh/cm^2]": end,
                    "layer_stage [mAh/cm^2]": end - limit,
                    "rise_over_half_the_stage [V]": rise(cell, limit, end),
                    "layer_thickness_at_end [m]": cell["layer_thickness [m]"].iloc[-1],
                    "last_voltage [V]": cell[VOLTAGE].iloc[-1],
                }
            )
    return pd.DataFrame(rows)


def rise(cell: pd.DataFrame, start: float, end: float) -> float:
    """Rise of the voltage over the first half of the stage in which the layer grows [V]."""
    half = np.interp([start, (start + end) / 2], cell[CAPACITY], cell[VOLTAGE])
    return float(half[1] - half[0])


def draw(folder: Path, path: Path) -> None:
    """Voltage against capacity, one panel a diffusivity mode, and Li-5Mg after its bcc limit."""
    with mpl.rc_context(STYLE):
        drawing, axes = plt.subplots(1, 3, figsize=(170 * MILLIMETRES, 62 * MILLIMETRES))
        for ax, mode, letter in zip(axes[:2], MODES, "ab", strict=True):
            for percent, colour in zip(CONTENTS[1:], COLOURS[1:], strict=True):
                cell = history(percent, mode, folder)
                ax.semilogx(cell[CAPACITY][1:], 1e3 * cell[VOLTAGE][1:], color=colour, label=f"{percent} at% Mg")
            ax.axhline(1e3 * CUT_OFF, color="0.6", linewidth=0.6, linestyle="--")
            ax.set(xlim=(1e-3, 30), ylim=(0, 250), xlabel="capacity (mAh/cm²)")
            ax.set_title(rf"$\bf{{{letter}}}$  $D$ {mode}", loc="left")
        axes[0].set_ylabel("cell voltage (mV)")
        axes[0].annotate("cut-off 0.1 V", (1.2e-3, 104), fontsize=7, color="0.4")
        axes[1].legend(loc="upper left")
        for mode, line in zip(MODES, "-:", strict=True):
            cell = history(5, mode, folder)
            limit = capacity_where(cell, "li_fraction_interface_min [-]", LIMIT, rising=False)
            minutes = 60 * (cell[CAPACITY] - limit) / 0.31
            axes[2].plot(minutes, cell[VOLTAGE], color=COLOURS[2], linestyle=line)
            axes[2].annotate(f"$D$ {mode}", (8, 0.13) if mode == "local" else (3.5, 0.24), fontsize=7)
        axes[2].axvspan(0, 60 * STAGE_2 / 0.31, color="0.92", zorder=0)
        axes[2].set(xlim=(-10, 45), ylim=(0, 0.4), xlabel="time after the bcc limit (min)", ylabel="cell voltage (V)")
        axes[2].set_title(r"$\bf{c}$  5 at% Mg", loc="left")
        axes[2].annotate("measured\nstage 2", (12, 0.33), fontsize=7, color="0.4")
        drawing.savefig(path)
        plt.close(drawing)


def main() -> int:
    """Run what is missing, write the table, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("results/aspinall2024_cell"))
    given = parser.parse_args()
    logging.getLogger("femli").setLevel(logging.ERROR)
    found = table(given.output)
    found.to_csv(given.output / "cells.csv", index=False, float_format="%.6g")
    draw(given.output, given.output / "voltage.png")
    print(found.to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
