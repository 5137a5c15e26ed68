"""The rooms of the house import downwards only (docs: module map in README.md).

The rooms of the table have a height; a room that is not listed may stand anywhere, as long as nothing reaches
upwards through it. ``name_more.py`` is a part of the room ``name``.
"""

import ast
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parent.parent / "femli"

HEIGHTS = {
    "errors": 0,
    "units": 0,
    "tables": 0,
    "materials": 1,
    "library": 2,
    "laws": 2,
    "voids": 1,
    "case": 3,
    "forms": 3,
    "mesh": 4,
    "fields": 4,
    "bcs": 4,
    "electrolyte": 4,
    "solver": 4,
    "motion": 4,
    "remesh": 4,
    "stepper": 5,
    "outputs": 5,
    "evolution": 5,
    "simulation": 6,
    "render": 6,
    "sweep": 6,
    "converge": 6,
    "calibrate": 6,
    "__init__": 7,
    "__main__": 7,
}
# Outside package -> the only rooms that import it, at whatever place.
OWNERS = {
    "gmsh": {"mesh"},
    "pyvista": {"render"},
    "pydantic": {"materials", "case", "sweep", "calibrate"},
    "executorlib": {"sweep"},
    "pint": {"units", "case"},
}
# These start fast (`femli check`, `femli materials`, `femli render`): no solver when they are imported.
LIGHT = {"errors", "units", "tables", "materials", "library", "case", "render", "sweep", "__init__", "__main__"}
SOLVER = {"dolfinx", "mpi4py", "petsc4py"}
# The physics is read and tested without a mesh or PETSc: of the outside only UFL.
PURE = {"laws": {"ufl", "typing", "math", "collections", "__future__"}}
PURE["forms"] = PURE["laws"]
PURE["voids"] = PURE["voids_tracking"] = {"numpy", "scipy", "collections", "typing"}
# Pictures are made from files alone.
ALONE = {"render": {"errors", "render"}}


class Import(NamedTuple):
    """One import: the dotted module, and whether it runs when the importing file is loaded."""

    module: str
    at_load: bool


def imports(tree: ast.AST, at_load: bool = True) -> list[Import]:
    """List the imports in a syntax tree; those in functions and under TYPE_CHECKING do not run at load."""
    found = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, at_load) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "femli" + (f".{node.module}" if node.module else "") if node.level else str(node.module)
            names = [f"{base}.{alias.name}" for alias in node.names] if base == "femli" else [base]
            found += [Import(name, at_load) for name in names]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            found += imports(node, False)
        else:
            later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            found += imports(node, at_load and not later)
    return found


def room(file: str) -> str:
    """Return the room that a file (stem) belongs to."""
    return next((name for name in HEIGHTS if file.startswith(name + "_")), file)


def read(package: Path) -> tuple[dict[str, list[Import]], dict[str, list[Import]]]:
    """Return the imports of each file (stem): those inside the package, and those from outside by name."""
    inside, outside = {}, {}
    files = {path.stem: path for path in sorted(package.glob("*.py"))}
    for stem, path in files.items():
        every = imports(ast.parse(path.read_text()))
        own = [(item.module + ".__init__").split(".")[1] for item in every if item.module.startswith("femli")]
        own = [name if name in files or name in HEIGHTS else "__init__" for name in own]
        flags = [item.at_load for item in every if item.module.startswith("femli")]
        inside[stem] = [Import(name, flag) for name, flag in zip(own, flags, strict=True)]
        others = [item for item in every if not item.module.startswith("femli")]
        outside[stem] = [Import(item.module.split(".")[0], item.at_load) for item in others]
    return inside, outside


