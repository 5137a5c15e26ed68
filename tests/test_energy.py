"""What a cycle costs: the electric work is what the fields dissipate, and what they store."""

from pathlib import Path

import numpy as np
import pytest
import ufl
import verification_runs as runs
from dolfinx import fem

import femli
from femli import laws
from femli.protocol import Protocol

# A strip and the same charge back; the foil is thin, so that its profile spans it.
CYCLE = """
[geometry]
dimension = 1
electrode_thickness = "4 um"
[geometry.mesh]
interface_size = "{size} um"
growth = {growth}
[electrode]
material = "Li-20Mg"
activity = "ideal"
[electrolyte]
thickness = "100 um"
[load]
stack_pressure = "5 MPa"
[solver]
time_tolerance = {tolerance}
[[protocol]]
current_density = "{current} mA/cm^2"
until = {{ capacity = "0.02 mAh/cm^2" }}
[[protocol]]
current_density = "-{current} mA/cm^2"
until = {{ capacity = "0.02 mAh/cm^2" }}
"""
# Conductivity of Li6PS5Cl at 30 degC [S/m], by Arrhenius' law through 0.35 (25 degC) and 1.24 (60 degC).
KAPPA = 0.35 * (12.4 / 3.5) ** ((1 / 298.15 - 1 / 303.15) / (1 / 298.15 - 1 / 333.15))


class Energy:
    """Powers of a run [W/m2] and what its metal stores [J/m2], from the fields."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol, self.newton = protocol, protocol.newton
        f = self.newton.fields
        flux, mu = laws.li_flux(f.u.x, f.u.p, f.k), laws.chemical_potential(f.u.x, f.u.p, f.k)
        phi, x = laws.li_volume_fraction(f.u.x, f.k), f.u.x
        self.diffusion = fem.form(-ufl.dot(flux, ufl.grad(mu)) * f.frame.dx)
        mixing = phi * ufl.ln(x) + (1 - phi) / f.k.volume_ratio * ufl.ln(1 - x)
        self.mixing = fem.form(f.k.thermal_pressure * mixing * f.frame.dx)

    def stored(self) -> float:
        """Free energy of mixing, with pure Li and pure host as zero."""
        return float(fem.assemble_scalar(self.mixing))

    def powers(self) -> np.ndarray:
        """Electric power, and the dissipation of diffusion, creep, contact and electrolyte."""
        newton, e, i = self.newton, self.newton.electrolyte, self.protocol.current()
        diffusion = float(fem.assemble_scalar(self.diffusion)) / 3600
        creep = float(newton.law.inner(newton.stress(), newton.points.strain_rate()) @ newton.points.weights()) / 3600
        local = e.over_contact("current") / (e.counter_area * newton.applied_flux) * i
        return np.array([i * self.protocol.measures.voltage(), diffusion, creep, local**2 * 1e-3, i**2 * 1e-4 / KAPPA])


def cycled(folder: Path, current: float, size: float, tolerance: float) -> tuple[np.ndarray, float]:
    """Work and dissipations over the cycle [J/m2], and by how much the metal stores more."""
    text = CYCLE.format(current=current, size=size, growth=1 + size, tolerance=tolerance)
    protocol = runs.protocol(femli.load(runs.written(folder, text)))
    energy = Energy(protocol)
    first, sums, before = energy.stored(), np.zeros(5), energy.powers()
    while protocol.reason is None:
        step = protocol.stepper.advance()
        after = energy.powers()
        sums += 0.5 * (before + after) * step.dt * 3600
        protocol.follow(step)
        before = energy.powers()  # after a jump of the current
    return sums, energy.stored() - first


def test_work_of_a_cycle_is_stored_or_dissipated(tmp_path: Path) -> None:
    # Exact: int V i dt = change of the free energy of mixing + int of the dissipation in metal (-J.grad mu and s:d),
    # contact and electrolyte; the host does not move against the lattice, and the stack's work is in mu. Fields of P1
    # and BDF2: the gap falls with the square of cell and step (the step goes as the cube root of its tolerance).
    gaps = []
    for size, tolerance in ((0.2, 8e-4), (0.1, 1e-4)):
        sums, stored = cycled(tmp_path, 0.31, size, tolerance)
        work, losses = sums[0], sums[1:]
        assert np.all(losses > 0)
        gaps.append(abs(work - stored - losses.sum()) / losses.sum())
    assert gaps[1] < 5e-4
    assert np.log2(gaps[0] / gaps[1]) > 1.5


def test_a_slow_cycle_costs_less(tmp_path: Path) -> None:
    # Exact: at a tenth of the current resistances dissipate a tenth over the same charge, creep by its power law
    # 10^(-2/(n+1)), about a half (V1's closed form: S0 goes as i^(2/(n+1))). The work is positive and falls with the
    # rate.
    fast, _ = cycled(tmp_path, 0.31, 0.2, 8e-4)
    slow, _ = cycled(tmp_path, 0.031, 0.2, 8e-4)
    assert slow[3:5] == pytest.approx(0.1 * fast[3:5], rel=1e-3)
    assert np.all(slow[1:] > 0)
    assert slow[2] == pytest.approx(10 ** (-2 / 7.26) * fast[2], rel=0.15)
    assert 0 < slow[0] < 0.5 * fast[0]
