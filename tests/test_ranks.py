"""One, two and three ranks, interruptions and resumption: always the same history (V11)."""

from pathlib import Path

import pandas as pd
import pytest
import verification_runs as runs

# The foil to depletion in a few snapshots; the voided ones for some steps.
FOIL = runs.FOIL.read_text().replace("Li-10Mg", "Li-20Mg").replace("0.5 mAh", "0.15 mAh")
ELECTROLYTE = runs.VOIDED + '[electrolyte]\nthickness = "20 um"\nconductivity = "0.4 mS/cm"\n'
# Walls with surface tension that exchange Li, and the traction on the contact.
WALLS = runs.VOIDED.replace("Li-5Mg", "Li").replace(
    "[electrode]", "[interface]\nadhesion_strength = '1 MPa'\n[electrode]"
)
WALLS += '[wall]\nlithium = "exchange"\nsurface_tension = "0.416 J/m^2"\ncontact_angle = "60 deg"\n'
# A voided foil over an electrolyte, coarse, for a few steps.
FEW = ELECTROLYTE.replace('"0.4 um"', '"1 um"').replace('edge_size = "0.2 um"', 'edge_size = "0.5 um"')
# Walls along which metal diffuses, fast enough to change their shape.
SURFACE = (
    runs.VOIDED.replace('capacity = "0.001', 'capacity = "0.0001')
    + '[wall]\nsurface_tension = "0.416 J/m^2"\nsurface_diffusivity = "1e-10 m^2/s"\n'
)
# Diffusion alone: through a rest and plating, to a stop that is found.
ALONE = """
[geometry]
dimension = 2
width = "8 um"
electrode_thickness = "10 um"
mesh = { interface_size = "0.2 um", growth = 1.4 }
[electrode]
material = "Li-20Mg"
stress_coupling = false
mechanics = "none"
[output]
every = "0.005 mAh/cm^2"
[[protocol]]
current_density = "0.31 mA/cm^2"
until = { capacity = "0.02 mAh/cm^2" }
[[protocol]]
rest = true
until = { time = "1 min" }
[[protocol]]
current_density = "-0.31 mA/cm^2"
until = { capacity = "0.01 mAh/cm^2" }
[[protocol]]
current_density = "0.31 mA/cm^2"
until = { li_fraction = 0.6 }
"""
CASES = {
    "1D": FOIL,
    "2D": runs.VOIDED,
    "axisymmetric": runs.AXISYMMETRIC,
    "electrolyte": ELECTROLYTE,
    "walls": WALLS,
    "surface": SURFACE,
    "diffusion alone": ALONE,
}
SAME = 1e-8


def _run(case: Path, out: Path, ranks: int, *words: str) -> pd.DataFrame:
    ended = runs.command("-m", "femli", "run", str(case), "-o", str(out), *words, ranks=ranks)
    assert ended.returncode == 0, ended.stderr
    return runs.history(out)


@pytest.fixture(scope="module", params=CASES)
def reference(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """A case file and its history on one rank, without interruption."""
    folder = tmp_path_factory.mktemp(request.param)
    case = runs.written(folder, CASES[request.param])
    return case, _run(case, folder / "one", 1)


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_same_history_on_more_ranks(reference: tuple[Path, pd.DataFrame], ranks: int, tmp_path: Path) -> None:
    # Exact: the history of one rank, every column but times and iterations to 1e-8 of its largest value.
    case, history = reference
    worst, column = runs.worst_difference(history, _run(case, tmp_path / "out", ranks))
    assert worst < SAME, column


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [(1, 1), (1, 2, 1), pytest.param((3, 1), marks=pytest.mark.slow)], ids=str)
def test_interrupted_and_resumed(reference: tuple[Path, pd.DataFrame], ranks: tuple[int, ...], tmp_path: Path) -> None:
    # Exact: the history without interruption. A checkpoint of some ranks goes on on others, and back.
    case, history = reference
    end = history["capacity [mAh/cm^2]"].iloc[-1]
    script, out = runs.written(tmp_path, runs.INTERRUPTED, "interrupted.py"), tmp_path / "out"
    for part, count in enumerate(ranks[:-1]):
        until = end * (part + 1) / len(ranks) * 1.1
        how = "resume" if part else "start"
        ended = runs.command(str(script), str(case), str(out), how, repr(float(until)), ranks=count)
        assert ended.returncode == 0, ended.stderr
        assert not (out / "summary.json").exists()
        assert len(runs.history(out)) < len(history)
    resumed = _run(case, out, ranks[-1], "--resume")
    worst, column = runs.worst_difference(history, resumed)
    assert worst < SAME, column


@pytest.mark.mpi
@pytest.mark.parametrize("text", [FOIL, FEW], ids=["1D", "electrolyte"])
def test_three_ranks_on_few_steps(tmp_path: Path, text: str) -> None:
    # Exact: as above; few steps, because three ranks on two cores wait for each other.
    case = runs.written(tmp_path, text)
    short = ("--set", f"stop.capacity={'0.001' if text == FOIL else '1e-8'} mAh/cm^2")
    histories = [_run(case, tmp_path / str(ranks), ranks, *short) for ranks in (1, 3)]
    worst, column = runs.worst_difference(*histories)
    assert worst < SAME, column


@pytest.mark.mpi
def test_same_voids_and_fields_on_two_ranks(tmp_path: Path) -> None:
    # Exact: integrals of the last snapshot are those of one rank; the rank array says who owned a cell.
    import pyvista as pv

    case = runs.written(tmp_path, runs.VOIDED)
    found = []
    for ranks in (1, 2):
        out = tmp_path / str(ranks)
        _run(case, out, ranks)
        reader = pv.get_reader(str(out / "fields.pvd"))
        reader.set_active_time_value(reader.time_values[-1])
        grid = reader.read().combine()
        assert set(grid["rank [-]"]) == set(range(ranks))
        whole = grid.integrate_data()
        found.append([float(whole["Area"][0]), *(float(whole[n][0]) for n in ("li_fraction [-]", "pressure [Pa]"))])
    assert found[1] == pytest.approx(found[0], rel=1e-8)


@pytest.mark.mpi
def test_same_protocol_on_two_ranks(tmp_path: Path) -> None:
    # Exact: the history and the table of steps of one rank: jumps, a ramp and an end that is found, all on both ranks.
    steps = """
[[protocol]]
current_density = "0.31 mA/cm^2"
until = { li_fraction = 0.799, time = "1 h" }
[[protocol]]
rest = true
until = { time = "0.5 s" }
stack_pressure_to = "8 MPa"
"""
    text = FOIL.replace('current_density = "0.31 mA/cm^2"\n', "", 1).split("[expect]")[0]
    case = runs.written(tmp_path, text + steps)
    histories = [_run(case, tmp_path / str(ranks), ranks) for ranks in (1, 2)]
    worst, column = runs.worst_difference(*histories)
    assert worst < SAME, column
    tables = [pd.read_csv(tmp_path / str(ranks) / "protocol.csv") for ranks in (1, 2)]
    assert list(tables[0]["end_reason"]) == ["li_fraction", "time"]
    pd.testing.assert_frame_equal(*tables, rtol=SAME)
