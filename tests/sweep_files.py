"""Sweep files and a way to run the command line in a process of its own, for the tests of sweeps."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# A foil that takes a second: pure lithium for 0.001 mAh/cm2.
CASE = """
[geometry]
kind = "foil"
dimension = 1
electrode_thickness = "20 um"
[geometry.mesh]
growth = 1.5
[load]
current_density = "0.31 mA/cm^2"
[stop]
capacity = "0.001 mAh/cm^2"
[solver]
time_tolerance = 1e-3
"""


def write(folder: Path, sweep: str) -> Path:
    """A sweep file beside its base case."""
    (folder / "case.toml").write_text(CASE, encoding="utf-8")
    file = folder / "sweep.toml"
    file.write_text(f'case = "case.toml"\n{sweep}', encoding="utf-8")
    return file


def environment(**extra: str) -> dict[str, str]:
    """Of a process that must find this tree."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **extra}


def start(*words: str, **extra: str) -> subprocess.Popen[str]:
    """`femli ...` as a process."""
    command = [sys.executable, "-m", "femli", *words]
    return subprocess.Popen(
        command, env=environment(**extra), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def femli(*words: str, **extra: str) -> tuple[int, str]:
    """Exit code and output of `femli ...`."""
    process = start(*words, **extra)
    output, _ = process.communicate(timeout=300)
    return process.returncode, output
