"""The velocity block of three dimensions, integrated by a kernel of its own: half the assembly time of an iteration.

A form compiler takes the tangent of the creep law for any tensor and multiplies 81 products of gradients a point. It is
isotropic but for one rank, so three matrix products do. The form itself stays where it is (`forms.momentum`); a test
holds one against the other.
"""

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import basix
import numpy as np
from dolfinx import fem
from numpy.typing import NDArray

from femli.fields import CREEP_DEGREE, Fields
from femli.solver_cells import Kernel
from femli.solver_native import compiled

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
  double g[Q][3 * N], s[Q][3 * N], eg[Q][3 * N], es[Q][3 * N], G[3][3 * N], R[3][3 * N];
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
  for (int i = 0; i < 3 * N; i += 3) {{
    for (int a = 0; a < 3; ++a)
      for (int j = i / 2 * 2; j < 3 * N; ++j) {{
        double m = 0, r = 0;
        for (int q = 0; q < Q; ++q) {{
          m += eg[q][i + a] * g[q][j];
          r += es[q][i + a] * s[q][j];
        }}
        G[a][j] = m;
        R[a][j] = m / 3 + r;
      }}
    for (int j = i; j < 3 * N; j += 3) {{
      const double h = (G[0][j] + G[1][j + 1] + G[2][j + 2]) / 2;
      for (int a = 0; a < 3; ++a)
        for (int b = 0; b < 3; ++b) {{
          const double entry = G[b][j + a] / 2 - R[a][j + b] + (a == b ? h : 0);
          A[3 * N * (i + a) + j + b] += entry;
          if (j > i) A[3 * N * (j + b) + i + a] += entry;
        }}
    }}
  }}
}}
"""
CALL = "void velocity_block(double*, const double*, const double*, const double*, const int*, const uint8_t*, void*);"


def velocity_kernels(fields: Fields) -> tuple[Kernel | None, Kernel | None]:
    """Kernels of the velocity block on P2 and on P1; none but in three dimensions."""
    if fields.domain.mesh.geometry.dim < 3:
        return None, None
    return velocity_kernel(fields, fields.u.v.function_space), velocity_kernel(fields, fields.w.function_space)


def velocity_kernel(fields: Fields, space: fem.FunctionSpace) -> Kernel:
    """The tangent of the stress's work, over the cells.

    Args:
        fields: unknowns and state.
        space: of velocities, Lagrange elements of any degree.
    """
    points, weights = basix.make_quadrature(fields.domain.mesh.basix_cell(), CREEP_DEGREE)
    slopes = space.ufl_element().sub_elements[0].tabulate(1, points)[1:].transpose(1, 2, 0)
    source = KERNEL.format(points=len(points), shapes=slopes.shape[1], slopes=_braces(slopes), weights=_braces(weights))
    module = compiled(fields.domain.mesh.comm, source, CALL)
    address = int(module.ffi.cast("uintptr_t", module.ffi.addressof(module.lib, "velocity_block")))
    coefficients = [f._cpp_object for f in fields.state]
    return Kernel(address, coefficients, [0, 1, 2], [], [space._cpp_object] * 2, module)


def _braces(values: Array) -> str:
    """An array as C writes it."""
    if values.ndim == 0:
        return repr(float(values))
    return "{" + ", ".join(_braces(part) for part in values) + "}"
