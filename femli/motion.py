"""The mesh follows the metal: mesh velocity w with w.n = v.n on moving boundaries, and where the nodes go.

On collector and void walls the velocity of the P1 mesh is matched to the P2 velocity of the metal weakly, node by node
(int w.n q = int v.n q for every P1 test function q): then the domain's volume changes by exactly what the balances
say. A triple line can only slide in the plane of the contact, which moves nearly no volume where the wall lies flat; it
goes with the metal, and its share is met by its neighbours on the wall (in 3D where the wall is flat, and so do tips).
Inside, w is its harmonic extension.
"""

from mpi4py import MPI  # before dolfinx

import basix
import numpy as np
import ufl
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from numpy.typing import NDArray
from petsc4py import PETSc

from femli import bcs
from femli.fields import Fields, assemble, cell_determinants, largest
from femli.fields_forms import bound
from femli.mesh_parts import FLATNESS
from femli.motion_extension import HarmonicExtension, iterative
from femli.motion_sharing import sharing_matrix

Array = NDArray[np.float64]

# In 3D edges of voids whose wall stands steeper than this (sine of its angle) are matched like its other nodes.
STEEP = 0.5
NEAR = 0.2  # a wall node is about to land when it is this low, over the size of the wall there


class Motion:
    """Mesh velocity and node positions of one mesh.

    Walls of voids follow the metal, or, where Li enters or leaves them, what `supply` says; `surface` comes on top.

    Args:
        fields: what the run owns; `fields.w` is set here.
    """

    def __init__(self, fields: Fields) -> None:
        self.supply: Array | None = None  # int w.n q of void walls that is asked for, owned P1 dofs [um^dim/h]
        self.surface: Array | None = None  # what diffusion along walls adds to it
        self.fields = fields
        mesh = fields.domain.mesh
        self.mesh, self.dim = mesh, mesh.geometry.dim
        self.space = fields.w.function_space
        self.scalar = fields.u.p.function_space
        index_map = self.scalar.dofmap.index_map
        self.owned, self.local = index_map.size_local, index_map.size_local + index_map.num_ghosts
        self.metal = fem.Function(self.space)  # the metal's velocity at the vertices
        self.orientation = np.sign(cell_determinants(self.mesh))
        self._vertex_dofs()
        self._parts()
        self._matching_forms()
        self.plane_collector = self._plane_collector()
        fixed = [self.moving | self.held[:, c] for c in range(self.dim)]
        self.extension = HarmonicExtension(self.mesh, self.scalar, fixed)
        self.wall_size = self._wall_size()
        if self.dim == 3:
            self._carry_sharp_nodes()
        self.sharing = sharing_matrix(self.fields, self.carried)
        self.first_wall_height = self.wall_height()[0]

    def close(self) -> None:
        """Give back what PETSc holds; nothing works afterwards."""
        self.extension.close()
        for owned in (*self.mass, self.sharing, self.work, self.result):
            owned.destroy()

    def _wall_size(self) -> Array:
        """Size of the wall facets around each P1 dof [um], zero off the walls."""
        size = fem.Function(self.scalar)
        f, q = self.fields.frame, ufl.TestFunction(self.scalar)
        form = bound(q * f.ds(f.parts["void"]) + self.fields.k.zero * q * f.dx)
        assemble(size, form)
        return size.x.array ** (1 / max(self.dim - 1, 1))

    def _vertex_dofs(self) -> None:
        """For each P1 dof the P2 block dof at the same vertex."""
        p2, p1 = self.fields.u.v.function_space.dofmap.list, self.scalar.dofmap.list
        self.p2_of_p1 = np.empty(self.local, dtype=np.int32)
        self.p2_of_p1[p1.ravel()] = p2[:, : p1.shape[1]].ravel()

    def _flags(self, part: str) -> NDArray[np.bool_]:
        """1 at the P1 dofs of a part, on all ranks that see them."""
        flag = fem.Function(self.scalar)
        domain = self.fields.domain
        if part in domain.facet_names:
            facets = domain.facet_tags.find(domain.facet_names[part])
            flag.x.array[fem.locate_dofs_topological(self.scalar, self.mesh.topology.dim - 1, facets)] = 1.0
        flag.x.scatter_forward()
        return flag.x.array > 0.5

    def _parts(self) -> None:
        self.on_collector, self.on_void = self._flags("collector"), self._flags("void")
        self.moving = self.on_collector | self.on_void
        held = bcs.fixed_components(self.fields.domain, self.space, sticking=False)
        self.held = np.zeros((self.local, self.dim), dtype=bool)
        for c, dofs in enumerate(held):
            self.held[dofs, c] = True
        self.on_triple = self.on_void & self._flags("contact")
        self.carried = self.on_triple.copy()  # nodes of walls that go with the metal: edges of voids

    def _carry_sharp_nodes(self) -> None:
        """Carry the nodes of walls that matching cannot place, and only these: flat edges, and tips.

        A few cells round a void tell no sharp edge. A steep one is matched, along the contact: the metal's velocity at
        its one point is not that of the facets beside it, and a coarse ball would become a lens as it closes. Where the
        normals of a node's facets cancel, as at the tip of a void that is nearly closed, no direction moves volume.
        """
        assemble(self.direction, self.normal_form)
        normal = np.where(self.held, 0.0, self.direction.x.array.reshape(-1, self.dim))
        self.carried = self.on_void & (np.linalg.norm(normal, axis=1) < STEEP * self.wall_size ** (self.dim - 1))
        # What a carried node leaves is met by matched ones beside it; without any it would be lost.
        f, q = self.fields.frame, ufl.TestFunction(self.scalar)
        beside, matched = fem.Function(self.scalar), fem.Function(self.scalar)
        matched.x.array[:] = self.on_void & ~self.carried
        assemble(beside, bound(matched * q * f.ds(f.parts["void"]) + self.fields.k.zero * q * f.dx))
        self.carried &= beside.x.array > 0.0

    def release_edges(self) -> None:
        """Let the edges of voids be matched along the contact like any node of a wall, not carried by the metal."""
        self.carried[:] = False
        self.sharing.destroy()
        self.sharing = sharing_matrix(self.fields, self.carried)

    def _matching_forms(self) -> None:
        f = self.fields.frame
        q, a = ufl.TestFunction(self.scalar), ufl.TrialFunction(self.scalar)
        tags = tuple(t for t in (f.parts["collector"], f.parts["void"]) if t != ())
        ds = f.ds(tags)
        self.mass_forms = [bound(f.weight * f.n[c] * a * q * ds) for c in range(self.dim)]
        # Filled once by a form on the cells, so that every row has its diagonal entry; its values are not used.
        whole = bound(a * q * f.dx)
        self.mass = [fem_petsc.assemble_matrix(whole) for _ in self.mass_forms]
        for M in self.mass:
            M.assemble()
        self.work, self.result = self.mass[0].createVecs()
        slip = self.fields.u.v - self.metal
        self.slip_form = bound(f.weight * ufl.dot(slip, f.n) * q * ds)
        self.metal_form = bound(f.weight * ufl.dot(self.metal, f.n) * q * ds)
        W = ufl.TestFunction(self.space)
        self.normal_form = bound(f.weight * ufl.dot(f.n, W) * ds)
        self.direction = fem.Function(self.space)
        self.amount = fem.Function(self.scalar)
        self.mismatch = np.zeros(self.owned)

        g = ufl.grad(self.fields.w)
        cell = self.mesh.basix_cell()
        midpoint = basix.geometry(cell).mean(axis=0)[None, :]
        self.stretch = fem.Expression(ufl.sqrt(ufl.inner(g, g)), midpoint)
        self.cells = np.arange(self.mesh.topology.index_map(self.dim).size_local, dtype=np.int32)

    def _plane_collector(self) -> bool:
        """Whether the collector is normal to the last coordinate (at the start)."""
        z = self.mesh.geometry.x[self.fields.node_of_dof[self.on_collector], self.dim - 1]
        high, low = largest(self.mesh.comm, np.max(z, initial=-np.inf), np.max(-z, initial=-np.inf))
        return high + low <= FLATNESS * max(high, 1.0)

    def _directions(self) -> None:
        """Unit vectors along which moving nodes are adjusted: e_n on a plane collector, else the mean normal."""
        m = self.direction
        assemble(m, self.normal_form)
        values = m.x.array.reshape(-1, self.dim)
        if self.plane_collector:
            values[self.on_collector, :-1] = 0.0
        values[~self.moving] = 0.0
        values[self.held] = 0.0
        size = np.linalg.norm(values, axis=1)
        values[size > 0] /= size[size > 0][:, None]

    def _mass(self) -> PETSc.Mat:
        """Matrix of int q_i q_j n.m_j over the moving boundary, m the directions of adjustment."""
        m = self.direction.x.array.reshape(-1, self.dim)
        for c, (M, form) in enumerate(zip(self.mass, self.mass_forms, strict=True)):
            M.zeroEntries()
            fem_petsc.assemble_matrix(M, form)
            M.assemble()
            self.work.array[:] = m[: self.owned, c]
            M.diagonalScale(R=self.work)
            if c:
                self.mass[0].axpy(1.0, M, structure=PETSc.Mat.Structure.SAME_NONZERO_PATTERN)
        return self.mass[0]

    def _match(self) -> None:
        """Adjust the boundary velocity `metal` along m so that int (metal - v).n q = 0 for moving nodes.

        What is left of it between a triple line and its neighbours, zero in sum, is kept in `mismatch` (owned P1 dofs).
        """
        self._directions()
        m = self.direction.x.array.reshape(-1, self.dim)
        slip = self.amount
        assemble(slip, self.slip_form)
        if self.supply is not None:
            self._ask_for_supply(slip, self.supply)
        if self.surface is not None:
            slip.x.array[: self.owned] += self.surface
            slip.x.scatter_forward()
        mass = self._mass()
        system = self.sharing.matMult(mass)
        free = self.moving & ~self.carried & (np.linalg.norm(m, axis=1) > 0)
        free = free[: self.owned]
        rows = np.flatnonzero(~free).astype(np.int32) + self.scalar.dofmap.index_map.local_range[0]
        system.zeroRows(rows, diag=1.0)
        slips = slip.x.array[: self.owned].copy()
        self.work.array[:] = slips
        self.sharing.mult(self.work, self.result)
        self.work.array[:] = np.where(free, self.result.array, 0.0)
        ksp = iterative(system, "gmres", "jacobi")
        ksp.solve(self.work, self.result)
        ksp.destroy()
        system.destroy()
        mass.mult(self.result, self.work)
        self.mismatch = np.where(self.moving[: self.owned], self.work.array - slips, 0.0)
        slip.x.array[: self.owned] = self.result.array
        slip.x.scatter_forward()
        self.metal.x.array[:] += (slip.x.array[:, None] * m).ravel()

    def _ask_for_supply(self, slip: fem.Function, supply: Array) -> None:
        """Replace the slip of nodes on void walls by what they lack of their supply."""
        own = fem.Function(self.scalar)
        assemble(own, self.metal_form)
        lack = supply - own.x.array[: self.owned]
        slip.x.array[: self.owned] = np.where(self.on_void[: self.owned], lack, slip.x.array[: self.owned])
        slip.x.scatter_forward()

    def follow(self) -> None:
        """Set the mesh velocity `fields.w` from the metal's velocity."""
        v = self.fields.u.v.x.array.reshape(-1, self.dim)
        base = self.metal.x.array.reshape(-1, self.dim)
        base[:] = 0.0
        sliding = self.on_void if self.plane_collector else self.moving
        base[sliding] = v[self.p2_of_p1[sliding]]
        base[self.held] = 0.0
        self._match()
        self.extension.extend(self.metal, self.fields.w)

    def positions(self) -> Array:
        """Node positions of this rank [um], (nodes, dim)."""
        return self.mesh.geometry.x[:, : self.dim].copy()

    def place(self, positions: Array) -> None:
        """Move the nodes of this rank to positions [um], (nodes, dim)."""
        self.mesh.geometry.x[:, : self.dim] = positions

    def advance(self, base: Array, last: Array, rate: float, a2: float) -> None:
        """Place the nodes so that w is the discrete derivative of their positions: a0 U - a2 U_last = w.

        Args:
            base: positions before the step [um], (nodes, dim).
            last: displacement of the step before, at P1 dofs [um].
            rate: a0 [1/h].
            a2: [1/h].
        """
        U = self.fields.displacement.x.array
        U[:] = (self.fields.w.x.array + a2 * last) / rate
        moved = base.copy()
        moved[self.fields.node_of_dof] += U.reshape(-1, self.dim)
        self.place(moved)

    def wall_height(self) -> tuple[float, float]:
        """Height of the lowest node of a void wall off its edges, and its place x [um]; collective."""
        low = self.on_void & ~self.on_triple
        points = self.mesh.geometry.x[self.fields.node_of_dof][low]
        lowest = (np.inf, 0.0)
        if len(points):
            i = int(np.argmin(points[:, self.dim - 1]))
            lowest = (float(points[i, self.dim - 1]), float(points[i, 0]))
        return min(self.mesh.comm.allgather(lowest))

    def wall_depth(self) -> tuple[float, float]:
        """How deep a wall node off the edges has sunk below z = 0, over the size there, and its x [um]; collective."""
        low = self.on_void & ~self.on_triple
        points = self.mesh.geometry.x[self.fields.node_of_dof][low]
        deepest = (-np.inf, 0.0)
        if len(points):
            depth = -points[:, self.dim - 1] / self.wall_size[low]
            i = int(np.argmax(depth))
            deepest = (float(depth[i]), float(points[i, 0]))
        return max(self.mesh.comm.allgather(deepest))

    def landing_time(self) -> float:
        """Time until the first wall node comes down on z = 0 at its present speed [h]; from afar, nearly."""
        low = self.on_void & ~self.on_triple
        z = self.mesh.geometry.x[self.fields.node_of_dof][low, self.dim - 1]
        fall = -self.fields.w.x.array.reshape(-1, self.dim)[low, self.dim - 1]
        near = NEAR * self.wall_size[low]
        # Speeds change on the way: a node that is still high first comes to half of `near`.
        way = np.where(z > near, z - near / 2, np.maximum(z, 1e-3 * near))
        with np.errstate(divide="ignore", invalid="ignore"):
            times = np.where(fall > 0, way / fall, np.inf)
        return float(self.mesh.comm.allreduce(float(np.min(times, initial=np.inf)), op=MPI.MIN))

    def volumes(self) -> Array:
        """Cell volumes over that of a unit cell [um^dim], (cells,); negative where a cell turned inside out."""
        return self.orientation * cell_determinants(self.mesh)

    def distortion_rate(self) -> float:
        """Largest rate at which the mesh motion stretches a cell, |grad w| [1/h], over all ranks."""
        values = self.stretch.eval(self.mesh, self.cells)
        return float(self.mesh.comm.allreduce(float(np.max(values, initial=0.0)), op=MPI.MAX))
