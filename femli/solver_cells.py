"""Integrals over cells, added straight to the arrays of PETSc's matrices.

DOLFINx packs the coefficients of all cells, then looks every entry up in its row; both together take longer than most
integrals. Here a kernel's coefficients are read where they are, and the places of its entries are looked up once a
mesh. Cells with a point of another rank, and facets, go the usual way.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from mpi4py import MPI  # before dolfinx

import cffi
import numpy as np
import ufl
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from numpy.typing import NDArray
from petsc4py import PETSc

from femli.errors import SolveError
from femli.fields_forms import bound
from femli.solver_cells_source import CALLS, SOURCE, TYPES
from femli.solver_linear import matrix_form
from femli.solver_native import compiled

Array32 = NDArray[np.int32]


class Kernel(NamedTuple):
    """An integral over cells, compiled.

    Attributes:
        address: of the C function.
        coefficients: functions in the order in which it reads them.
        enabled: numbers of those that it does read.
        constants: as it reads them.
        spaces: of rows and columns.
        owner: what holds the compiled code.
    """

    address: int
    coefficients: list[Any]
    enabled: list[int]
    constants: list[Any]
    spaces: list[Any]
    owner: Any


def kernel_of(form: fem.Form) -> Kernel:
    """The cell integral of a compiled form that has exactly one.

    Raises:
        NotImplementedError: it has more, or none.
    """
    compiled_form, cpp = form.ufcx_form, form._cpp_object
    if compiled_form.form_integral_offsets[1] != 1:
        raise NotImplementedError("a form with one integral over all cells is expected")
    integral = compiled_form.form_integrals[0]
    count = compiled_form.num_coefficients
    return Kernel(
        int(cffi.FFI().cast("uintptr_t", integral.tabulate_tensor_float64)),
        list(cpp.coefficients),
        [i for i in range(count) if integral.enabled_coefficients[i]],
        list(cpp.constants),
        list(cpp.function_spaces),
        form,
    )


def over_cells(kernel: Kernel, cells: NDArray[np.int32]) -> fem.Form:
    """A form that integrates by a kernel over some cells, for DOLFINx to assemble."""
    enabled = np.array(kernel.enabled, dtype=np.int8)
    integrals = {fem.IntegralType.cell: [(0, kernel.address, cells, enabled)]}
    made = fem.forms.form_cpp_class(np.float64)(
        kernel.spaces, integrals, kernel.coefficients, kernel.constants, False, [], kernel.spaces[0].mesh
    )
    return fem.Form(made, module=kernel.owner)


def facets_of(form: ufl.Form, compiler: Callable[[ufl.Form], fem.Form]) -> fem.Form | None:
    """What a form integrates over facets, compiled; None where there is nothing."""
    parts = ufl.Form([part for part in form.integrals() if part.integral_type() != "cell"])
    found = None if parts.empty() else compiler(parts)
    return found if found is not None and found.integral_types else None


class CellIntegral:
    """An integral over cells, as the C code reads it.

    Args:
        kernel: what is integrated.
        cells: over which.
        conditions: whose rows and columns a matrix leaves zero.
    """

    def __init__(self, kernel: Kernel, cells: Array32, conditions: Sequence[fem.DirichletBC] = ()) -> None:
        self.kernel, self.cells, self.mesh = kernel, cells, kernel.spaces[0].mesh
        self.code = compiled(self.mesh.comm, SOURCE, TYPES + CALLS)
        # Holds the constants, in the order of the kernel; they are packed anew for each call.
        self.constants = over_cells(kernel, cells[:0])
        self.held = [_held(V, conditions) for V in kernel.spaces]

    def call(self, function: str, *rest: Any) -> int | None:
        """Call a C function on the integral and its rows and columns.

        Args:
            function: its name.
            rest: further arguments, arrays as pointers.
        """
        ffi, kernel, geometry = self.code.ffi, self.kernel, self.mesh.geometry
        kept: list[Any] = []  # C knows addresses only

        def pointer(kind: str, array: NDArray[Any]) -> Any:
            """An array as C sees it, kept for the time of the call."""
            kept.append(ffi.from_buffer(kind, array))
            return kept[-1]

        read, start = [], 0
        for number, f in enumerate(kernel.coefficients):
            dofs, block = f.function_space.dofmap.map(), f.function_space.dofmap.bs
            if number in kernel.enabled:
                values = pointer("double[]", f.x.array)
                read.append((values, pointer("int32_t[]", dofs), dofs.shape[1], block, start))
            start += dofs.shape[1] * block
        nodes = geometry.dofmaps[0]
        integral = ffi.new("integral*")
        integral.kernel, integral.width, integral.coefficients = kernel.address, start, len(read)
        integral.cells, integral.cell = len(self.cells), pointer("int32_t[]", self.cells)
        integral.points, integral.nodes = pointer("double[]", geometry.x), pointer("int32_t[]", nodes)
        integral.corners = nodes.shape[1]
        coefficients = ffi.new("coefficient[]", read)
        integral.coefficient = coefficients
        integral.constants = pointer("double[]", fem.pack_constants(self.constants))
        sides = []
        for V, held in zip(kernel.spaces, self.held, strict=True):
            dofs = V.dofmap.map()
            description = (pointer("int32_t[]", dofs), dofs.shape[1], V.dofmap.bs, pointer("uint8_t[]", held))
            sides.append(ffi.new("side*", description))
        answer: int | None = getattr(self.code.lib, function)(integral, *sides, *rest)
        return answer


def _held(V: Any, conditions: Sequence[fem.DirichletBC]) -> NDArray[np.uint8]:
    """Which components of a space's dofs conditions hold, ghosts as well."""
    index_map = V.dofmap.index_map
    held = np.zeros(V.dofmap.bs * (index_map.size_local + index_map.num_ghosts), dtype=np.uint8)
    for bc in conditions:
        if V.contains(bc._cpp_object.function_space):
            held[bc.dof_indices()[0]] = 1
    return held


