"""Reads a result folder back: frames of fields as plain arrays, the history, the case. Needs no solver."""

import json
import tomllib
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyvista
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from femli.errors import CaseError, OutputError

Array = NDArray[Any]

# Cell types by VTK's numbers, its own (3, 5, 9 ...) and the Lagrange ones that DOLFINx writes (68 ...), with
# the simplices made of their corners. Corners come first in both orderings.
SIMPLICES: dict[int, tuple[tuple[int, ...], ...]] = {
    3: ((0, 1),),
    68: ((0, 1),),
    5: ((0, 1, 2),),
    69: ((0, 1, 2),),
    22: ((0, 1, 2),),
    9: ((0, 1, 2), (0, 2, 3)),
    70: ((0, 1, 2), (0, 2, 3)),
    10: ((0, 1, 2, 3),),
    71: ((0, 1, 2, 3),),
    24: ((0, 1, 2, 3),),
}
PRESSURE_UNITS = {"Pa": 1.0, "kPa": 1e3, "MPa": 1e6, "GPa": 1e9, "bar": 1e5}
NEEDED = ("li_fraction [-]", "pressure [Pa]")
NEEDED_ALONE = NEEDED[:1]  # of a run without mechanics


class Frame(NamedTuple):
    """The fields at one time.

    Attributes:
        time: s.
        capacity: mAh/cm2, or None where no history tells it.
        points: (n, d) in um, the last coordinate is the distance from the interface.
        cells: (m, d + 1) node numbers of lines, triangles or tetrahedra.
        fields: point arrays by their name with unit, (n,) or (n, 3).
    """

    time: float
    capacity: float | None
    points: Array
    cells: Array
    fields: dict[str, Array]

    @property
    def dimension(self) -> int:
        """1, 2 or 3."""
        return self.points.shape[1]


class Run(NamedTuple):
    """A result folder: what is small, and where the frames are."""

    folder: Path
    title: str
    kind: str
    stack_pressure: float | None  # Pa
    history: pd.DataFrame | None
    summary: dict[str, Any]
    times: tuple[float, ...]  # s, one a frame
    files: tuple[Path, ...]
    below: Mapping[float, Path] = MappingProxyType({})  # the electrolyte's frames by time; empty where there is none
    needed: tuple[str, ...] = NEEDED  # arrays that every frame must have

    @property
    def axisymmetric(self) -> bool:
        """True where the fields are given on the half plane (r, z)."""
        return self.kind == "axisymmetric"

    def frame(self, number: int) -> Frame:
        """Read one frame (negative numbers count from the end).

        Raises:
            OutputError: the file is absent, damaged, or lacks the composition or, with mechanics, the pressure.
        """
        time = self.times[number]
        return _frame(self.files[number], time, self.capacity(time), self.needed)

    def electrolyte(self, time: float) -> Frame | None:
        """Read the electrolyte's frame at the time [s] of one of the electrode's; None where there is none."""
        if time not in self.below:
            return None
        return _frame(self.below[time], time, self.capacity(time), ("potential [V]", "current_density [A/m^2]"))

    def capacity(self, time: float) -> float | None:
        """Charge drawn at a time in mAh/cm2, by the history."""
        if self.history is None or "capacity [mAh/cm^2]" not in self.history:
            return None
        return float(np.interp(time, self.history["time [s]"], self.history["capacity [mAh/cm^2]"]))


def read(folder: Path) -> Run:
    """Open a result folder; a run that is still going on may be opened too.

    Raises:
        CaseError: the folder is absent or holds no results.
        OutputError: a file is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CaseError(f"{folder}: no such folder; allowed: a result folder of `femli run`")
    index, table = folder / "fields.pvd", folder / "history.csv"
    if not index.exists() and not table.exists():
        raise CaseError(f"{folder}: holds neither fields.pvd nor history.csv; allowed: a result folder of `femli run`")
    case = _toml(folder / "case.toml")
    geometry, load = case.get("geometry", {}), case.get("load", {})
    times, files = _index(index) if index.exists() else ((), ())
    other = folder / "electrolyte.pvd"
    below = dict(zip(*_index(other), strict=True)) if other.exists() else {}
    return Run(
        folder=folder,
        title=str(case.get("title") or folder.resolve().name),
        kind=str(geometry.get("kind", "foil")),
        stack_pressure=_pascal(load.get("stack_pressure")),
        history=_history(table) if table.exists() else None,
        summary=_json(folder / "summary.json"),
        times=times,
        files=files,
        below=below,
        needed=NEEDED_ALONE if case.get("electrode", {}).get("mechanics") == "none" else NEEDED,
    )


def table(path: Path, *, complete: bool = True, words: tuple[str, ...] = ()) -> pd.DataFrame:
    """A CSV file of numbers whose header names the columns.

    Args:
        path: the file.
        complete: False where the last line may be half written; it then counts only with its line end.
        words: columns that hold words.

    Raises:
        OutputError: it cannot be read as such.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if not complete:
            text = text[: text.rfind("\n") + 1]
        kinds = dict.fromkeys(words, str)
        frame = pd.read_csv(StringIO(text), comment="#", skipinitialspace=True, dtype=kinds)
    except (OSError, ValueError) as error:  # pandas' own errors, and those of decoding, are ValueErrors
        raise OutputError(f"{path}: is not a readable CSV file ({error})") from error
    frame.columns = [str(name).strip() for name in frame.columns]
    judged = [name for name in frame.columns if name not in words and len(frame)]  # no rows, no numbers to be wrong
    wrong = [name for name in judged if not pd.api.types.is_numeric_dtype(frame[name])]
    if wrong:
        raise OutputError(f"{path}: column {wrong[0]!r} holds something that is not a number")
    return frame


