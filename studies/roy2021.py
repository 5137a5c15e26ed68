"""The study of Roy, Fleck and Deshpande 2021 (Extreme Mech. Lett. 46, 101307) in one command.

    python studies/roy2021.py -o results/roy2021

A patch of half width a has lost contact between lithium and its electrolyte. (a) The current that it turns away
gathers at its edge: k_J, the flux there over that far away, against a/(kappa Z). (b) The lithium above creeps, as an
incompressible power-law metal that leaves through the contact as fast as the current asks; the face of the patch is
free. At zero stack pressure, does its face come down, so that the patch closes, or go up, so that a void opens?
Velocities scale with the current, so a/(kappa Z) is the only number besides the exponent m. As the paper's text, from
which the expected numbers were taken, is not at hand, everything that it may have meant is tried: `VARIANTS`.
docs/roy2021.md says what comes out.
"""

import argparse
import logging
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import aspinall2024
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from roy2021_flow import OPEN, Metal, Setting, edge

KAPPA = 0.04  # S/m, 0.4 mS/cm
Z = 5e-4  # ohm m2, 5 ohm cm2
LENGTH = KAPPA * Z * 1e6  # um, 20
FACTORS = (0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 3.5, 4.0, 4.5, 5.0, 10.0, 20.0, 30.0, 50.0, 100.0)
RATIOS = (10.0, 20.0, 25.0, 30.0, 35.0, 45.0, 60.0)
EXPONENTS = (1.0, 5.0, 20.0)
ASKED = (15.0, 60.0)  # widths of 600 um, which should close, and 2400 um, which should open
# Reference values of two independent computations, of a disk.
INDEPENDENT = {0.1: 1.055, 0.5: 1.219, 1.0: 1.379, 5.0: 2.190, 10.0: 2.859, 100.0: 8.131}
PAPER = 60.0  # um: "k_J > 2 only above 60 um"
THRESHOLD = 1200.0  # um, about: larger patches open
DISK = OPEN._replace(fine=0.0015)
STRIP = DISK._replace(plane=True)
LARGE = STRIP._replace(far=36.0, thickness=36.0)
FIGURE = {
    "strip, slides": LARGE,
    "strip, sticks": LARGE._replace(contact="sticking"),
    "disk, slides": DISK._replace(far=36.0, thickness=36.0),
}
VARIANTS = {
    "disk": DISK,
    "disk, sticks": DISK._replace(contact="sticking"),
    "disk, rigid plate without force": DISK._replace(top="plate"),
    "disk, top held at the far velocity": DISK._replace(top="held"),
    "disk, free sides": DISK._replace(sides="free"),
    "disk, face held by the electrolyte": DISK._replace(face="shut"),
    "disk, metal of thickness a": DISK._replace(thickness=1.0),
    "strip": STRIP,
    "strip, sticks": STRIP._replace(contact="sticking"),
    "strip, top held at the far velocity": STRIP._replace(top="held"),
    "strip, domain of 36 a": LARGE,
    "strip, domain of 100 a": STRIP._replace(far=100.0, thickness=100.0),
    "strip, cells of 0.02 a": STRIP._replace(fine=0.02),
    "strip, cells of 0.01 a": STRIP._replace(fine=0.01),
    "strip, cells of 0.004 a": STRIP._replace(fine=0.004),
}
COLUMNS = ("a/(kappa Z)", "m", "mean", "middle", "least", "most", "force")
STYLE: dict[Any, Any] = {**aspinall2024.STYLE, "xtick.top": False, "ytick.right": False}
COLOURS = dict(zip(FIGURE, ("#0072B2", "#56B4E9", "#D55E00"), strict=True))

log = logging.getLogger("roy2021")


def crossing(x: np.ndarray, y: np.ndarray, level: float) -> float:
    """Where a curve first crosses a level, interpolated in log x; nan where it does not."""
    sign = np.flatnonzero(np.diff(np.sign(y - level)))
    if not len(sign):
        return float("nan")
    i = sign[0]
    share = (level - y[i]) / (y[i + 1] - y[i])
    return float(np.exp(np.log(x[i]) + share * (np.log(x[i + 1]) - np.log(x[i]))))


def factors() -> pd.DataFrame:
    """k_J by ratio, of a disk and of a strip."""
    rows = [(ratio, edge(ratio).factor, edge(ratio, plane=True).factor) for ratio in FACTORS]
    return pd.DataFrame(rows, columns=["a/(kappa Z)", "k_J, disk", "k_J, strip"])


