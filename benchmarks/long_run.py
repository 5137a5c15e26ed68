"""Whether memory and seconds a step grow over a long run, as a Markdown table.

    .venv/bin/python benchmarks/long_run.py [--steps 1000] [-o benchmarks/long_run.md]

Two runs of `femli.run`, each in a process of its own, with all that it writes: a line through a foil, and a small plane
section with a void that makes new meshes on the way. Per tenth of the steps: processor seconds and the resident memory
at the end. A run that ends before is counted as far as it went.
"""

import argparse
import contextlib
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pages

TOP = Path(__file__).resolve().parents[1]
TAIL = """
[electrode]
material = "Li-5Mg"
creep_scaling = "none"
[load]
current_density = "0.31 mA/cm^2"
stack_pressure = "2 MPa"
[stop]
capacity = "{capacity} mAh/cm^2"
[solver]
largest_step = "{step} s"
"""
LINE = '[geometry]\ndimension = 1\nelectrode_thickness = "50 um"\n'
VOIDED = """
[geometry]
dimension = 2
width = "20 um"
electrode_thickness = "15 um"
[geometry.mesh]
interface_size = "0.8 um"
edge_size = "0.3 um"
growth = 1.4
[[geometry.voids.list]]
x = "8 um"
half_width = "3 um"
height = "1.5 um"
"""
KINDS = {
    "line through a foil": LINE + TAIL.format(capacity=5, step=7),
    "plane section with a void": VOIDED + TAIL.format(capacity=5, step=10),
}


class EnoughError(Exception):
    """The steps that were asked for are done."""


def resident() -> float:
    """Memory of this process that is resident [MB]."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def member(kind: str, steps: int) -> None:
    """One run in this process; prints samples (step, processor seconds, MB) and what it went through as JSON."""
    import femli

    samples = [(0, time.process_time(), resident())]
    every = max(steps // 10, 1)
    count = 0

    def watch(report: Any) -> None:
        nonlocal count
        count += 1
        if count % every == 0:
            samples.append((count, time.process_time(), resident()))
        if count >= steps:
            raise EnoughError

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.toml"
        path.write_text(KINDS[kind], encoding="utf-8")
        with contextlib.suppress(EnoughError):
            femli.run(femli.load(path), Path(folder) / "out", on_step=watch)
        events = Path(folder) / "out" / "events.csv"
        lines = events.read_text(encoding="utf-8").splitlines()[1:] if events.exists() else []
    print(json.dumps({"samples": samples, "steps": count, "meshes": sum("remesh" in line for line in lines)}))


def run(kind: str, steps: int) -> dict[str, Any]:
    """A run in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(TOP)}
    command = [sys.executable, str(Path(__file__).resolve()), "--member", kind, "--steps", str(steps)]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode:
        sys.exit(f"{kind}: exit code {answer.returncode}\n{answer.stderr[-2000:]}")
    return dict(json.loads(answer.stdout.strip().splitlines()[-1]))


def rows(kind: str, found: dict[str, Any]) -> list[str]:
    """Rows of the table, one an interval."""
    out = []
    samples = found["samples"]
    for (a, began, _), (b, ended, memory) in itertools.pairwise(samples):
        out.append(f"| {kind} | {a + 1} to {b} | {(ended - began) / (b - a) * 1e3:.1f} | {memory:.0f} |")
    return out


def verdict(kind: str, found: dict[str, Any]) -> str:
    """Last tenth against the second: the first one compiles and fills caches."""
    samples = found["samples"]
    told = f"{kind}: {found['steps']} steps, {found['meshes']} new meshes"
    if len(samples) < 4:
        return f"{told}; too short to compare."
    speed = [(e[1] - b[1]) / (e[0] - b[0]) for b, e in itertools.pairwise(samples)]
    return (
        f"{told}; seconds a step, last over second part: {speed[-1] / speed[1]:.2f}; memory from the second part to "
        f"the last: {samples[-1][2] - samples[2][2]:+.0f} MB."
    )


def main() -> None:
    """Parse the options, run both, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000, help="[1000]")
    parser.add_argument("-o", "--output", type=Path, help="also write the table there")
    parser.add_argument("--member", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.member:
        member(given.member, given.steps)
        return
    lines = ["# Long runs", "", f"`python benchmarks/long_run.py --steps {given.steps}`, one core.", ""]
    lines += ["| run | steps | processor ms a step | resident MB |", "|---|---|---|---|"]
    ends = []
    for kind in KINDS:
        found = run(kind, given.steps)
        lines += rows(kind, found)
        ends += [verdict(kind, found), ""]
    lines += ["", *ends, f"Python {platform.python_version()}, {platform.processor() or platform.machine()}", ""]
    print("\n".join(lines))
    pages.save(lines, given.output)


if __name__ == "__main__":
    main()
