"""Axes of real runs: what hardly varies is shown as a constant, with numbers short enough for their place."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from femli import render_curves, render_style
from femli.render_read import Run


def _run(folder, rows: pd.DataFrame) -> Run:
    return Run(folder, "", "foil", 5e6, rows, {}, (), ())


def _drawn(run: Run, monkeypatch) -> Figure:
    """The figure of the history, caught before it is written."""
    caught = []
    monkeypatch.setattr(render_curves, "save", lambda fig, path: caught.append(fig) or path)
    render_curves.history(run, run.folder / "history.png")
    return caught[0]


def _rows(capacity: list[float], **columns: list[float]) -> pd.DataFrame:
    base = {"time [s]": np.linspace(0.0, 100.0, len(capacity)), "capacity [mAh/cm^2]": capacity}
    same = {
        "li_fraction_interface_mean [-]": [0.95, 0.9495, 0.949],
        "li_fraction_interface_min [-]": [0.95, 0.9495, 0.949],
        "pressure_interface_mean [Pa]": [1e6, 1.1e6, 1.2e6],
        "pressure_interface_min [Pa]": [1e6, 1.1e6, 1.2e6],
        "pressure_min [Pa]": [1e6, 1.1e6, 1.2e6],
        "pressure_min_depth [m]": [0.0, 0.0, 8e-25],
        "contact_fraction [-]": [1.0, 1.0, 1.0],
    }
    return pd.DataFrame(base | same | columns)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((0.9499, 0.9501), (0.9499 + 1e-4 - 0.5 * 4e-3 * 0.9501, 0.9499 + 1e-4 + 0.5 * 4e-3 * 0.9501)),
        ((0.3, 0.95), (0.3, 0.95)),  # wide enough
        ((-2.0, 2.0), (-2.0, 2.0)),
    ],
)
def test_a_scale_is_not_narrower_than_its_numbers(given, expected):
    # Exact: the middle stays, the span is 4e-3 of the larger end where it was less.
    assert render_style.widened(*given) == pytest.approx(expected, rel=1e-12)


def test_least_span():
    # Exact: an interval about zero of the least span asked for; round-off (8e-19 um) does not fill an axis.
    assert render_style.widened(0.0, 8e-19, 0.1) == pytest.approx((-0.05, 0.05), abs=1e-12)


def test_colours_of_an_even_field_keep_to_the_span():
    # Exact: a Li fraction of 0.95 +- 1e-4 gets a colour bar of 4e-3 of its largest value.
    shades = render_style.colours(render_style.COMPOSITION, np.linspace(0.9499, 0.9501, 100))
    assert shades.norm.vmax - shades.norm.vmin == pytest.approx(4e-3 * 0.9501, rel=1e-3)
    assert shades.extend == "neither"


def test_history_of_a_short_uniform_run(tmp_path, monkeypatch):
    # A foil without voids: no panel for the contact, one curve where mean and smallest agree, uAh/cm2 for a short run.
    fig = _drawn(_run(tmp_path, _rows([0.0, 2.5e-4, 5e-4])), monkeypatch)
    labels = [ax.get_ylabel() for ax in fig.axes]
    assert "contact fraction" not in labels and len(labels) == 3
    composition, pressure, depth = fig.axes
    assert [text.get_text() for text in composition.get_legend().get_texts()] == ["mean and smallest"]
    shown = [text.get_text() for text in pressure.get_legend().get_texts()]
    assert shown == ["contact, mean and smallest", "anywhere, smallest"]
    assert composition.get_xlabel() == "capacity (µAh/cm²)"
    assert composition.get_xlim() == pytest.approx((0.0, 0.5))
    assert np.ptp(depth.get_ylim()) == pytest.approx(0.1)


def test_history_of_a_long_run_with_voids(tmp_path, monkeypatch):
    # With voids the contact has its panel, and from 0.1 mAh/cm2 on the capacity its usual unit.
    rows = _rows([0.0, 0.1, 0.2], **{"void_count [-]": [1, 1, 1], "contact_fraction [-]": [0.9, 0.8, 0.7]})
    fig = _drawn(_run(tmp_path, rows), monkeypatch)
    assert "contact fraction" in [ax.get_ylabel() for ax in fig.axes]
    assert fig.axes[0].get_xlabel() == "capacity (mAh/cm²)"
