"""Pictures of a result folder, from its files alone. Read this first of the `render_*` modules.

render_read reads the files, render_shape finds contact and voids, render_style holds sizes, units and
colours; render_plane and render_figures draw plane pictures, render_curves the curves, render_electrolyte
the cell around the electrode, render_solid the 3D views, render_film the films, render_voids the statistics of voids.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

from femli import (
    render_curves,
    render_electrolyte,
    render_figures,
    render_film,
    render_plane,
    render_read,
    render_shape,
    render_solid,
    render_voids,
)
from femli.errors import OutputError
from femli.render_read import Frame, Run
from femli.render_shape import Plane
from femli.render_style import COMPOSITION, PRESSURE, SPEED, STRESS, STYLE

FILM_FRAMES = 120  # a film shows at most so many of the frames


def render(folder: Path, overlay: Path | None = None) -> list[Path]:
    """Draw everything that a result folder can show, into that folder.

    Args:
        folder: result folder of `femli run`, of a finished, failed or running run.
        overlay: CSV of a measured curve, columns named as in history.csv, drawn over the history.

    Returns:
        The files written.

    Raises:
        CaseError: the folder holds no results, or the overlay is not usable.
        OutputError: a file is damaged or cannot be written; or there is no OpenGL for the 3D views (all
            else is made first).
    """
    folder = Path(folder)
    run = render_read.read(folder)
    made: list[Path] = []
    with matplotlib.rc_context(STYLE):
        if run.history is not None:
            made.append(render_curves.history(run, folder / "history.png", overlay))
            if "overpotential_ohmic [V]" in run.history:
                made.append(render_electrolyte.voltage(run, folder / "voltage.png"))
        if run.files:
            made.append(_profiles(run))
            first = run.frame(0)
            draw = {1: _depth, 2: _flat, 3: _solid}[first.dimension]
            made += draw(run)
    return made


def _spread(count: int, wanted: int) -> list[int]:
    """Frame numbers spread evenly, first and last included."""
    return sorted({round(k) for k in np.linspace(0, count - 1, min(count, wanted))})


def _frames(run: Run, numbers: Sequence[int]) -> Iterator[Frame]:
    return (run.frame(number) for number in numbers)


def _profiles(run: Run) -> Path:
    """profiles.csv: the contact (in 1D every depth) at every frame."""
    path = run.folder / "profiles.csv"
    parts = []
    for frame in _frames(run, range(len(run.times))):
        nodes = render_shape.contact_nodes(frame)
        parts.append(render_curves.profile_table(frame, nodes))
    try:
        pd.concat(parts, ignore_index=True).to_csv(path, index=False, float_format="%.9g")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error})") from error
    return path


def _depth(run: Run) -> list[Path]:
    """Pictures of a laterally uniform case."""
    numbers = _spread(len(run.times), 6)
    frames = list(_frames(run, numbers))
    made = [render_curves.depth_profiles(frames, run.stack_pressure, run.folder / "profiles.png")]
    shown = _spread(len(run.times), FILM_FRAMES)
    if len(shown) > 1:
        limits, first = render_film.depth_limits(_frames(run, shown))
        images = render_film.depth_images(_frames(run, shown), limits, first)
        made.append(render_film.write(images, len(shown), run.folder / "film"))
    return made


def _planes(run: Run, numbers: Sequence[int]) -> Iterator[Plane]:
    """Snapshots by their numbers, each as a plane."""
    return (render_shape.plane(frame, axisymmetric=run.axisymmetric) for frame in _frames(run, numbers))


def _flat(run: Run) -> list[Path]:
    """Pictures of a plane or axisymmetric case."""
    shapes = list(_planes(run, _spread(len(run.times), 3)))
    made = _plane_figures(shapes, run.folder)
    made += render_voids.draw(run, shapes[0].width, section=True)
    below = run.electrolyte(run.times[-1])
    if below is not None:
        (last,) = _planes(run, [-1])
        made.append(render_electrolyte.electrolyte(last, below, run.folder / "electrolyte.png"))
    shown = _spread(len(run.times), FILM_FRAMES)
    if len(shown) > 1:
        ends = list(_planes(run, _spread(len(run.times), 4)))
        scales = [render_plane.seen(ends, COMPOSITION), render_film.zoom_colours(ends)]
        images = render_film.plane_images(_planes(run, shown), scales, render_film.tall_window(ends), run.history)
        made.append(render_film.write(images, len(shown), run.folder / "film"))
        if any(shape.outline.voids for shape in ends):
            views = render_film.enlarged(ends)
            shades = render_plane.seen(ends, PRESSURE, views[0]._replace(right=views[-1].right))
            images = render_film.interface_images(_planes(run, shown), shades, views, run)
            made.append(render_film.write(images, len(shown), run.folder / "film_interface"))
    return made


def _plane_figures(shapes: Sequence[Plane], folder: Path) -> list[Path]:
    last = shapes[-1]
    made = [
        render_figures.overview(shapes, folder / "overview.png"),
        render_figures.interface(shapes, folder / "interface.png"),
        render_figures.discharge(shapes, folder / "composition.png"),
    ]
    for quantity, name in ((PRESSURE, "pressure.png"), (STRESS, "stress.png"), (SPEED, "velocity.png")):
        if quantity.array in last.fields:
            made.append(render_plane.field(last, quantity, folder / name))
    if last.outline.voids:
        made.append(render_figures.voids(last, folder / "voids.png"))
    return made


def _solid(run: Run) -> list[Path]:
    """Pictures of a 3D case: plane ones of a section and of the contact first, since they need no OpenGL."""
    frames = list(_frames(run, _spread(len(run.times), 3)))
    sections = [render_shape.plane(render_shape.section(frame)) for frame in frames]
    made = _plane_figures(sections, run.folder)
    made += render_voids.draw(run, sections[0].width, section=False)
    made.append(render_figures.contact(render_shape.contact_plane(frames[-1]), run.folder / "contact.png"))
    render_solid.require_opengl()
    for quantity, name in ((COMPOSITION, "view3d_composition.png"), (PRESSURE, "view3d_pressure.png")):
        if quantity.array in frames[-1].fields:
            shades = render_plane.seen(sections[-1:], quantity)
            made.append(render_solid.write(frames[-1], quantity, shades, run.folder / name))
    shown = _spread(len(run.times), FILM_FRAMES)
    if len(shown) > 1:
        images = render_solid.images(_frames(run, shown), render_plane.seen(sections, COMPOSITION))
        made.append(render_film.write(images, len(shown), run.folder / "film"))
    return made
