"""Impedance of the model against closed forms, and what the command writes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pyvista as pv
import verification_runs as runs

import femli
from femli import impedance
from femli.case import Case
from femli.errors import CaseError
from femli.impedance import SmallSignal, Spectrum
from femli.impedance_fit import fitted

UNIFORM = """
[geometry]
dimension = 1
electrode_thickness = "20 um"
[geometry.mesh]
interface_size = "{size} um"
[electrode]
material = "Li-10Mg"
diffusivity = "initial"
[electrolyte]
thickness = "700 um"
[load]
current_density = "0.31 mA/cm^2"
[stop]
capacity = "0.02 mAh/cm^2"
[impedance]
lowest = "0.1 mHz"
per_decade = 2
"""
# A strip of contact beside one without, in pure Li: the contact's kinetics dominate (Wagner number 40).
HALF = """
[geometry]
dimension = 2
width = "8 um"
electrode_thickness = "8 um"
[geometry.mesh]
interface_size = "0.4 um"
edge_size = "0.1 um"
[[geometry.voids.list]]
x = "4 um"
half_width = "2 um"
height = "1 um"
[electrode]
material = "Li"
[electrolyte]
thickness = "20 um"
conductivity = "3.5 mS/cm"
[interface]
resistance = "100 ohm cm^2"
[load]
current_density = "0.31 mA/cm^2"
[stop]
capacity = "1 mAh/cm^2"
[impedance]
highest = "1 MHz"
lowest = "0.1 Hz"
per_decade = 2
"""


def spectrum(case: Case) -> Spectrum:
    return SmallSignal(impedance.fresh(case), case).spectrum()


def contact(case: Case, frequency: np.ndarray) -> np.ndarray:
    """R || Q of an intact contact [ohm m2]; (R Q)^(1/a) = R C."""
    R, C, a = case.interface.resistance, case.impedance.capacitance, case.impedance.exponent
    return R / (1 + (2j * np.pi * frequency * R * C) ** a)


def test_uniform_foil_has_the_impedance_of_its_formula(tmp_path: Path) -> None:
    # Exact: t/kappa + R || Q + Z_W, Z_W = (R T/F^2) L/(D c) coth(s)/s, s^2 = j omega L^2/(D (1-x) Theta): diffusion in
    # the frame of the host, blocked at the collector (limits of a finite-space Warburg element: 1/(j omega C)
    # with C = F L dc/dE at low frequency). Order 2 in the cell where the diffusion layer is resolved (below 0.01 Hz).
    errors = []
    for size in (0.1, 0.05):
        case = femli.load(runs.written(tmp_path, UNIFORM.format(size=size)), {"geometry.mesh.growth": 1 + size})
        found = spectrum(case)
        f = found.frequency
        exact = found.electrolyte + contact(case, f) + impedance.finite_warburg(f, case)
        relative = np.abs(found.impedance - exact) / np.abs(exact)
        assert relative.max() < 5e-3
        slow = f < 0.01
        errors.append(np.abs(found.impedance - exact)[slow].max())
    assert np.log2(errors[0] / errors[1]) > 1.5


def test_warburg_limits(tmp_path: Path) -> None:
    # Exact: Z_W sqrt(j omega) is constant at high frequency (semi-infinite); at low frequency Z_W -> R_W/3 + 1/(j omega
    # C), C/R_W the time constant.
    case = femli.load(runs.written(tmp_path, UNIFORM.format(size=1)))
    fast, slow = np.array([1e3, 1e4]), np.array([1e-8, 1e-9])
    Z = impedance.finite_warburg(fast, case) * np.sqrt(2j * np.pi * fast)
    assert Z[0] == pytest.approx(Z[1], rel=1e-6)
    Z = impedance.finite_warburg(slow, case)
    assert Z[1].imag / Z[0].imag == pytest.approx(10.0, rel=1e-3)
    assert Z[1].real == pytest.approx(Z[0].real, rel=1e-3)


def test_half_the_contact_doubles_its_resistance(tmp_path: Path) -> None:
    # Exact: where only the area changes, R/R0 = 1/f and Q/Q0 = f (a Wagner number of 40 keeps the current uniform to a
    # percent); pure Li has no Warburg part; what is left at high frequency is t/kappa and the constriction of strips,
    # between that of an equipotential contact, (s/pi kappa) ln(1/sin(pi f/2)), and of a uniform one, 0.1357 s/kappa.
    case = femli.load(runs.written(tmp_path, HALF))
    found = spectrum(case)
    f = found.contact_fraction
    assert f == pytest.approx(0.5, abs=1e-3)
    rest = found.impedance - contact(case, found.frequency) / f - found.electrolyte
    assert np.abs(rest[-4:]).max() < 0.01 * case.interface.resistance / f
    period = 8e-6 / 0.35
    assert period / np.pi * np.log(1 / np.sin(np.pi * f / 2)) * 0.99 < rest[0].real < 0.1357 * period * 1.01
    circuit = fitted(found)
    assert circuit["contact_resistance_ohm_m2"] == pytest.approx(case.interface.resistance / f, rel=0.01)
    assert circuit["phase_element"] == pytest.approx(found.phase_element * f, rel=0.02)
    assert circuit["exponent"] == pytest.approx(0.9, abs=0.005)
    assert "warburg_resistance_ohm_m2" not in circuit


def test_command_and_files(tmp_path: Path) -> None:
    # Expected: a fresh case is its own reference (ratios 1); a result is measured at its last checkpoint, where
    # stripping has taken Li from the contact; table, numbers and pictures are there and read back.
    case = runs.written(tmp_path, UNIFORM.format(size=1))
    femli.run(femli.load(case), tmp_path / "out")
    for source, folder in ((case, tmp_path / "fresh"), (tmp_path / "out", tmp_path / "out")):
        assert runs.command("-m", "femli", "impedance", str(source), "-o", str(folder)).returncode == 0
        table = pd.read_csv(folder / "impedance.csv")
        assert len(table) == 17
        numbers = json.loads((folder / "impedance.json").read_text())
        assert numbers["R/R0"] == pytest.approx(1.0, rel=1e-2)
        for name in ("nyquist.png", "bode.png"):
            assert min(pv.read(folder / name).dimensions[:2]) > 400
    same = table["real [ohm cm^2]"] - table["fresh_real [ohm cm^2]"]
    assert same.abs().max() > 1e-3  # diffusion in what is left differs


def test_two_ranks_have_the_same_spectrum(tmp_path: Path) -> None:
    # Exact: the same linear systems; to the round-off of the direct solver.
    case = runs.written(tmp_path, HALF.replace('lowest = "0.1 Hz"', 'lowest = "1 kHz"'))
    tables = []
    for ranks in (1, 2):
        out = tmp_path / str(ranks)
        assert runs.command("-m", "femli", "impedance", str(case), "-o", str(out), ranks=ranks).returncode == 0
        tables.append(pd.read_csv(out / "impedance.csv"))
    np.testing.assert_allclose(tables[0], tables[1], rtol=1e-8)


def test_needs_an_electrolyte() -> None:
    # Expected: one sentence that names what is missing.
    with pytest.raises(CaseError, match="no electrolyte; allowed: add an \\[electrolyte\\] section"):
        impedance.fresh(femli.load(runs.FOIL))
