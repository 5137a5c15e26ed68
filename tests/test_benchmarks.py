"""The benchmarks run; how fast is not a test's business."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "run_benchmarks.py"


def test_quick(tmp_path):
    # A table of five rows, each with a positive median and the aim that was set for it (issue: speed).
    page = tmp_path / "speed.md"
    command = [sys.executable, str(SCRIPT), "--quick", "-o", str(page)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert answer.returncode == 0, answer.stderr
    text = page.read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    assert rows[0] == ["what", "median", "range", "processor", "runs", "aim"]
    assert [float(row[5]) for row in rows[1:]] == [1.5, 3.0, 3.0, 5.0, 120.0]
    assert all(float(row[1]) > 0 and float(row[3]) > 0 and row[4] == "1" for row in rows[1:])
    assert "unknowns" in rows[5][0] and "cut short" in rows[5][0]
    assert "cores" in text and "dolfinx" in text


def test_a_failing_command_ends_it():
    # No table of numbers where a command failed: exit code 1 and the command's own words.
    code = f"import sys; sys.path.insert(0, {str(SCRIPT.parent)!r}); import run_benchmarks as b; "
    code += "b.timed(b.femli('check', 'nothing.toml'))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 1 and "exit code 2" in answer.stderr and "nothing.toml" in answer.stderr


def ran(script: str, *words: str) -> str:
    """What a small size of a benchmark prints."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parents[1])}
    command = [sys.executable, str(SCRIPT.parent / script), *words]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def cells(page: str) -> list[list[str]]:
    """The rows of its tables, without rules."""
    lines = [line for line in page.splitlines() if line.startswith("|") and not line.startswith("|--")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_solver_3d(tmp_path):
    # Expected: a row for each solver, as many unknowns; the iterative one needs more linear iterations than Newton's.
    words = ("--dofs", "3e3", "--ranks", "1", "--steps", "1", "-o", str(tmp_path / "page.md"))
    rows = cells(ran("solver_3d.py", *words, "--problems", "no void", "void and electrolyte"))
    assert [row[3] for row in rows[1:]] == ["direct", "iterative"] * 2
    assert rows[1][1] == rows[2][1] and all(float(row[-4].split()[0]) > 0 for row in rows[1:])
    assert (tmp_path / "page.md").is_file()


def test_scaling(tmp_path):
    # Exact: on the fewest ranks the efficiency is 100 %; four times the ranks in half the time is 50 %.
    rows = cells(ran("scaling.py", "--ranks", "1", "--dofs", "3e3", "--dofs-a-rank", "3e3", "--steps", "1"))
    assert [(row[0], row[1], row[7]) for row in rows[1:]] == [("strong", "1", "100 %"), ("weak", "1", "100 %")]
    page = tmp_path / "scaling.sbatch"
    assert ran("scaling.py", "--slurm", str(page), "--ranks", "1", "8") == ""
    text = page.read_text(encoding="utf-8")
    assert "#SBATCH --ntasks=8\n" in text and '--launcher "srun --mpi=pmi2 --exact -n {ranks}" --ranks 1 8 ' in text
    assert subprocess.run(["sh", "-n", str(page)], check=False).returncode == 0
    code = f"import sys; sys.path.insert(0, {str(SCRIPT.parent)!r}); import scaling as s; "
    code += "print(s.efficiency((1, 1000, 2.0), 4, 1000, 1.0), s.efficiency((1, 1000, 2.0), 4, 4000, 2.5))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout.split() == ["0.5", "0.8"]


def test_long_run():
    # Expected: ten intervals a run, memory of a Python with DOLFINx, 50 MB to 2 GB.
    rows = cells(ran("long_run.py", "--steps", "20"))
    assert len(rows) == 21 and rows[1][1] == "1 to 2" and rows[20][1] == "19 to 20"
    assert all(float(row[2]) > 0 and 50 < float(row[3]) < 2000 for row in rows[1:])


def test_limits():
    # Expected: shares that add up to all of it; nothing is faster than memory allows by more than caches explain (10).
    rows = cells(ran("limits.py", "--dofs", "3e3", "--steps", "1"))
    assert sum(float(row[2].split()[0]) for row in rows[1:6]) == pytest.approx(100, abs=3)
    assert rows[7][0] == "triad" and all(float(row[4]) > 0.1 for row in rows[8:])


def test_diffusion():
    # Expected: scripts and femli without mechanics solve the same equation with the same rule: the drop of x over eight
    # steps to 1 % (what the thinning of the mesh, 1e-3 of its height, and other cells' shapes change); with mechanics
    # there are more than five times the unknowns and the same drop to 3 %.
    rows = cells(ran("diffusion.py", "--sizes", "4", "--steps", "8"))
    drops = [0.95 - float(row[6]) for row in rows[1:]]
    assert [row[0].split(":")[0] for row in rows[3::3]] == ["femli, mechanics creep", "femli, mechanics none"]
    assert rows[4][1] == rows[6][1] and int(rows[3][1]) > 5 * int(rows[1][1])
    assert drops[0] > 0 and drops[3:5] == pytest.approx([drops[5]] * 2, rel=0.01)
    assert drops[2] == pytest.approx(drops[0], rel=0.03)
