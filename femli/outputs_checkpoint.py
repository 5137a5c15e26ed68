"""Checkpoints: what `--resume` needs, on any number of ranks.

One HDF5 file holds, for the last three times, all values cell by cell in the order in which the cells were made; that
order does not depend on the number of ranks. It is written beside the old one and put in its place at once; the one
before is kept.
"""

import json
import os
from dataclasses import astuple
from pathlib import Path
from typing import Any

from mpi4py import MPI  # before dolfinx

import h5py
import numpy as np
from dolfinx import fem
from numpy.typing import NDArray

from femli.errors import CaseError
from femli.mesh_parts import PartedMesh
from femli.outputs_rows import CellRows
from femli.solver_data import Counts
from femli.stepper import Stepper
from femli.stepper_data import Level

Array = NDArray[np.float64]

LAYER = ("layer", "layer_added")
NUMBERS = ("time", "charge", "charge_increment", "stack_pressure")  # of a level

FOLDER = "checkpoint"
FILE = "state.h5"
PREVIOUS = "previous.h5"


class Checkpoint:
    """Saves and restores the state of one run.

    Args:
        folder: result folder.
        stepper: the run.
        sha256: of the case; a checkpoint of another case is refused.
    """

    def __init__(self, folder: Path, stepper: Stepper, sha256: str) -> None:
        fields, newton = stepper.fields, stepper.newton
        self.folder, self.fields, self.newton, self.stepper = folder / FOLDER, fields, newton, stepper
        self.sha256 = sha256
        mesh = fields.domain.mesh
        self.comm, self.mesh = mesh.comm, mesh
        self.cells = CellRows(mesh)
        self.electrolyte = newton.electrolyte
        self.below = None if self.electrolyte is None else CellRows(self.electrolyte.domain.mesh)
        self.damaged = False
        self.scratch = fem.Function(fields.u.p.function_space)

    # --- the arrays of a level --------------------------------------------------------------------------------------

    def _owned_as_local(self, owned: Array) -> Array:
        f = self.scratch
        f.x.array[: owned.size] = owned
        f.x.scatter_forward()
        return f.x.array.copy()

    def _arrays(self, level: Level) -> dict[str, Array | None]:
        """The arrays of a level as rows of cells, on rank 0; collective."""
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
        found = {name: self.cells.blocks(space, values) for name, (space, values) in named.items()}
        gathered = {name: self.cells.gathered(rows) for name, rows in found.items()}
        if self.electrolyte is not None and self.below is not None:
            gathered["phi"] = self.below.gathered(self.below.blocks(self.electrolyte.space, level.phi))
        if self.newton.layer is not None:
            for name, values in zip(LAYER, level.layer, strict=True):
                gathered[name] = self.cells.gathered(self.cells.blocks(u.p.function_space, values))
        return gathered

    # --- files ------------------------------------------------------------------------------------------------------

    def save(self, numbers: dict[str, Any]) -> None:
        """Write the stepper's levels, the stress state and named numbers; collective."""
        levels = [(level, self._arrays(level)) for level in self.stepper.levels]
        tensor = self.fields.state.stress.function_space
        stress = self.cells.gathered(self.cells.blocks(tensor, self.fields.state.stress.x.array))
        w = self.cells.gathered(self.cells.blocks(self.fields.w.function_space, self.fields.w.x.array))
        if self.comm.rank == 0:
            self.folder.mkdir(exist_ok=True)
            new = self.folder / (FILE + ".new")
            with h5py.File(new, "w") as file:
                file.attrs["case_sha256"] = self.sha256
                file.attrs["numbers"] = json.dumps(
                    {**numbers, **self.stepper.ladder.pace(), "spent": astuple(self.stepper.spent)}
                )
                file["stress"], file["w"] = stress, w
                if self.fields.domain.made is not None:
                    for name, array in self.fields.domain.made._asdict().items():
                        if array is not None:
                            file[f"mesh/{name}"] = array
                for i, (level, arrays) in enumerate(levels):
                    group = file.create_group(f"level{i}")
                    for name in NUMBERS:
                        group.attrs[name] = getattr(level, name)
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
        for numbers, rows in data["levels"]:
            nodes = np.empty((len(self.fields.node_of_dof), self.mesh.geometry.dim))
            nodes[self.fields.node_of_dof] = self.cells.local(W, rows["positions"]).reshape(nodes.shape)
            v, p, x = (self.cells.local(f.function_space, rows[n]) for n, f in zip("vpx", u, strict=True))
            increments = [self.cells.local(u.p.function_space, rows[n])[:owned] for n in ("volume", "host")]
            phi = np.zeros(0)
            layer = (np.zeros(0), np.zeros(0))
            if self.newton.layer is not None:
                content, added = (self.cells.local(u.p.function_space, rows[name]) for name in LAYER)
                layer = (content, added)
            if self.electrolyte is not None and self.below is not None:
                phi = self.below.local(self.electrolyte.space, rows["phi"])
            levels.append(
                Level(
                    v=v,
                    p=p,
                    x=x,
                    positions=nodes,
                    displacement=self.cells.local(W, rows["displacement"]),
                    increments=(increments[0], increments[1]),
                    phi=phi,
                    layer=layer,
                    **numbers,
                )
            )
        self.stepper.levels = levels
        self.stepper.ladder.set_pace(data["numbers"])
        self.stepper.spent = Counts(*data["numbers"].pop("spent", (0, 0)))
        tensor = self.fields.state.stress.function_space
        self.fields.state.stress.x.array[:] = self.cells.local(tensor, data["stress"])
        self.fields.w.x.array[:] = self.cells.local(W, data["w"])
        self.stepper.restore(self.newton.stress().copy())
        return data["numbers"]

    def _read(self) -> dict[str, Any] | str:
        """Rank 0: the newest readable file, or what is wrong."""
        found, damaged = read(self.folder, self.sha256)
        self.damaged = self.damaged or damaged
        if isinstance(found, dict) and len(found["levels"][0][1]["p"]) != self.cells.count:
            return f"{self.folder}: the checkpoint's mesh has another number of cells than the run's {self.cells.count}"
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
    levels = [({n: float(file[g].attrs[n]) for n in NUMBERS}, {n: d[:] for n, d in file[g].items()}) for g in groups]
    return {
        "levels": levels,
        "stress": file["stress"][:],
        "w": file["w"][:],
        "mesh": PartedMesh(**{name: data[:] for name, data in file["mesh"].items()}),
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
