"""C code of femli's own: compiled once, into the folder of compiled forms."""

import hashlib
import importlib.machinery
import importlib.util
import os
import tempfile
from pathlib import Path
from types import ModuleType

from mpi4py import MPI  # noqa: F401  (before dolfinx)

import cffi
from dolfinx import jit

from femli.solver_linear import VECTORISED


@jit.mpi_jit_decorator
def compiled(source: str, declarations: str) -> ModuleType:
    """Compile C code, or load what an earlier run compiled; collective, with the ranks' communicator before the rest.

    Args:
        source: C code.
        declarations: of what Python calls, as cffi reads them.
    """
    flags = VECTORISED["cffi_extra_compile_args"]
    told = hashlib.sha256("\n".join([source, declarations, *flags, cffi.__version__]).encode()).hexdigest()
    name = f"femli_kernel_{told[:32]}"
    folder = Path(jit.get_options()["cache_dir"])
    folder.mkdir(parents=True, exist_ok=True)
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    library = folder / f"{name}{suffix}"
    if not library.exists():
        ffi = cffi.FFI()
        ffi.cdef(declarations)
        ffi.set_source(name, source, extra_compile_args=flags)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            # Renamed when it is whole: another run may be at the same.
            os.replace(ffi.compile(tmpdir=place), library)
    spec = importlib.util.spec_from_file_location(name, library)
    if spec is None or spec.loader is None:
        raise ImportError(f"{library} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