def _history(path: Path) -> pd.DataFrame:
    frame = table(path, complete=False)  # a run that was killed leaves half a line
    if "time [s]" not in frame:
        raise OutputError(f"{path}: lacks the column 'time [s]'; it may be damaged")
    frame = frame.dropna(subset=["time [s]"]).drop_duplicates("time [s]", keep="last")
    if frame.empty:
        raise OutputError(f"{path}: has no complete row")
    return frame.sort_values("time [s]", ignore_index=True)


def _toml(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OutputError(f"{path}: is damaged ({error})") from error


def _json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise OutputError(f"{path}: is damaged ({error})") from error
    if not isinstance(content, dict):
        raise OutputError(f"{path}: is damaged (not a table of keys)")
    return content


def _pascal(text: object) -> float | None:
    """A pressure such as "5 MPa"; None for anything else, since pictures can do without it."""
    number, _, unit = str(text).strip().partition(" ")
    try:
        return float(number) * PRESSURE_UNITS[unit.strip()]
    except (ValueError, KeyError):
        return None


def _index(path: Path) -> tuple[tuple[float, ...], tuple[Path, ...]]:
    """Times and files of the frames, in the order of time."""
    try:
        entries = ElementTree.parse(path).getroot().findall("Collection/DataSet")
        found = sorted((float(entry.attrib["timestep"]), path.parent / entry.attrib["file"]) for entry in entries)
    except (ElementTree.ParseError, KeyError, ValueError, OSError) as error:
        raise OutputError(f"{path}: is damaged ({error})") from error
    if not found:
        raise OutputError(f"{path}: is damaged (it names no frame)")
    return tuple(time for time, _ in found), tuple(file for _, file in found)


def _pieces(path: Path) -> list[Path]:
    """The files behind a .pvtu, so that a missing one is named (VTK leaves it out without an error)."""
    if path.suffix != ".pvtu":
        return [path]
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise OutputError(f"{path}: is damaged ({error})") from error
    return [path.parent / piece.attrib["Source"] for piece in root.iter("Piece") if "Source" in piece.attrib]


def _frame(path: Path, time: float, capacity: float | None, needed: tuple[str, ...]) -> Frame:
    for file in [path, *(_pieces(path) if path.exists() else [])]:
        if not file.exists():
            raise OutputError(f"{file}: is missing, though the index of the fields names it")
    try:
        # Where a file is damaged, VTK goes on with a part of the grid or nothing; PyVista warns of that.
        with pyvista.vtk_verbosity("off"), warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            grid = pyvista.read(path)
    except (OSError, RuntimeError, ValueError, UserWarning, ElementTree.ParseError) as error:
        raise OutputError(f"{path}: is damaged ({error})") from error
    if not isinstance(grid, pyvista.UnstructuredGrid) or grid.n_cells == 0:
        raise OutputError(f"{path}: is damaged or empty")
    missing = [name for name in needed if name not in grid.point_data]
    if missing:
        raise OutputError(f"{path}: lacks the point array {missing[0]!r}; it may be damaged")
    return _plain(grid, path, time, capacity)


def _plain(grid: pyvista.UnstructuredGrid, path: Path, time: float, capacity: float | None) -> Frame:
    """Simplices and point arrays, each node once although ranks share nodes."""
    simplices: list[Array] = []
    for kind, corners_of in grid.cells_dict.items():
        found: Array = np.asarray(corners_of)
        if int(kind) not in SIMPLICES:
            raise OutputError(f"{path}: holds cells of VTK type {kind}, of which no picture can be made")
        simplices += [found[:, list(corners)] for corners in SIMPLICES[int(kind)]]
    dimension = max(part.shape[1] for part in simplices) - 1
    cells: Array = np.concatenate([part for part in simplices if part.shape[1] == dimension + 1])
    coordinates = np.asarray(grid.points, dtype=float)[:, :dimension]
    first, node = _merged(coordinates)
    cells = node[cells]
    used, cells = np.unique(cells, return_inverse=True)  # drops the inner nodes of quadratic cells
    keep = first[used]
    fields = {name: np.asarray(values)[keep] for name, values in grid.point_data.items()}
    if not all(np.isfinite(values).all() for values in fields.values()):
        raise OutputError(f"{path}: holds values that are not finite numbers")
    return Frame(time, capacity, coordinates[keep], cells.reshape(-1, dimension + 1), fields)


def _merged(coordinates: Array) -> tuple[Array, Array]:
    """One representative of each group of equal nodes, and the group of every node.

    Ranks write a shared node twice, with the same digits up to round-off.
    """
    size = float(np.ptp(coordinates, axis=0).max()) or 1.0
    pairs = cKDTree(coordinates).query_pairs(1e-9 * size, output_type="ndarray")
    count = len(coordinates)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, node = connected_components(graph, directed=False)
    _, first = np.unique(node, return_index=True)
    return first, node
