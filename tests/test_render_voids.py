"""Pictures of the statistics of voids, from result files alone."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import result_folders as made
from PIL import Image

from femli import render_film, render_read, render_shape, render_voids
from femli.errors import OutputError
from femli.render import render

HEADER = (
    "time [s],capacity [mAh/cm^2],void [-],x [m],width [m],height [m],area [m^2],parents [-],event [-],"
    "opening [m],share [-],interior [-]"
)
END = made.DURATION


def _rows(*frames: list[tuple]) -> str:
    """voids.csv from (number, x, width, height, parents, event) of each frame, um; width None: it has ended."""
    lines = [HEADER]
    for k, frame in enumerate(frames):
        time = END * k / (len(frames) - 1)
        for number, x, width, height, parents, event in frame:
            start = f"{time},{made.capacity(time)},{number},{x * 1e-6}"
            if width is None:
                lines.append(f"{start},,,,{parents},{event},,,")
            else:
                sizes = f"{width * 1e-6},{height * 1e-6},{width * height * 1e-12}"
                lines.append(f"{start},{sizes},{parents},{event},{width * 1e-6},1.0,0")
    return "\n".join(lines) + "\n"


# Every event: 1 and 2 coalesce, then split again; 3 falls and ends; 5 comes. The halves of a line are those of a kill.
STORY = _rows(
    [(1, 12, 2.2, 0.55, "-", "start"), (2, 16, 4, 1.2, "-", "start"), (3, 30, 1, 0.5, "-", "start")],
    [(2, 14, 8, 1.5, "1+2", "coalesce"), (3, 30, 1, 0.3, "3", "collapse")],
    [
        (2, 16, 4, 1.5, "2", "split"),
        (3, 30, None, None, "3", "collapse"),
        (4, 11, 2, 0.4, "2", "split"),
        (5, 36, 1, 0.4, "-", "nucleate"),
    ],
)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = made.two_voids(tmp_path_factory.mktemp("story") / "foil", frames=3)
    history = pd.read_csv(folder / "history.csv")
    history["contact_loss [-]"] = 1 - history["contact_fraction [-]"]
    history["void_width_median [m]"] = history["void_height_median [m]"] = 1e-6
    history["void_width_max [m]"] = history["void_height_max [m]"] = 2e-6
    history.to_csv(folder / "history.csv", index=False)
    (folder / "voids.csv").write_text(STORY + "20000.0,1.7,9,3")
    return folder


def test_statistics_of_frames(story: Path, tmp_path: Path) -> None:
    # Exact: widths 1, 2.2 and 4 um at first: quartiles 1.6, 2.2, 3.1, mean 2.4, deviation sqrt(2.28); the void that
    # ended counts no more, the half line not at all.
    seen = render_voids.course(render_read.read(story))
    assert seen is not None and seen.label == "capacity (mAh/cm²)"
    table = pd.read_csv(render_voids.summary(seen, tmp_path / "s.csv"))
    assert table["seen [-]"].tolist() == [3, 2, 3]
    first = table.iloc[0]
    expected = {"min": 1, "q1": 1.6, "median": 2.2, "q3": 3.1, "max": 4, "mean": 2.4, "std": np.sqrt(2.28)}
    for key, value in expected.items():
        assert first[f"width_{key} [m]"] == pytest.approx(value * 1e-6, rel=1e-6), key
    assert table["height_max [m]"].to_numpy() == pytest.approx([1.2e-6, 1.5e-6, 1.5e-6])


THREE = {"void_statistics.csv", "void_statistics.png", "void_tracks.png"}


@pytest.mark.slow
def test_render_makes_them(story: Path) -> None:
    # Exact: the three of voids.csv among all others of a plane case with voids.
    assert {path.name for path in render(story)} >= THREE | {"film_interface.mp4", "film.mp4"}


@pytest.mark.parametrize("section", [True, False])
def test_pictures_of_voids(story: Path, section: bool) -> None:
    # Every picture of voids.csv, 180 mm wide at 300 dots an inch and not blank; in a section and in 3D.
    assert {path.name for path in render_voids.draw(render_read.read(story), (0.0, 40.0), section)} == THREE
    for name in ("void_statistics.png", "void_tracks.png"):
        with Image.open(story / name) as image:
            assert image.width / 300 * 25.4 == pytest.approx(180, rel=0.01)
            assert len(np.unique(np.asarray(image.convert("L")))) > 50


def test_tracks_are_as_broad_as_the_voids(story: Path) -> None:
    # Exact: void 2 goes from 14..18 um to 10..18 and back; void 1, of a single frame, is a short bar of its width; the
    # one that was taken in ends on the other's edge, its line inside the new one.
    seen = render_voids.course(render_read.read(story))
    assert seen is not None
    alive = seen.rows[seen.rows["width [m]"].notna()]
    at = np.unique(alive["at"])
    strokes, shades = render_voids._strokes(alive, section=True)
    longest = [s for s, shade in zip(strokes, shades, strict=True) if shade == pytest.approx(6.0)]
    corners = [
        [(at[0], 14), (at[1], 10), (at[1], 18), (at[0], 18)],
        [(at[1], 10), (at[2], 14), (at[2], 18), (at[1], 18)],
    ]
    assert np.allclose(longest, corners)
    single = next(s for s, shade in zip(strokes, shades, strict=True) if shade == pytest.approx(2.2))
    assert np.allclose(np.sort(np.unique(single[:, 1].round(9))), [10.9, 13.1])
    joints = render_voids._joints(seen.rows)
    assert np.allclose(joints, [[(at[0], 13.1), (at[1], 12)], [(at[1], 11), (at[2], 12)]])


def test_rest_is_drawn_against_time(story: Path, tmp_path: Path) -> None:
    # Exact: where the capacity stands still, the abscissa is time; 20000 s are 5.56 h.
    folder = made.two_voids(tmp_path / "rest", frames=1)
    rows = pd.read_csv(story / "voids.csv", nrows=9, dtype={"parents [-]": str})
    rows["capacity [mAh/cm^2]"] = 0.5
    rows.to_csv(folder / "voids.csv", index=False)
    seen = render_voids.course(render_read.read(folder))
    assert seen is not None and seen.label == "time (h)"
    assert seen.rows["at"].max() == pytest.approx(END / 3600)


def test_damage_is_named(story: Path, tmp_path: Path) -> None:
    # Exact: the file and the column that is missing; a file with a header alone shows nothing.
    folder = made.two_voids(tmp_path / "bad", frames=1)
    (folder / "voids.csv").write_text(STORY.replace("event [-]", "other [-]"))
    with pytest.raises(OutputError, match=r"voids\.csv.*'other \[-\]'"):
        render_voids.course(render_read.read(folder))
    (folder / "voids.csv").write_text("time [s],void [-]\n0.0,1\n")
    with pytest.raises(OutputError, match=r"voids\.csv: lacks the column 'capacity"):
        render_voids.course(render_read.read(folder))
    (folder / "voids.csv").write_text(HEADER + "\n")
    assert render_voids.course(render_read.read(folder)) is None


def test_boxes_are_evenly_chosen() -> None:
    # Exact: all of few; every third of 60 and the last; a last one close to the one before takes its place.
    assert render_voids._shown(np.arange(15.0)) == list(range(15))
    assert render_voids._shown(np.arange(60.0)) == [*range(0, 57, 3), 57, 59]
    assert render_voids._shown(np.array([0.0, 1.0, 2.0, 2.1])) == [0, 1, 3]


def test_enlarged_interface(story: Path) -> None:
    # Exact: the pieces cover 0..40 um without gaps, are equally wide, and hold the highest void (1.2 um).
    shape = render_shape.plane(render_read.read(story).frame(-1))
    views = render_film.enlarged([shape])
    assert views[0].left == 0.0 and views[-1].right == 40.0
    assert all(a.right == b.left for a, b in pairwise(views))
    assert np.allclose([view.right - view.left for view in views], 40.0 / len(views))
    assert all(view.top >= 1.2 and view.bottom < 0.0 for view in views)
    assert len(views) > 1
