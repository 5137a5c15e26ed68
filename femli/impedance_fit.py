"""An equivalent circuit fitted to a spectrum, by the library impedance.py.

R0 - (R1 | CPE1) - Wo1: everything that is a resistance at high frequency (electrolyte, constriction), the arc of the
contact, and where the spectrum has one, the finite-space Warburg impedance of diffusion in the foil.
"""

from typing import Any

import numpy as np
from impedance.models.circuits import CustomCircuit

from femli.impedance import Spectrum

CM2 = 1e4  # ohm cm2 for 1 ohm m2: numbers near one suit the fit


def fitted(spectrum: Spectrum) -> dict[str, float]:
    """Elements of the circuit, per area of the foil.

    Returns:
        series_resistance_ohm_m2, contact_resistance_ohm_m2, phase_element [S s^a/m2], exponent;
        warburg_resistance_ohm_m2
        and warburg_time_s where there is a Warburg element; residual, the root mean square of the relative error.
    """
    Z = spectrum.impedance * CM2
    share = max(spectrum.contact_fraction, 1e-6)
    guess = [
        float(Z.real.min()),
        spectrum.contact * CM2 / share,
        spectrum.phase_element / CM2 * share,
        spectrum.exponent,
    ]
    circuit, bounds = "R0-p(R1,CPE1)", ([0.0, 0.0, 0.0, 0.4], [np.inf, np.inf, np.inf, 1.0 + 1e-9])
    tail = -float(Z[-1].imag)
    diffusive = tail > 0.05 * abs(Z[-1])
    if diffusive:
        circuit += "-Wo1"
        turn = 2 * np.pi * float(spectrum.frequency[-1])
        guess += [tail, 1 / turn]
        bounds = ([*bounds[0], 0.0, 0.0], [*bounds[1], np.inf, np.inf])
    model: Any = CustomCircuit(circuit, initial_guess=guess)
    model.fit(spectrum.frequency, Z, bounds=bounds, weight_by_modulus=True)
    values = [float(p) for p in model.parameters_]
    found = {
        "series_resistance_ohm_m2": values[0] / CM2,
        "contact_resistance_ohm_m2": values[1] / CM2,
        "phase_element": values[2] * CM2,
        "exponent": values[3],
    }
    if diffusive:
        found |= {"warburg_resistance_ohm_m2": values[4] / CM2, "warburg_time_s": values[5]}
    error = np.abs(model.predict(spectrum.frequency) - Z) / np.abs(Z)
    return found | {"residual": float(np.sqrt(np.mean(error**2)))}
