"""Essential conditions by part name."""

from mpi4py import MPI

import numpy as np
from dolfinx import fem
from dolfinx.mesh import entities_to_geometry
from numpy.typing import NDArray

from femli.errors import MeshError
from femli.mesh import Domain, ElectrolyteDomain


def flat_component(
    domain: Domain | ElectrolyteDomain, facets: NDArray[np.int32], part: str
) -> list[tuple[int, NDArray[np.int32]]]:
    """Split facets by the axis that they are normal to: [(component, facets), ...].

    Raises:
        MeshError: a facet is not normal to an axis.
    """
    mesh = domain.mesh
    fdim = mesh.topology.dim - 1
    mesh.topology.create_connectivity(fdim, mesh.topology.dim)
    nodes = entities_to_geometry(mesh, fdim, facets) if len(facets) else np.zeros((0, 1), dtype=np.int32)
    points = mesh.geometry.x[nodes][:, :, : mesh.geometry.dim]
    spread = np.ptp(points, axis=1)  # (facets, components)
    extent = spread.max(axis=1) if fdim else np.ones(len(facets))
    flat = spread <= 1e-9 * np.maximum(extent, 1e-12)[:, None] + 1e-12
    crooked = mesh.comm.allreduce(int(np.sum(~flat.any(axis=1))), op=MPI.SUM)
    if crooked:
        raise MeshError(f"boundary '{part}': {crooked} facets are not parallel to a coordinate plane; it must be plane")
    return [(c, facets[flat[:, c]]) for c in range(mesh.geometry.dim)]


def fixed_components(
    domain: Domain | ElectrolyteDomain, space: fem.FunctionSpace, sticking: bool, crossed: bool = False
) -> list[NDArray[np.int32]]:
    """Dofs of a blocked vector space that are held, one array a component (contact, sides, axis).

    Args:
        domain: mesh and parts.
        space: the blocked space (P2 velocity or P1 mesh velocity); dofs count blocks.
        sticking: the contact holds all components.
        crossed: metal passes through the contact, whose normal component is then not held.
    """
    mesh = domain.mesh
    fdim, dim = mesh.topology.dim - 1, mesh.geometry.dim
    held: list[list[NDArray[np.int32]]] = [[] for _ in range(dim)]
    for part in ("contact", "side", "axis"):
        if part not in domain.facet_names:
            continue
        facets = domain.facet_tags.find(domain.facet_names[part])
        if part == "contact":
            components = [c for c in range(dim) if (c == dim - 1 and not crossed) or (c < dim - 1 and sticking)]
            groups = [(c, facets) for c in components]
        elif part == "axis":
            groups = [(0, facets)]
        else:
            groups = flat_component(domain, facets, part)
        for c, chosen in groups:
            held[c].append(fem.locate_dofs_topological(space, fdim, chosen))
    return [np.unique(np.concatenate(h)).astype(np.int32) if h else np.zeros(0, np.int32) for h in held]


def velocity_conditions(
    domain: Domain, space: fem.FunctionSpace, sticking: bool, crossed: bool = False
) -> list[fem.DirichletBC]:
    """v.n = 0 on contact (unless it is crossed), sides and axis; v = 0 on a sticking contact."""
    bcs = []
    for c, dofs in enumerate(fixed_components(domain, space, sticking, crossed)):
        if space.dofmap.index_map_bs == 1:  # one component: DOLFINx has no sub-space to take
            bcs.append(fem.dirichletbc(fem.Function(space), dofs))
            continue
        # A component's dofs are the blocked ones times the block size plus the component.
        local = dofs * space.dofmap.index_map_bs + c
        bcs.append(fem.dirichletbc(np.float64(0.0), local.astype(np.int32), space.sub(c)))
    return bcs
