"""Result folders made of formulas, in the layout of the real ones: pictures are tested without a solver.

A block of metal stands on z = 0, with half-ellipsoidal voids at the contact. Its grid is a graded box whose
bottom follows the void walls. The fields are formulas of the right sizes: they solve nothing, but each has a
known value.
"""

import json
from pathlib import Path

import numpy as np
import pyvista as pv

STACK_PRESSURE = 2.5e6  # Pa
S0 = 1.75e6  # Pa, drop of pressure at the contact
LAYER = 0.11  # um, its decay length
LI_START, LI_END = 0.95, 0.40
DURATION = 2.0e4  # s
CURRENT = 3.1  # A/m2


def capacity(time: float) -> float:
    """Charge drawn at a time (s), in mAh/cm2."""
    return CURRENT * time / 3.6e4


def li_fraction(depth: np.ndarray, time: float) -> np.ndarray:
    """A depleting boundary layer: LI_START at t = 0, LI_END at the contact at t = DURATION."""
    share = np.sqrt(time / DURATION)
    return LI_START - (LI_START - LI_END) * share * np.exp(-depth / (0.5 + 10.0 * share))


def pressure(depth: np.ndarray, time: float) -> np.ndarray:
    """The closed form of a laterally constrained half space with n = 6.26, relaxing in time."""
    return STACK_PRESSURE - S0 * (1 - 0.5 * time / DURATION) * (1 + depth / LAYER) ** (-2 / 5.26)


def _graded(height: float, first: float = 0.02, growth: float = 1.25) -> np.ndarray:
    steps = [first]
    while sum(steps) < height:
        steps.append(steps[-1] * growth)
    edges = np.concatenate([[0.0], np.cumsum(steps)])
    return edges / edges[-1]


