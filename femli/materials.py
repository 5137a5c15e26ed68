"""The frozen types of the material library.

A material is numbers with sources: every number is a `Value`. A law is a few of them and one method that says
what they mean. All SI; compositions are mole fractions, y = 1 - x is that of the host.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .units import EV, KB, F, R


@dataclass(frozen=True, slots=True)
class Value:
    """A number with its unit and where it comes from.

    Args:
        number: the number in `unit`.
        unit: as text, "-" where it has none.
        source: key of the publication, or "femli" for a choice made here.
        conditions: temperature, method, range.
        assumed: true where no measurement in the source says so.
        name: what the number is, for tables and logs.
    """

    number: float
    unit: str
    source: str
    conditions: str = ""
    assumed: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class PowerLawCreep:
    """Power-law creep of the pure metal: rate = alpha sigma_eq^n.

    The temperature law is alpha(T) = alpha exp[-(Qc/R)(1/T - 1/T_ref)].

    Args:
        name: name of the law, as in `electrode.creep`.
        exponent: n [-].
        prefactor: alpha at `reference_temperature` [Pa^-n/s]; it belongs to this n and no other.
        activation: Qc [J/mol].
        reference_temperature: T_ref [K].
        lowest_stress, highest_stress: the measured range [Pa].
    """

    name: str
    exponent: Value
    prefactor: Value
    activation: Value
    reference_temperature: float
    lowest_stress: Value
    highest_stress: Value

    def prefactor_at(self, temperature: float) -> float:
        """Prefactor alpha(T) [Pa^-n/s] at a temperature [K]."""
        shift = 1.0 / temperature - 1.0 / self.reference_temperature
        return self.prefactor.number * math.exp(-self.activation.number / R * shift)


@dataclass(frozen=True, slots=True)
class Diffusivity:
    """Diffusivity whose logarithm is linear in composition between two measured alloys, and goes on beyond.

    Args:
        pure, alloyed: D at the reference temperature [m2/s] of the pure metal and of the alloy.
        pure_energy, alloyed_energy: their activation energies [eV].
        alloyed_fraction: host fraction of the alloy [-].
        reference_temperature: [K].
    """

    pure: Value
    pure_energy: Value
    alloyed: Value
    alloyed_energy: Value
    alloyed_fraction: float
    reference_temperature: float

    def coefficients(self, temperature: float) -> tuple[float, float]:
        """Coefficients (c0, c1) of ln D [m2/s] = c0 + c1 y at a temperature [K]."""
        shift = (EV / KB) * (1.0 / self.reference_temperature - 1.0 / temperature)
        pure = math.log(self.pure.number) + self.pure_energy.number * shift
        alloyed = math.log(self.alloyed.number) + self.alloyed_energy.number * shift
        return pure, (alloyed - pure) / self.alloyed_fraction


@dataclass(frozen=True, slots=True)
class Activity:
    """Sub-regular activity: ln gamma = y^2 (a + b y); a = b = 0 is the ideal solution.

    Args:
        name: name of the law, as in `electrode.activity`.
        a, b: coefficients [-].
    """

    name: str
    a: Value
    b: Value

    def thermodynamic_factor(self, x: float) -> float:
        """Theta = 1 + dln(gamma)/dln(x) at a Li fraction x."""
        y = 1.0 - x
        return 1.0 - x * y * (2.0 * self.a.number + 3.0 * self.b.number * y)

    def open_circuit_potential(self, x: float, temperature: float) -> float:
        """Potential against pure Li [V] at a Li fraction x and a temperature [K], without stress."""
        y = 1.0 - x
        return -(R * temperature / F) * (math.log(x) + y * y * (self.a.number + self.b.number * y))


@dataclass(frozen=True, slots=True)
class Stages:
    """What follows the solid solution of an alloy that loses its Li: two phases, then a phase poor in Li.

    Args:
        limit: Li fraction at which the solid solution ends [-].
        poor: Li fraction at which the poor phase begins [-].
        slope: of the potential of the poor phase, over R T/F per e-fold of x [-].
    """

    limit: Value
    poor: Value
    slope: Value

    def open_circuit_potential(self, activity: Activity, x: float, temperature: float) -> float:
        """Potential against pure Li [V] of any Li fraction x at a temperature [K], without stress."""
        solution = activity.open_circuit_potential(max(x, self.limit.number), temperature)
        if x >= self.poor.number:
            return solution
        return solution + self.slope.number * R * temperature / F * math.log(self.poor.number / x)


@dataclass(frozen=True, slots=True)
class Hardness:
    """Bulk hardness H0 of two compositions; it scales the creep of the alloys between and is constant beyond.

    Args:
        pure, alloyed: H0 of the pure metal and of the alloy [Pa].
        alloyed_fraction: host fraction of the alloy [-].
    """

    pure: Value
    alloyed: Value
    alloyed_fraction: float

    def ratio(self, host_fraction: float, scaling: str) -> float:
        """H0 over that of the pure metal, at a host fraction; `scaling` is that of the case."""
        if scaling == "none":
            return 1.0
        share = min(host_fraction / self.alloyed_fraction, 1.0)
        full = self.alloyed.number / self.pure.number
        return full**share if scaling == "hardness" else 1.0 + (full - 1.0) * share


@dataclass(frozen=True, slots=True)
class Alloy:
    """A lithium alloy as the library knows it.

    Args:
        name: as in `femli materials`.
        host: element symbol of the host.
        host_fraction: y [-].
        host_limit: largest y of the phase [-].
        molar_volume_li, molar_volume_host: partial molar volumes [m3/mol].
        diffusivity, hardness: laws of the whole system.
        others: numbers that the model does not use (elastic constants).
    """

    name: str
    host: str
    host_fraction: float
    host_limit: Value
    molar_volume_li: Value
    molar_volume_host: Value
    diffusivity: Diffusivity
    hardness: Hardness
    others: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Conductivity:
    """Ionic conductivity that follows Arrhenius' law through two measured temperatures: ln kappa linear in 1/T.

    Args:
        cold, warm: the measured values [mS/cm].
        cold_temperature, warm_temperature: where they were measured [K].
    """

    cold: Value
    warm: Value
    cold_temperature: float
    warm_temperature: float

    def at(self, temperature: float) -> float:
        """Conductivity [S/m] at a temperature [K]."""
        span = 1.0 / self.cold_temperature - 1.0 / self.warm_temperature
        share = (1.0 / self.cold_temperature - 1.0 / temperature) / span
        return 0.1 * self.cold.number * (self.warm.number / self.cold.number) ** share


@dataclass(frozen=True, slots=True)
class Electrolyte:
    """A solid electrolyte.

    Args:
        name: as in `femli materials`.
        conductivity: the law that the solver uses.
        others: further measurements, for comparison.
    """

    name: str
    conductivity: Conductivity
    others: tuple[Value, ...] = ()

    @property
    def values(self) -> tuple[Value, ...]:
        """Every number, for tables."""
        return (self.conductivity.cold, self.conductivity.warm, *self.others)
