#!/bin/sh
# Makes .venv with femli and its pinned dependencies; does nothing (in well under a second) when nothing changed.
#
#   sh tools/setup.sh           the set-up
#   sh tools/setup.sh --check   only: which Python, and which system packages are missing
#
# FEMLI_PYTHON       the interpreter to use, instead of looking for one
# FEMLI_NO_INSTALL   set: never call apt-get, only say what is missing
#
# Plain sh, because the python3 of the machine may be too old to run anything of ours (Debian 12 has 3.11).
set -eu

cd "$(dirname "$0")/.."
root=$(pwd -P)
stamp=.venv/femli-setup-stamp
probe='import sys; print(sys._base_executable) if sys.version_info >= (3, 12) and sys.implementation.name == "cpython" else sys.exit(1)'

say() { echo "femli set-up: $*"; }
fail() {
    echo "femli set-up: $1" >&2
    exit 1
}

# Prints the path of the interpreter if this candidate runs and is new enough. To be found is not enough: pyenv puts
# shims on PATH that exit 127. For the python of an activated .venv it is the path of the one that .venv was made from.
usable() { "$1" -c "$probe" 2>/dev/null </dev/null; }

find_python() {
    if [ -n "${FEMLI_PYTHON:-}" ]; then
        usable "$FEMLI_PYTHON" || fail "FEMLI_PYTHON=$FEMLI_PYTHON does not run or is older than Python 3.12"
        return
    fi
    for candidate in python3.13 python3.12 python3.14 python3 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-4]*/bin/python3 \
        "${UV_PYTHON_INSTALL_DIR:-$HOME/.local/share/uv/python}"/cpython-3.1[2-4]*/bin/python3 \
        "${CONDA_PREFIX:-/nonexistent}"/bin/python3 \
        "$HOME"/mini*3/bin/python3 "$HOME"/mini*3/envs/*/bin/python3 /opt/conda/bin/python3; do
        usable "$candidate" && return
    done
    return 1
}

# Debian 13 and Ubuntu 24.04 have a new enough Python to install; Debian 12 and Ubuntu 22.04 have not.
install_python() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ -z "${FEMLI_NO_INSTALL:-}" ] || return 1
    apt-get update -qq >/dev/null </dev/null || return 1
    version=$(apt-cache policy python3 | sed -n 's/^ *Candidate: *3\.\([0-9]*\).*/\1/p')
    [ "${version:-0}" -ge 12 ] || return 1
    say "apt-get install python3 python3-venv" >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 python3-venv >/dev/null </dev/null
}

fingerprint() {
    # The place is part of it (a .venv holds absolute paths), and so is the interpreter, which must still run.
    echo "$root"
    .venv/bin/python -c 'import sys; print(sys.version, sys.base_prefix)' 2>/dev/null || echo "no python in .venv"
    sha256sum pyproject.toml constraints.txt tools/setup.sh tools/system_check.py
}

up_to_date() {
    [ -f "$stamp" ] && [ "$(fingerprint)" = "$(cat "$stamp")" ] || return 1
    [ -z "${FEMLI_PYTHON:-}" ] || same_python "$FEMLI_PYTHON"
}

same_python() {
    base='import sys; print(sys.version, sys.base_prefix)'
    [ "$("$1" -c "$base" 2>/dev/null)" = "$(.venv/bin/python -c "$base" 2>/dev/null)" ]
}

# A picture is rendered in a process of its own: VTK without a usable OpenGL ends with a segmentation fault.
probe_rendering() {
    .venv/bin/python - >/dev/null 2>&1 </dev/null <<'PYTHON' && return
import pyvista
plotter = pyvista.Plotter(off_screen=True, window_size=(64, 64))
plotter.add_mesh(pyvista.Sphere())
plotter.screenshot(None, return_img=True)
PYTHON
    say "no OpenGL here: solving works, pictures by 'femli render' do not." >&2
    say "mend it with: apt-get install libegl1 libgl1 libegl-mesa0 libgl1-mesa-dri" >&2
}

if [ "${1:-}" != --check ] && up_to_date; then
    exit 0
fi

python=$(find_python) || { [ -z "${FEMLI_PYTHON:-}" ] && install_python && python=$(find_python); } || {
    [ -z "${FEMLI_PYTHON:-}" ] || exit 1
    fail "no Python >= 3.12 found (tried python3.13, 3.12, 3.14 and python3 on PATH, pyenv, uv, conda).
Install one in any of these ways, then run this again:
  apt-get install python3 python3-venv    (Debian 13, Ubuntu 24.04 or newer)
  pyenv install 3.13    or    uv python install 3.13    or    conda create -n femli python=3.13
or name one: FEMLI_PYTHON=/path/to/python3 make setup"
}
say "using $("$python" -V 2>&1) at $python"
"$python" tools/system_check.py
if [ "${1:-}" = --check ]; then
    say "nothing is missing"
    exit 0
fi

# A .venv of another interpreter or another place is made anew; otherwise pip only adds what changed.
if ! same_python "$python" || ! head -n 1 .venv/bin/pip | grep -qF "$root/.venv/"; then
    rm -rf .venv
    "$python" -m venv .venv
fi
rm -f "$stamp"
say "installing the pinned dependencies into .venv (about 1.7 GB; a minute on a good line)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input -e '.[dev]' -c constraints.txt </dev/null
.venv/bin/python -c 'from mpi4py import MPI; import dolfinx, gmsh' </dev/null ||
    fail "the installed solver does not load: see the error above"
probe_rendering
fingerprint >"$stamp"
say "done"
