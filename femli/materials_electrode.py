"""`Electrode`, the numbers that a solver takes from the material library, and where each of them comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .materials import Activity, Alloy, PowerLawCreep, Value


@dataclass(frozen=True, slots=True)
class Electrode:
    """What a solver needs to know of an electrode: resolved numbers, SI.

    Args:
        name: name of the material.
        li_fraction: initial Li fraction x0 [-].
        temperature: [K].
        omega_li, omega_host: partial molar volumes [m3/mol].
        log_diffusivity: (c0, c1) of ln D [m2/s] = c0 + c1 y.
        activity: (a, b) of ln gamma = y^2 (a + b y).
        creep_exponent: n [-].
        creep_prefactor: alpha [Pa^-n/s], temperature and hardness scaling applied.
        stress_coupling: whether pressure gradients drive Li.
        creep_stress_range: equivalent stresses [Pa] in which the creep law was measured.
        li_fraction_range: compositions [-] in which the laws hold.
        provenance: every number that went in.
    """

    name: str
    li_fraction: float
    temperature: float
    omega_li: float
    omega_host: float
    log_diffusivity: tuple[float, float]
    activity: tuple[float, float]
    creep_exponent: float
    creep_prefactor: float
    stress_coupling: bool
    creep_stress_range: tuple[float, float]
    li_fraction_range: tuple[float, float]
    provenance: tuple[Value, ...]

    @property
    def diffusivity(self) -> float:
        """D [m2/s] of the initial composition."""
        c0, c1 = self.log_diffusivity
        return math.exp(c0 + c1 * (1.0 - self.li_fraction))


def electrode(
    alloy: Alloy,
    creep: PowerLawCreep,
    activity: Activity,
    temperature: float,
    *,
    diffusivity: str = "local",
    scaling: str = "hardness",
    equal_volumes: bool = False,
    stress_coupling: bool = True,
) -> Electrode:
    """The resolved numbers of an alloy under the laws that a case names.

    Args:
        alloy: the alloy, at its initial composition.
        creep: creep law of the pure metal.
        activity: activity law.
        temperature: [K].
        diffusivity: "local", or "initial" to keep D at its value for the initial composition.
        scaling: how alloying changes the creep prefactor: "hardness", "hardness_linear" or "none".
        equal_volumes: give the host the molar volume of Li.
        stress_coupling: whether pressure gradients drive Li.
    """
    y = alloy.host_fraction
    c0, c1 = alloy.diffusivity.coefficients(temperature)
    hardness = alloy.hardness.ratio(y, scaling)
    omega_host = alloy.molar_volume_li if equal_volumes else alloy.molar_volume_host
    return Electrode(
        name=alloy.name,
        li_fraction=1.0 - y,
        temperature=temperature,
        omega_li=alloy.molar_volume_li.number,
        omega_host=omega_host.number,
        log_diffusivity=(c0, c1) if diffusivity == "local" else (c0 + c1 * y, 0.0),
        activity=(activity.a.number, activity.b.number),
        creep_exponent=creep.exponent.number,
        creep_prefactor=creep.prefactor_at(temperature) * hardness**-creep.exponent.number,
        stress_coupling=stress_coupling,
        # Scaling alpha by (H/H_Li)^-n is scaling stress by H/H_Li, so the measured range moves with it.
        creep_stress_range=(creep.lowest_stress.number * hardness, creep.highest_stress.number * hardness),
        li_fraction_range=(round(1.0 - alloy.host_limit.number, 12), 1.0),
        provenance=_provenance(alloy, creep, activity, temperature, scaling, equal_volumes),
    )


def _provenance(
    alloy: Alloy,
    creep: PowerLawCreep,
    activity: Activity,
    temperature: float,
    scaling: str,
    equal_volumes: bool,
) -> tuple[Value, ...]:
    """Every number behind an electrode, in the order of the laws."""
    law = alloy.diffusivity
    used = [alloy.molar_volume_li, law.pure, law.pure_energy]
    if alloy.host_fraction > 0.0:
        if equal_volumes:
            conditions = 'molar_volumes = "equal"'
            used += [
                replace(
                    alloy.molar_volume_host,
                    number=alloy.molar_volume_li.number,
                    source="femli",
                    conditions=conditions,
                    assumed=True,
                )
            ]
        else:
            used += [alloy.molar_volume_host]
        used += [law.alloyed, law.alloyed_energy, activity.a, activity.b, alloy.host_limit]
    used += [creep.exponent, creep.prefactor, creep.lowest_stress, creep.highest_stress]
    if abs(temperature - creep.reference_temperature) > 1e-6:
        used += [creep.activation]
    if alloy.host_fraction > 0.0:
        used += [_scaling_value(alloy, scaling)]
        if scaling != "none":
            used += [alloy.hardness.pure, alloy.hardness.alloyed]
    return tuple(used)


def _scaling_value(alloy: Alloy, scaling: str) -> Value:
    """The assumption about alloy creep as a value of its own."""
    shape = {"hardness": "log-linear", "hardness_linear": "linear"}.get(scaling)
    text = "creep of the pure metal for the alloy"
    if shape:
        text = f"alpha times (H0/H0_Li)^-n of the initial composition, H0 {shape}, constant beyond 20 at%"
    ratio = alloy.hardness.ratio(alloy.host_fraction, scaling)
    return Value(ratio, "-", "femli", text, True, "hardness over that of the pure metal")
