"""Random seeded foils with voids, run unattended: how they end, and what they cost.

2D foils with 1 to 20 voids, contact angles of 15 to 150 degrees or half ellipses of aspect 0.1 to 2, stack pressures
of 0.2 to 20 MPa. A geometry is decided by its number alone. With --solid 3D blocks with 1 to 3 voids, caps of 40 to
120 degrees or half ellipsoids of aspect 0.2 to 1, up to some 30,000 unknowns; a change of topology ends such a run.

    python benchmarks/robustness_voids.py --count 100 -o benchmarks/robustness_voids.csv
    python benchmarks/robustness_voids.py --solid --count 10 --capacity 0.1 -o benchmarks/robustness_voids_3d.csv
"""

import argparse
import csv
import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import femli
from femli.errors import FemliError

COLUMNS = (
    "number",
    "voids",
    "shape",
    "stack_pressure [MPa]",
    "end",
    "capacity [mAh/cm^2]",
    "voids_left",
    "dofs",
    "steps",
    "newton_per_step",
    "rejected",
    "remeshings",
    "host_balance_error",
    "wall_time [s]",
    "error",
)


def case_of(number: int, capacity: float, coarse: bool, most: int = 20) -> tuple[str, dict[str, Any]]:
    """The case file of one geometry, and what tells it apart."""
    rng = np.random.default_rng(number)
    count = int(rng.integers(1, most + 1))
    radius = float(rng.uniform(0.6, 2.0))
    is_cap = bool(rng.integers(0, 2))
    angle, aspect = float(rng.uniform(15, 150)), float(10 ** rng.uniform(-1, np.log10(2)))
    pressure = float(10 ** rng.uniform(np.log10(0.2), np.log10(20)))
    shape = f"contact_angle = {angle:.1f}" if is_cap else f"aspect = {aspect:.3g}"
    reach = radius / np.sin(np.radians(angle)) if is_cap and angle < 90 else radius
    height = radius / np.tan(np.radians(angle) / 2) if is_cap else aspect * radius
    width = max(12.0, 2 * 2.2 * reach * count)
    mesh = 'interface_size = "0.6 um"\ngrowth = 1.4\n' if coarse else ""
    edge = f'edge_size = "{min(radius / 6, height / 1.5):.3g} um"\n' if coarse else ""
    text = f"""
[geometry]
dimension = 2
width = "{width:.4g} um"
electrode_thickness = "{max(15.0, 2.5 * height):.4g} um"
[geometry.mesh]
{mesh}{edge}
[geometry.voids]
seed = {number}
count = {count}
radius = {{ mean = "{radius:.3g} um", std = "0 um" }}
minimum_spacing = 1.2
{shape.replace("contact_angle = ", 'contact_angle = "') + ' deg"' if is_cap else shape}
[electrode]
material = "Li-5Mg"
creep_scaling = "none"
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "{pressure:.3g} MPa"
[stop]
capacity = "{capacity} mAh/cm^2"
[solver]
time_tolerance = {1e-3 if coarse else 1e-4}
"""
    facts = {"number": number, "voids": count, "shape": shape, "stack_pressure [MPa]": f"{pressure:.3g}"}
    return text, facts


