"""Checkpoints: what `--resume` needs, on any number of ranks.

One HDF5 file holds, for the last three times, all values cell by cell in the order in which the cells were made; that
order does not depend on the number of ranks. It is written beside the old one and put in its place at once; the one
before is kept.
"""

import json
import os
from pathlib import Path
from typing import Any

from mpi4py import MPI  # before dolfinx

import h5py
import numpy as np
from dolfinx import fem
from numpy.typing import NDArray

from femli.errors import CaseError
from femli.fields import Fields
from femli.mesh_parts import PartedMesh
from femli.solver import Newton
from femli.stepper import Level, Stepper

Array = NDArray[np.float64]

FOLDER = "checkpoint"
FILE = "state.h5"
PREVIOUS = "previous.h5"


class Checkpoint:
    """Saves and restores the state of one run.

    Args:
        folder: result folder.
        fields, newton, stepper: the run.
        sha256: of the case; a checkpoint of another case is refused.
    """

    def __init__(self, folder: Path, fields: Fields, newton: Newton, stepper: Stepper, sha256: str) -> None:
        self.folder, self.fields, self.newton, self.stepper = folder / FOLDER, fields, newton, stepper
        self.sha256 = sha256
        mesh = fields.domain.mesh
        self.comm, self.mesh = mesh.comm, mesh
        cells = mesh.topology.index_map(mesh.topology.dim)
        self.count = cells.size_global
        self.order = np.asarray(mesh.topology.original_cell_index[: cells.size_local], dtype=np.int64)
        self.damaged = False
        self.scratch = fem.Function(fields.u.p.function_space)

    # --- to and from rows of cells ----------------------------------------------------------------------------------

    def _blocks(self, space: fem.FunctionSpace, values: Array) -> Array:
        """Local dof values as rows of cells, (cells, dofs a cell x block size)."""
        block = space.dofmap.index_map_bs
        rows = values.reshape(-1, block)[space.dofmap.list[: len(self.order)]]
        return rows.reshape(len(self.order), -1)

    def _local(self, space: fem.FunctionSpace, rows: Array) -> Array:
        """Inverse of `_blocks` for the cells of this rank."""
        f = fem.Function(space)
        block = space.dofmap.index_map_bs
        dofs = space.dofmap.list[: len(self.order)]
        f.x.array.reshape(-1, block)[dofs] = rows[self.order].reshape(*dofs.shape, block)
        return f.x.array.copy()

    def _gathered(self, rows: Array) -> Array | None:
        parts = self.comm.gather((self.order, rows))
        if parts is None:
            return None
        whole = np.empty((self.count, rows.shape[1]))
        for order, values in parts:
            whole[order] = values
        return whole

    def _owned_as_local(self, owned: Array) -> Array:
        f = self.scratch
        f.x.array[: owned.size] = owned
        f.x.scatter_forward()
        return f.x.array.copy()

    def _arrays(self, level: Level) -> dict[str, Array]:
        """The arrays of a level as rows of the cells of this rank."""
        u, W = self.fields.u, self.fields.w.function_space
        positions = level.positions[self.fields.node_of_dof].ravel()
        named = {
            "v": (u.v.function_space, level.v),
            "p": (u.p.function_space, level.p),
            "x": (u.x.function_space, level.x),
            "positions": (W, positions),
            "displacement": (W, level.displacement),
            "volume": (u.p.function_space, self._owned_as_local(level.increments[0])),
            "host": (u.p.function_space, self._owned_as_local(level.increments[1])),
        }
        return {name: self._blocks(space, values) for name, (space, values) in named.items()}

    # --- files ------------------------------------------------------------------------------------------------------

    def save(self, numbers: dict[str, Any]) -> None:
        """Write the stepper's levels, the stress state and named numbers; collective."""
        levels = [
            (level.time, {k: self._gathered(a) for k, a in self._arrays(level).items()})
            for level in self.stepper.levels
        ]
        tensor = self.fields.state.stress.function_space
        stress = self._gathered(self._blocks(tensor, self.fields.state.stress.x.array))
        w = self._gathered(self._blocks(self.fields.w.function_space, self.fields.w.x.array))
        if self.comm.rank == 0:
            self.folder.mkdir(exist_ok=True)
            new = self.folder / (FILE + ".new")
            with h5py.File(new, "w") as file:
                file.attrs["case_sha256"] = self.sha256
                file.attrs["numbers"] = json.dumps(
                    {**numbers, "rung": self.stepper.index, "restart": self.stepper.restart}
                )
                file["stress"], file["w"] = stress, w
                if self.fields.domain.whole is not None:
                    for name, array in self.fields.domain.whole._asdict().items():
                        file[f"mesh/{name}"] = array
                for i, (time, arrays) in enumerate(levels):
                    group = file.create_group(f"level{i}")
                    group.attrs["time"] = time
                    for name, rows in arrays.items():
                        group[name] = rows
            if (self.folder / FILE).exists() and not self.damaged:  # a damaged one must not push out a good one
                os.replace(self.folder / FILE, self.folder / PREVIOUS)
            os.replace(new, self.folder / FILE)
            self.damaged = False
        self.comm.barrier()

    def load(self) -> dict[str, Any]:
        """Restore the newest readable checkpoint; returns the named numbers; collective.

        Raises:
            CaseError: there is none, none is readable, or it is of another case.
        """
        data = self.comm.bcast(self._read() if self.comm.rank == 0 else None)
        if isinstance(data, str):
            raise CaseError(data)
        u, W = self.fields.u, self.fields.w.function_space
        owned = u.p.function_space.dofmap.index_map.size_local
        levels = []
        for time, rows in data["levels"]:
            nodes = np.empty((len(self.fields.node_of_dof), self.mesh.geometry.dim))
            nodes[self.fields.node_of_dof] = self._local(W, rows["positions"]).reshape(nodes.shape)
            v, p, x = (self._local(f.function_space, rows[n]) for n, f in zip("vpx", u, strict=True))
            increments = [self._local(u.p.function_space, rows[n])[:owned] for n in ("volume", "host")]
            displacement = self._local(W, rows["displacement"])
            levels.append(Level(time, v, p, x, nodes, displacement, (increments[0], increments[1])))
        self.stepper.levels = levels
        self.stepper.index, self.stepper.restart = data["numbers"].pop("rung"), data["numbers"].pop("restart")
        tensor = self.fields.state.stress.function_space
        self.fields.state.stress.x.array[:] = self._local(tensor, data["stress"])
        self.fields.w.x.array[:] = self._local(W, data["w"])
        self.stepper.restore(self.newton.stress().copy())
        return data["numbers"]

    def _read(self) -> dict[str, Any] | str:
        """Rank 0: the newest readable file, or what is wrong."""
        found, damaged = read(self.folder, self.sha256)
        self.damaged = self.damaged or damaged
        if isinstance(found, dict) and len(found["levels"][0][1]["p"]) != self.count:
            return f"{self.folder}: the checkpoint's mesh has another number of cells than the run's {self.count}"
        return found


