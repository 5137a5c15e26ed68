"""The ParaView script opens result folders of every dimension and saves its views."""

import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import result_folders as made
from PIL import Image

SCRIPT = Path(__file__).parents[1] / "tools" / "paraview_views.py"
SHAPES = {
    "depth": {"dimension": 1, "ranks": 1},
    "foil": {"dimension": 2, "voids": [(12.0, 1.1, 0.55), (27.0, 2.0, 1.2)]},
    "solid": {"dimension": 3, "voids": [(7.0, 8.0, 2.0, 1.2)], "width": 16.0, "thickness": 12.0, "count": 7},
}


def _command() -> list[str]:
    """How pvbatch is started here; skips where it is not installed."""
    if shutil.which("pvbatch") is None:
        pytest.skip("pvbatch is not installed (Debian: paraview python3-paraview)")
    if shutil.which("xvfb-run") is None or shutil.which("xauth") is None:
        pytest.skip("xvfb-run or xauth is not installed (Debian: xvfb xauth)")
    return ["xvfb-run", "-a", "pvbatch", str(SCRIPT)]


def _answer(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script on a folder; once more where the virtual screen, not the script, failed.

    A screen that is still going down can hold the number that xvfb-run has just taken.
    """
    for _ in range(3):
        answer = subprocess.run([*_command(), str(folder)], capture_output=True, text=True, timeout=300, check=False)
        if "bad X server connection" not in answer.stderr:
            break
        time.sleep(3)
    return answer


@pytest.mark.parametrize("name", SHAPES)
def test_views(name, tmp_path):
    # Four pictures a folder, on white ground and with colours in them (a blank view has some ten).
    _command()
    folder = made.write(tmp_path / name, frames=2, **SHAPES[name])
    answer = _answer(folder)
    assert answer.returncode == 0, answer.stderr
    for field in ("composition", "pressure", "stress", "velocity"):
        with Image.open(folder / f"paraview_{field}.png") as picture:
            image = np.asarray(picture.convert("RGB"))
        assert tuple(image[-2, -2]) == (255, 255, 255)
        assert len(np.unique(image[::3, ::3].reshape(-1, 3), axis=0)) > 20, field


def test_no_results(tmp_path):
    # An empty folder ends with a sentence that names the file, not with a traceback.
    answer = _answer(tmp_path)
    assert answer.returncode != 0
    assert "fields.pvd: no such file" in answer.stdout + answer.stderr
    assert "Traceback" not in answer.stdout + answer.stderr