def reached(start: str, inside: dict[str, list[Import]], at_load_only: bool = False) -> set[str]:
    """Return the files that a file imports, directly or through others."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        below = [item for item in inside.get(waiting.pop(), []) if item.at_load or not at_load_only]
        new = {item.module for item in below} - seen
        seen |= new
        waiting += new
    return seen


def direction_faults(inside: dict[str, list[Import]]) -> list[str]:
    """List imports that go upwards or in a circle."""
    faults = []
    for file in inside:
        below = reached(file, inside)
        if file in below:
            faults.append(f"{file} imports itself in a circle")
        height = HEIGHTS.get(room(file))
        for other in sorted(below):
            if height is not None and HEIGHTS.get(room(other), -1) > height:
                faults.append(f"{file} reaches up to {other}")
            if room(file) in ALONE and room(other) not in ALONE[room(file)]:
                faults.append(f"{file} imports {other}")
    return faults


def outside_faults(inside: dict[str, list[Import]], outside: dict[str, list[Import]]) -> list[str]:
    """List imports of outside packages by rooms that must not have them."""
    faults = []
    for file, items in outside.items():
        names = {item.module for item in items}
        for package, owners in OWNERS.items():
            if package in names and room(file) not in owners:
                faults.append(f"{file} imports {package}")
        if file in PURE:
            faults += [f"{file} imports {name}" for name in sorted(names - PURE[file])]
        if room(file) in LIGHT:
            loaded = {file} | reached(file, inside, at_load_only=True)
            heavy = {item.module for name in loaded for item in outside[name] if item.at_load} & SOLVER
            faults += [f"{file} loads {name} when it is imported" for name in sorted(heavy)]
    return faults


def test_rooms_import_downwards_only() -> None:
    # Exact: no fault. Source: the list of directions in the module map.
    inside, outside = read(PACKAGE)
    assert "errors" in inside
    assert direction_faults(inside) == []
    assert outside_faults(inside, outside) == []


def bad_package(folder: Path, **files: str) -> tuple[dict[str, list[Import]], dict[str, list[Import]]]:
    """Write a package with one fault or more and read it as the real one is read."""
    for stem, text in {"errors": "", "__init__": "", **files}.items():
        (folder / f"{stem}.py").write_text(text)
    return read(folder)


def test_an_import_upwards_is_found(tmp_path: Path) -> None:
    # Exact: forms (height 3) reaches solver (4) through a room without a height. Source: written so below.
    inside, _ = bad_package(
        tmp_path, forms="from .shapes import a", shapes="def f():\n    from femli import solver", solver=""
    )
    assert direction_faults(inside) == ["forms reaches up to solver"]


def test_a_circle_is_found(tmp_path: Path) -> None:
    # Exact: two rooms of one height that import each other, both named. Source: written so below.
    inside, _ = bad_package(tmp_path, fields="import femli.bcs", bcs="from femli.fields import f")
    assert direction_faults(inside) == [
        "fields imports itself in a circle",
        "bcs imports itself in a circle",
    ] or (direction_faults(inside) == ["bcs imports itself in a circle", "fields imports itself in a circle"])


def test_pictures_stand_alone(tmp_path: Path) -> None:
    # Exact: render may import errors and its own parts, nothing else. Source: written so below.
    inside, _ = bad_package(tmp_path, render="from femli import errors, render_style, case", render_style="", case="")
    assert direction_faults(inside) == ["render imports case"]


def test_outside_packages_have_one_owner(tmp_path: Path) -> None:
    # Exact: gmsh belongs to mesh alone, and laws know nothing but UFL. Source: written so below.
    read_in = bad_package(tmp_path, mesh_foil="import gmsh", outputs="import gmsh", laws="import ufl, numpy as np")
    assert outside_faults(*read_in) == ["laws imports numpy", "outputs imports gmsh"]


def test_a_slow_start_is_found(tmp_path: Path) -> None:
    # Exact: case loads DOLFINx through another room, __main__ only when called. Source: written so below.
    read_in = bad_package(
        tmp_path,
        case="from femli.scales import a",
        scales="if True:\n    from dolfinx import fem",
        __main__="def main():\n    from femli import scales\n    import mpi4py",
    )
    assert outside_faults(*read_in) == ["case loads dolfinx when it is imported"]
