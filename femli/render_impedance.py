"""Nyquist and Bode pictures of a measured state beside the fresh one, from `impedance.csv` alone."""

import json
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import pandas as pd

from femli.errors import CaseError
from femli.render_style import STYLE, Margins, save, sheet

TABLE, NUMBERS = "impedance.csv", "impedance.json"
STATE, FRESH = "#d55e00", "#0072b2"


class Curve(NamedTuple):
    """A spectrum to draw [ohm cm2]."""

    label: str
    colour: str
    real: pd.Series
    imaginary: pd.Series


def spectra(folder: Path) -> list[Path]:
    """Draw `nyquist.png` and `bode.png`.

    Args:
        folder: holds `impedance.csv` and `impedance.json`.

    Returns:
        The files written.

    Raises:
        CaseError: the folder holds no spectra.
    """
    path = folder / TABLE
    if not path.exists():
        raise CaseError(f"{folder}: holds no {TABLE}; allowed: a folder that `femli impedance` wrote")
    table = pd.read_csv(path)
    numbers = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
    curves = [Curve("fresh", FRESH, table["fresh_real [ohm cm^2]"], table["fresh_imaginary [ohm cm^2]"])]
    if not np.allclose(table["real [ohm cm^2]"], curves[0].real, rtol=1e-12):
        label = f"state, contact fraction {numbers['contact_fraction']:.3g}"
        curves.append(Curve(label, STATE, table["real [ohm cm^2]"], table["imaginary [ohm cm^2]"]))
    with matplotlib.rc_context(STYLE):
        return [_nyquist(folder, curves), _bode(folder, table["frequency [Hz]"], curves)]


def _nyquist(folder: Path, curves: list[Curve]) -> Path:
    width, height = 85.0, 60.0
    drawing, axes = sheet(width, [height], 1, Margins(14.0, 4.0, 11.0, 4.0))
    ax = axes[0, 0]
    for curve in curves:
        ax.plot(curve.real, -curve.imaginary, "o-", color=curve.colour, markersize=2.5, label=curve.label)
    # Both axes to one scale, from the origin.
    right = 1.05 * max(float(curve.real.max()) for curve in curves)
    top = 1.15 * max(float((-curve.imaginary).max()) for curve in curves)
    right = max(right, top * width / height)
    ax.set(xlim=(0.0, right), ylim=(0.0, right * height / width))
    ax.set_xlabel(r"Re $Z$ ($\Omega\,$cm$^2$)")
    ax.set_ylabel(r"$-$Im $Z$ ($\Omega\,$cm$^2$)")
    ax.legend(frameon=False)
    return save(drawing, folder / "nyquist.png")


def _bode(folder: Path, frequency: pd.Series, curves: list[Curve]) -> Path:
    drawing, axes = sheet(85.0, [42.0, 42.0], 1, Margins(19.0, 4.0, 11.0, 4.0))
    for curve in curves:
        Z = curve.real + 1j * curve.imaginary
        axes[0, 0].loglog(frequency, np.abs(Z), "o-", color=curve.colour, markersize=2.5, label=curve.label)
        axes[1, 0].semilogx(frequency, -np.degrees(np.angle(Z)), "o-", color=curve.colour, markersize=2.5)
    axes[0, 0].set_ylabel(r"$|Z|$ ($\Omega\,$cm$^2$)")
    axes[1, 0].set_ylabel(r"$-$phase (degrees)")
    axes[0, 0].legend(frameon=False)
    for ax in axes.ravel():
        ax.set_xlabel("frequency (Hz)")
    return save(drawing, folder / "bode.png")
