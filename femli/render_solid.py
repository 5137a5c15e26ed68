"""Three-dimensional views by PyVista's renderer: a block with a cut. Needs OpenGL, which is probed first."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyvista
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from femli.errors import OutputError
from femli.render_plane import bar
from femli.render_read import Array, Frame
from femli.render_shape import block, section_position
from femli.render_style import COMPOSITION, MM, Colours, Quantity, save, when

PROBE = """
import pyvista
plotter = pyvista.Plotter(off_screen=True, window_size=(32, 32))
plotter.add_mesh(pyvista.Sphere(), color="red")
image = plotter.screenshot(return_img=True)
raise SystemExit(0 if image.std() > 1 else 3)
"""
ADVICE = (
    "no usable OpenGL on this machine, so the 3D views and their film were left out (all other pictures were "
    "made); on Debian or Ubuntu: apt-get install libegl1 libgl1 libgl1-mesa-dri libglu1-mesa"
)
PIXELS = 1400  # height of the rendered block in a figure for print
SIDE = 105.0  # mm, a 3D figure
TOWARD = np.array([0.5, 1.0, 0.42])  # direction of sight: onto the cut and a little from below, into the voids


class Sight(NamedTuple):
    """A parallel projection: centre of the picture (um), unit vectors right and up, half its height (um)."""

    centre: Array
    right: Array
    up: Array
    half: float

    def place(self, points: Array) -> Array:
        """Points (n, 3) in um as picture coordinates (n, 2) in um."""
        return (np.atleast_2d(points) - self.centre) @ np.stack([self.right, self.up], axis=1)


def opengl() -> bool:
    """Whether VTK can draw here; asked in a child process, since VTK ends its process where it cannot."""
    try:
        answer = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0


def require_opengl() -> None:
    """Stop where VTK cannot draw.

    Raises:
        OutputError: with the packages that mend it.
    """
    if not os.environ.get("DISPLAY") and "VTK_DEFAULT_OPENGL_WINDOW" not in os.environ:
        # Without a screen VTK tries X11 first and complains on stderr; EGL is what draws nearly everywhere.
        os.environ["VTK_DEFAULT_OPENGL_WINDOW"] = "vtkEGLRenderWindow"
        if opengl():
            return
        del os.environ["VTK_DEFAULT_OPENGL_WINDOW"]
    if not opengl():
        raise OutputError(ADVICE)


def _sight(corners: Array) -> Sight:
    """The view that just holds all the corners."""
    toward = TOWARD / np.linalg.norm(TOWARD)
    right = np.cross(toward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, toward)
    flat = corners @ np.stack([right, up], axis=1)
    low, high = flat.min(axis=0), flat.max(axis=0)
    centre = corners.mean(axis=0)
    shift = 0.5 * (low + high) - centre @ np.stack([right, up], axis=1)
    return Sight(centre + shift[0] * right + shift[1] * up, right, up, 0.51 * float((high - low).max()))


def _corners(frame: Frame) -> Array:
    low, high = frame.points.min(axis=0), frame.points.max(axis=0)
    low[1] = section_position(frame)
    return np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])


def _image(frame: Frame, quantity: Quantity, shades: Colours, sight: Sight, pixels: int) -> Array:
    """A square RGB image of the block behind the cut through its largest void, without any text."""
    grid = block(frame)
    grid.point_data["shown"] = quantity.values(frame.fields)
    origin = (0.0, section_position(frame), 0.0)
    surface = grid.clip(normal="-y", origin=origin).extract_surface(algorithm="dataset_surface")
    skin = grid.extract_surface(algorithm="dataset_surface")
    edges = skin.extract_feature_edges(50.0, boundary_edges=False, non_manifold_edges=False, manifold_edges=False)
    plotter: Any = pyvista.Plotter(off_screen=True, window_size=[pixels, pixels])
    plotter.set_background("white")
    plotter.enable_anti_aliasing("ssaa")
    limits = (float(shades.norm.vmin or 0.0), float(shades.norm.vmax or 1.0))
    options: dict[str, Any] = {
        "scalars": "shown",
        "cmap": shades.name,
        "clim": limits,
        "show_scalar_bar": False,
    }
    plotter.add_mesh(surface, ambient=0.8, diffuse=0.25, specular=0.0, **options)
    width = pixels / 500
    for lines in (edges.clip(normal="-y", origin=origin), _rim(grid, origin)):
        if lines.n_cells:
            plotter.add_mesh(lines, color="black", line_width=width, lighting=False)
    toward = TOWARD / np.linalg.norm(TOWARD)
    plotter.camera.position = tuple(sight.centre - 4.0 * sight.half * toward)
    plotter.camera.focal_point = tuple(sight.centre)
    plotter.camera.up = tuple(sight.up)
    plotter.camera.parallel_projection = True
    plotter.camera.parallel_scale = sight.half
    plotter.reset_camera_clipping_range()
    image = np.asarray(plotter.screenshot(return_img=True))
    plotter.close()
    return image


def _rim(grid: pyvista.UnstructuredGrid, origin: tuple[float, float, float]) -> pyvista.PolyData:
    """The edge of the cut face."""
    face = grid.slice(normal="y", origin=origin).triangulate().clean()
    return face.extract_feature_edges(boundary_edges=True, feature_edges=False, manifold_edges=False)


def draw(
    fig: Figure, box: tuple[float, float, float, float], frame: Frame, quantity: Quantity, shades: Colours
) -> None:
    """The block with a cut in a part of a figure, with colour bar, scale and the moment."""
    pixels = int(box[3] * fig.get_figheight() * fig.get_dpi())
    sight = _sight(_corners(frame))
    image = _image(frame, quantity, shades, sight, max(min(pixels, PIXELS), 200))
    ax = fig.add_axes(box)
    half = sight.half
    # The picture carries colours already; the invisible one below carries the scale of the colour bar.
    ax.imshow(image, extent=(-half, half, -half, half), interpolation="antialiased")
    ghost = ax.imshow(
        np.full((1, 1), shades.norm.vmin),
        extent=(0, 1e-9, 0, 1e-9),
        cmap=shades.name,
        norm=shades.norm,
        alpha=1.0,
    )
    ax.set(xlim=(-half, half), ylim=(-1.3 * half, half), aspect="equal")
    ax.axis("off")
    bar(fig, ax, ghost, quantity, shades)
    ax.set_title(when(frame.time, frame.capacity), loc="left")
    _tripod(ax, sight)


def _tripod(ax: Axes, sight: Sight) -> None:
    """Three arrows of one round length along x, y and z, below the block at the left."""
    size = 0.3 * sight.half
    power = 10.0 ** np.floor(np.log10(size))
    length = max(step * power for step in (1.0, 2.0, 5.0) if step * power <= size)
    start = np.array([-0.98 * sight.half - length * sight.right.min(), -1.17 * sight.half])
    for axis, name in enumerate("xyz"):
        tip = length * np.array([sight.right[axis], sight.up[axis]])
        ax.annotate(
            "",
            tuple(start + tip),
            tuple(start),
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-|>,head_width=0.15,head_length=0.3",
                "lw": 0.9,
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )
        ax.annotate(f"${name}$", tuple(start + 1.25 * tip), ha="center", va="center", annotation_clip=False)
    place = start + np.array([1.6 * length * sight.right.max(), 0.0])
    ax.annotate(f"each {length:g} µm", tuple(place), ha="left", va="center", annotation_clip=False)


def write(frame: Frame, quantity: Quantity, shades: Colours, path: Path) -> Path:
    """A still view of the cut block, for print.

    Raises:
        OutputError: the file cannot be written.
    """
    fig = Figure(figsize=(SIDE * MM, 0.96 * SIDE * MM), dpi=300)
    FigureCanvasAgg(fig)
    draw(fig, (0.03, 0.02, 0.78, 0.92), frame, quantity, shades)
    return save(fig, path)


def images(frames: Iterable[Frame], shades: Colours) -> Iterable[Array]:
    """The film's images: the composition on the cut block."""
    for frame in frames:
        fig = Figure(figsize=(6.0, 5.0), dpi=160)
        canvas = FigureCanvasAgg(fig)
        draw(fig, (0.03, 0.03, 0.75, 0.9), frame, COMPOSITION, shades)
        canvas.draw()
        yield np.asarray(canvas.buffer_rgba())[..., :3].copy()
