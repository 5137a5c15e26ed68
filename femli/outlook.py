"""What can be said of a case before it is solved: scales, duration, size of the mesh, warnings."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from . import scales
from .case import Case
from .errors import MeshError
from .materials_electrode import Electrode
from .units import MAH_CM2

# Unknowns for each cell: quadratic velocity, linear pressure and composition, by dimension.
UNKNOWNS = {1: 4.0, 2: 5.0, 3: 4.4}
NODES = {1: 1.0, 2: 0.5, 3: 0.18}  # composition alone
# Bytes for each unknown (mostly the factorised matrix, measured up to 2e5 unknowns), and without any.
BYTES = {1: 3e3, 2: 5e3, 3: 3e4}
START_BYTES = 3e8
# Largest composition in which D was measured.
MEASURED_HOST = 0.20


class Layers(NamedTuple):
    """Scales of stripping or plating at a steady current, SI.

    Args:
        recession: speed of the foil's thinning [m/s].
        stress: S0, the drop of pressure at the contact at the start [Pa].
        pressure_length: l [m].
        composition_length: D (1 - x)/v at the start [m]; 0 for a pure metal.
        final_composition_length: the same at the Li fraction of the stop [m]; None where it has none.
    """

    recession: float
    stress: float
    pressure_length: float
    composition_length: float
    final_composition_length: float | None


class Size(NamedTuple):
    """Estimated size of the discrete problem.

    Args:
        interface: cell at the contact [m].
        largest: largest cell [m].
        cells: number of cells.
        unknowns: of one solve.
        memory: of a run on one rank [bytes].
    """

    interface: float
    largest: float
    cells: int
    unknowns: int
    memory: float


class Outlook(NamedTuple):
    """Everything that `femli check` adds to the case itself.

    Args:
        electrode: its resolved numbers.
        layers: None at rest.
        capacity_bound: most that can be stripped [C/m2]; None unless stripping.
        duration: longest the run can last [s]; None if unknown.
        size: None for a mesh file, which is not read.
        warnings: sentences.
    """

    electrode: Electrode
    layers: Layers | None
    capacity_bound: float | None
    duration: float | None
    size: Size | None
    warnings: tuple[str, ...]


def outlook(case: Case) -> Outlook:
    """Scales, estimates and warnings of a case.

    Raises:
        MeshError: the voids asked for are impossible, or there is no such mesh file.
    """
    file = case.geometry.file
    if file is not None and not Path(file).is_file():
        raise MeshError(f"geometry.file: {file}: no such file")
    electrode, current = case.electrode_properties(), case.load.current_density
    layers = None if current == 0.0 else _layers(case, electrode)
    bound = None
    if current > 0.0:
        thickness, stop = case.geometry.electrode_thickness, case.stop
        bound = scales.capacity_bound(electrode, thickness, stop.li_fraction, stop.thickness)
    size = None if case.geometry.kind == "file" else _size(case)
    warnings = _warnings(case, electrode, layers, bound)
    return Outlook(electrode, layers, bound, _duration(case, bound), size, tuple(warnings))


def _layers(case: Case, electrode: Electrode) -> Layers:
    current, x = case.load.current_density, case.stop.li_fraction
    stripped_alloy = x is not None and electrode.li_fraction < 1.0 and current > 0.0
    return Layers(
        scales.recession_velocity(electrode, current),
        scales.contact_stress(electrode, current),
        scales.layer_length(electrode, current),
        scales.composition_length(electrode, current),
        scales.composition_length(electrode, current, x) if stripped_alloy else None,
    )


def _duration(case: Case, bound: float | None) -> float | None:
    """Longest time until a stop that is certain to come."""
    if case.protocol:
        return case.stop.time  # the protocol is told of on its own
    current = abs(case.load.current_density)
    times = [] if case.stop.time is None else [case.stop.time]
    if current > 0.0:
        times += [charge / current for charge in (case.stop.capacity, bound) if charge is not None]
    return min(times, default=None)


def _size(case: Case) -> Size:
    from .mesh_resolution import resolution
    from .seeding import seeded
    from .units import LENGTH

    geometry, dimension = case.geometry, case.geometry.dimension
    voids = seeded(case)
    sizes = resolution(case, voids)
    thickness = geometry.electrode_thickness / LENGTH
    laterals = [geometry.width / LENGTH, (geometry.depth or geometry.width) / LENGTH][: dimension - 1]
    slope = sizes.growth - 1.0
    if voids:
        cells = _graded_cells(sizes.interface, sizes.size, slope, thickness, dimension)
        cells *= math.prod(laterals)
        for void, edge, wall in zip(voids, sizes.edges, sizes.walls, strict=True):
            # In 3D edges and walls ask for cells of much the same size.
            cells += _edge_cells(edge, void.half_width, slope) if dimension == 2 else 0.0
            wall_size = math.pi * void.half_width * (2.0 * void.half_width) ** (dimension - 2)
            cells += wall_size * _graded_cells(wall, sizes.size, slope, (sizes.size - wall) / slope, dimension)
    else:
        cells = _rows(sizes.interface, sizes.size, sizes.growth, thickness)
        for extent, column in zip(laterals, sizes.lateral, strict=True):
            cells *= max(math.ceil(extent / column), 1)
        cells *= {1: 1, 2: 2, 3: 6}[dimension]
    unknowns = (UNKNOWNS if case.electrode.mechanics == "creep" else NODES)[dimension] * cells
    memory = START_BYTES + BYTES[dimension] * unknowns
    return Size(sizes.interface * LENGTH, sizes.size * LENGTH, round(cells), round(unknowns), memory)


def _rows(first: float, largest: float, growth: float, thickness: float) -> int:
    """Number of cells of a line graded from a first to a largest cell."""
    height, cell, rows = 0.0, first, 0
    while height < thickness and cell < largest:
        height += cell
        cell *= growth
        rows += 1
    return rows + max(math.ceil((thickness - height) / largest), 0)


def _graded_cells(first: float, largest: float, slope: float, thickness: float, dimension: int) -> float:
    """Regular simplices for each unit of interface, their size growing linearly with the distance."""
    per_size = {2: 4.0 / math.sqrt(3.0), 3: 6.0 * math.sqrt(2.0)}[dimension]
    height = min((largest - first) / slope, thickness)
    top = first + slope * height
    if dimension == 2:
        graded = (1.0 / first - 1.0 / top) / slope
    else:
        graded = (1.0 / first**2 - 1.0 / top**2) / (2.0 * slope)
    return per_size * (graded + (thickness - height) / largest**dimension)


def _edge_cells(edge: float, half_width: float, slope: float) -> float:
    """Extra triangles at the two edges of a void in 2D, out to its half width."""
    far = edge + slope * half_width
    discs = 2.0 * math.pi * (math.log(far / edge) + edge / far - 1.0) / slope**2
    return discs * 4.0 / math.sqrt(3.0)


def _warnings(case: Case, electrode: Electrode, layers: Layers | None, bound: float | None) -> list[str]:
    found = []
    if layers is not None and electrode.stress_coupling:
        found += _stress_warnings(case, electrode, layers)
    found += _composition_warnings(case, electrode)
    capacity = case.stop.capacity
    if bound is not None and capacity is not None and capacity > bound:
        found.append(
            f"stop.capacity {capacity / MAH_CM2:.4g} mAh/cm^2 is more than the foil can give "
            f"({bound / MAH_CM2:.4g} mAh/cm^2): another stop comes first"
        )
    assumed = list(dict.fromkeys(value.name for value in electrode.provenance if value.assumed))
    if assumed:
        found.append(f"assumed, not measured: {'; '.join(assumed)} (femli materials says why)")
    return found


def _stress_warnings(case: Case, electrode: Electrode, layers: Layers) -> list[str]:
    found = []
    low, high = electrode.creep_stress_range
    # Laterally constrained: the deviator is uniaxial and sigma_eq = 1.5 S.
    stress = 1.5 * layers.stress
    if not low <= stress <= high:
        found.append(
            f"equivalent stress at the contact at the start, {stress / 1e6:.3g} MPa, is outside the range of "
            f"the creep law, {low / 1e6:.3g} to {high / 1e6:.3g} MPa"
        )
    pressure = case.load.stack_pressure
    if pressure < layers.stress and case.load.current_density > 0.0:
        found.append(
            f"stack pressure {pressure / 1e6:.3g} MPa is below S0 = {layers.stress / 1e6:.3g} "
            "MPa: the metal at the contact starts in hydrostatic tension, in which cavities can grow"
        )
    return found


def _composition_warnings(case: Case, electrode: Electrode) -> list[str]:
    found = []
    stop, lowest = case.stop.li_fraction, electrode.li_fraction_range[0]
    alloy, stripping = electrode.li_fraction < 1.0, case.load.current_density > 0.0
    if alloy and stripping and (stop or 0.0) < lowest:
        found.append(f"the contact may fall below x = {lowest:g}, where the laws of this material end")
    library = isinstance(case.electrode.material, str) or case.electrode.material.diffusivity is None
    depleting = case.electrode.diffusivity == "local" and stripping and (stop or 0.0) < 1.0 - MEASURED_HOST
    if alloy and library and (depleting or electrode.li_fraction < 1.0 - MEASURED_HOST):
        found.append("D is measured to 20 at% Mg and extrapolated beyond (x below 0.8)")
    if not alloy and stripping and case.stop.capacity is None and case.stop.time is None:
        found.append("pure lithium never runs out of Li at the contact: the run ends by thickness or contact loss")
    return found
