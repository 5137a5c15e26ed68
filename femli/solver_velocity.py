"""The velocity block of three dimensions, integrated by a kernel of its own: half the assembly time of an iteration.

A form compiler takes the tangent of the creep law for any tensor and multiplies 81 products of gradients a point. It is
isotropic but for one rank, so three matrix products do. The form itself stays where it is (`forms.momentum`); a test
holds one against the other.
"""

import hashlib
import importlib.machinery
import importlib.util
import os
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import basix
import cffi
import numpy as np
import ufl
from dolfinx import fem, jit
from numpy.typing import NDArray

from femli.fields import CREEP_DEGREE, Fields
from femli.solver_linear import VECTORISED, matrix_form

Array = NDArray[np.float64]

# With g_i the gradient of shape function i, T the stress, 1/k and c of the state and e = weight/k, the entry of
# component a of i and b of j is  e [(d_ab g_i.g_j + g_ib g_ja)/2 - g_ia g_jb/3 - c (T g_i)_a (T g_j)_b].
# `w` holds, one after the other, T (11, 22, 12, 13, 23 of each point), 1/k and c.
KERNEL = """
#include <math.h>
#include <stdint.h>
#define Q {points}
#define N {shapes}
static const double slopes[Q][N][3] = {slopes};
static const double weights[Q] = {weights};

void velocity_block(double* restrict A, const double* restrict w, const double* constants, const double* restrict x,
                    const int* entity, const uint8_t* permutation, void* custom)
{{
  double J[3][3], K[3][3];
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < 3; ++b) J[a][b] = x[3 * (b + 1) + a] - x[a];
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < 3; ++b)
      K[a][b] = J[(b + 1) % 3][(a + 1) % 3] * J[(b + 2) % 3][(a + 2) % 3]
              - J[(b + 1) % 3][(a + 2) % 3] * J[(b + 2) % 3][(a + 1) % 3];
  const double det = J[0][0] * K[0][0] + J[0][1] * K[1][0] + J[0][2] * K[2][0];
  double g[Q][3 * N], s[Q][3 * N], eg[Q][3 * N], es[Q][3 * N], G[3 * N][3 * N], R[3 * N][3 * N];
  for (int q = 0; q < Q; ++q) {{
    const double* t = w + 5 * q;
    const double T[3][3] = {{{{t[0], t[2], t[3]}}, {{t[2], t[1], t[4]}}, {{t[3], t[4], -t[0] - t[1]}}}};
    const double e = weights[q] * fabs(det) * w[5 * Q + q], c = e * w[6 * Q + q];
    for (int i = 0; i < N; ++i)
      for (int a = 0; a < 3; ++a)
        g[q][3 * i + a]
            = (slopes[q][i][0] * K[0][a] + slopes[q][i][1] * K[1][a] + slopes[q][i][2] * K[2][a]) / det;
    for (int i = 0; i < N; ++i)
      for (int a = 0; a < 3; ++a)
        s[q][3 * i + a] = T[a][0] * g[q][3 * i] + T[a][1] * g[q][3 * i + 1] + T[a][2] * g[q][3 * i + 2];
    for (int i = 0; i < 3 * N; ++i) {{
      eg[q][i] = e * g[q][i];
      es[q][i] = c * s[q][i];
    }}
  }}
  for (int i = 0; i < 3 * N; ++i)
    for (int j = 0; j < 3 * N; ++j) {{
      double m = 0, r = 0;
      for (int q = 0; q < Q; ++q) {{
        m += eg[q][i] * g[q][j];
        r += es[q][i] * s[q][j];
      }}
      G[i][j] = m;
      R[i][j] = m / 3 + r;
    }}
  for (int i = 0; i < 3 * N; i += 3)
    for (int j = 0; j < 3 * N; j += 3) {{
      const double h = (G[i][j] + G[i + 1][j + 1] + G[i + 2][j + 2]) / 2;
      for (int a = 0; a < 3; ++a)
        for (int b = 0; b < 3; ++b)
          A[3 * N * (i + a) + j + b] += G[i + b][j + a] / 2 - R[i + a][j + b] + (a == b ? h : 0);
    }}
}}
"""
CALL = (
    """void velocity_block(double*, const double*, const double*, const double*, const int*, const uint8_t*, void*);"""
)


def velocity_forms(block: Any, fields: Fields) -> list[fem.Form]:
    """Forms whose sum is the velocity block: in 3D the cells by the kernel, what collector and walls add as compiled.

    Args:
        block: the block as a UFL form; what it integrates over cells is the tangent of `forms.momentum`.
        fields: unknowns and state.
    """
    dimension = fields.domain.mesh.geometry.dim
    if dimension < 3:
        return [matrix_form(block, dimension)]
    facets = ufl.Form([part for part in block.integrals() if part.integral_type() != "cell"])
    forms = [cell_form(fields)]
    rest = None if facets.empty() else matrix_form(facets, 3)
    return forms if rest is None or not rest.integral_types else [*forms, rest]


def cell_form(fields: Fields) -> fem.Form:
    """The tangent of the stress's work, over the cells."""
    V, mesh = fields.u.v.function_space, fields.domain.mesh
    points, weights = basix.make_quadrature(mesh.basix_cell(), CREEP_DEGREE)
    slopes = V.ufl_element().sub_elements[0].tabulate(1, points)[1:].transpose(1, 2, 0)
    source = KERNEL.format(points=len(points), shapes=slopes.shape[1], slopes=_braces(slopes), weights=_braces(weights))
    module = _compiled(mesh.comm, source)
    address = int(module.ffi.cast("uintptr_t", module.ffi.addressof(module.lib, "velocity_block")))
    cells = np.arange(mesh.topology.index_map(mesh.topology.dim).size_local, dtype=np.int32)
    integrals = {fem.IntegralType.cell: [(0, address, cells, np.arange(3, dtype=np.int8))]}
    coefficients = [f._cpp_object for f in fields.state]
    made = fem.forms.form_cpp_class(np.float64)(
        [V._cpp_object] * 2, integrals, coefficients, [], False, [], mesh._cpp_object
    )
    return fem.Form(made, module=module)


def _braces(values: Array) -> str:
    """An array as C writes it."""
    if values.ndim == 0:
        return repr(float(values))
    return "{" + ", ".join(_braces(part) for part in values) + "}"


@jit.mpi_jit_decorator
def _compiled(source: str) -> ModuleType:
    """Compile C code, or load what an earlier run compiled, from the folder of compiled forms."""
    flags = VECTORISED["cffi_extra_compile_args"]
    told = hashlib.sha256("\n".join([source, *flags, cffi.__version__]).encode()).hexdigest()
    name = f"femli_kernel_{told[:32]}"
    folder = Path(jit.get_options()["cache_dir"])
    folder.mkdir(parents=True, exist_ok=True)
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    library = folder / f"{name}{suffix}"
    if not library.exists():
        ffi = cffi.FFI()
        ffi.cdef(CALL)
        ffi.set_source(name, source, extra_compile_args=flags)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            # Renamed when it is whole: another run may be at the same.
            os.replace(ffi.compile(tmpdir=place), library)
    spec = importlib.util.spec_from_file_location(name, library)
    if spec is None or spec.loader is None:
        raise ImportError(f"{library} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
