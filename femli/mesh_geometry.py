"""From a case to the whole mesh with named parts, on one rank. No DOLFINx here."""

from femli import mesh_foil, mesh_gmsh, mesh_parts, mesh_voided
from femli.case import Case, Geometry
from femli.errors import MeshError
from femli.mesh_parts import PartedMesh
from femli.mesh_resolution import Resolution, resolution
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
        return whole, ()
    voids = seeded(case)
    sizes = resolution(case, voids)
    whole = _voided(geometry, voids, sizes) if voids else _plain(geometry, sizes)
    mesh_parts.check(whole)
    return whole, voids


def _plain(geometry: Geometry, sizes: Resolution) -> PartedMesh:
    """Foil without voids, from layers."""
    heights = mesh_foil.graded(geometry.electrode_thickness / LENGTH, sizes.interface, sizes.growth, sizes.size)
    if geometry.dimension == 1:
        return mesh_foil.interval(heights)
    columns = [mesh_foil.even(e, s) for e, s in zip(lateral_extents(geometry), sizes.lateral, strict=True)]
    if geometry.dimension == 2:
        return mesh_foil.rectangle(columns[0], heights, geometry.kind == "axisymmetric")
    return mesh_foil.box(columns[0], columns[1], heights)


def _voided(geometry: Geometry, voids: tuple[SeededVoid, ...], sizes: Resolution) -> PartedMesh:
    """Foil with voids cut from it at the contact, meshed by Gmsh in 2D, axisymmetric or 3D."""
    dimension = geometry.dimension
    extents = [*lateral_extents(geometry), geometry.electrode_thickness / LENGTH]
    with mesh_gmsh.session("the foil with voids could not be meshed") as gmsh:
        occ = gmsh.model.occ
        if dimension == 2:
            body = (2, occ.addRectangle(0.0, 0.0, 0.0, *extents))
        else:
            body = (3, occ.addBox(0.0, 0.0, 0.0, *extents))
        tools = [mesh_voided.tool(occ, dimension, void) for void in voids]
        metal, _ = occ.cut([body], tools)
        occ.synchronize()
        if len(metal) != 1:
            raise MeshError(f"the voids cut the foil into {len(metal)} pieces; it has to stay one")
        boundary = mesh_voided.named_boundary(gmsh, metal, extents, geometry.kind == "axisymmetric")
        mesh_voided.size_fields(gmsh, dimension, voids, sizes, boundary)
        gmsh.model.mesh.generate(dimension)
        whole = mesh_gmsh.arrays(gmsh, dimension, [tag for _, tag in metal], boundary)
    return mesh_parts.placed(mesh_parts.compact(whole), axisymmetric=geometry.kind == "axisymmetric")