def owned_cells(mesh: Any) -> Array32:
    """The cells that a rank integrates over."""
    topology = mesh.topology
    return np.arange(topology.index_map(topology.dim).size_local, dtype=np.int32)


class CellMatrix:
    """A block of the Jacobian that is filled again and again.

    Args:
        form: the block in UFL, for its integrals over facets.
        plain: the block compiled, which lays out the entries.
        conditions: whose rows and columns are zero, but for ones on the diagonal.
        kernel: another than the compiled one for the cells.
        kind: of PETSc's matrix; "baij" where components are stored together.
    """

    def __init__(
        self,
        form: ufl.Form,
        plain: fem.Form,
        conditions: list[fem.DirichletBC],
        kernel: Kernel | None = None,
        kind: str | None = None,
    ) -> None:
        self.conditions, kernel = conditions, kernel or kernel_of(plain)
        self.matrix = fem_petsc.create_matrix(plain, kind)
        fem_petsc.assemble_matrix(self.matrix, plain, bcs=conditions)
        self.matrix.assemble()
        self.own = self.matrix.getDiagonalBlock()
        self.blocked = self.own.getType() == PETSc.Mat.Type.SEQBAIJ
        cells = owned_cells(plain.mesh)
        inside = np.ones(len(cells), dtype=bool)
        for V in kernel.spaces:
            inside &= (V.dofmap.map()[cells] < V.dofmap.index_map.size_local).all(axis=1)
        self.integral = CellIntegral(kernel, cells[inside], conditions)
        facets = facets_of(form, lambda parts: matrix_form(parts, plain.mesh.topology.dim))
        self.rest = [over_cells(kernel, cells[~inside]), *([] if facets is None else [facets])]
        self._locate(*kernel.spaces)

    def _locate(self, rows: Any, columns: Any) -> None:
        """Look up where in their rows the entries of each cell are.

        Raises:
            SolveError: entries that the matrix does not have, on any rank.
        """
        self.begin, found = (a.astype(np.int32) for a in self.own.getRowIJ(compressed=self.blocked)[:2])
        counts = [V.dofmap.map().shape[1] for V in (rows, columns)]
        self.place = np.empty((len(self.integral.cells), *counts), dtype=np.uint16)
        steps = (1, 1) if self.blocked else (rows.dofmap.bs, columns.dofmap.bs)
        to = self.integral.code.ffi.from_buffer
        arrays = to("int32_t[]", self.begin), to("int32_t[]", found), *steps, to("uint16_t[]", self.place)
        if self.integral.mesh.comm.allreduce(self.integral.call("locate", *arrays), op=MPI.MAX):
            raise SolveError("a matrix has no place for an entry of its cells")

    def fill(self) -> None:
        """Assemble at the current state; collective."""
        self.matrix.zeroEntries()
        ffi = self.integral.code.ffi
        places = ffi.from_buffer("int32_t[]", self.begin), ffi.from_buffer("uint16_t[]", self.place)
        with _Values(self.own, self.blocked) as address:
            self.integral.call("add", self.blocked, *places, ffi.cast("double*", address))
        for form in self.rest:
            fem_petsc.assemble_matrix(self.matrix, form, bcs=self.conditions)
            self.matrix.assemble()


class CellVector:
    """A row of the residual.

    Args:
        form: in UFL, for its integrals over facets.
        plain: the same compiled.
    """

    def __init__(self, form: ufl.Form, plain: fem.Form) -> None:
        kernel = kernel_of(plain)
        self.integral = CellIntegral(kernel, owned_cells(plain.mesh))
        self.facets = facets_of(form, bound)
        self.values = np.zeros(len(self.integral.held[0]))
        self.owned = kernel.spaces[0].dofmap.bs * kernel.spaces[0].dofmap.index_map.size_local

    def fill(self) -> None:
        """Integrate at the current state over the cells of this rank, `values` on its dofs and ghosts."""
        self.values[:] = 0.0
        self.integral.call("add_rows", self.integral.code.ffi.from_buffer("double[]", self.values))
        if self.facets is not None:
            fem.assemble_vector(self.values, self.facets)


class _Values:
    """The array of a sequential sparse matrix; its address while it is held."""

    def __init__(self, matrix: PETSc.Mat, blocked: bool) -> None:
        self.matrix, self.kind = matrix, "BAIJ" if blocked else "AIJ"
        self.array = _FFI.new("double**")

    def _call(self, what: str) -> None:
        function = getattr(_petsc(), f"MatSeq{self.kind}{what}Array")
        failed = function(_FFI.cast("void*", self.matrix.handle), self.array)
        if failed:
            raise PETSc.Error(failed)

    def __enter__(self) -> int:
        self._call("Get")
        return int(_FFI.cast("uintptr_t", self.array[0]))

    def __exit__(self, *failure: object) -> None:
        self._call("Restore")


_FFI = cffi.FFI()
_FFI.cdef(
    "\n".join(
        f"int MatSeq{kind}{what}Array(void*, double**);" for kind in ("AIJ", "BAIJ") for what in ("Get", "Restore")
    )
)


@cache
def _petsc() -> Any:
    return _FFI.dlopen(str(fem_petsc.get_petsc_lib()))