def faces(
    settings: dict[str, Setting], ratios: tuple[float, ...], exponents: tuple[float, ...] = EXPONENTS
) -> pd.DataFrame:
    """Velocity of the patch's face toward the electrolyte over that far away, by setting, ratio and exponent."""
    rows = []
    for name, setting in settings.items():
        metal = Metal(setting)
        for ratio in ratios:
            for m, face in metal.face(edge(ratio, setting.far, setting.plane), exponents).items():
                rows.append((name, ratio, m, *face))
        log.info("%s", name)
    return pd.DataFrame(rows, columns=["setting", *COLUMNS])


def figure(edges: pd.DataFrame, moved: pd.DataFrame, path: Path) -> None:
    """k_J and face velocities."""
    with mpl.rc_context(STYLE):
        fig, (left, right) = plt.subplots(1, 2, figsize=(180 / 25.4, 75 / 25.4))
        width = 2 * LENGTH * edges["a/(kappa Z)"]
        left.plot(width, edges["k_J, strip"], color=COLOURS["strip, slides"], label="strip")
        left.plot(width, edges["k_J, disk"], color=COLOURS["disk, slides"], label="disk")
        there = 2 * LENGTH * np.array(list(INDEPENDENT))
        left.plot(there, INDEPENDENT.values(), "o", mfc="none", color="black", ms=4, label="disk, independent codes")
        left.axhline(2.0, color="0.6", lw=0.6)
        left.plot([PAPER], [2.0], "s", color="black", label="60 µm, the paper")
        left.set(xscale="log", yscale="log", xlabel="width of the patch (µm)", ylabel="edge flux over far flux, $k_J$")
        left.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
        left.legend()
        left.set_title(r"$\bf{a}$", loc="left")
        for name, rows in moved[moved["m"] == 5.0].groupby("setting", sort=False):
            width = 2 * LENGTH * rows["a/(kappa Z)"]
            right.plot(width, rows["least"], color=COLOURS[str(name)], label=f"{name}: least")
            right.plot(width, rows["mean"], ":", color=COLOURS[str(name)])
        right.plot([], [], ":", color="0.4", label="the same: mean")
        right.axhline(0.0, color="0.6", lw=0.6)
        right.plot([THRESHOLD], [0.0], "s", color="black", label="1200 µm, the paper")
        right.set(xscale="log", xlabel="width of the patch (µm)", ylabel="velocity of the face over far velocity")
        right.legend(fontsize=7)
        right.set_title(r"$\bf{b}$  below 0 the face lifts off", loc="left")
        fig.savefig(path)
        plt.close(fig)


def main() -> None:
    """Compute, draw, and print what docs/roy2021.md quotes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("results/roy2021"))
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    edges = factors()
    edges.to_csv(folder / "edge_flux.csv", index=False, float_format="%.6g")
    moved = faces(FIGURE, RATIOS)
    moved.to_csv(folder / "face_velocity.csv", index=False, float_format="%.6g")
    figure(edges, moved, folder / "roy2021.png")
    x = edges["a/(kappa Z)"].to_numpy()
    for shape in ("disk", "strip"):
        at = 2 * LENGTH * crossing(x, edges[f"k_J, {shape}"].to_numpy(), 2.0)
        log.info("%s: k_J = 2 at a width of %.0f um (the paper says 60)", shape, at)
    for (name, m), rows in moved.groupby(["setting", "m"], sort=False):
        for what in ("mean", "middle", "least"):
            at = 2 * LENGTH * crossing(rows["a/(kappa Z)"].to_numpy(), rows[what].to_numpy(), 0.0)
            largest = 2 * LENGTH * RATIOS[-1]
            way = "down" if (rows[what] > 0).all() else "up"
            said = f"changes sign at a width of {at:.0f} um" if np.isfinite(at) else f"{way} up to {largest:.0f} um"
            log.info("m = %g, %s, %s velocity of the face: %s", m, name, what, said)
    tried = faces(VARIANTS, ASKED, (5.0,))
    tried.to_csv(folder / "variants.csv", index=False, float_format="%.4g")
    log.info("%s", tried.pivot_table(index="setting", columns="a/(kappa Z)", values=["mean", "middle", "least"]))


if __name__ == "__main__":
    main()
