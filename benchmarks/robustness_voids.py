"""Random seeded foils with voids, run unattended: how they end, and what they cost.

2D foils with 1 to 20 voids, contact angles of 15 to 150 degrees or half ellipses of aspect 0.1 to 2, stack pressures
of 0.2 to 20 MPa. With --solid 3D blocks with 1 to 3 voids, caps of 40 to 120 degrees or half ellipsoids of aspect 0.2
to 1, on cells as coarse as --coarse has them, at most 30,000 unknowns at the start; a change of topology ends such a
run, with its state saved. A geometry is decided by its number alone.
Numbers that the table already has are skipped, so that an interrupted set goes on where it was; beside the table
(`.csv`) a summary (`.md`) is written.

    python benchmarks/robustness_voids.py --count 100 -j 2 --coarse -o benchmarks/robustness_voids_coarse.csv
    python benchmarks/robustness_voids.py --solid --count 10 --capacity 0.1 -o benchmarks/robustness_voids_solid.csv
"""

import argparse
import csv
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from robustness_cases import case_of, solid_case_of

import femli
from femli import mesh_geometry
from femli.case import Case
from femli.errors import FemliError, SolveError
from femli.remesh_solid import TOPOLOGY

COLUMNS = (
    "number",
    "voids",
    "shape",
    "stack_pressure [MPa]",
    "end",
    "capacity [mAh/cm^2]",
    "voids_left",
    "dofs_at_start",
    "dofs",
    "steps",
    "newton_per_step",
    "rejected",
    "remeshings",
    "li_balance_error",
    "host_balance_error",
    "cpu_time [s]",
    "wall_time [s]",
    "error",
)
CHANGED = "change of topology"  # in 3D a run ends there, with exit code 4 and its state saved
LIMIT = "the time limit of the member"


def dofs_of(case: Case) -> int:
    """Unknowns of velocity (quadratic), pressure and composition (linear) on the first mesh."""
    whole, _ = mesh_geometry.parted(case)
    pairs = [whole.cells[:, [i, j]] for i, j in combinations(range(whole.cells.shape[1]), 2)]
    edges = np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)
    return whole.dimension * (len(whole.points) + len(edges)) + 2 * len(whole.points)


def outcome(text: str, folder: Path, limit: float) -> dict[str, Any]:
    """Run a case for at most `limit` seconds; how it ended and what it cost."""
    path = folder / "case.toml"
    path.write_text(text, encoding="utf-8")
    case, summary, error = femli.load(path), {}, ""
    dofs = dofs_of(case)
    began = time.monotonic()

    def watch(_report: object) -> None:
        if time.monotonic() - began > limit:
            raise SolveError(LIMIT)

    try:
        summary = femli.run(case, folder / "out", force=True, on_step=watch)
        end = summary["stop_reason"]
    except FemliError as failure:
        error = " ".join(str(failure).replace(str(folder), "FOLDER").split())
        end = "time limit" if error.startswith(LIMIT) else f"exit {failure.exit_code}"
        if TOPOLOGY in error and failure.exit_code == SolveError.exit_code:
            end = CHANGED
        saved = folder / "out" / "summary.json"
        if saved.exists():
            summary = json.loads(saved.read_text())
        if not (folder / "out" / "checkpoint").is_dir():
            end += ", nothing saved"
    steps = max(summary.get("steps", 0), 1)
    return {
        "end": end,
        "capacity [mAh/cm^2]": f"{summary.get('capacity_mAh_cm2', 0.0):.4g}",
        "voids_left": summary.get("void_count", ""),
        "dofs_at_start": dofs,
        "dofs": summary.get("dofs", ""),
        "steps": summary.get("steps", ""),
        "newton_per_step": f"{summary.get('newton_iterations', 0) / steps:.2f}",
        "rejected": summary.get("rejected_steps", ""),
        "remeshings": summary.get("remeshings", ""),
        "li_balance_error": f"{summary.get('li_balance_error', float('nan')):.1e}",
        "host_balance_error": f"{summary.get('host_balance_error', float('nan')):.1e}",
        "cpu_time [s]": f"{time.process_time():.0f}",
        "wall_time [s]": f"{time.monotonic() - began:.0f}",
        "error": error,
    }


def member(number: int, words: argparse.Namespace) -> dict[str, Any]:
    """Run one geometry in a process of its own; its row."""
    if words.solid:
        text, row = solid_case_of(number, words.capacity)
    else:
        text, row = case_of(number, words.capacity, words.coarse, words.most_voids)
    with tempfile.TemporaryDirectory() as passing:
        folder = passing if words.keep is None else str(words.keep / str(number))
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / "row.json").unlink(missing_ok=True)
        (Path(folder) / "given.toml").write_text(text, encoding="utf-8")
        command = [sys.executable, __file__, "--one", folder, "--limit", str(words.limit)]
        try:
            subprocess.run(
                command,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
                timeout=3 * words.limit + 600,  # forms may have to be compiled first
                check=False,
                capture_output=not words.loud,
            )
            row |= json.loads((Path(folder) / "row.json").read_text())
        except subprocess.TimeoutExpired:
            row |= {"end": "killed", "error": "went on long after the time limit"}
        except FileNotFoundError:
            row |= {"end": "crash", "error": "the process died"}
    return row


