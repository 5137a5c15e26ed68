"""Forms bound to a second mesh, against the ones that DOLFINx itself makes there."""

from mpi4py import MPI

import numpy as np
import pytest
import ufl
from dolfinx import fem
from dolfinx import mesh as dmesh

from femli import fields_forms
from femli.fields_forms import bound


def pieces(n):
    """Forms with coefficients, constants and a marked part of the boundary on a mesh of n x n squares."""
    mesh = dmesh.create_unit_square(MPI.COMM_WORLD, n, n)
    facets = dmesh.locate_entities_boundary(mesh, 1, lambda x: np.isclose(x[1], 0.0))
    tags = dmesh.meshtags(mesh, 1, np.sort(facets), np.full(len(facets), 7, dtype=np.int32))
    ds = ufl.Measure("ds", mesh, subdomain_data=tags)
    V, W = fem.functionspace(mesh, ("Lagrange", 2)), fem.functionspace(mesh, ("Lagrange", 1))
    f, g = fem.Function(W), fem.Function(V)
    f.interpolate(lambda x: 1 + n * x[0])
    g.interpolate(lambda x: x[1] ** 2 - x[0])
    k, c = fem.Constant(mesh, 3.0 + n), fem.Constant(mesh, 0.5)
    a, q = ufl.TrialFunction(V), ufl.TestFunction(V)
    matrix = k * f * ufl.dot(ufl.grad(a), ufl.grad(q)) * ufl.dx + c * g * a * q * ds(7)
    return matrix, c * g * q * ufl.dx + k * f * q * ds(7), k * f * g * ds(7) + c * f * ufl.dx(mesh)


@pytest.mark.parametrize("n", [3, 5])
def test_a_form_of_another_mesh_is_that_of_dolfinx(n):
    # Exact: the same kernels on the same data; fem.form compiles and binds in one go.
    for form in pieces(2):
        bound(form)
    known = dict(fields_forms._compiled)
    matrix, vector, number = pieces(n)
    assert np.array_equal(
        fem.assemble_matrix(bound(matrix)).to_dense(), fem.assemble_matrix(fem.form(matrix)).to_dense()
    )
    assert np.array_equal(fem.assemble_vector(bound(vector)).array, fem.assemble_vector(fem.form(vector)).array)
    assert fem.assemble_scalar(bound(number)) == fem.assemble_scalar(fem.form(number)) != 0
    assert fields_forms._compiled == known  # nothing was compiled for the second mesh
