"""Nothing is lost over a run without remeshing (V8), and nothing gains energy."""

from pathlib import Path

import numpy as np
import pytest
import pyvista as pv
import ufl
import verification_runs as runs
from dolfinx import fem

import femli
from femli import laws
from femli.case import Case

WHOLE = {"electrode.material": "Li-20Mg", "output.every": "0.1 mAh/cm^2"}
LOCAL = {"electrode.diffusivity": "local", "electrode.activity": "subregular", "electrode.molar_volumes": "measured"}
ALONE = {
    "geometry.kind": "axisymmetric",
    "geometry.dimension": 2,
    "geometry.width": "20 um",
    "geometry.mesh": {"interface_size": "0.5 um", "growth": 1.5},
    "stop.thickness": "98.5 um",
}


def _cases(folder: Path) -> dict[str, Case]:
    return {
        "1D discharge": femli.load(runs.FOIL, WHOLE),
        "1D discharge, local D, measured volumes": femli.load(runs.FOIL, WHOLE | LOCAL),
        "1D, lithium to 2 um": femli.load(runs.FOIL, WHOLE | {"electrode.material": "Li", "stop.thickness": "2 um"}),
        "2D with voids": femli.load(runs.written(folder, runs.VOIDED, "2d.toml")),
        "axisymmetric, diffusion alone": femli.load(runs.ROOT / "cases" / "foil_diffusion.toml", ALONE),
        "axisymmetric void": femli.load(runs.written(folder, runs.AXISYMMETRIC, "axisymmetric.toml")),
    }


NAMES = [
    "1D discharge",
    "1D discharge, local D, measured volumes",
    "1D, lithium to 2 um",
    "2D with voids",
    "axisymmetric void",
]


def _contents(grid: pv.DataSet, axisymmetric: bool) -> tuple[float, float]:
    """Li and all metal of a snapshot, from its points and cells alone (equal volumes, so x is the volume fraction).

    Simplices with linear x and r: exact with the vertices and the middle of the cell (degree 2 in 1D and 2D).
    """
    cells = grid.cells.reshape(grid.n_cells, -1)[:, 1:]
    points, x = grid.points[cells], grid["li_fraction [-]"][cells]
    if cells.shape[1] == 2:
        size = np.abs(points[:, 1, 0] - points[:, 0, 0])
    else:
        a, b = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
        size = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
    r = 2 * np.pi * points[:, :, 0] if axisymmetric else np.ones_like(x)
    if cells.shape[1] == 2:
        return float((size * x.mean(axis=1)).sum()), float(size.sum())
    # int of two linear functions over a triangle: A/12 (sum_i f_i g_i + sum f sum g).
    li = size / 12 * ((x * r).sum(axis=1) + x.sum(axis=1) * r.sum(axis=1))
    return float(li.sum()), float((size * r.mean(axis=1)).sum())


@pytest.mark.parametrize("name", [*NAMES, "axisymmetric, diffusion alone"])
def test_v8_li_removed_is_the_charge(name: str, tmp_path: Path) -> None:
    # Exact: the Li that has gone is the integral of i/F over time and interface, and host stays, to 1e-8 of all Li;
    # as the run itself says, and from the snapshots and Faraday's law alone.
    case = _cases(tmp_path)[name]
    summary = femli.run(case, tmp_path / "out")
    assert summary["li_balance_error"] < 1e-8
    assert summary["host_balance_error"] < 1e-8
    history = runs.history(tmp_path / "out")
    assert history["li_balance_error [-]"].abs().max() == summary["li_balance_error"]
    if case.electrode.molar_volumes != "equal":
        return
    reader = pv.get_reader(str(tmp_path / "out" / "fields.pvd"))
    kind, width = case.geometry.kind, case.geometry.width * 1e6
    interface = {1: 1.0, 2: width}[case.geometry.dimension] if kind == "foil" else np.pi * width**2
    start = None
    for time in reader.time_values:
        reader.set_active_time_value(time)
        li, metal = _contents(reader.read()[0], kind == "axisymmetric")
        start = start or (li, metal)
        gone = case.electrode_properties().omega_li * case.load.current_density * time / 96485.33212 * 1e6 * interface
        assert abs(start[0] - li - gone) < 1e-8 * start[0]
        # Equal volumes: the metal shrinks by what has gone.
        assert abs(start[1] - metal - gone) < 1e-8 * start[1]
    assert start is not None and gone > 3e-4 * start[0]


@pytest.mark.parametrize("name", NAMES)
def test_dissipation_is_never_negative(name: str, tmp_path: Path) -> None:
    # Exact: s : d >= 0 of creep, and -J . grad mu >= 0 of diffusion, everywhere and at every step: both laws are
    # dissipative, and flux and potential are of one activity law.
    made = runs.stepper(_cases(tmp_path)[name])
    f = made.fields
    flux, mu = laws.li_flux(f.u.x, f.u.p, f.k), laws.chemical_potential(f.u.x, f.u.p, f.k)
    cell = ufl.TestFunction(fem.functionspace(f.domain.mesh, ("DG", 0)))
    diffusion = fem.form(-f.frame.weight * ufl.dot(flux, ufl.grad(mu)) * cell * f.frame.dx)
    for _ in range(30):
        made.advance()
        creep = made.newton.law.inner(made.newton.stress(), made.newton.points.strain_rate())
        assert creep.min() >= -1e-9 * creep.max()
        values = fem.assemble_vector(diffusion).array
        assert values.min() >= -1e-12 * values.max()
        assert values.max() > 0.0
