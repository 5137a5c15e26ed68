"""Gmsh on this rank: started silent and reproducible, its meshes as arrays, .msh files read and written.

Nothing here needs DOLFINx.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from femli import mesh_electrolyte, mesh_parts
from femli.errors import MeshError
from femli.mesh_parts import BOUNDARIES, REGIONS, PartedMesh

GMSH_SIMPLEX = {0: 15, 1: 1, 2: 2, 3: 4}  # Gmsh's numbers of the straight simplices, by dimension


@contextmanager
def session(what: str) -> Iterator[Any]:
    """Gmsh, silent and reproducible; its failures become MeshError, and it is always shut down.

    Args:
        what: the beginning of the message, where Gmsh fails.
    """
    try:
        import gmsh  # only the rank that meshes needs it and its system libraries
    except (ImportError, OSError) as error:
        raise MeshError(
            f"Gmsh cannot be loaded: {error}. On Debian or Ubuntu: "
            "apt-get install libgl1 libglu1-mesa libxcursor1 libxft2 libxinerama1"
        ) from error
    gmsh.initialize(interruptible=False)
    try:
        for option, value in (
            ("General.Terminal", 0),
            ("General.NumThreads", 1),
            ("Mesh.RandomSeed", 1),
            ("Mesh.MeshSizeFromPoints", 0),
            ("Mesh.MeshSizeFromCurvature", 0),
            ("Mesh.MeshSizeExtendFromBoundary", 0),
            ("Mesh.Algorithm", 6),
            ("Mesh.Algorithm3D", 1),
        ):
            gmsh.option.setNumber(option, value)
        yield gmsh
    except Exception as error:
        if type(error) is not Exception:  # Gmsh raises bare Exception; everything else is not its doing
            raise
        raise MeshError(f"{what}: Gmsh says: {error}") from error
    finally:
        gmsh.finalize()


def arrays(gmsh: Any, dimension: int, bodies: dict[int, str], boundary: dict[int, str]) -> PartedMesh:
    """The mesh that Gmsh holds, as arrays: cells of the bodies by their region, facets of the named entities."""
    labels, coordinates, _ = gmsh.model.mesh.getNodes()
    order = np.argsort(labels)
    points = coordinates.reshape(-1, 3)[order, :dimension]
    cells = {tag: _simplices(gmsh, dimension, tag, labels[order]) for tag in bodies}
    regions = np.concatenate([np.full(len(c), REGIONS[bodies[tag]]) for tag, c in cells.items()])
    for name in {"electrode", *bodies.values()}:
        if not (regions == REGIONS[name]).any():
            raise MeshError(f"the region {name} has no cells")
    facets = {tag: _simplices(gmsh, dimension - 1, tag, labels[order]) for tag in boundary}
    tags = np.concatenate([np.full(len(f), BOUNDARIES[boundary[tag]]) for tag, f in facets.items()])
    several = regions if len(np.unique(regions)) > 1 else None
    return PartedMesh(
        points, np.concatenate(list(cells.values())), np.concatenate(list(facets.values())), tags, several
    )


def _simplices(gmsh: Any, dimension: int, tag: int, labels: np.ndarray) -> np.ndarray:
    """Nodes of the cells of an entity of a dimension, as places among the sorted labels, (cells, nodes)."""
    kinds, _, nodes = gmsh.model.mesh.getElements(dimension, tag)
    other = [gmsh.model.mesh.getElementProperties(k)[0] for k in kinds if k != GMSH_SIMPLEX[dimension]]
    if other:
        raise MeshError(
            f"the mesh has cells of kind {', '.join(other)}; allowed: straight intervals, triangles, tetrahedra"
        )
    found = nodes[0] if len(nodes) else np.empty(0, dtype=np.int64)
    return np.searchsorted(labels, np.asarray(found)).reshape(-1, dimension + 1)


def save(whole: PartedMesh, path: Path, scale: float) -> None:
    """Write a mesh with named parts by Gmsh.

    Args:
        whole: the mesh, um.
        path: a name that ends in .msh.
        scale: units of the file in one um (1e-6: metres).

    Raises:
        MeshError: Gmsh cannot write the file.
    """
    d = whole.dimension
    with session(f"{path} could not be written") as gmsh:
        model = gmsh.model
        coordinates = np.zeros((len(whole.points), 3))
        coordinates[:, :d] = whole.points * scale
        regions = np.full(len(whole.cells), REGIONS["electrode"]) if whole.regions is None else whole.regions
        for number, (name, tag) in enumerate(REGIONS.items()):
            if not (regions == tag).any():
                continue
            region = model.addDiscreteEntity(d)
            if number == 0:  # all points belong to the first entity: regions share those of the contact
                model.mesh.addNodes(d, region, np.arange(1, len(coordinates) + 1), coordinates.ravel())
            model.mesh.addElementsByType(region, GMSH_SIMPLEX[d], [], (whole.cells[regions == tag] + 1).ravel())
            model.addPhysicalGroup(d, [region], tag, name)
        for name, tag in whole.names().items():
            entity = model.addDiscreteEntity(d - 1)
            model.mesh.addElementsByType(entity, GMSH_SIMPLEX[d - 1], [], (whole.part(name) + 1).ravel())
            model.addPhysicalGroup(d - 1, [entity], tag, name)
        gmsh.write(str(path))


def read(path: str | Path, dimension: int, scale: float) -> PartedMesh:
    """A user's .msh with femli's part names, moved so that the contact lies at 0.

    Args:
        path: the file.
        dimension: what the case expects.
        scale: um in one unit of the file.

    Raises:
        MeshError: no such file, not readable, another dimension, missing or unknown names, or what
            `mesh_electrolyte.check` refuses; the message begins with the file's name.
    """
    if not Path(path).is_file():
        raise MeshError(f"{path}: there is no such mesh file")
    try:
        with session("it could not be read as a Gmsh .msh") as gmsh:
            gmsh.merge(str(path))
            whole = _named(gmsh, dimension)
        whole = mesh_parts.compact(whole._replace(points=whole.points * scale))
        whole = mesh_parts.placed(whole, axisymmetric="axis" in whole.names())
        mesh_electrolyte.check(whole)
    except MeshError as error:
        raise MeshError(f"{path}: {error}") from error
    return whole


def _named(gmsh: Any, dimension: int) -> PartedMesh:
    """The mesh that Gmsh has just read, after a check of its dimension and names."""
    if gmsh.model.getDimension() != dimension:
        raise MeshError(f"the mesh has dimension {gmsh.model.getDimension()}, but geometry.dimension is {dimension}")
    regions = _groups(gmsh, dimension, REGIONS)
    names = _groups(gmsh, dimension - 1, BOUNDARIES)
    found = sorted({*regions.values(), *names.values()})
    missing = [name for name in ("electrode", *mesh_parts.REQUIRED) if name not in found]
    if missing:
        raise MeshError(
            f"no part named {', '.join(missing)}; needed: region electrode, boundaries "
            f"{', '.join(mesh_parts.REQUIRED)}; found: {', '.join(found) or 'none'}"
        )
    nameless = len(gmsh.model.getEntities(dimension)) - len(regions)
    if nameless:
        raise MeshError(f"{nameless} regions have no name; every cell has to be in one of {', '.join(REGIONS)}")
    others = gmsh.model.mesh.getNodes()[1].reshape(-1, 3)[:, dimension:]
    if others.size and np.ptp(others, axis=0).max() > 0.0:
        raise MeshError(
            f"a {dimension}D mesh lies {'along x' if dimension == 1 else 'in the x-y plane'}; here the other "
            f"coordinates vary by {np.ptp(others, axis=0).max():.4g}"
        )
    return arrays(gmsh, dimension, regions, names)


def _groups(gmsh: Any, dim: int, allowed: dict[str, int]) -> dict[int, str]:
    """Name of each entity that belongs to a physical group of one dimension."""
    names: dict[int, str] = {}
    for _, group in gmsh.model.getPhysicalGroups(dim):
        name = gmsh.model.getPhysicalName(dim, group)
        if name not in allowed:
            raise MeshError(
                f"unknown part {name or f'number {group} (without a name)'} of dimension {dim}; "
                f"allowed: {', '.join(allowed)}"
            )
        for entity in gmsh.model.getEntitiesForPhysicalGroup(dim, group).tolist():
            if names.setdefault(entity, name) != name:
                raise MeshError(f"an entity of dimension {dim} belongs to both {names[entity]} and {name}")
    return names
