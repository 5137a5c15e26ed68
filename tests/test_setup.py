"""The set-up names what a machine lacks, and skips itself when nothing changed."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
SETUP = ["sh", "tools/setup.sh", "--check"]


@pytest.fixture(scope="module")
def check() -> ModuleType:
    """Return tools/system_check.py as a module."""
    spec = importlib.util.spec_from_file_location("system_check", ROOT / "tools" / "system_check.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["system_check"] = module
    spec.loader.exec_module(module)
    return module


def run_check(**environ: str) -> subprocess.CompletedProcess[str]:
    """Run the check of the set-up with changed environment variables."""
    env = {**os.environ, "FEMLI_NO_INSTALL": "1", "FEMLI_PYTHON": sys.executable, **environ}
    return subprocess.run(SETUP, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_a_complete_machine_passes() -> None:
    # Exact: exit code 0 and nothing named. Source: the tests run on a machine that was set up.
    done = run_check()
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("hidden", "package"),
    [
        ("libGLU.so.1", "libglu1-mesa"),
        ("libEGL.so.1", "libegl1"),
        ("libGL.so.1", "libgl1"),
        ("libXcursor.so.1", "libxcursor1"),
        ("libXft.so.2", "libxft2"),
        ("libXinerama.so.1", "libxinerama1"),
        ("cc", "gcc"),
    ],
)
def test_a_missing_package_is_named(hidden: str, package: str) -> None:
    # Exact: exit code not 0, the package and the command that installs it. Source: Debian's package names.
    done = run_check(FEMLI_PRETEND_MISSING=hidden)
    assert done.returncode != 0
    command = next(line for line in done.stderr.splitlines() if line.startswith("mend it with:"))
    assert "apt-get install" in command
    assert package in command.split()


def test_the_loader_is_asked(check: ModuleType) -> None:
    # Exact: every library of the table is missing for a loader that finds none, and a name that no system has
    # is not loadable. Source: the table itself.
    assert [item.name for item in check.missing_libraries(lambda name: False)] == list(check.LIBRARIES)
    assert check.missing_libraries(lambda name: True) == []
    assert not check.loads("libfemli-does-not-exist.so.7")
    assert check.loads("libc.so.6")


def test_a_compiler_that_is_not_there_is_named(check: ModuleType, tmp_path: Path) -> None:
    # Exact: an empty PATH has no compiler; a $CC that is not there is named as such. Source: so arranged.
    (empty,) = check.missing_toolchain({"PATH": str(tmp_path)})
    assert empty.package == "gcc libc6-dev"
    (named,) = check.missing_toolchain({"PATH": os.environ["PATH"], "CC": "no-such-cc -O2"})
    assert "no-such-cc" in str(named)


@pytest.mark.parametrize(("refused", "name"), [("math.h", "math.h"), ("Python.h", "Python.h")])
def test_missing_headers_are_named(check: ModuleType, tmp_path: Path, refused: str, name: str) -> None:
    # Exact: a compiler that fails on one header stands for a machine without it. Source: the script below.
    compiler = tmp_path / "fake-cc"
    compiler.write_text(
        f'#!/bin/sh\nfor word; do case "$word" in *.c) ! grep -q {refused} "$word" || exit 1;; esac; done\n'
    )
    compiler.chmod(0o755)
    (missing,) = check.missing_toolchain({"PATH": f"{tmp_path}:{os.environ['PATH']}", "CC": "fake-cc"})
    assert name in str(missing)


def test_an_old_python_is_refused(tmp_path: Path) -> None:
    # Exact: a named interpreter that does not run is refused, not replaced. Source: exit 127 below.
    shim = tmp_path / "python3"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    done = run_check(FEMLI_PYTHON=str(shim))
    assert done.returncode != 0
    assert f"FEMLI_PYTHON={shim}" in done.stderr
    assert "3.12" in done.stderr


def test_a_machine_without_new_python_is_told_what_to_do(tmp_path: Path) -> None:
    # Exact: no interpreter on PATH or in HOME; the message names three ways to get one. Source: so arranged.
    shell_only = tmp_path / "bin"
    shell_only.mkdir()
    for name in ("sh", "dirname", "id"):
        (shell_only / name).symlink_to(f"/usr/bin/{name}")
    env = {"PATH": str(shell_only), "HOME": str(tmp_path), "FEMLI_NO_INSTALL": "1"}
    done = subprocess.run(SETUP, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    for way in ("no Python >= 3.12 found", "apt-get install python3", "pyenv", "uv", "FEMLI_PYTHON="):
        assert way in done.stderr


def test_pins_name_no_host() -> None:
    # Exact: every line of constraints.txt is a comment or name==version. Source: the file's own promise.
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) > 20
    for pin in pins:
        name, _, version = pin.partition("==")
        assert name.replace("-", "").replace("_", "").replace(".", "").isalnum(), pin
        assert version.replace(".", "").isalnum(), pin
