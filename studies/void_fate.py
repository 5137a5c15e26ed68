"""When does a void under lithium grow, split or collapse? The critical stack pressure, and a map of fates.

    python studies/void_fate.py -o results/void_fate          (some minutes on one core)

All rates are those of the first moment of stripping: one consistent solve each, nothing is marched in time.

(a) A hemisphere, and a half cylinder, alone on the contact. With walls of uniform curvature surface tension adds m
gamma/R to the load P = p_stack - p_gas + m gamma/R (m = 2, 1) and does nothing else; and the equations have one stress
and one length, S0 and l of `femli.scales`. So the load at which the section's rate changes sign is a function
P_c/S0 = f(R/l), which is computed once and then read for every current, radius, surface energy and alloy (the alloy
as long as its composition is uniform: at the start).

(b) A flat-topped slit in plane strain, one every so many micrometres: `grow` where its section grows; else, at the
speeds of the moment, `split` where the middle of its roof would come down before its shoulders, `collapse` where the
shoulders come down first or all of it at once. docs/void-fate.md says what comes out, and what this leaves out.
"""

import argparse
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from void_cell import COARSE, FINE, LENGTH, MA_CM2, STRESS, Cells, Shape, VoidCell, Wall
from void_fate_figure import draw

from femli import scales
from femli.case import made
from femli.deaths import SURFACE_ENERGY
from femli.materials_electrode import Electrode
from femli.solver_linear import NotConvergedError

REACH = 300.0  # size of the cell of a lone void, over its radius
OVER_LAYER = (0.03, 0.1, 0.2, 0.35, 0.6, 1.0, 1.7, 2.6, 3.8, 5.0, 6.5, 8.0)  # R/l
RADII = (0.2, 0.5, 1.0, 2.0, 5.0)  # um
CURRENTS = np.geomspace(1e-3, 2.0, 34)  # mA/cm2
NO_LOAD = 1e-3  # of S0: as good as none

WIDTHS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # um
SPACINGS = (10.0, 30.0, 100.0, 200.0)  # um
SLIT = {"aspect": 0.1, "power": 6.0, "thickness": 50.0}
LOADS = ((0.05, 0.05), (0.31, 1.0))  # mA/cm2, MPa
SHOULDER = 0.7  # of the half width
EVEN = 0.05  # a roof whose parts come down within this share of the time comes down as a block

log = logging.getLogger("void_fate")


class Lone(NamedTuple):
    """A void that is alone: its shape and what its wall does."""

    kind: str
    lithium: str

    def cell(self, cells: Cells = FINE) -> VoidCell:
        """Radius 1 um; the current sets R/l."""
        shape = Shape(1.0, 1.0, REACH, REACH, axisymmetric=self.kind == "hemisphere")
        return VoidCell(shape, self.lithium, cells=cells)


LONE = tuple(Lone(kind, lithium) for kind in ("hemisphere", "half cylinder") for lithium in ("exchange", "blocked"))


def current_for(cell: VoidCell, ratio: float) -> float:
    """Current [mA/cm2] at which a radius of 1 um is `ratio` times the layer: l goes with i^(2/(n+1) - 1)."""
    n = cell.electrode.creep_exponent
    return float((ratio * cell.scales(1.0)[1]) ** ((n + 1) / (n - 1)))


def critical_load(cell: VoidCell, ratio: float) -> tuple[float, float]:
    """P_c/S0 at R/l, nan where the void shrinks without any load; and the growth without load."""
    current = current_for(cell, ratio)
    stress = cell.scales(current)[0]
    cell.stress = None  # stresses of another current are no guess

    def growth(load: float) -> float:
        return cell.wall(current, load * stress).growth

    free = growth(NO_LOAD)
    if free < 0:
        return float("nan"), free
    return float(brentq(growth, NO_LOAD, 1.5, xtol=2e-4, rtol=1e-4)), free


def master(
    over_layer: tuple[float, ...] = OVER_LAYER, cells: Cells = FINE, voids: tuple[Lone, ...] = LONE
) -> pd.DataFrame:
    """P_c/S0 by R/l for lone voids."""
    rows = []
    for lone in voids:
        cell = lone.cell(cells)
        for ratio in over_layer:
            load, free = critical_load(cell, ratio)
            rows.append((lone.kind, lone.lithium, ratio, load, free))
            if not np.isfinite(load):
                break  # the larger ones shrink as well
        log.info("%s, %s", *lone)
    return pd.DataFrame(rows, columns=["void", "walls", "R/l [-]", "P_c/S0 [-]", "growth without load [-]"])


def reader(table: pd.DataFrame, lone: Lone) -> Callable[[float], float]:
    """P_c/S0 as a function of R/l, linear in log R/l; 0 where growth without load ends, nan beyond it."""
    rows = table[(table["void"] == lone.kind) & (table["walls"] == lone.lithium)]
    x, y = np.log(rows["R/l [-]"].to_numpy()), rows["P_c/S0 [-]"].to_numpy()
    free = rows["growth without load [-]"].to_numpy()
    good = np.isfinite(y)
    if not good.all():
        # Where the growth without load changes sign the critical load is zero.
        k = int(good.sum())
        end = x[k - 1] + (x[k] - x[k - 1]) * free[k - 1] / (free[k - 1] - free[k])
        x, y = np.append(x[good], end), np.append(y[good], 0.0)
    return lambda ratio: float(np.interp(np.log(ratio), x, y, left=y[0], right=np.nan))


