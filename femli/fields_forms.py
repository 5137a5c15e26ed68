"""Forms compiled once in a process and bound to every mesh on which they are asked for.

A run that renews its mesh asks for the same forms again and again; to look one up among the modules on disk takes
longer than to assemble it. What is compiled is told by the form's signature, which knows elements, markers and the
pattern of coefficients, but no mesh: none is kept.
"""

import dataclasses
from typing import Any

from mpi4py import MPI

import ufl
from dolfinx import fem
from dolfinx.fem.forms import get_integration_domains
from dolfinx.mesh import Mesh

_KINDS = {
    "cell": fem.IntegralType.cell,
    "exterior_facet": fem.IntegralType.exterior_facet,
    "interior_facet": fem.IntegralType.interior_facet,
}
_compiled: dict[tuple[str, str], fem.forms.CompiledForm] = {}


def bound(form: Any, jit_options: dict[str, Any] | None = None) -> Any:
    """A UFL form, or an array of them, ready to be assembled; collective over the ranks of its mesh.

    Does what `dolfinx.fem.form` does.

    Args:
        form: UFL form or nested lists of them.
        jit_options: for the compiler.
    """
    if isinstance(form, list | tuple):
        return [bound(part, jit_options) for part in form]
    if not isinstance(form, ufl.Form):
        return fem.form(form)
    domain = form.ufl_domain()
    mesh = Mesh(domain.ufl_cargo(), domain)
    key = (form.signature(), repr(jit_options))
    # One rank alone may have met the form before, in work of its own.
    if not mesh.comm.allreduce(key in _compiled, op=MPI.LAND):
        _compiled[key] = dataclasses.replace(fem.compile_form(mesh.comm, form, jit_options=jit_options), ufl_form=None)
    made = dataclasses.replace(_compiled[key], ufl_form=form)
    (parts,) = form.subdomain_data().values()
    ids = _markers(made.ufcx_form)
    return fem.create_form(
        made,
        [argument.ufl_function_space() for argument in form.arguments()],
        mesh,
        {_KINDS[kind]: get_integration_domains(_KINDS[kind], data[0], ids[kind]) for kind, data in parts.items()},
        {function: function for function in form.coefficients()},
        {constant: constant for constant in form.constants()},
    )


def _markers(ufcx: Any) -> dict[str, list[int]]:
    """Markers of the integrals of a compiled form, by kind."""
    at, ids = ufcx.form_integral_offsets, ufcx.form_integral_ids
    return {name: [ids[j] for j in range(at[kind.value], at[kind.value + 1])] for name, kind in _KINDS.items()}
