"""A picture of a mesh, for `femli mesh --picture`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .errors import OutputError


def draw(points: Any, cells: Any, facets: Any, path: Path) -> None:
    """Draw a mesh: points on a line in 1D, edges in 2D, the surface in 3D.

    Args:
        points: shape (n, d), um.
        cells: shape (m, d + 1).
        facets: boundary facets, shape (k, d).
        path: a file name that Matplotlib knows (.png, .pdf, .svg).

    Raises:
        OutputError: a format that is not known, or a file that cannot be written.
    """
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    dimension = points.shape[1]
    figure = plt.figure(figsize=(6.0, 5.0), layout="constrained")
    if dimension == 3:
        axes: Any = figure.add_subplot(projection="3d")
        axes.plot_trisurf(*points.T, triangles=facets, color="0.85", edgecolor="0.2", linewidth=0.15)
        axes.set_zlabel("distance from the electrolyte [um]")
    else:
        axes = figure.add_subplot()
        if dimension == 2:
            axes.triplot(*points.T, triangles=cells, color="0.2", linewidth=0.25)
            axes.set_aspect("equal")
        else:
            axes.plot(points[:, 0], 0.0 * points[:, 0], "|-", color="0.2", markersize=12.0, linewidth=0.5)
            axes.set_yticks([])
    axes.set_xlabel("x [um]")
    axes.set_ylabel({1: "", 2: "distance from the electrolyte [um]", 3: "y [um]"}[dimension])
    if dimension == 1:
        axes.set_xlabel("distance from the electrolyte [um]")
    try:
        figure.savefig(path, dpi=200)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: the picture could not be written: {error}") from error
    finally:
        plt.close(figure)
