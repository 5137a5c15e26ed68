"""The figure of cases/void_rounding.toml: outlines of a void that becomes round by surface diffusion.

.venv/bin/femli run cases/void_rounding.toml && .venv/bin/python studies/void_rounding.py results/void_rounding FIGURE
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection

from femli import render_read, render_shape
from femli.render_style import DPI, MM, STYLE

SHOWN = (0, 1, 2, 4, 16)  # frames, a quarter of an hour apart


def draw(folder: Path, file: Path) -> None:
    """Draw the outlines of a result folder."""
    run = render_read.read(folder)
    colours = plt.get_cmap("viridis")(np.linspace(0.0, 0.85, len(SHOWN)))
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(85 * MM, 70 * MM), layout="constrained")
        for number, colour in zip(SHOWN, colours, strict=True):
            shape = render_shape.plane(run.frame(number))
            for k, void in enumerate(shape.outline.voids):
                label = f"{shape.time / 3600:.3g} h" if k == 0 else None
                axes.add_collection(LineCollection(list(shape.points[void]), colors=[colour], lw=1.0, label=label))
        axes.axhline(0.0, color="0.4", lw=0.8)
        axes.set(xlim=(1.5, 6.5), ylim=(-0.2, 3.3), aspect="equal", xlabel="x (µm)", ylabel="z (µm)")
        axes.legend(loc="upper right", frameon=False)
        figure.savefig(file, dpi=DPI)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
