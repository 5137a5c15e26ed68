"""Values of a function as rows of cells in the order in which the cells were made, the same for any number of ranks."""

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import dolfinx.mesh
import numpy as np
from dolfinx import fem
from numpy.typing import NDArray

Array = NDArray[np.float64]


class CellRows:
    """Brings values of one mesh to rows of its cells and back.

    Args:
        mesh: distributed.
    """

    def __init__(self, mesh: dolfinx.mesh.Mesh) -> None:
        self.comm = mesh.comm
        cells = mesh.topology.index_map(mesh.topology.dim)
        self.count = cells.size_global
        self.order = np.asarray(mesh.topology.original_cell_index[: cells.size_local], dtype=np.int64)

    def blocks(self, space: fem.FunctionSpace, values: Array) -> Array:
        """Local dof values as rows of cells, (cells, dofs a cell x block size)."""
        block = space.dofmap.index_map_bs
        rows = values.reshape(-1, block)[space.dofmap.list[: len(self.order)]]
        return rows.reshape(len(self.order), -1)

    def local(self, space: fem.FunctionSpace, rows: Array) -> Array:
        """Inverse of `blocks` for the cells of this rank; `rows` are those of all cells."""
        f = fem.Function(space)
        block = space.dofmap.index_map_bs
        dofs = space.dofmap.list[: len(self.order)]
        f.x.array.reshape(-1, block)[dofs] = rows[self.order].reshape(*dofs.shape, block)
        f.x.scatter_forward()
        return f.x.array.copy()

    def gathered(self, rows: Array) -> Array | None:
        """The rows of all cells on rank 0, None on the others; collective."""
        parts = self.comm.gather((self.order, rows))
        if parts is None:
            return None
        whole = np.empty((self.count, rows.shape[1]))
        for order, values in parts:
            whole[order] = values
        return whole
