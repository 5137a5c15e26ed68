"""What the tests of a contact that opens share: two cases, and a run before it looks at its contact."""

from pathlib import Path

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import numpy as np
import verification_runs as runs

from femli.case import Case
from femli.evolution import gathered
from femli.evolution_opening import OpeningEvolution
from femli.outputs import Recorder
from femli.outputs_criteria import Criteria
from femli.simulation import evolution_of

# Newtonian metal (viscosity 1/(3 A) = 3333 MPa s) on a plane without current, gas pressed into what has let go.
STRIP = """
[geometry]
dimension = 2
width = "16 um"
electrode_thickness = "16 um"
[geometry.mesh]
interface_size = "0.1 um"
growth = 1.3
size = "1 um"
[electrode]
material = { base = "Li", creep_exponent = 1.0, creep_prefactor = "1e-4 / MPa / s" }
stress_coupling = false
[interface]
adhesion_strength = "1 MPa"
[opening]
debonding = true
[load]
current_density = "0 A/m^2"
stack_pressure = "1 MPa"
void_pressure = "3 MPa"
[stop]
time = "1 h"
"""
WIDTH, HALF, MIDDLE = 16.0, 2.0, 8.0  # um
VISCOSITY = 1e4 / 3 / 3600  # MPa h
EXCESS = 2.0  # gas less stack pressure, MPa

# A void under plating: current gathers at its edges, metal is pulled off beside them, and comes down when stripped.
CYCLE = """
[geometry]
dimension = 2
width = "12 um"
electrode_thickness = "12 um"
[geometry.mesh]
interface_size = "0.25 um"
growth = 1.5
edge_size = "0.15 um"
[[geometry.voids.list]]
x = "6 um"
half_width = "1.5 um"
height = "1 um"
[electrode]
material = "Li"
[electrolyte]
thickness = "20 um"
[interface]
resistance = "0.5 ohm cm^2"
adhesion_strength = "0.1 MPa"
[opening]
debonding = true
averaging_length = "0.3 um"
[load]
stack_pressure = "0.5 MPa"
[solver]
time_tolerance = 1e-3
[output]
every = "5 s"
[[protocol]]
current_density = "-1 mA/cm^2"
until = { capacity = "0.003 mAh/cm^2" }
[[protocol]]
current_density = "1 mA/cm^2"
until = { capacity = "0.003 mAh/cm^2" }
"""
# The right half of it as a body of revolution.
AXISYMMETRIC = CYCLE.replace('x = "6 um"', 'x = "0 um"').replace('"12 um"', '"6 um"')
AXISYMMETRIC = AXISYMMETRIC.replace("[geometry]\n", '[geometry]\nkind = "axisymmetric"\n')


def opened(folder: Path, case: Case) -> tuple[Recorder, OpeningEvolution]:
    """A run at t = 0, before it looks at its contact."""
    protocol = runs.protocol(case)
    recorder = Recorder(folder, case, case.electrode_properties(), protocol)
    evolution = evolution_of(case, protocol, recorder)
    assert isinstance(evolution, OpeningEvolution)
    return recorder, evolution


def bottom(evolution: OpeningEvolution) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places of the vertices of the bottom [um], their traction [MPa] and speed upwards [um/h]."""
    assert evolution.chains is not None
    fields, order = evolution.stepper.fields, evolution.chains.bottom
    evolution.stepper.motion.follow()
    traction = gathered(fields, Criteria(fields, evolution.case).traction()[0])[order]
    return gathered(fields, None)[order, 0], traction, evolution._bottom(evolution.stepper.newton, 1)
