"""The material library: alloys, creep laws, activities, electrolytes, each number with its source.

To add an alloy or a law, add an entry here and nowhere else. `assumed` marks what no source measured.

On temperature: sources print 298 K and 303 K for 25 and 30 degC. The reference temperatures are 298.15 K and
303.15 K, so that "30 degC" gives the printed creep prefactor and D = 1.320e-14 m2/s exp(-0.1325 at%).
"""

from __future__ import annotations

from .materials import (
    Activity,
    Alloy,
    Conductivity,
    Diffusivity,
    Electrolyte,
    Hardness,
    PowerLawCreep,
    Stages,
    Value,
)

ROOM = 298.15  # K, 25 degC
TEST = 303.15  # K, 30 degC, of the cells and of the creep laws

SOURCES = {
    "Aspinall2024": "J. Aspinall et al., Nat. Commun. 15 (2024), doi:10.1038/s41467-024-48071-0",
    "Masias2019": "A. Masias et al., J. Mater. Sci. 54 (2019) 2585, doi:10.1007/s10853-018-2971-3",
    "LePage2019": "W. S. LePage et al., J. Electrochem. Soc. 166 (2019) A89, doi:10.1149/2.0221902jes",
    "Roy2021": "S. Roy, N. A. Fleck, V. S. Deshpande, Extreme Mech. Lett. 46 (2021) 101307",
    "Zhao2025": "L. Zhao et al., Nat. Commun. (2025), operando SEM of the Li-solid electrolyte interface",
    "Wang2024": "Y. Wang et al., Adv. Mater. (2024), doi:10.1002/adma.202410948",
    "femli": "an assumption or a definition of this program; see the conditions",
}

_MPA = 1e6


def _creep(name: str, exponent: Value, prefactor: Value, low: Value, high: Value) -> PowerLawCreep:
    activation = Value(
        37e3,
        "J/mol",
        "LePage2019",
        f"applied relative to {TEST} K; not checked against the paper",
        True,
        "creep activation energy",
    )
    return PowerLawCreep(name, exponent, prefactor, activation, TEST, low, high)


def _range(source: str, conditions: str, assumed: bool) -> tuple[Value, Value]:
    return (
        Value(0.28e6, "Pa", source, conditions, assumed, "lowest stress of the creep law"),
        Value(2.8e6, "Pa", source, conditions, assumed, "highest stress of the creep law"),
    )


_BORROWED = _range("Masias2019", "range of Masias2019 taken for this law, whose own is not in the text", True)

CREEP = {
    "Aspinall2024": _creep(
        "Aspinall2024",
        Value(
            6.26,
            "-",
            "Aspinall2024",
            "Li, nanoindentation creep, 1 mN held 600 s, +- 0.50",
            False,
            "creep exponent",
        ),
        Value(
            2.29e-43,
            "Pa^-6.26/s",
            "Aspinall2024",
            "Li, as printed; the printed root (1.56e-7)^6.26 is 2.45e-43; temperature taken as 30 degC",
            False,
            "creep prefactor",
        ),
        *_BORROWED,
    ),
    "Masias2019": _creep(
        "Masias2019",
        Value(6.56, "-", "Masias2019", "Li, uniaxial", False, "creep exponent"),
        Value(
            7.7e-3 / _MPA**6.56,
            "Pa^-6.56/s",
            "Masias2019",
            "Li, 7.7e-3 1/s at 1 MPa, room temperature, used as it is at 30 degC",
            False,
            "creep prefactor",
        ),
        *_range("Masias2019", "Li, uniaxial, room temperature", False),
    ),
    "Roy2021": _creep(
        "Roy2021",
        Value(5.0, "-", "Roy2021", "Li, value of a model", True, "creep exponent"),
        Value(
            1e-2 / _MPA**5,
            "Pa^-5/s",
            "Roy2021",
            "Li, 0.01 1/s at 1 MPa, value of a model",
            True,
            "creep prefactor",
        ),
        *_BORROWED,
    ),
    "LePage2019": _creep(
        "LePage2019",
        Value(6.6, "-", "LePage2019", "Li, uniaxial, +- 0.7, as quoted by Aspinall2024", False, "creep exponent"),
        Value(
            2.95e-43,
            "Pa^-6.6/s",
            "LePage2019",
            "Li, 30 degC, as quoted by Aspinall2024; that it belongs to n = 6.6 is not said there",
            True,
            "creep prefactor",
        ),
        *_BORROWED,
    ),
}

ACTIVITIES = {
    "subregular": Activity(
        "subregular",
        Value(
            1.29,
            "-",
            "Aspinall2024",
            "fitted to 0.29 mV per at% to 20 at% Mg and 70 mV at 69 at%",
            True,
            "activity coefficient a",
        ),
        Value(
            -6.47,
            "-",
            "Aspinall2024",
            "fitted to 0.29 mV per at% to 20 at% Mg and 70 mV at 69 at%",
            True,
            "activity coefficient b",
        ),
    ),
    "ideal": Activity(
        "ideal",
        Value(0.0, "-", "femli", "ideal solution", True, "activity coefficient a"),
        Value(0.0, "-", "femli", "ideal solution", True, "activity coefficient b"),
    ),
}

