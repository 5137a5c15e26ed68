"""How fine a mesh is where: the automatic sizes and their floors. Lengths in micrometres."""

import math
from typing import NamedTuple

from femli.case import Case
from femli.errors import MeshError
from femli.materials_electrode import Electrode
from femli.scales import layer_length, recession_velocity
from femli.seeding import SeededVoid, lateral_extents
from femli.units import LENGTH

LAYER_SHARE = 10.0  # the automatic cell at the interface is the layer length over this
DEPLETED = 0.31  # Li fraction of a depleted surface where the case has no stop.li_fraction
GROWTH = {1: 1.12, 2: 1.15, 3: 1.15}  # automatic, by dimension
FLOORS = {1: 5e-4, 2: 5e-4, 3: 0.05}  # um, smallest automatic interface cell without voids, by dimension
VOIDED_FLOOR = 0.2  # um, the same along the contact of a 2D foil with voids (its cells are not flat there)
EDGE_SHARE = {2: 20.0, 3: 4.0}  # the automatic void edge is the half width over this, by dimension
EDGE_FLOOR = 0.05  # um
WALL_SHARE = {2: 10.0, 3: 3.0}  # cells on a void wall are no larger than the half width over this
COARSEST_EDGE = 4.0  # a void edge coarser than the half width over this is an error
LARGEST_SHARE = {1: 20.0, 2: 20.0, 3: 8.0}  # the automatic largest cell is the thickness over this
COLUMNS = {2: 20, 3: 4}  # most columns across a foil without voids: it is laterally uniform


class Resolution(NamedTuple):
    """Sizes of the cells, um.

    Attributes:
        interface: at the contact.
        size: the largest.
        lateral: along x (and y) in a foil without voids.
        growth: ratio of neighbouring cells.
        edges: at the contact line of each void.
        walls: on the wall of each void.
    """

    interface: float
    size: float
    lateral: tuple[float, ...]
    growth: float
    edges: tuple[float, ...] = ()
    walls: tuple[float, ...] = ()


def resolution(case: Case, voids: tuple[SeededVoid, ...]) -> Resolution:
    """The sizes of a case, automatic where it gives none.

    * interface_size: a tenth of the case's layer length l = 2 D x0 S0 / ((n - 1) J0 R T), not below 0.5 nm in
      1D and 2D, 0.05 um in 3D; with voids not below 0.2 um in 2D and half of the smallest half width in 3D.
      In 1D with D of the local composition also no more than the layer at depletion, over which D falls by e:
      D(x) / (|d ln D/dx| v0), x = stop.li_fraction (0.31 without it), v0 = Omega_Li i/F. Capacities then
      are within 0.1 % of a mesh without limit (with l/10 alone they are 0.7 % high at 10 at% Mg).
    * growth: 1.12 in 1D, 1.15 in 2D and 3D.
    * edge_size: a twentieth (3D: a quarter) of each void's half width, not below 0.05 um (but always
      fine enough for the void: at most a quarter of its half width and its height).
    * size: a twentieth of the thickness (3D: an eighth).
    * A foil without voids is laterally uniform, unless its contact opens: its columns are `size` wide, but no more
      than 20 cross it (3D: 4 along the width, 4 along the depth).

    Raises:
        MeshError: the edge_size of the case is coarser than a quarter of a half width, or than a height.
    """
    geometry, asked = case.geometry, case.geometry.mesh
    dimension, thickness = geometry.dimension, geometry.electrode_thickness / LENGTH
    growth = asked.growth or GROWTH[dimension]
    size = asked.size / LENGTH if asked.size else thickness / LARGEST_SHARE[dimension]
    interface = asked.interface_size / LENGTH if asked.interface_size else _layer_cell(case, voids, size)
    lateral = tuple(max(size, extent / COLUMNS[dimension]) for extent in lateral_extents(geometry))
    if not voids and case.opening is not None:
        edge = _edge_of_openings(case, min(interface, size))
        return Resolution(min(interface, size), size, lateral, growth, (edge,), (edge,))
    if not voids:
        return Resolution(min(interface, size), size, lateral, growth)
    edges = tuple(_edge(asked.edge_size, void, number, dimension) for number, void in enumerate(voids, start=1))
    walls = tuple(
        max(edge, min(v.half_width, v.height) / WALL_SHARE[dimension]) for v, edge in zip(voids, edges, strict=True)
    )
    return Resolution(min(interface, size), size, lateral, growth, edges, walls)


def _edge_of_openings(case: Case, interface: float) -> float:
    """Cell at the edges of voids that come later, um: for flaws as for voids of their mean radius."""
    if case.geometry.mesh.edge_size is not None:
        return case.geometry.mesh.edge_size / LENGTH
    flaw = None if case.opening is None else case.opening.flaw_radius
    return interface if flaw is None else min(max(flaw.mean / LENGTH / EDGE_SHARE[2], EDGE_FLOOR), interface)


def _edge(asked: float | None, void: SeededVoid, number: int, dimension: int) -> float:
    """Cell at the edge of one void, um; a size that the case gives (m) has to resolve the void."""
    coarsest = min(void.half_width / COARSEST_EDGE, void.height)
    if asked is None:
        return min(max(void.half_width / EDGE_SHARE[dimension], EDGE_FLOOR), coarsest)
    if asked / LENGTH > coarsest * (1.0 + 1e-12):
        raise MeshError(
            f"geometry.mesh.edge_size: {asked / LENGTH:.4g} um is too coarse for void {number} at x = "
            f"{void.x:.4g} um (half width {void.half_width:.4g} um, height {void.height:.4g} um); allowed: "
            f"at most {coarsest:.4g} um, a quarter of the half width and no more than the height"
        )
    return asked / LENGTH


def _layer_cell(case: Case, voids: tuple[SeededVoid, ...], largest: float) -> float:
    """Automatic cell at the contact; without current there is no layer and the largest cell will do."""
    current, dimension = case.load.current_density, case.geometry.dimension
    electrode = case.electrode_properties()
    cell = math.inf
    if current != 0.0:
        cell = layer_length(electrode, abs(current)) / LENGTH / LAYER_SHARE
    if current > 0.0 and dimension == 1:
        cell = min(cell, _depleted_layer(electrode, current, case.stop.li_fraction or DEPLETED))
    floor = FLOORS[dimension]
    if voids or case.opening is not None:
        floor = VOIDED_FLOOR if dimension == 2 else min(v.half_width for v in voids) / 2.0
    return min(max(cell, floor), largest)


def _depleted_layer(electrode: Electrode, current: float, x: float) -> float:
    """Length over which D falls by e at a surface depleted to a Li fraction, um; infinite where D is constant."""
    c0, c1 = electrode.log_diffusivity
    if c1 == 0.0 or electrode.li_fraction == 1.0:
        return math.inf
    return math.exp(c0 + c1 * (1.0 - x)) / (abs(c1) * recession_velocity(electrode, current)) / LENGTH
