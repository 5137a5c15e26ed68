"""What the pages of all benchmarks end with, and where they go."""

import platform
import sys
from collections.abc import Sequence
from importlib.metadata import distributions, version
from pathlib import Path


def versions() -> str:
    """What was run."""
    names = ("dolfinx-solver-real", "fenics-dolfinx", "numpy")
    installed = {str(found.metadata["Name"]).lower() for found in distributions()}
    told = [f"{name} {version(name)}" for name in names if name in installed]
    return ", ".join([f"Python {sys.version.split()[0]}", *told])


def footer() -> list[str]:
    """Versions and processor, the last lines of a page."""
    return ["", f"{versions()}; {platform.processor() or platform.machine()}", ""]


def save(lines: Sequence[str], output: Path | None) -> None:
    """Write a page where one was asked for."""
    if output is not None:
        output.write_text("\n".join(lines), encoding="utf-8")