def read(folder: Path, sha256: str) -> tuple[dict[str, Any] | str, bool]:
    """The newest readable file of a folder of checkpoints, or what is wrong; and whether one is damaged."""
    faults: list[str] = []
    for name in (FILE, PREVIOUS):
        path = folder / name
        if not path.exists():
            continue
        try:
            with h5py.File(path, "r") as file:
                if file.attrs["case_sha256"] != sha256:
                    fault = f"{path}: is of another case; --resume goes on only with the same case and --set"
                    return fault, bool(faults)
                return _content(file), bool(faults)
        except (OSError, KeyError, ValueError) as error:
            faults.append(f"{path}: cannot be read ({error})")
    missing = f"{folder}: no checkpoint to resume from; run without --resume"
    return "\n".join(faults) or missing, bool(faults)


def _content(file: h5py.File) -> dict[str, Any]:
    groups = sorted(name for name in file if name.startswith("level"))
    levels = [(float(file[g].attrs["time"]), {n: d[:] for n, d in file[g].items()}) for g in groups]
    return {
        "levels": levels,
        "stress": file["stress"][:],
        "w": file["w"][:],
        "mesh": PartedMesh(*(file[f"mesh/{name}"][:] for name in PartedMesh._fields)),
        "numbers": json.loads(file.attrs["numbers"]),
    }


def stored_mesh(folder: Path, sha256: str, comm: MPI.Intracomm) -> PartedMesh | None:
    """On rank 0 the mesh of the checkpoint in a result folder, None on the others; collective.

    Raises:
        CaseError: there is none, none is readable, or it is of another case.
    """
    found = read(folder / FOLDER, sha256)[0] if comm.rank == 0 else None
    fault = comm.bcast(found if isinstance(found, str) else None)
    if fault is not None:
        raise CaseError(fault)
    return found["mesh"] if isinstance(found, dict) else None
