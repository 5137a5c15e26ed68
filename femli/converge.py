"""How far a result is from converged, in mesh, time step and regularisation; and how it hangs on uncertain inputs.

Both are sweeps of one case. Convergence: each of the three is made coarser and finer by a ratio, the others kept; three
values give an observed order p = ln((f1 - f2)/(f2 - f3))/ln r and Richardson's extrapolated value
f3 + (f3 - f2)/(r^p - 1). Inputs: exponent, prefactor and diffusivity are moved one at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .case import Case
from .errors import CaseError
from .sweep_plan import Member, Members, Plan, Values, members_of
from .sweep_table import Row, folder_of, read_json

DIRECTIONS = ("mesh", "step", "regularisation")
# Ratio of neighbouring levels, by dimension: a level of a mesh costs its power.
RATIOS = {1: 2.0, 2: math.sqrt(2.0), 3: math.sqrt(2.0)}
# Smaller relative differences than this are round-off and the tolerance of the solver: no order is read from them.
NOISE = 1e-9
ORDERS = (0.5, 8.0)  # no value is extrapolated with observed orders outside of this: it would be far from all levels
OUTPUTS = (
    "capacity_mAh_cm2",
    "pressure_interface_min_Pa",
    "pressure_min_Pa",
    "li_fraction_interface_min",
    "contact_fraction",
)
EXPONENT_STEP = 0.5  # of n, the uncertainty that Aspinall2024 gives
FACTOR = 2.0  # of alpha and D; published creep laws differ by far more
MOVED = ("n", "alpha", "D")


class Extrapolation(NamedTuple):
    """What three levels say; None where they do not converge.

    Attributes:
        order: observed.
        value: extrapolated to infinitely fine.
    """

    order: float | None
    value: float | None


def extrapolated(values: Sequence[float], ratio: float) -> Extrapolation:
    """Observed order and Richardson's value from the three finest of some levels.

    Args:
        values: from coarse to fine.
        ratio: of the sizes of neighbouring levels, above 1.
    """
    if len(values) < 3:
        return Extrapolation(None, None)
    first, second, third = values[-3:]
    early, late = first - second, second - third
    scale = NOISE * max(abs(third), 1e-300)
    if abs(early) <= scale and abs(late) <= scale:
        return Extrapolation(None, third)  # converged as far as can be seen
    if late == 0.0 or early / late <= 0.0 or abs(late) <= scale:
        return Extrapolation(None, None)
    order = math.log(early / late) / math.log(ratio)
    if not ORDERS[0] <= order <= ORDERS[1]:
        return Extrapolation(order, None)
    return Extrapolation(order, third + (third - second) / (ratio**order - 1.0))


class Level(NamedTuple):
    """A member of a study of convergence: which direction, its size over that of the case, and what it sets."""

    direction: str
    factor: float
    values: Values


def levels(case: Case, count: int) -> list[Level]:
    """All levels of a case, each direction from coarse to fine; the case itself is among them, with factor 1.

    Args:
        case: with its own sizes in the middle (in 3D at the coarse end: automatic meshes are at the limit there).
        count: levels in each direction, at least 3.
    """
    ratio, coarsest = RATIOS[case.geometry.dimension], 0 if case.geometry.dimension == 3 else 1
    found = []
    for direction in DIRECTIONS:
        if direction == "mesh" and case.geometry.kind == "file":
            continue  # the mesh is the user's own
        if direction == "regularisation" and not case.electrode.stress_coupling:
            continue  # creep drives nothing then
        for place in range(count):
            factor = (2.0 if direction != "mesh" else ratio) ** ((coarsest if direction == "mesh" else 1) - place)
            found.append(Level(direction, factor, _sets(case, direction, factor)))
    return found


def ratio_of(case: Case, direction: str) -> float:
    """Ratio of the sizes of neighbouring levels."""
    return RATIOS[case.geometry.dimension] if direction == "mesh" else 2.0


def _sets(case: Case, direction: str, factor: float) -> Values:
    if direction == "mesh":
        return _mesh(case, factor)
    if factor == 1.0:
        return {}
    if direction == "step":
        # The local error of BDF2 goes as the third power of the step.
        return {"solver.time_tolerance": float(f"{case.solver.time_tolerance * factor**3:.12g}")}
    return {"solver.regularisation_stress": f"{case.solver.regularisation_stress * factor:.12g} Pa"}


def _mesh(case: Case, factor: float) -> Values:
    """Cell sizes times a factor everywhere: h = h0 + (growth - 1) z."""
    from .mesh_resolution import resolution
    from .seeding import seeded

    voids = seeded(case)
    if factor == 1.0 and not voids:
        return {}
    sizes = resolution(case, voids)
    values: Values = {
        "geometry.mesh.interface_size": f"{sizes.interface * factor:.12g} um",
        "geometry.mesh.size": f"{sizes.size * factor:.12g} um",
        "geometry.mesh.growth": float(f"{1.0 + (sizes.growth - 1.0) * factor:.12g}"),
    }
    if voids:  # one size for all edges, also at factor 1: the levels are then of one family
        values["geometry.mesh.edge_size"] = f"{min(sizes.edges) * factor:.12g} um"
    return values


def inputs(case: Case) -> list[Level]:
    """The case with uncertain inputs moved one at a time; `factor` is the change of n, or of the logarithm of the rest.

    The prefactor belongs to its exponent: n is turned about the middle (geometric mean) of the measured stresses of
    the law, where the creep rate stays.
    """
    electrode = case.electrode_properties()
    n, alpha, D = electrode.creep_exponent, electrode.creep_prefactor, electrode.diffusivity
    low, high = electrode.creep_stress_range
    pivot = math.sqrt(low * high) if low > 0.0 and math.isfinite(high) else 1e6
    found = []
    for sign in (-1.0, 1.0):
        turned, scale = n + sign * EXPONENT_STEP, FACTOR**sign
        found.append(Level("n", sign * EXPONENT_STEP, _creep(case, turned, alpha * pivot ** (n - turned))))
        found.append(Level("alpha", math.log(scale), _creep(case, n, alpha * scale)))
        moved = {**material(case), "diffusivity": f"{D * scale:.12g} m^2/s"}
        found.append(Level("D", math.log(scale), {"electrode.material": moved}))
    return sorted(found, key=lambda level: (MOVED.index(level.direction), level.factor))


def material(case: Case) -> Values:
    """The material of a case as a table, to be overridden in places."""
    given = case.to_tables()["electrode"]["material"]
    return {"base": given} if isinstance(given, str) else dict(given)


def _creep(case: Case, exponent: float, prefactor: float) -> Values:
    exponent = float(f"{exponent:.12g}")
    law = {"creep_exponent": exponent, "creep_prefactor": f"{prefactor:.12g} Pa^-{exponent!r}/s"}
    return {"electrode.material": {**material(case), **law}}


def plan_of(case: Case, path: Path, chosen: list[Level], ranks: int) -> Plan:
    """The members of a study: the case itself first, then the levels.

    Raises:
        CaseError: a level cannot be.
    """
    how = Members.model_validate({"ranks": ranks, "keep": "history"})
    spread = [level.values for level in chosen]
    tables = case.to_tables()
    base = members_of(tables, path, {}, [{}])
    rest = members_of(tables, path, {}, spread)
    shown = [{"varied": f"{level.direction}", "factor": level.factor} for level in chosen]
    members = [Member(1, {"varied": "-", "factor": 1.0}, base[0].case)]
    members += [Member(m.number + 1, row, m.case) for m, row in zip(rest, shown, strict=True)]
    return Plan(f"{path.stem}", members, how)


def summaries(plan: Plan, out: Path) -> list[Row]:
    """The summary of each member.

    Raises:
        CaseError: one has failed.
    """
    found = [read_json(folder_of(member, out) / "summary.json") or {} for member in plan.members]
    for member, summary in zip(plan.members, found, strict=True):
        if summary.get("stop_reason", "failed") == "failed":
            raise CaseError(f"{out}: member {member.number} ({member.inputs}) failed, so there is nothing to compare")
    return found


def convergence_rows(case: Case, chosen: list[Level], found: list[Row]) -> list[Row]:
    """One row a direction and output: values from coarse to fine, order, extrapolated value, error of the case."""
    rows: list[Row] = []
    for name in telling(found):
        for direction in dict.fromkeys(level.direction for level in chosen):
            pairs = [(lv.factor, s[name]) for lv, s in zip(chosen, found[1:], strict=True) if lv.direction == direction]
            values = [value for _, value in pairs]
            order, value = extrapolated(values, ratio_of(case, direction))
            own = next(v for factor, v in pairs if factor == 1.0)
            row: Row = {"output": name, "direction": direction}
            row |= {f"value {i}": v for i, v in enumerate(values, start=1)}
            row |= {"order": order, "extrapolated": value, "value of the case": own}
            # Without an extrapolated value the last difference stands for it: an estimate, not a bound.
            limit = value if value is not None else values[-1]
            row |= {"error of the case": (own - limit) / abs(limit) if limit else math.nan}
            rows.append(row)
    return rows


def telling(found: list[Row]) -> list[str]:
    """Outputs that differ between the members, and not only as another one does."""
    names: list[str] = []
    for name in OUTPUTS:
        values = [float(summary[name]) for summary in found if name in summary]
        if len(values) < len(found):
            continue
        fixed = all(abs(value - values[0]) <= NOISE * abs(values[0]) for value in values)
        if not fixed and not any(values == [summary[other] for summary in found] for other in names):
            names.append(name)
    return names


def sensitivity_rows(chosen: list[Level], found: list[Row]) -> list[Row]:
    """One row an input and output: values with the input low and high, change of the output, and its elasticity.

    The elasticity is d ln(output)/d ln(input) by the central difference; for n it is d ln(output)/dn.
    """
    rows: list[Row] = []
    for name in telling(found):
        base = found[0][name]
        for moved in MOVED:
            pairs = [(lv.factor, s[name]) for lv, s in zip(chosen, found[1:], strict=True) if lv.direction == moved]
            (down, low), (up, high) = pairs
            told = "+-0.5" if moved == "n" else f"/2, x{FACTOR:g}"
            row: Row = {"output": name, "input": moved, "moved by": told, "low": low, "case": base, "high": high}
            row |= {"change low": (low - base) / abs(base), "change high": (high - base) / abs(base)}
            row |= {"elasticity": (high - low) / (up - down) / base}
            rows.append(row)
    return rows
