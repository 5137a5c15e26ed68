"""The assembled Jacobian against differences of the residual, and how the balances feel that boundaries move."""

from pathlib import Path
from typing import Any

from mpi4py import MPI

import manufactured
import numpy as np
import pytest
import ufl
from dolfinx import fem
from dolfinx.la import InsertMode
from numpy.typing import NDArray

from femli import case, fields, forms, laws, mesh
from femli.motion import Motion
from femli.solver import Newton
from femli.solver_data import StepData

Array = NDArray[np.float64]
KINEMATICS = ["uniaxial", "plane", "axisymmetric", "full"]
RATE, A2 = 3.0, 0.7  # of BDF2 [1/h]


def vector(form: Any) -> Array:
    b = fem.assemble_vector(form)
    b.scatter_reverse(InsertMode.add)
    return b.array


class Step:
    """One step in mid-iteration: random fields of order one on a mesh in motion, a random stress state.

    Args:
        folder: for the case.
        kinematics: of the box.
        plate: whether a rigid plate lies on the collector.
    """

    def __init__(self, folder: Path, kinematics: str, plate: bool = False) -> None:
        domain = manufactured.box(kinematics, 2 if kinematics == "full" else 4)
        self.problem = manufactured.Problem(domain, manufactured.settings(folder), manufactured.metal(3.0))
        f = self.fields = self.problem.fields
        rng = np.random.default_rng(11)
        f.u.v.x.array[:] = rng.normal(size=f.u.v.x.array.size)
        f.u.p.x.array[:] = 1 + 0.5 * rng.normal(size=f.u.p.x.array.size)
        f.u.x.x.array[:] = rng.uniform(0.5, 0.8, size=f.u.x.x.array.size)
        f.x_old.x.array[:] = rng.uniform(0.5, 0.8, size=f.x_old.x.array.size)
        f.w.x.array[:] = rng.normal(size=f.w.x.array.size)
        f.displacement.x.array[:] = 0.02 * rng.normal(size=f.displacement.x.array.size)
        f.k.rate.value, f.k.plate_stiffness.value = RATE, 10.0
        newton = self.problem.newton
        newton.set_stress(rng.normal(size=newton.stress().shape))
        t = self.problem.test
        self.rows = forms.residuals(t, f.u, f.x_old, f.state, f.k, f.frame, plate)
        self.residual = [fem.form(row) for row in self.rows]
        self.rng = rng

    def values(self) -> list[Array]:
        return [vector(form).copy() for form in self.residual]

    def action(self, direction: list[fem.Function]) -> list[Array]:
        """What `forms.jacobian` does to a direction, without the part of moving boundaries; one vector a row."""
        t, u, k, f = self.problem.test, self.fields.u, self.fields.k, self.fields.frame
        du = forms.Unknowns(*direction)
        matrix = forms.jacobian(self.rows, t, u, du, k, f)
        matrix[1][0] -= forms.wall_following(t.p, u, du.v, k, f, host_only=False)
        matrix[2][0] -= forms.wall_following(t.x, u, du.v, k, f, host_only=True)
        return [vector(fem.form(row[0] + row[1] + row[2])).copy() for row in matrix]


@pytest.mark.parametrize("plate", [False, True])
@pytest.mark.parametrize("kinematics", KINEMATICS)
def test_jacobian_is_the_derivative(tmp_path: Path, kinematics: str, plate: bool) -> None:
    # Exact: J du = [F(u + h du) - F(u - h du)]/2h at a fixed mesh and stress state, to the h^2 of central
    # differences; in v, p and x one by one, every row.
    if plate and kinematics == "uniaxial":
        pytest.skip("a collector of one point cannot tilt")
    step = Step(tmp_path, kinematics, plate)
    h = 1e-5
    direction = [fem.Function(u.function_space) for u in step.fields.u]
    for j, u in enumerate(step.fields.u):
        for each in direction:
            each.x.array[:] = 0.0
        direction[j].x.array[:] = step.rng.normal(size=u.x.array.size)
        start = u.x.array.copy()
        sides = []
        for sign in (1, -1):
            u.x.array[:] = start + sign * h * direction[j].x.array
            sides.append(step.values())
        u.x.array[:] = start
        for row, (up, down, exact) in enumerate(zip(*sides, step.action(direction), strict=True)):
            difference = (up - down) / (2 * h)
            size = max(float(np.max(np.abs(difference))), 1e-3)
            assert np.max(np.abs(difference - exact)) < 1e-6 * size, (row, j)