def _lateral(width: float, centres_and_halves: list[tuple[float, float]], count: int, fine: int) -> np.ndarray:
    """Abscissae that hit each void's edges, finer on the void."""
    parts = [np.linspace(0, width, count)]
    for centre, half in centres_and_halves:
        angle = np.linspace(0, np.pi, fine)
        parts.append(centre - half * np.cos(angle))
        parts.append(centre + half * (1 + np.geomspace(0.03, 3, fine // 2 - 2)))
        parts.append(centre - half * (1 + np.geomspace(0.03, 3, fine // 2 - 2)))
    x = np.unique(np.round(np.concatenate(parts), 9))
    x = x[(x >= 0) & (x <= width)]
    return x[np.concatenate([[True], np.diff(x) > 1e-6])]


def _fields(points: np.ndarray, voids: list[tuple[float, ...]], thickness: float, time: float) -> dict:
    """Point arrays by contract name; voids are (x, [y,] half_width, height)."""
    depth = points[:, -1]
    base = pressure(depth, time)
    stress = 1.5 * (STACK_PRESSURE - base)
    flux_speed = 4.17e-10
    velocity = np.zeros((len(points), 3))
    velocity[:, points.shape[1] - 1] = -flux_speed * (1 - np.exp(-depth / 2.0))
    for void in voids:
        *centre, half, height = void
        offset = points[:, :-1] - np.array(centre)
        radius = np.sqrt((offset**2).sum(axis=1) / half**2 + (depth / height) ** 2)
        base = base - 1.2e6 * np.exp(-4 * np.abs(radius - 1)) * np.exp(-((depth / half) ** 2))
        stress = stress + 2e6 * np.exp(-2 * np.abs(radius - 1))
        velocity[:, : offset.shape[1]] += 3e-10 * offset / half * np.exp(-((radius - 1) ** 2))[:, None]
    rate = 2.45e-43 * stress**6.26
    flux = np.zeros((len(points), 3))
    flux[:, points.shape[1] - 1] = -CURRENT / 96485 * np.exp(-depth / 10.0)
    return {
        "li_fraction [-]": li_fraction(depth, time),
        "pressure [Pa]": base,
        "velocity [m/s]": velocity,
        "equivalent_stress [Pa]": stress,
        "strain_rate [1/s]": rate,
        "creep_dissipation [W/m^3]": stress * rate,
        "li_flux [mol/(m^2 s)]": flux,
        "chemical_potential [J/mol]": 8.314 * 303 * np.log(li_fraction(depth, time)),
    }


def _box(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Simplices of a structured box of nodes (C order, last axis fastest)."""
    index = np.arange(len(points)).reshape(shape)
    if len(shape) == 1:
        return np.stack([index[:-1], index[1:]], axis=1)
    if len(shape) == 2:
        a, b, c, d = (s.ravel() for s in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
        return np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    corner = [index[i : i + shape[0] - 1, j : j + shape[1] - 1, k : k + shape[2] - 1].ravel()
              for i in (0, 1) for j in (0, 1) for k in (0, 1)]  # fmt: skip
    paths = [(0, 4, 6, 7), (0, 6, 2, 7), (0, 2, 3, 7), (0, 3, 1, 7), (0, 1, 5, 7), (0, 5, 4, 7)]
    return np.concatenate([np.stack([corner[i] for i in path], axis=1) for path in paths])


def block(dimension: int, width: float, thickness: float, voids: list[tuple[float, ...]], count: int):
    """Points (n, dimension) and simplices of the metal block."""
    levels = _graded(thickness)
    if dimension == 1:
        points = (levels * thickness)[:, None]
        return points, _box(points, (len(levels),))
    fine = 25 if dimension == 2 else 11
    axes = [_lateral(width, [(v[k], v[-2]) for v in voids], count, fine) for k in range(dimension - 1)]
    lateral = np.stack([g.ravel() for g in np.meshgrid(*axes, indexing="ij")], axis=1)
    bottom = np.zeros(len(lateral))
    for *centre, half, height in voids:
        distance = ((lateral - np.array(centre)) ** 2).sum(axis=1) / half**2
        bottom = np.maximum(bottom, height * np.sqrt(np.clip(1 - distance, 0, None)))
    heights = bottom[:, None] + (thickness - bottom)[:, None] * levels
    points = np.column_stack([np.repeat(lateral, len(levels), axis=0), heights.ravel()])
    cells = _box(points, (*(len(a) for a in axes), len(levels)))
    volume = np.abs(np.linalg.det(np.diff(points[cells], axis=1)))
    return points, cells[volume > 1e-12]


def _piece(points: np.ndarray, cells: np.ndarray, fields: dict, rank: int, lagrange: bool) -> pv.UnstructuredGrid:
    used, local = np.unique(cells, return_inverse=True)
    local = local.reshape(cells.shape)
    dimension = points.shape[1]
    kind = {1: 68, 2: 69, 3: 71}[dimension] if lagrange else {1: 3, 2: 5, 3: 10}[dimension]
    padded = np.zeros((len(used), 3))
    padded[:, :dimension] = points[used]
    grid = pv.UnstructuredGrid({kind: local}, padded)
    for name, values in fields.items():
        grid.point_data[name] = values[used]
    grid.cell_data["region [-]"] = np.ones(len(cells), dtype=np.int32)
    grid.cell_data["rank [-]"] = np.full(len(cells), rank, dtype=np.int32)
    return grid


def _parallel_index(piece: pv.UnstructuredGrid, names: list[str]) -> str:
    lines = [
        '<VTKFile type="PUnstructuredGrid" version="0.1" byte_order="LittleEndian">',
        '<PUnstructuredGrid GhostLevel="0">',
        "<PPointData>",
    ]
    for name, values in piece.point_data.items():
        parts = 1 if values.ndim == 1 else values.shape[1]
        lines.append(f'<PDataArray type="Float64" Name="{name}" NumberOfComponents="{parts}"/>')
    lines += ["</PPointData>", "<PCellData>"]
    lines += [f'<PDataArray type="Int32" Name="{name}"/>' for name in piece.cell_data]
    lines += ["</PCellData>", '<PPoints><PDataArray type="Float64" NumberOfComponents="3"/></PPoints>']
    lines += [f'<Piece Source="{name}"/>' for name in names]
    return "\n".join([*lines, "</PUnstructuredGrid>", "</VTKFile>", ""])


def _history(folder: Path, voids: bool, voltage: bool) -> None:
    times = np.concatenate([[0.0], np.geomspace(1e-3, DURATION, 60)])
    zero = np.zeros(1)
    rows = {
        "time [s]": times,
        "capacity [mAh/cm^2]": capacity(times),
        "current_density [A/m^2]": np.full(len(times), CURRENT),
        "li_fraction_interface_min [-]": [li_fraction(zero, t)[0] - 0.01 * voids for t in times],
        "li_fraction_interface_mean [-]": [li_fraction(zero, t)[0] for t in times],
        "pressure_interface_min [Pa]": [pressure(zero, t)[0] - 1.2e6 * voids for t in times],
        "pressure_interface_mean [Pa]": [pressure(zero, t)[0] for t in times],
        "pressure_min [Pa]": [pressure(zero, t)[0] - 1.3e6 * voids for t in times],
        "pressure_min_depth [m]": 1e-6 * np.linspace(0, 3, len(times)),
        "electrode_thickness [m]": 50e-6 - 4.17e-10 * times,
    }
    if voids:
        rows["contact_fraction [-]"] = 0.9 - 0.1 * times / DURATION
        rows["void_count [-]"] = np.full(len(times), 2)
        rows["void_area [m^2]"] = 2e-12 * (1 + times / DURATION)
    if voltage:
        rows["cell_voltage [V]"] = 0.02 + 0.05 * (times / DURATION) ** 4
        rows["overpotential [V]"] = 0.01 + 0.05 * (times / DURATION) ** 4
    rows["li_balance_error [-]"] = 1e-12 * (1 + np.arange(len(times)))
    rows["host_balance_error [-]"] = 1e-13 * (1 + np.arange(len(times)))
    rows["dt [s]"] = np.concatenate([[0.0], np.diff(times)])
    rows["newton_iterations [-]"] = np.full(len(times), 4)
    names = list(rows)
    lines = [",".join(names)] + [",".join(f"{rows[n][k]:.9g}" for n in names) for k in range(len(times))]
    (folder / "history.csv").write_text("\n".join(lines) + "\n")


def write(
    folder: Path,
    dimension: int = 2,
    *,
    axisymmetric: bool = False,
    voids: list[tuple[float, ...]] | None = None,
    frames: int = 4,
    ranks: int = 2,
    width: float = 40.0,
    thickness: float = 50.0,
    count: int = 21,
    lagrange: bool = True,
    voltage: bool = False,
) -> Path:
    """Write a whole result folder; lengths in um, voids as (x, [y,] half_width, height)."""
    voids = voids or []
    (folder / "fields").mkdir(parents=True)
    index = []
    for k in range(frames):
        time = DURATION * k / max(frames - 1, 1)
        height = thickness - 4.17e-4 * time
        points, cells = block(dimension, width, height, voids, count)
        fields = _fields(points, voids, height, time)
        lateral = points[cells].mean(axis=1)[:, 0]
        edges = np.quantile(lateral, np.linspace(0, 1, ranks + 1))
        owner = np.clip(np.searchsorted(edges, lateral, side="right") - 1, 0, ranks - 1)
        pieces = [_piece(points, cells[owner == r], fields, r, lagrange) for r in range(ranks)]
        names = [f"frame_{k:06d}_p{r}.vtu" for r in range(ranks)]
        for piece, name in zip(pieces, names, strict=True):
            piece.save(folder / "fields" / name)
        (folder / "fields" / f"frame_{k:06d}.pvtu").write_text(_parallel_index(pieces[0], names))
        index.append(f'<DataSet timestep="{time!r}" group="" part="0" file="fields/frame_{k:06d}.pvtu"/>')
    head, tail = (
        ['<VTKFile type="Collection" version="0.1">', "<Collection>"],
        ["</Collection>", "</VTKFile>", ""],
    )
    (folder / "fields.pvd").write_text("\n".join([*head, *index, *tail]))
    _history(folder, bool(voids), voltage)
    kind = "axisymmetric" if axisymmetric else "foil"
    (folder / "case.toml").write_text(
        f'title = "A made-up discharge"\n[geometry]\nkind = "{kind}"\ndimension = {dimension}\n'
        f'width = "{width * 1e-6:.15g} m"\nelectrode_thickness = "{thickness * 1e-6:.15g} m"\n'
        f'[load]\ncurrent_density = "{CURRENT} A/m^2"\nstack_pressure = "{STACK_PRESSURE:.15g} Pa"\n'
    )
    (folder / "summary.json").write_text(json.dumps({"stop_reason": "capacity", "time_s": DURATION}))
    return folder


def two_voids(folder: Path, **options) -> Path:
    """The plane foil of most tests: two voids of different size on a contact of 40 um."""
    return write(folder, 2, voids=[(12.0, 1.1, 0.55), (27.0, 2.0, 1.2)], **options)
