"""femli: stripping of lithium and lithium-alloy anodes against a solid electrolyte, in FEniCSx.

import femli
case = femli.load("cases/demo.toml", {"load.stack_pressure": "2.5 MPa"})
summary = femli.run(case, "results/demo")
"""

import os
from typing import Any

# Ranks are the parallelism: threads of BLAS beside them fight for the same cores. Libraries read this when loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

__version__ = "0.1.0"
__all__ = ["__version__", "load", "run"]


def __getattr__(name: str) -> Any:
    """Load what is asked for at first use: `check` and `render` need no solver and start fast."""
    if name == "load":
        from .case import load

        return load
    if name == "run":
        from .simulation import run

        return run
    raise AttributeError(f"module 'femli' has no attribute {name!r}")