def solid_case_of(number: int, capacity: float) -> tuple[str, dict[str, Any]]:
    """The case file of one 3D geometry, and what tells it apart."""
    rng = np.random.default_rng(number)
    count = int(rng.integers(1, 4))
    radius = float(rng.uniform(0.8, 2.0))
    is_cap = bool(rng.integers(0, 2))
    angle, aspect = float(rng.uniform(40, 120)), float(10 ** rng.uniform(np.log10(0.2), 0))
    pressure = float(10 ** rng.uniform(np.log10(0.2), np.log10(20)))
    reach = radius / np.sin(np.radians(angle)) if is_cap and angle < 90 else radius
    height = radius / np.tan(np.radians(angle) / 2) if is_cap else aspect * radius
    width = 2 * 1.8 * reach * np.ceil(np.sqrt(count))
    shape = f'contact_angle = "{angle:.1f} deg"' if is_cap else f"aspect = {aspect:.3g}"
    text = f"""
[geometry]
dimension = 3
width = "{width:.4g} um"
electrode_thickness = "{max(10.0, 2.5 * height):.4g} um"
[geometry.mesh]
interface_size = "{radius:.3g} um"
growth = 1.6
edge_size = "{min(0.249 * radius, height):.3g} um"
[geometry.voids]
seed = {number}
count = {count}
radius = {{ mean = "{radius:.3g} um", std = "0 um" }}
minimum_spacing = 1.2
{shape}
[electrode]
material = "Li-5Mg"
creep_scaling = "none"
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "{pressure:.3g} MPa"
[stop]
capacity = "{capacity} mAh/cm^2"
[solver]
time_tolerance = 1e-3
"""
    shape = shape.replace('"', "").replace(" deg", "")
    return text, {"number": number, "voids": count, "shape": shape, "stack_pressure [MPa]": f"{pressure:.3g}"}


def outcome(text: str, folder: Path) -> dict[str, Any]:
    """Run a case; how it ended and what it cost."""
    path = folder / "case.toml"
    path.write_text(text, encoding="utf-8")
    began, summary, error = time.monotonic(), {}, ""
    try:
        summary = femli.run(femli.load(path), folder / "out", force=True)
        end = summary["stop_reason"]
    except FemliError as failure:
        end, error = f"exit {failure.exit_code}", " ".join(str(failure).split())
        saved = folder / "out" / "summary.json"
        if saved.exists():
            summary = json.loads(saved.read_text())
    steps = max(summary.get("steps", 0), 1)
    return {
        "end": end,
        "capacity [mAh/cm^2]": f"{summary.get('capacity_mAh_cm2', 0.0):.4g}",
        "voids_left": summary.get("void_count", ""),
        "dofs": summary.get("dofs", ""),
        "steps": summary.get("steps", ""),
        "newton_per_step": f"{summary.get('newton_iterations', 0) / steps:.2f}",
        "rejected": summary.get("rejected_steps", ""),
        "remeshings": summary.get("remeshings", ""),
        "host_balance_error": f"{summary.get('host_balance_error', float('nan')):.1e}",
        "wall_time [s]": f"{time.monotonic() - began:.0f}",
        "error": error,
    }


def main() -> int:
    """Run the set and write its table; returns 1 if fewer than 98 % end with a stop reason."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=0, help="number of the first geometry")
    parser.add_argument("--count", type=int, default=100, help="how many")
    parser.add_argument("--capacity", type=float, default=0.5, help="mAh/cm2 to which each runs")
    parser.add_argument("--coarse", action="store_true", help="few cells and long steps: some minutes a geometry")
    parser.add_argument("-o", "--output", type=Path, default=Path("robustness_voids.csv"))
    parser.add_argument("--most-voids", type=int, default=20, help="voids of the fullest geometry")
    parser.add_argument("--solid", action="store_true", help="3D blocks, on few cells")
    words = parser.parse_args()
    logging.getLogger("femli").setLevel(logging.ERROR)
    good = 0
    with words.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for number in range(words.first, words.first + words.count):
            if words.solid:
                text, row = solid_case_of(number, words.capacity)
            else:
                text, row = case_of(number, words.capacity, words.coarse, words.most_voids)
            with tempfile.TemporaryDirectory() as folder:
                row |= outcome(text, Path(folder))
            good += not row["end"].startswith("exit")
            writer.writerow(row)
            file.flush()
            print(", ".join(f"{key} {value}" for key, value in row.items() if value != ""), flush=True)
    print(f"{good} of {words.count} ran to a stop reason")
    return 0 if good >= 0.98 * words.count else 1


if __name__ == "__main__":
    sys.exit(main())