@pytest.mark.parametrize("kinematics", KINEMATICS)
def test_creep_law_enters_linearised(tmp_path: Path, kinematics: str) -> None:
    # Exact: about a stress T on the law, at the rate D(T) the linearised stress is T, and for other rates d it is
    # that of `PowerLaw.apply_tangent`: the weak form and the projection use the same tangent.
    step = Step(tmp_path, kinematics)
    newton, state = step.problem.newton, step.fields.state
    law, t, d = newton.law, newton.stress().copy(), newton.points.strain_rate()
    inverse_rate, rank_one = law.tangent(t)
    linear = t + law.apply_tangent(t, inverse_rate, rank_one, d - t / inverse_rate[:, None])
    # Virtual power of the momentum row, without pressure and tractions: int s : grad v.
    f, u = step.fields.frame, step.fields.u
    rate = laws.strain_rate(laws.velocity_gradient(u.v, f.kinematics, f.r))
    power = f.weight * ufl.inner(laws.linearised_stress(rate, state, f.kinematics), rate) * f.dx_creep
    exact = float(newton.points.weights() @ law.inner(linear, d))
    assert fem.assemble_scalar(fem.form(power)) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("kinematics", KINEMATICS)
def test_wall_following_is_the_flow_through_moving_parts(tmp_path: Path, kinematics: str) -> None:
    # Exact: with q = 1 the added block is int_collector dv.n, and times 1 - phi for the host (phi = li_share at
    # uniform x).
    step = Step(tmp_path, kinematics)
    f, u, k = step.fields.frame, step.fields.u, step.fields.k
    u.x.x.array[:] = 0.6
    phi = 0.6 / (0.6 + manufactured.RATIO * 0.4)
    dv = fem.Function(u.v.function_space)
    dv.x.array[:] = step.rng.normal(size=dv.x.array.size)
    top = float(fem.assemble_scalar(fem.form(f.weight * ufl.dot(dv, f.n) * f.ds(f.parts["collector"]))))
    for host_only, share in ((False, 1.0), (True, 1 - phi)):
        rows = vector(fem.form(forms.wall_following(step.problem.test.p, u, dv, k, f, host_only)))
        assert rows.sum() == pytest.approx(share * top, rel=1e-12)


def voided(folder: Path) -> tuple[fields.Fields, Newton]:
    """A plane foil with a void, so that both collector and a wall move."""
    path = folder / "voided.toml"
    path.write_text(
        '[geometry]\nkind = "foil"\ndimension = 2\nwidth = "20 um"\nelectrode_thickness = "10 um"\n'
        '[geometry.mesh]\ninterface_size = "1 um"\nsize = "3 um"\n'
        '[geometry.voids]\nlist = [{ x = "9 um", half_width = "3 um", contact_angle = "80 deg" }]\n'
        '[electrode]\nmaterial = "Li-5Mg"\n'
        '[load]\ncurrent_density = "0.31 mA/cm^2"\nstack_pressure = "5 MPa"\n[stop]\ncapacity = "0.1 mAh/cm^2"\n'
    )
    settings = case.load(path)
    electrode = settings.electrode_properties()
    made = fields.create(mesh.build(settings, MPI.COMM_WORLD), settings, electrode)
    return made, Newton(made, Motion(made), settings, electrode)


