"""Cases that the tests of meshes share."""

from pathlib import Path

from femli import case, mesh_parts

HEAD = '[load]\ncurrent_density = "0.31 mA/cm^2"\n[electrode]\nmaterial = "Li"\n[geometry]\n'


def made(folder: Path, geometry: str) -> case.Case:
    path = folder / "case.toml"
    path.write_text(HEAD + geometry)
    return case.load(path)


def box(dimension: int, width: float, thickness: float, more: str = "", kind: str = "foil") -> str:
    return (
        f'kind = "{kind}"\ndimension = {dimension}\nwidth = "{width} um"\n'
        f'electrode_thickness = "{thickness} um"\n{more}'
    )


def one_void(shape: str, x: str = "4 um", y: str = "") -> str:
    return f'[geometry.voids]\nlist = [{{ x = "{x}", {y} half_width = "1 um", {shape} }}]'


def part_sizes(whole: mesh_parts.PartedMesh) -> dict[str, float]:
    return {name: float(mesh_parts.facet_measures(whole, name).sum()) for name in whole.names()}
