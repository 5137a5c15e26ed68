"""The benchmarks run; how fast is not a test's business."""

import subprocess
import sys
from pathlib import Path

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
