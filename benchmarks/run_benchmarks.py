"""Speed of femli on this machine, as a Markdown table.

    .venv/bin/python benchmarks/run_benchmarks.py            some five minutes; writes benchmarks/results.md
    .venv/bin/python benchmarks/run_benchmarks.py --quick    once each, the demo cut short; a test runs it

Each benchmark is a command in a process of its own, as a user starts it, one rank, one thread. It runs once for warmth
(DOLFINx compiles the forms of a case at its first run ever), then several times; the median counts. Processor time is
shown beside wall time: where it is much less, other programs were in the way.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import distributions, version
from pathlib import Path
from typing import NamedTuple

from femli import __version__

TOP = Path(__file__).resolve().parents[1]
CASES = TOP / "cases"
VERSIONS = ("dolfinx-solver-real", "fenics-dolfinx", "petsc4py", "gmsh", "numpy")
# Runs a case up to the end of its first Newton step and prints the seconds since the process was asked for.
FIRST_STEP = """
import sys, time
from femli import case, simulation
from femli.solver_linear import LinearSolver
solve = LinearSolver.solve
def first(self):
    solve(self)
    print(time.time() - float(sys.argv[3]), flush=True)
    sys.exit(0)
LinearSolver.solve = first
simulation.run(case.load(sys.argv[1]), sys.argv[2], force=True)
"""


class Times(NamedTuple):
    """Seconds that something took: on the clock, and of the processor."""

    wall: float
    processor: float


class Benchmark(NamedTuple):
    """One row of the table.

    Attributes:
        what: in words.
        measure: runs it once, in a folder that it may fill.
        warm: runs what makes it warm.
        aim: seconds that it should stay under.
        repeats: how often at most.
    """

    what: str
    measure: Callable[[Path], Times]
    warm: Callable[[Path], Times]
    aim: float
    repeats: int = 99


def timed(command: Sequence[str]) -> tuple[Times, str]:
    """Times of a command, and what it printed; ends the benchmarks where it fails."""
    began, busy = time.perf_counter(), processor_time()
    answer = subprocess.run(command, cwd=TOP, env=environment(), capture_output=True, text=True, check=False)
    took = Times(time.perf_counter() - began, processor_time() - busy)
    if answer.returncode:
        sys.exit(f"{' '.join(command)}: exit code {answer.returncode}\n{answer.stderr}{answer.stdout}")
    return took, answer.stdout


def processor_time() -> float:
    """Seconds that all commands so far kept the processor busy."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def environment() -> dict[str, str]:
    """One thread, as `make` sets it."""
    return os.environ | {"OMP_NUM_THREADS": "1"}


def femli(*arguments: str) -> list[str]:
    """The command line of this interpreter's femli."""
    return [sys.executable, "-m", "femli", *arguments]


def check(folder: Path) -> Times:
    """`femli check` of the demo."""
    return timed(femli("check", str(CASES / "demo.toml")))[0]


def run(case: str, *settings: str) -> Callable[[Path], Times]:
    """`femli run` of a case from the shell, everything included."""

    def measure(folder: Path) -> Times:
        overrides = [word for setting in settings for word in ("--set", setting)]
        return timed(femli("run", str(CASES / case), "-o", str(folder / "run"), "--force", *overrides))[0]

    return measure


def first_step(case: str) -> Callable[[Path], Times]:
    """From the start of the process to the end of the first Newton step."""

    def measure(folder: Path) -> Times:
        command = [sys.executable, "-c", FIRST_STEP, str(CASES / case), str(folder / "first"), str(time.time())]
        took, printed = timed(command)
        return Times(float(printed.split()[-1]), took.processor)

    return measure


def benchmarks(quick: bool) -> list[Benchmark]:
    """What is measured; in quick mode the demo is cut short."""
    foil, demo = run("foil_li5mg.toml"), run("demo.toml")
    line, plane = first_step("foil_li5mg.toml"), first_step("demo.toml")
    cut = run("demo.toml", "stop.capacity=1e-5 mAh/cm^2")
    short = " (cut short)" if quick else ""
    return [
        Benchmark("`femli check cases/demo.toml`", check, check, 1.5),
        Benchmark("start-up to the first Newton step, 1D foil", line, line, 3.0),
        Benchmark("start-up to the first Newton step, 2D demo", plane, plane, 3.0),
        Benchmark("`femli run cases/foil_li5mg.toml`: uniform discharge to depletion", foil, foil, 5.0),
        Benchmark(f"`femli run cases/demo.toml`: 2D with three voids{short}", cut if quick else demo, cut, 120.0, 3),
    ]


def row(benchmark: Benchmark, repeats: int, warm: bool, folder: Path) -> str:
    """Measure a benchmark; its row of the table."""
    if warm:
        benchmark.warm(folder)
    times = [benchmark.measure(folder) for _ in range(min(repeats, benchmark.repeats))]
    size = dimensions(folder / "run" / "summary.json") if "run " in benchmark.what else ""
    wall, busy = [took.wall for took in times], statistics.median(took.processor for took in times)
    spread = f"{min(wall):.2f} to {max(wall):.2f}"
    numbers = f"{statistics.median(wall):.2f} | {spread} | {busy:.2f} | {len(times)} | {benchmark.aim:g}"
    return f"| {benchmark.what}{size} | {numbers} |"


def dimensions(summary: Path) -> str:
    """Steps and unknowns of the last run."""
    told = json.loads(summary.read_text(encoding="utf-8"))
    return f", {told['dofs']} unknowns, {told['steps']} steps"


def processor() -> str:
    """Name of the processor and how many of its cores there are."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = [line for line in info.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    return f"{name}, {os.cpu_count()} cores"


def table(rows: Sequence[str], quick: bool) -> str:
    """The whole page."""
    installed = {str(found.metadata["Name"]).lower() for found in distributions()}
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONS if name in installed)
    lines = [
        "# Speed",
        "",
        "Written by `python benchmarks/run_benchmarks.py`"
        + (" --quick: single runs, no measurement." if quick else "."),
        "One rank, one thread, warm. Times in seconds from the shell, start of Python included.",
        "",
        f"{processor()}; Python {platform.python_version()}; femli {__version__}, {versions}",
        "",
        "| what | median | range | processor | runs | aim |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Parse the options, measure, write the table and show it."""
    parser = argparse.ArgumentParser(description="Speed of femli on this machine, as a Markdown table.")
    parser.add_argument("--quick", action="store_true", help="once each, the demo cut short")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each (of the demo at most 3) [5]")
    parser.add_argument("-o", "--output", type=Path, help="the table [benchmarks/results.md; quick: none]")
    options = parser.parse_args()
    output = options.output or (None if options.quick else TOP / "benchmarks" / "results.md")
    folder = Path(tempfile.mkdtemp(prefix="femli-benchmarks-"))
    try:
        repeats = 1 if options.quick else options.repeats
        rows = [row(benchmark, repeats, not options.quick, folder) for benchmark in benchmarks(options.quick)]
    finally:
        shutil.rmtree(folder)
    page = table(rows, options.quick)
    print(page)
    if output is not None:
        output.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
