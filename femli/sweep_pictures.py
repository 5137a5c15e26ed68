"""Pictures of the table of a sweep: curves over one key, a heat map over two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

OUTPUTS = {
    "capacity_mAh_cm2": "capacity (mAh cm$^{-2}$)",
    "pressure_min_Pa": "smallest pressure (MPa)",
}
SCALE = {"pressure_min_Pa": 1e-6}
MOST_CURVES = 8


def draw(table: Path, inputs: list[str], out: Path) -> list[Path]:
    """Draw what the table has of `OUTPUTS`; returns the files.

    One varied key of numbers gives curves, with a curve for each value of a second key of words; two keys of numbers
    give a heat map. More keys than that are not drawn: the table is there for it.
    """
    import pandas as pd

    frame = pd.read_csv(table)
    frame = frame[~frame["stop_reason"].isin(["failed"]) & frame["stop_reason"].notna()]
    varied = [key for key in inputs if frame[key].nunique() > 1]
    numbers = [key for key in varied if pd.api.types.is_numeric_dtype(frame[key])]
    words = [key for key in varied if key not in numbers]
    made = []
    for name, label in OUTPUTS.items():
        if name not in frame or frame[name].isna().all():
            continue
        file = out / f"sweep_{name.split('_')[0]}.png"
        if len(numbers) == 1 and len(words) <= 1:
            _curves(frame, numbers[0], words[0] if words else None, name, label, file)
        elif len(numbers) == 2 and not words:
            _heat(frame, numbers, name, label, file)
        else:
            continue
        made.append(file)
    return made


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    from .render_style import MM

    return Figure(figsize=(width * MM, height * MM), layout="constrained")


def _save(figure: Any, file: Path) -> None:
    from .render_style import DPI

    figure.savefig(file, dpi=DPI)


def _spread(values: Any) -> str:
    """A logarithmic axis for what spans a decade."""
    return "log" if values.min() > 0 and values.max() >= 10 * values.min() else "linear"


def _curves(frame: Any, key: str, word: str | None, name: str, label: str, file: Path) -> None:
    import matplotlib as mpl

    from .render_style import STYLE

    with mpl.rc_context(STYLE):
        figure = _figure(85, 65)
        axes = figure.add_subplot()
        groups = list(frame.groupby(word)) if word else [("", frame)]
        for title, group in groups[:MOST_CURVES]:
            mean = group.groupby(key)[name].mean() * SCALE.get(name, 1.0)
            axes.plot(
                group[key], group[name] * SCALE.get(name, 1.0), "o", markersize=2.5, color=f"C{len(axes.lines) // 2}"
            )
            axes.plot(mean.index, mean, color=f"C{len(axes.lines) // 2}", label=str(title))
        axes.set(
            xlabel=key, ylabel=label, xscale=_spread(frame[key]), yscale=_spread(frame[name] * SCALE.get(name, 1.0))
        )
        if word:
            axes.legend(title=word, fontsize=6, title_fontsize=6)
        _save(figure, file)


def _heat(frame: Any, keys: list[str], name: str, label: str, file: Path) -> None:
    import matplotlib as mpl
    from matplotlib.colors import LogNorm, Normalize

    from .render_style import STYLE

    with mpl.rc_context(STYLE):
        figure = _figure(100, 75)
        axes = figure.add_subplot()
        values = frame[name] * SCALE.get(name, 1.0)
        log = _spread(values) == "log"
        norm = (LogNorm if log else Normalize)(values.min(), values.max())
        grid = frame.assign(shown=values).pivot_table(index=keys[1], columns=keys[0], values="shown")
        if grid.notna().to_numpy().mean() > 0.5:
            # Cells of equal size, labelled with their values: the points need not be equally spaced.
            drawn = axes.pcolormesh(range(grid.shape[1] + 1), range(grid.shape[0] + 1), grid, norm=norm, cmap="viridis")
            axes.set_xticks([i + 0.5 for i in range(grid.shape[1])], [f"{v:.3g}" for v in grid.columns])
            axes.set_yticks([i + 0.5 for i in range(grid.shape[0])], [f"{v:.3g}" for v in grid.index])
        else:
            drawn = axes.scatter(frame[keys[0]], frame[keys[1]], c=values, norm=norm, cmap="viridis", s=14)
            axes.set(xscale=_spread(frame[keys[0]]), yscale=_spread(frame[keys[1]]))
        axes.set(xlabel=keys[0], ylabel=keys[1])
        figure.colorbar(drawn, ax=axes, label=label)
        _save(figure, file)
