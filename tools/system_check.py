"""Names the system packages that femli needs and this machine lacks, and installs them where it may.

Run by ``tools/setup.sh`` with the very interpreter that ``.venv`` is made from (standard library only, since
nothing is installed yet). DOLFINx compiles its forms at run time, so a C compiler and Python's headers are
run-time needs; without them its own error message points elsewhere. Gmsh and VTK load X11 and OpenGL
libraries even where nothing is shown on a screen.

Exit code 0: nothing is missing (any more). 1: something is; each line on stderr names it and the package.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

# Shared object -> Debian/Ubuntu package, and who loads it.
LIBRARIES = {
    "libGLU.so.1": ("libglu1-mesa", "Gmsh"),
    "libXcursor.so.1": ("libxcursor1", "Gmsh"),
    "libXft.so.2": ("libxft2", "Gmsh"),
    "libXinerama.so.1": ("libxinerama1", "Gmsh"),
    "libgomp.so.1": ("libgomp1", "Gmsh"),
    "libGL.so.1": ("libgl1", "VTK (pictures)"),
    "libEGL.so.1": ("libegl1", "VTK (pictures without a screen)"),
}
MINIMUM_PYTHON = (3, 12)
MINIMUM_GLIBC = (2, 34)


class Missing(NamedTuple):
    """Something that the machine lacks: its name, the Debian/Ubuntu package, and what it is for."""

    name: str
    package: str
    purpose: str

    def __str__(self) -> str:
        """One line for a reader: what, what for, and the package."""
        return f"missing: {self.name} ({self.purpose}); Debian/Ubuntu package: {self.package}"


def loads(library: str) -> bool:
    """Tell whether the dynamic loader finds a shared object and all that it needs itself."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def missing_libraries(available: Callable[[str], bool] = loads) -> list[Missing]:
    """List the shared libraries that cannot be loaded.

    Args:
        available: tells whether a shared object of this name can be loaded.
    """
    return [Missing(name, package, who) for name, (package, who) in LIBRARIES.items() if not available(name)]


def compiler_command(environ: Mapping[str, str]) -> list[str]:
    """Return the C compiler that the run-time compilation of forms will call, as a list of words."""
    return shlex.split(environ.get("CC") or sysconfig.get_config_var("CC") or "cc")


def compiles(command: list[str], source: str, path: str) -> bool:
    """Tell whether a C source becomes a shared library; ``path`` is the PATH the compiler is looked up on."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "probe.c")
        file.write_text(source)
        include = [f"-I{sysconfig.get_path(name)}" for name in ("include", "platinclude")]
        words = [*command, "-shared", "-fPIC", *include, str(file), "-o", str(file.with_suffix(".so"))]
        run = subprocess.run(words, capture_output=True, check=False, env={**os.environ, "PATH": path})
    return run.returncode == 0


def missing_toolchain(environ: Mapping[str, str] = os.environ) -> list[Missing]:
    """List what is lacking to compile a Python extension: compiler, C headers, Python headers, ``venv``.

    Args:
        environ: environment; ``CC`` and ``PATH`` decide which compiler is meant.
    """
    path = environ.get("PATH", "")
    lacking = []
    command = compiler_command(environ)
    # A distribution's own interpreter needs packages of its version; those of pyenv, uv and conda bring all.
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    own = sys.base_prefix == "/usr"
    compiler = shutil.which(command[0], path=path) is not None
    libc = compiler and compiles(command, "#include <math.h>\n#include <stdio.h>\n", path)
    headers = Path(sysconfig.get_path("include"), "Python.h").is_file()
    if not compiler:
        lacking.append(Missing(f"C compiler '{command[0]}'", "gcc libc6-dev", "DOLFINx compiles the forms"))
    elif not libc:
        lacking.append(Missing("C library headers (math.h)", "libc6-dev", "DOLFINx compiles the forms"))
    # Looked for without a compiler too, so that all that is missing is named at once.
    if not headers or (libc and not compiles(command, "#include <Python.h>\n", path)):
        package = f"libpython{version}-dev" if own else f"none: install Python {version} anew with headers"
        lacking.append(Missing("Python headers (Python.h)", package, "DOLFINx compiles the forms"))
    try:
        import ensurepip  # noqa: F401 - only whether it is there
        import venv  # noqa: F401
    except ImportError:
        lacking.append(Missing("Python module venv", f"python{version}-venv", "makes .venv"))
    return lacking


def unsupported_platform() -> list[str]:
    """Say why the solver's wheels cannot be used here at all, if so."""
    reasons = []
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        here = f"{platform.system()} {platform.machine()}"
        reasons.append(f"the DOLFINx wheels are for Linux on x86-64, this is {here}: use docker/ or conda-forge")
    name, version = platform.libc_ver()
    if name == "glibc" and tuple(int(part) for part in version.split(".")[:2]) < MINIMUM_GLIBC:
        reasons.append(f"the DOLFINx wheels need glibc >= 2.34, this is {version}: take Debian 12 or newer")
    if sys.version_info < MINIMUM_PYTHON:
        reasons.append(f"Python >= 3.12 is needed, this is {platform.python_version()}")
    return reasons


def packages(lacking: list[Missing]) -> list[str]:
    """Return the Debian/Ubuntu packages that mend the list, sorted, each once."""
    named = [item.package for item in lacking if not item.package.startswith("none:")]
    return sorted(set(" ".join(named).split()))


def may_install() -> bool:
    """Tell whether this is root on a machine with apt-get, and installing was not forbidden."""
    forbidden = os.environ.get("FEMLI_NO_INSTALL") or os.environ.get("FEMLI_PRETEND_MISSING")
    return os.geteuid() == 0 and shutil.which("apt-get") is not None and not forbidden


def install(names: list[str]) -> bool:
    """Install Debian/Ubuntu packages without asking questions; tells whether that worked."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "--no-install-recommends", *names]
    print("set-up: " + shlex.join(command), flush=True)
    quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "env": environ}
    # A failed update (no network) need not matter: the list of packages may be there already.
    subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)
    return subprocess.run(command, check=False, **quiet).returncode == 0


def find_missing() -> list[Missing]:
    """List everything that this machine lacks.

    The environment variable ``FEMLI_PRETEND_MISSING`` (names separated by spaces, ``cc`` for the compiler)
    hides things that are there, so that a test can see the message on a machine that has everything.
    """
    hidden = os.environ.get("FEMLI_PRETEND_MISSING", "").split()
    environ = {**os.environ, "PATH": ""} if "cc" in hidden else os.environ
    return missing_toolchain(environ) + missing_libraries(lambda name: name not in hidden and loads(name))


def main() -> int:
    """Check, install where possible, and report; returns the exit code."""
    reasons = unsupported_platform()
    for reason in reasons:
        print(f"femli set-up: {reason}", file=sys.stderr)
    if reasons:
        return 1
    lacking = find_missing()
    names = packages(lacking)
    if names and may_install():
        install(names)
        lacking = find_missing()
        names = packages(lacking)
    for item in lacking:
        print(f"femli set-up: {item}", file=sys.stderr)
    if names:
        sudo = "" if os.geteuid() == 0 else "sudo "
        print(f"mend it with: {sudo}apt-get install {shlex.join(names)}", file=sys.stderr)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
