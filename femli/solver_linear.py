"""The linear solve inside a Newton iteration: what all share, and the direct one (MUMPS)."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from numpy.typing import NDArray
from petsc4py import PETSc

from femli.errors import CaseError, SolveError
from femli.fields_forms import bound

Array = NDArray[np.float64]
Options = Mapping[str, str | int | float | bool]

# How the matrices of three dimensions are compiled: sums may be reordered, so that they are vectorised, which halves
# the time of the velocity block. Not -march=native: it gains nothing more, and a cache shared by unlike machines
# breaks. Not -ffast-math: its start-up code changes the arithmetic of the process. Residuals keep their order of sums.
VECTORISED = {
    "cffi_extra_compile_args": [
        "-O3",
        "-g0",
        "-fno-math-errno",
        "-fno-trapping-math",
        "-fno-signed-zeros",
        "-ffinite-math-only",
        "-fassociative-math",
        "-freciprocal-math",
    ]
}


def matrix_form(form: Any, dimension: int) -> Any:
    """Compile the form, or array of forms, of a matrix."""
    return bound(form, jit_options=VECTORISED if dimension == 3 else None)


def direct(matrix: PETSc.Mat) -> PETSc.KSP:
    """A direct solver, MUMPS; nothing is factorised before its first use."""
    ksp = PETSc.KSP().create(matrix.getComm())
    ksp.setOperators(matrix)
    ksp.setType("preonly")
    ksp.getPC().setType("lu")
    ksp.getPC().setFactorSolverType("mumps")
    return ksp


class NotConvergedError(SolveError):
    """One attempt at a step failed; the stepper retries with a smaller step."""


class ExpertOptions:
    """PETSc options of one solver under a prefix of its own; those of an earlier one are dropped.

    Args:
        prefix: of the names.
        options: names without dash and prefix, and values.
    """

    def __init__(self, prefix: str, options: Options) -> None:
        self.prefix, self.names, self.checked = prefix, list(options), False
        self.database = PETSc.Options(prefix)
        for name in self.database.getAll():
            self.database.delValue(name)
        for name, value in options.items():
            self.database.setValue(name, value)

    def __enter__(self) -> None:
        """Around calls in which PETSc reads options."""

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        """Say of an error whose options it comes from.

        Raises:
            CaseError: PETSc refuses an option's value.
        """
        if isinstance(failure, PETSc.Error) and self.names and not self.checked:
            given = ", ".join(f"{name} = {self.database.getString(name)}" for name in self.names)
            raise CaseError(
                f"solver.petsc: PETSc refuses these options: {given} ({str(failure).splitlines()[-1]}); "
                "allowed: values that PETSc's manual names"
            ) from failure

    def check(self) -> None:
        """Refuse what nothing has read; due once, after the first set-up.

        Raises:
            CaseError: naming the keys.
        """
        if self.checked:
            return
        self.checked = True
        everything = PETSc.Options()
        unread = [name for name in self.names if not everything.used(self.prefix + name)]
        for name in unread:
            self.database.delValue(name)
        if unread:
            raise CaseError(
                *(
                    f"solver.petsc.{name}: no part of the {self.prefix} solver reads this option; allowed: options of "
                    "PETSc without the dash, those of parts behind velocity_ or trailing_ (docs/numerics.md)"
                    for name in unread
                )
            )


class LinearSystem(ABC):
    """Forms of a linear system, its residual and its increment.

    Args:
        jacobian: square array of forms, or one form of one unknown.
        residual: one form a row.
        conditions: Dirichlet conditions of the increments.
        offsets: first owned dof of each row in `b` and `dx`.
    """

    b: PETSc.Vec
    dx: PETSc.Vec

    def __init__(self, jacobian: Any, residual: Any, conditions: list[fem.DirichletBC], offsets: Array) -> None:
        self.L, self.conditions = bound(residual), conditions
        self.a = matrix_form(jacobian, self.L[0].mesh.topology.dim)
        self.offsets = offsets
        self.b = fem_petsc.create_vector([form.function_spaces[0] for form in self.L])
        held = [self._local(bc, offsets) for bc in conditions]
        self.held = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *held]))

    def close(self) -> None:
        """Give back what PETSc holds; nothing works afterwards."""
        for owned in (self.b, self.dx):
            owned.destroy()

    def _local(self, bc: fem.DirichletBC, offsets: Array) -> NDArray[np.int64]:
        dofs, owned = bc.dof_indices()
        for row, form in enumerate(self.L):
            if bc._cpp_object.function_space.contains(form.function_spaces[0]) or form.function_spaces[0].contains(
                bc._cpp_object.function_space
            ):
                return dofs[:owned].astype(np.int64) + int(offsets[row])
        return np.zeros(0, dtype=np.int64)

    @abstractmethod
    def assemble(self, history: list[tuple[slice, Array]]) -> None:
        """Residual and matrix at the current state; `history` adds owned vectors to slices of the residual."""

    @abstractmethod
    def solve(self) -> int:
        """Solve A dx = b; the increment is in `dx`. Returns the iterations."""

    def residual(self, history: list[tuple[slice, Array]]) -> None:
        """Residual alone, in `b`; constrained rows are zero."""
        with self.b.localForm() as local:
            local.set(0.0)
        self._integrate_rows()
        self.b.ghostUpdate(addv=PETSc.InsertMode.ADD, mode=PETSc.ScatterMode.REVERSE)
        values = self.b.array
        for where, vector in history:
            values[where] += vector
        values[self.held] = 0.0

    def _integrate_rows(self) -> None:
        """The integrals of the residual over the cells of this rank, in `b` with its ghosts."""
        fem_petsc.assemble_vector(self.b, self.L if len(self.L) > 1 else self.L[0])


class LinearSolver(LinearSystem):
    """One matrix, one right-hand side, MUMPS.

    Args:
        jacobian, residual, conditions, offsets: as in `LinearSystem`.
        name: of the solver; the prefix of its options.
        options: PETSc options.
    """

    def __init__(
        self,
        jacobian: Any,
        residual: Any,
        conditions: list[fem.DirichletBC],
        offsets: Array,
        name: str = "direct",
        options: Options | None = None,
    ) -> None:
        super().__init__(jacobian, residual, conditions, offsets)
        self.A = fem_petsc.create_matrix(self.a)
        self.dx = self.A.createVecRight()
        self.expert = ExpertOptions(f"femli_{name}_", options or {})
        self.workspace = 30
        with self.expert:
            self.ksp = self._create()

    def close(self) -> None:
        """Give back what PETSc holds; nothing works afterwards."""
        super().close()
        self.ksp.destroy()
        self.A.destroy()

    def _create(self) -> PETSc.KSP:
        ksp = direct(self.A)
        ksp.setOptionsPrefix(self.expert.prefix)
        ksp.setFromOptions()
        ksp.getPC().setFactorSetUpSolverType()
        ksp.getPC().getFactorMatrix().setMumpsIcntl(14, self.workspace)
        return ksp

    def assemble(self, history: list[tuple[slice, Array]]) -> None:
        """Residual and matrix at the current state; `history` adds owned vectors to slices of the residual."""
        self.A.zeroEntries()
        fem_petsc.assemble_matrix(self.A, self.a, bcs=self.conditions)
        self.A.assemble()
        self.residual(history)

    def solve(self) -> int:
        """Solve A dx = b; the increment is in `dx`.

        Raises:
            NotConvergedError: the matrix is not finite or cannot be factorised.
        """
        comm = self.A.getComm()
        if not np.isfinite(self.b.norm()) or not np.isfinite(self.A.norm()):
            raise NotConvergedError("the linear system is not finite")
        for attempt in range(3):
            with self.expert:
                self.ksp.solve(self.b, self.dx)
            self.expert.check()
            reason = self.ksp.getConvergedReason()
            if self.ksp.is_converged and np.isfinite(self.dx.norm()):
                return 1
            infog = self.ksp.getPC().getFactorMatrix().getMumpsInfog(1)
            self.ksp.destroy()
            # Codes of too small a workspace; PETSc keeps the failed state, so the solver is made anew.
            self.workspace = self.workspace * 4 if infog in (-8, -9, -17, -20) else self.workspace
            self.ksp = self._create()
            if infog not in (-8, -9, -17, -20) or attempt == 2:
                raise NotConvergedError(f"the direct solver failed (MUMPS INFOG(1) = {infog}, PETSc reason {reason})")
        raise NotConvergedError(f"the direct solver failed on {comm.size} ranks")