def good(row: dict[str, Any]) -> bool:
    """Whether a member ran to a stop reason, or in 3D to a change of topology with its state saved."""
    bad = ("exit", "time limit", "killed", "crash")
    return not row["end"].startswith(bad) and not row["end"].endswith("nothing saved")


def summary_of(rows: list[dict[str, Any]], words: argparse.Namespace) -> str:
    """The summary of the table, in Markdown."""
    run = [row for row in rows if row.get("steps")]

    def mean(name: str) -> float:
        known = [float(row[name]) for row in run if row.get(name) not in (None, "")]
        return float(np.mean(known)) if known else float("nan")

    taken = sum(float(row["steps"]) for row in run)
    iterations = sum(float(row["newton_per_step"]) * float(row["steps"]) for row in run)
    kind = "3D, coarse" if words.solid else "2D, coarse" if words.coarse else "2D"
    allowed = f"to a stop reason or a {CHANGED}" if words.solid else "to a stop reason"
    lines = [
        f"# Voids, unattended{', 3D' if words.solid else ''}",
        "",
        f"`benchmarks/robustness_voids.py`: {len(rows)} random geometries in {kind}, to {words.capacity:g} mAh/cm², "
        f"at most {words.limit:g} s each.",
        "",
        "| end | members | share |",
        "|---|---|---|",
        *(f"| {end} | {n} | {n / len(rows):.0%} |" for end, n in Counter(row["end"] for row in rows).most_common()),
        f"| **{allowed}** | {sum(map(good, rows))} | {sum(map(good, rows)) / len(rows):.0%} |",
        "",
        "| over all members | |",
        "|---|---|",
        f"| Newton iterations a step, every solve counted | {iterations / max(taken, 1):.2f} |",
        f"| largest mean of one member | {max((float(r['newton_per_step']) for r in run), default=float('nan')):.2f} |",
        *(f"| mean {name} | {mean(name):.4g} |" for name in ("steps", "remeshings", "dofs_at_start", "cpu_time [s]")),
        f"| longest wall time [s] | {max((float(r['wall_time [s]']) for r in run), default=float('nan')):.0f} |",
        *(
            f"| largest {name} balance error | {max(float(r[f'{name}_balance_error']) for r in known):.1e} |"
            for name in ("li", "host")
            if (known := [r for r in run if r.get(f"{name}_balance_error")])
        ),
        "",
    ]
    for row in rows:
        if row["error"]:
            lines.append(
                f"- {row['number']} ({row['voids']} voids, {row['shape']}, {row['stack_pressure [MPa]']} MPa) "
            )
            lines[-1] += f"{row['end']} at {row['capacity [mAh/cm^2]'] or 0} mAh/cm²: {row['error']}"
    return "\n".join(lines).rstrip() + "\n"


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=0, help="number of the first geometry")
    parser.add_argument("--count", type=int, default=100, help="how many")
    parser.add_argument("--capacity", type=float, default=0.5, help="mAh/cm2 to which each runs")
    parser.add_argument("--coarse", action="store_true", help="few cells and long steps: less than a minute a geometry")
    parser.add_argument(
        "--limit", type=float, default=900.0, help="wall time of a member, s; it ends with its state saved"
    )
    parser.add_argument("-j", "--jobs", type=int, default=1, help="members at a time")
    parser.add_argument("-o", "--output", type=Path, default=Path("robustness_voids.csv"))
    parser.add_argument("--most-voids", type=int, default=20, help="voids of the fullest geometry")
    parser.add_argument("--solid", action="store_true", help="3D blocks, on few cells")
    parser.add_argument("--again", action="store_true", help="run those of the table anew that met no stop reason")
    parser.add_argument("--keep", type=Path, help="folder in which each member leaves its case and results")
    parser.add_argument("--loud", action="store_true", help="show what the members say")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)  # a member's process
    return parser.parse_args()


def main() -> int:
    """Run the set and write its table; returns 1 if fewer than 98 % end with a stop reason."""
    words = options()
    if words.one is not None:
        logging.getLogger("femli").setLevel(logging.INFO if words.loud else logging.ERROR)
        row = outcome((words.one / "given.toml").read_text(encoding="utf-8"), words.one, words.limit)
        (words.one / "row.json").write_text(json.dumps(row))
        return 0
    rows: list[dict[str, Any]] = []
    if words.output.exists():
        with words.output.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if good(row) or not words.again]
    done = {int(row["number"]) for row in rows}
    left = [n for n in range(words.first, words.first + words.count) if n not in done]
    with ThreadPoolExecutor(words.jobs) as pool:
        for ended in as_completed([pool.submit(member, n, words) for n in left]):
            row = ended.result()
            rows.append(row)
            rows.sort(key=lambda r: int(r["number"]))
            with words.output.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(rows)
            words.output.with_suffix(".md").write_text(summary_of(rows, words), encoding="utf-8")
            print(", ".join(f"{key} {value}" for key, value in row.items() if value != ""), flush=True)
    print(f"{sum(map(good, rows))} of {len(rows)} ran to a stop reason")
    return 0 if sum(map(good, rows)) >= 0.98 * len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