def test_volume_balance_feels_the_moving_boundary(tmp_path: Path) -> None:
    # Exact: summed over all q the volume balance is a0 (new volume - old volume) + current; when collector and void
    # walls follow the velocity v + h dv its derivative is int_moving dv.n, what the Jacobian holds. Residual on the
    # mesh that `place` makes, by central differences; the host likewise for uniform x.
    made, newton = voided(tmp_path)
    newton.consistent()
    u, motion = made.u, newton.motion
    n = newton.slices[1].stop - newton.slices[1].start
    base = motion.positions()
    step = StepData(
        base, u.x.x.array.copy(), made.displacement.x.array.copy(), (np.zeros(n), np.zeros(n)), 1e3, 0.0, 1e-3
    )
    made.k.rate.value = step.rate
    made.x_old.x.array[:] = step.x_old
    for _ in range(4):
        newton.place(step)
    placed, start = motion.positions(), u.v.x.array.copy()
    t = forms.Unknowns(*[ufl.TestFunction(each.function_space) for each in u])
    rows = forms.residuals(t, u, made.x_old, made.state, made.k, made.frame, False)
    volume, host = fem.form(rows[1]), fem.form(rows[2])
    dv = fem.Function(u.v.function_space)
    # The direction moves tangentially too, and is smooth; held components of the contact and the sides are zero.
    dv.interpolate(lambda X: np.stack([np.sin(np.pi * X[0] / 20), X[1] * (1 + 0.05 * X[0])]))
    following = [
        float(vector(fem.form(forms.wall_following(q, u, dv, made.k, made.frame, host_only))).sum())
        for q, host_only in ((t.p, False), (t.x, True))
    ]
    sums = []
    h = 1e-3
    for sign in (1, -1):
        motion.place(placed)
        u.v.x.array[:] = start + sign * h * dv.x.array
        newton.place(step)
        sums.append((vector(volume).sum(), vector(host).sum()))
    difference = (np.array(sums[0]) - np.array(sums[1])) / (2 * h)
    assert following[0] > 1  # um2/h, the foil is 20 um wide
    assert difference == pytest.approx(following, rel=1e-3)


@pytest.mark.parametrize("kinematics", KINEMATICS)
def test_increments_are_differences_of_contents(tmp_path: Path, kinematics: str) -> None:
    # Exact: moving the nodes by U changes the volume by V_new - V_old and the host by the difference of int (1 - phi)
    # on the two meshes, each with its own nodal x and weighed with a nodal q. Random U of 4 % of a cell.
    step = Step(tmp_path, kinematics)
    f, motion, k = step.fields, step.problem.motion, step.fields.k
    weight = fem.Function(f.u.x.function_space)
    weight.x.array[:] = step.rng.uniform(0.5, 1.5, size=weight.x.array.size)
    U = f.displacement
    U.x.array[:] = 0.02 * step.rng.uniform(-1, 1, size=U.x.array.size)
    if kinematics == "axisymmetric":  # nodes on the axis stay there
        U.x.array.reshape(-1, 2)[np.isclose(f.x_old.function_space.tabulate_dof_coordinates()[:, 0], 0), 0] = 0.0
    share = 1 - laws.li_volume_fraction(f.u.x, k)
    share_old = 1 - laws.li_volume_fraction(f.x_old, k)
    dx = f.frame.dx
    content = [fem.form(f.frame.weight * a * weight * dx) for a in (1.0, share, share_old)]
    old = motion.positions()
    before = [fem.assemble_scalar(form) for form in content]
    moved = old.copy()
    moved[f.node_of_dof] += U.x.array.reshape(old.shape)
    motion.place(moved)
    after = [fem.assemble_scalar(form) for form in content]
    volume = fem.assemble_scalar(fem.form(forms.volume_increment(weight, f.frame)))
    host = fem.assemble_scalar(fem.form(forms.host_increment(weight, f.u, f.x_old, k, f.frame)))
    assert volume == pytest.approx(after[0] - before[0], rel=1e-10)
    assert host == pytest.approx(after[1] - before[2], rel=1e-4)  # phi is rational: quadrature of degree 4