def electrodes() -> dict[str, Electrode]:
    """Li, and Li-5Mg with the creep of Li and with the assumed hardness scaling."""
    found = {}
    for name, tables in {
        "Li": {"material": "Li"},
        "Li-5Mg, creep of Li": {"material": "Li-5Mg", "creep_scaling": "none"},
        "Li-5Mg, hardness": {"material": "Li-5Mg"},
    }.items():
        case = {"geometry": {"electrode_thickness": "50 um"}, "electrode": tables, "load": {"stack_pressure": "1 MPa"}}
        case["load"]["current_density"] = "1 mA/cm^2"
        found[name] = made(case, Path("void_fate"), {}).electrode_properties()
    return found


def pressures(table: pd.DataFrame, currents: np.ndarray = CURRENTS) -> pd.DataFrame:
    """Critical stack pressures [MPa] by current and radius, with and without surface tension; nan: there is none."""
    rows = []
    for name, electrode in electrodes().items():
        for lone in (v for v in LONE if (table[["void", "walls"]] == list(v)).all(axis=1).any()):
            if lone.lithium == "exchange" and name != "Li":
                continue  # an alloy's host would be left on the wall
            f, m = reader(table, lone), 2 if lone.kind == "hemisphere" else 1
            for current in currents:
                S0 = scales.contact_stress(electrode, current * MA_CM2) / STRESS
                layer = scales.layer_length(electrode, current * MA_CM2) / LENGTH
                for radius in RADII:
                    load, tension = f(radius / layer) * S0, m * SURFACE_ENERGY / radius
                    rows.append((name, *lone, current, radius, load, load - tension, S0, S0 - tension))
    names = ["metal", "void", "walls", "i [mA/cm^2]", "R [um]", "p_c without tension [MPa]", "p_c [MPa]"]
    return pd.DataFrame(rows, columns=[*names, "S0 [MPa]", "S0 - m gamma/R [MPa]"])


def lead(wall: Wall, half_width: float) -> float:
    """When the shoulder of a roof would come down over when its middle would; negative where the shoulder rises."""
    x, z = wall.place[::-1].T
    fall = wall.fall[::-1]
    height, speed = (float(np.interp(SHOULDER * half_width, x, values)) for values in (z, fall))
    return height / speed / (z[0] / fall[0])


def fate(growth: float, shoulder: float) -> str:
    """What becomes of a void; `shoulder` from `lead`."""
    if growth > 0:
        return "grow"
    if abs(shoulder - 1) < EVEN:
        return "collapse at once"
    return "collapse from its edges" if 0 < shoulder < 1 else "split"


def fates(widths: tuple[float, ...] = WIDTHS, spacings: tuple[float, ...] = SPACINGS) -> pd.DataFrame:
    """Fate of slits by width and spacing, of walls and loads."""

    def rows() -> Iterator[tuple[str, float, float, float, float, float, float, str]]:
        for lithium in ("exchange", "blocked"):
            for width in widths:
                for spacing in (s for s in spacings if s > 1.2 * width):
                    half = width / 2
                    shape = Shape(half, SLIT["aspect"] * half, spacing / 2, SLIT["thickness"], SLIT["power"])
                    cell = VoidCell(shape, lithium, cells=COARSE)
                    for current, pressure in LOADS:
                        cell.stress = None
                        try:
                            wall = cell.wall(current, pressure)
                        except NotConvergedError:
                            log.warning("%s, width %g, spacing %g: no solution", lithium, width, spacing)
                            continue
                        shoulder = lead(wall, half)
                        end = fate(wall.growth, shoulder)
                        yield lithium, current, pressure, width, spacing, wall.growth, shoulder, end
                log.info("slits %g um wide, %s", width, lithium)

    names = ["walls", "i [mA/cm^2]", "p_stack [MPa]", "width [um]", "spacing [um]", "growth [-]"]
    return pd.DataFrame(rows(), columns=[*names, "shoulder over middle [-]", "fate"])


def main() -> None:
    """Compute, write the tables, draw, and print what docs/void-fate.md quotes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("results/void_fate"))
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("femli").setLevel(logging.WARNING)
    table, slits = master(), fates()
    critical = pressures(table)
    for name, frame in {"critical_load": table, "critical_pressure": critical, "slits": slits}.items():
        frame.to_csv(folder / f"void_fate_{name}.csv", index=False, float_format="%.5g")
    draw(table, critical, slits, folder / "void_fate.png")
    for (metal, void, walls), rows in critical.groupby(["metal", "void", "walls"], sort=False):
        range_ = rows[rows["i [mA/cm^2]"] >= 0.05]
        log.info(
            "%s, %s, %s: largest critical stack pressure from 0.05 mA/cm2 on %.2f MPa without, %.2f with tension",
            *(metal, void, walls, range_["p_c without tension [MPa]"].max(), range_["p_c [MPa]"].max()),
        )
    log.info("%s", slits.groupby(["walls", "i [mA/cm^2]", "p_stack [MPa]"])["fate"].value_counts().to_string())


if __name__ == "__main__":
    main()