LI_MG_STAGES = Stages(
    Value(0.31, "-", "Aspinall2024", "bcc solubility limit, 69 at% Mg", False, "Li fraction where bcc ends"),
    Value(0.15, "-", "Wang2024", "hcp phase up to about 15 at% Li", False, "Li fraction where hcp begins"),
    Value(
        1.3,
        "-",
        "Wang2024",
        "from 0.307 and 0.342 V at x = 0.17 and 0.06 of another film; over RT/F per e-fold",
        True,
        "slope of the potential in hcp",
    ),
)

MOLAR_VOLUME_LI = Value(
    13.0e-6,
    "m^3/mol",
    "Aspinall2024",
    "partial, from the bcc lattice parameter law, dilute",
    False,
    "partial molar volume of Li",
)
MOLAR_VOLUME_MG = Value(
    12.0e-6,
    "m^3/mol",
    "Aspinall2024",
    "partial in bcc Li, from the bcc lattice parameter law, dilute",
    False,
    "partial molar volume of Mg",
)

LI_MG_DIFFUSIVITY = Diffusivity(
    pure=Value(9.73e-15, "m^2/s", "Aspinall2024", "Li, 298 K, 6Li PFG-NMR", False, "diffusivity of Li in Li"),
    pure_energy=Value(0.475, "eV", "Aspinall2024", "Li, +- 0.020", False, "activation energy of diffusion in Li"),
    alloyed=Value(
        6.31e-16,
        "m^2/s",
        "Aspinall2024",
        "Li-20Mg, 298 K; ln D taken linear in at% Mg and on beyond 20 at%",
        False,
        "diffusivity of Li in Li-20Mg",
    ),
    alloyed_energy=Value(0.608, "eV", "Aspinall2024", "Li-20Mg", False, "activation energy of diffusion in Li-20Mg"),
    alloyed_fraction=0.20,
    reference_temperature=ROOM,
)

LI_MG_HARDNESS = Hardness(
    pure=Value(2e6, "Pa", "Aspinall2024", "Li, nanoindentation, bulk", False, "hardness of Li"),
    alloyed=Value(
        57e6,
        "Pa",
        "Aspinall2024",
        "Li-20Mg, nanoindentation, bulk, a lower bound",
        False,
        "hardness of Li-20Mg",
    ),
    alloyed_fraction=0.20,
)

BCC_LIMIT = Value(0.69, "-", "Aspinall2024", "bcc solubility limit of Mg in Li", False, "largest Mg fraction")

# C11, C12, C44, bulk, shear, Young [GPa], Poisson [-]; the last three are Hill averages.
_ELASTIC = {
    0.0: (13.3, 11.2, 8.8, 11.9, 4.0, 10.7, 0.35),
    0.05: (15.3, 13.2, 10.3, 13.9, 4.4, 12.0, 0.36),
    0.10: (19.2, 16.6, 13.0, 17.5, 5.6, 15.1, 0.36),
    0.20: (22.8, 19.7, 15.4, 20.7, 6.6, 17.8, 0.36),
}
_ELASTIC_NAMES = (
    "stiffness C11",
    "stiffness C12",
    "stiffness C44",
    "bulk modulus",
    "shear modulus (Hill)",
    "Young's modulus (Hill)",
    "Poisson's ratio (Hill)",
)


def _elastic(host_fraction: float) -> tuple[Value, ...]:
    """Elastic constants of a measured composition, nothing for any other."""
    numbers = _ELASTIC.get(host_fraction, ())
    return tuple(
        Value(
            number,
            "-" if "ratio" in name else "GPa",
            "Aspinall2024",
            "25 degC, EBSD-coupled indentation",
            False,
            name,
        )
        for number, name in zip(numbers, _ELASTIC_NAMES, strict=False)
    )


def li_mg(mg_fraction: float, name: str = "") -> Alloy:
    """The Li-Mg alloy of any Mg mole fraction within the bcc phase.

    Args:
        mg_fraction: 0 <= y < 0.69 [-].
        name: name to carry; made from the composition where left out.
    """
    return Alloy(
        name=name or ("Li" if mg_fraction == 0.0 else f"Li-{100.0 * mg_fraction:g}Mg"),
        host="Mg",
        host_fraction=mg_fraction,
        host_limit=BCC_LIMIT,
        molar_volume_li=MOLAR_VOLUME_LI,
        molar_volume_host=MOLAR_VOLUME_MG,
        diffusivity=LI_MG_DIFFUSIVITY,
        hardness=LI_MG_HARDNESS,
        others=_elastic(mg_fraction),
    )


ALLOYS = {alloy.name: alloy for alloy in map(li_mg, (0.0, 0.01, 0.03, 0.05, 0.10, 0.20))}

LPSCL_CONDUCTIVITY = Conductivity(
    cold=Value(3.5, "mS/cm", "Zhao2025", "25 degC, densified at 375 MPa, +- 0.1", False, "ionic conductivity"),
    warm=Value(12.4, "mS/cm", "Zhao2025", "60 degC, densified at 375 MPa, +- 0.3", False, "ionic conductivity"),
    cold_temperature=ROOM,
    warm_temperature=333.15,
)

ELECTROLYTES = {
    "Li6PS5Cl": Electrolyte(
        "Li6PS5Cl",
        LPSCL_CONDUCTIVITY,
        (Value(0.8, "mS/cm", "Wang2024", "23 degC, wet milled, at 9 MPa", False, "ionic conductivity"),),
    ),
}
