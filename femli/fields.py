"""Function spaces, the unknowns, the mesh velocity and the named constants of a run."""

from typing import Any, NamedTuple

from mpi4py import MPI  # before dolfinx: loads the MPI library that its wheel needs

import basix.ufl
import dolfinx.mesh
import numpy as np
import ufl
from dolfinx import fem
from dolfinx.la import InsertMode
from numpy.typing import NDArray

from femli import forms, forms_layer, laws, units
from femli.case import Case
from femli.materials_electrode import Electrode
from femli.mesh import Domain

CREEP_DEGREE = 2  # quadrature degree of the stress state: exact for the P1 rate of a P2 velocity
BALANCE_DEGREE = 4  # of the species balances; both use the same, so that their sum is exact


class Constants(NamedTuple):
    """Named numbers of the forms, in working units (um, h, MPa).

    Attributes:
        log_diffusivity_0, log_diffusivity_1: ln D [um2/h] = c0 + c1 (1 - x).
        activity_0, activity_1: ln gamma = y^2 (a + b y).
        volume_ratio: Omega_host/Omega_Li [-].
        thermal_pressure: R T/Omega_Li [MPa].
        pressure_coupling: Omega_Li/(R T) [1/MPa], zero without stress coupling.
        contact_flux: Omega_Li i_n/F on the contact that is left [um/h].
        stack_pressure, void_pressure: [MPa].
        thermal_voltage: R T/F [V].
        interface_resistance: of the contact, over the flux of a current [V h/um].
        surface_tension: of void walls [MPa um].
        surface_mobility: B = D_s delta_s gamma Omega_Li/(R T) of diffusion along void walls [um4/h].
        plate_stiffness: see `forms.rigid_plate` [MPa h].
        spring: stiffness of the stack behind the collector [MPa/um].
        rate: a0 of the time discretisation [1/h].
        layer_turning: speed at which metal below the bcc limit turns into the layer [um/h].
        layer_permeability: D phi_Li phi_host of the layer, all over which its current times host limits [um2/h].
        zero: nothing, keeps a block in place.
    """

    log_diffusivity_0: Any
    log_diffusivity_1: Any
    activity_0: Any
    activity_1: Any
    volume_ratio: Any
    thermal_pressure: Any
    pressure_coupling: Any
    contact_flux: Any
    stack_pressure: Any
    void_pressure: Any
    thermal_voltage: Any
    interface_resistance: Any
    surface_tension: Any
    surface_mobility: Any
    plate_stiffness: Any
    spring: Any
    rate: Any
    layer_turning: Any
    layer_permeability: Any
    zero: Any


class StressState(NamedTuple):
    """Linearisation of the creep law at quadrature points: T [MPa], 1/k [MPa h], c [1/MPa2]."""

    stress: fem.Function
    inverse_rate: fem.Function
    rank_one: fem.Function


class Fields(NamedTuple):
    """What a run owns on its mesh.

    Attributes:
        domain: mesh and named parts.
        u: current unknowns (P2, P1, P1).
        state: stress state at quadrature points.
        w: mesh velocity (P1 vector) [um/h].
        displacement: of the nodes over the step (P1 vector) [um].
        x_old: composition before the step.
        k: named constants.
        frame: measures for the forms.
        node_of_dof: geometry node of each P1 dof, (local dofs,).
    """

    domain: Domain
    u: forms.Unknowns
    state: StressState
    w: fem.Function
    displacement: fem.Function
    x_old: fem.Function
    k: Constants
    frame: forms.Frame
    node_of_dof: Any


def flux_of_current(current_density: float, electrode: Electrode) -> float:
    """Volume flux of Li [um/h] of a current density [A/m2]: Omega_Li i/F."""
    return electrode.omega_li * current_density / units.F / units.LENGTH * units.TIME


