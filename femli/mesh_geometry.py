"""From a case to the whole mesh with named parts, on one rank. No DOLFINx here."""

import numpy as np

from femli import mesh_electrolyte, mesh_foil, mesh_gmsh, mesh_outline, mesh_parts, mesh_voided
from femli.case import Case
from femli.case_geometry import Geometry
from femli.errors import MeshError
from femli.mesh_parts import Floats, PartedMesh
from femli.mesh_resolution import Resolution, resolution
from femli.mesh_underlay import Underlay
from femli.remesh_outline import Outline
from femli.seeding import SeededVoid, lateral_extents, seeded
from femli.units import LENGTH


def parted(case: Case) -> tuple[PartedMesh, tuple[SeededVoid, ...]]:
    """The whole mesh of a case with named parts, and its voids (um); on one rank, no communication.

    Raises:
        MeshError: the geometry is impossible, Gmsh fails, or a user's file is not usable.
    """
    geometry = case.geometry
    if geometry.kind == "file":
        if geometry.file is None:
            raise MeshError("geometry.file: kind = 'file' needs the name of a .msh")
        whole = mesh_gmsh.read(geometry.file, geometry.dimension, geometry.length_unit / LENGTH)
        mesh_electrolyte.agree(whole, case.electrolyte is not None, geometry.file)
        return whole, ()
    voids = seeded(case)
    sizes = resolution(case, voids)
    depth, largest = electrolyte_size(case)
    if voids:
        whole = _voided(geometry, voids, sizes, depth, largest)
    elif case.opening is not None:
        whole = _flat(geometry, sizes, Underlay(depth, largest) if depth else None)
    else:
        whole = _plain(geometry, sizes)
        if depth:
            # The potential is linear in depth there: the cells only have to fit those of the metal.
            first = min(depth / 20.0, largest)
            whole = mesh_electrolyte.joined(
                whole, _layers(geometry, sizes, mesh_foil.graded(depth, first, 1.3, largest))
            )
    mesh_electrolyte.check(whole)
    return whole, voids


def electrolyte_size(case: Case) -> tuple[float, float]:
    """Thickness of the electrolyte and its largest cell, um; zeros without one."""
    if case.electrolyte is None:
        return 0.0, 0.0
    depth, size = case.electrolyte.thickness / LENGTH, case.electrolyte.size
    return depth, size / LENGTH if size is not None else depth / 10.0


def _plain(geometry: Geometry, sizes: Resolution) -> PartedMesh:
    """Foil without voids, from layers."""
    heights = mesh_foil.graded(geometry.electrode_thickness / LENGTH, sizes.interface, sizes.growth, sizes.size)
    return _layers(geometry, sizes, heights)


def _flat(geometry: Geometry, sizes: Resolution, under: Underlay | None) -> PartedMesh:
    """Foil without voids yet, of cells that are not flat."""
    ends = np.array([[0.0, 0.0], [lateral_extents(geometry)[0], 0.0]])
    top = ends + np.array([0.0, geometry.electrode_thickness / LENGTH])
    outline = Outline(ends, np.array([False]), top, geometry.kind == "axisymmetric")
    wanted = mesh_outline.sizes_of(outline, sizes)
    return mesh_outline.meshed(mesh_outline.resampled(outline, wanted), wanted, under)


def _layers(geometry: Geometry, sizes: Resolution, heights: Floats) -> PartedMesh:
    """A laterally uniform body on given heights, contact at the first of them."""
    if geometry.dimension == 1:
        return mesh_foil.interval(heights)
    columns = [mesh_foil.even(e, s) for e, s in zip(lateral_extents(geometry), sizes.lateral, strict=True)]
    if geometry.dimension == 2:
        return mesh_foil.rectangle(columns[0], heights, geometry.kind == "axisymmetric")
    return mesh_foil.box(columns[0], columns[1], heights)


def _voided(
    geometry: Geometry, voids: tuple[SeededVoid, ...], sizes: Resolution, depth: float, largest: float
) -> PartedMesh:
    """Foil with voids cut from it at the contact, meshed by Gmsh in 2D, axisymmetric or 3D; an electrolyte below.

    Args:
        geometry: of the metal.
        voids: to be cut from it.
        sizes: of its cells.
        depth: thickness of the electrolyte, um; 0 without one.
        largest: its largest cell, um.
    """
    dimension, axis = geometry.dimension, geometry.kind == "axisymmetric"
    extents = [*lateral_extents(geometry), geometry.electrode_thickness / LENGTH]
    with mesh_gmsh.session("the foil with voids could not be meshed") as gmsh:
        occ = gmsh.model.occ
        if dimension == 2:
            body = (2, occ.addRectangle(0.0, 0.0, 0.0, *extents))
        else:
            body = (3, occ.addBox(0.0, 0.0, 0.0, *extents))
        tools = [mesh_voided.tool(occ, dimension, void) for void in voids]
        metal, _ = occ.cut([body], tools)
        below: list[tuple[int, int]] = []
        if depth and len(metal) == 1:
            corner = (0.0,) * (dimension - 1) + (-depth,)
            if dimension == 2:
                slab = (2, occ.addRectangle(*corner, 0.0, extents[0], depth))
            else:
                slab = (3, occ.addBox(*corner, extents[0], extents[1], depth))
            # Both bodies then own the same faces of the contact, and so the same points.
            _, (metal, below) = occ.fragment(metal, [slab])
        occ.synchronize()
        if len(metal) != 1:
            raise MeshError(f"the voids cut the foil into {len(metal)} pieces; it has to stay one")
        boundary = mesh_voided.named_boundary(gmsh, metal, extents, axis)
        mesh_voided.size_fields(gmsh, dimension, voids, sizes, boundary, largest)
        boundary |= mesh_voided.electrolyte_boundary(gmsh, below, boundary, extents, depth, axis) if below else {}
        gmsh.model.mesh.generate(dimension)
        bodies = {tag: "electrode" for _, tag in metal} | {tag: "electrolyte" for _, tag in below}
        whole = mesh_gmsh.arrays(gmsh, dimension, bodies, boundary)
    return mesh_parts.placed(mesh_parts.compact(whole), axisymmetric=axis)