def _surface_mobility(case: Case, electrode: Electrode) -> float:
    """B of Mullins, D_s delta_s gamma Omega_Li/(R T) [um4/h]; zero without diffusion along walls."""
    wall = case.wall
    thermal = units.R * electrode.temperature / electrode.omega_li
    per_second = (wall.surface_diffusivity or 0.0) * wall.surface_thickness * wall.surface_tension / thermal
    return per_second * units.TIME / units.LENGTH**4


def _numbers(case: Case, electrode: Electrode) -> dict[str, float]:
    c0, c1 = electrode.log_diffusivity
    thermal = units.R * electrode.temperature / electrode.omega_li / units.STRESS
    li, host = laws.HCP_LIMIT * electrode.omega_li, (1 - laws.HCP_LIMIT) * electrode.omega_host
    in_layer = li * host / (li + host) ** 2
    return {
        "log_diffusivity_0": c0 + float(np.log(units.TIME / units.LENGTH**2)),
        "log_diffusivity_1": c1,
        "activity_0": electrode.activity[0],
        "activity_1": electrode.activity[1],
        "volume_ratio": electrode.omega_host / electrode.omega_li,
        "thermal_pressure": thermal,
        "pressure_coupling": 1 / thermal if electrode.stress_coupling else 0.0,
        "contact_flux": flux_of_current(case.load.current_density, electrode),
        "stack_pressure": case.load.stack_pressure / units.STRESS,
        "void_pressure": case.load.void_pressure / units.STRESS,
        "thermal_voltage": units.R * electrode.temperature / units.F,
        "interface_resistance": case.interface.resistance / flux_of_current(1.0, electrode),
        "surface_tension": case.wall.surface_tension / (units.STRESS * units.LENGTH),
        "surface_mobility": _surface_mobility(case, electrode),
        # Stresses are of the order of MPa and velocities of um/h: this makes the plate's waviness 1e-9 of its speed.
        "plate_stiffness": 1e9 * case.geometry.width / units.LENGTH,
        "spring": 0.0,
        "rate": 1.0,
        "layer_turning": forms_layer.TURNING,
        "layer_permeability": (case.interface.layer_diffusivity or 0.0) * in_layer * units.TIME / units.LENGTH**2,
        "zero": 0.0,
    }


def frame_of(
    domain: Domain,
    w: fem.Function,
    displacement: fem.Function,
    curvature: fem.Function | None = None,
    layer: forms_layer.Layer | None = None,
    driving: fem.Function | None = None,
) -> forms.Frame:
    """Measures of a domain for the forms; a part that the mesh does not have integrates to zero."""
    mesh = domain.mesh
    r = ufl.SpatialCoordinate(mesh)[0] if domain.kinematics == "axisymmetric" else None
    parts = {name: domain.facet_names.get(name, ()) for name in ("contact", "void", "collector", "side", "axis")}
    return forms.Frame(
        dx=ufl.Measure("dx", mesh, metadata={"quadrature_degree": BALANCE_DEGREE}),
        dx_creep=ufl.Measure("dx", mesh, metadata={"quadrature_degree": CREEP_DEGREE, "quadrature_scheme": "default"}),
        ds=ufl.Measure("ds", mesh, subdomain_data=domain.facet_tags, metadata={"quadrature_degree": BALANCE_DEGREE}),
        parts=parts,
        n=ufl.FacetNormal(mesh),
        kinematics=domain.kinematics,
        weight=2 * np.pi * r if r is not None else 1.0,
        r=r,
        w=w,
        displacement=displacement,
        reference=ufl.JacobianInverse(mesh),
        curvature=curvature,
        layer=layer,
        driving=driving,
    )


def create(domain: Domain, case: Case, electrode: Electrode) -> Fields:
    """Allocate the unknowns on a domain and set the initial composition and pressure."""
    mesh = domain.mesh
    cell, dim = mesh.basix_cell(), mesh.geometry.dim
    alone = case.electrode.mechanics == "none"  # then only x is solved for, and the others are kept small
    V = fem.functionspace(mesh, ("Lagrange", 1 if alone else 2, (dim,)))
    Q = fem.functionspace(mesh, ("Lagrange", 1))
    W = fem.functionspace(mesh, ("Lagrange", 1, (dim,)))
    size = 1 if alone else {"uniaxial": 1, "plane": 3, "axisymmetric": 3, "full": 5}[domain.kinematics]
    points = {"scheme": "default", "degree": 0 if alone else CREEP_DEGREE}
    tensor = fem.functionspace(mesh, basix.ufl.quadrature_element(cell, value_shape=(size,), **points))
    scalar = fem.functionspace(mesh, basix.ufl.quadrature_element(cell, **points))

    u = forms.Unknowns(fem.Function(V, name="v"), fem.Function(Q, name="p"), fem.Function(Q.clone(), name="x"))
    u.x.x.array[:] = electrode.li_fraction
    u.p.x.array[:] = case.load.stack_pressure / units.STRESS
    # Without surface tension its terms are not in the forms at all.
    tense = case.wall.surface_tension > 0 and "void" in domain.facet_names
    curvature = fem.Function(W, name="curvature") if tense else None
    layered = case.interface.layer_diffusivity is not None
    layer = forms_layer.Layer(fem.Function(u.x.function_space), fem.Function(u.x.function_space)) if layered else None
    driven = tense and case.wall.surface_diffusivity is not None
    driving = fem.Function(Q, name="driving") if driven else None
    w, displacement = fem.Function(W, name="w"), fem.Function(W, name="displacement")
    constants = {name: fem.Constant(mesh, float(value)) for name, value in _numbers(case, electrode).items()}
    return Fields(
        domain=domain,
        u=u,
        state=StressState(fem.Function(tensor), fem.Function(scalar), fem.Function(scalar)),
        w=w,
        displacement=displacement,
        x_old=fem.Function(u.x.function_space),
        k=Constants(**constants),
        frame=frame_of(domain, w, displacement, curvature, layer, driving),
        node_of_dof=nodes_of_dofs(Q),
    )


def add_ghosts(f: fem.Function) -> None:
    """Sum ghost contributions of an assembled function onto their owners, then refresh the ghosts."""
    f.x.scatter_reverse(InsertMode.add)
    f.x.scatter_forward()


def assemble(function: fem.Function, form: Any) -> None:
    """Assemble a linear form into a function, on owned and ghost dofs."""
    function.x.array[:] = 0.0
    fem.assemble_vector(function.x.array, form)
    add_ghosts(function)


def nodes_of_dofs(space: fem.FunctionSpace) -> NDArray[np.int32]:
    """Geometry node of each P1 dof, (local dofs,)."""
    index_map = space.dofmap.index_map
    found = np.empty(index_map.size_local + index_map.num_ghosts, dtype=np.int32)
    found[space.dofmap.list.ravel()] = space.mesh.geometry.dofmaps[0].ravel()
    return found


def cell_determinants(mesh: dolfinx.mesh.Mesh) -> NDArray[np.float64]:
    """Determinant of each cell of this rank, its volume over that of a unit cell up to the sign, (cells,) [um^dim]."""
    nodes = mesh.geometry.x[mesh.geometry.dofmaps[0]][:, :, : mesh.geometry.dim]
    return np.asarray(np.linalg.det(nodes[:, 1:] - nodes[:, :1]))


def total(comm: MPI.Comm, value: float) -> float:
    """Sum of a number over ranks."""
    return float(comm.allreduce(value, op=MPI.SUM))


def largest(comm: MPI.Intracomm, *values: float) -> tuple[float, ...]:
    """Largest of each number over ranks."""
    out = np.array(values, dtype=np.float64)
    comm.Allreduce(MPI.IN_PLACE, out, op=MPI.MAX)
    return tuple(float(v) for v in out)
