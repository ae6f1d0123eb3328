"""Plots as inline SVG text: lines, histograms, and values with intervals. Same numbers, same bytes.

Matplotlib is imported when the first plot is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["bar_plot", "interval_plot", "line_plot"]

_UPRIGHT_LABELS = 4  # more of them would overlap and are rotated
_MARKED_POINTS = 20  # a line with more points has no markers
_INK, _GRID = "#334155", "#e2e8f0"
_COLOURS = ("#2563eb", "#d97706", "#059669", "#7c3aed")


def line_plot(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, x_label: str, y_label: str
) -> str:
    """Return an SVG with one line per name, given as (xs, ys) of equal length; few points get markers."""
    from matplotlib.ticker import MaxNLocator

    with _axes(x_label, y_label) as (figure, axes):
        for colour, (name, (xs, ys)) in zip(_COLOURS * len(series), series.items(), strict=False):
            marker = "o" if len(xs) <= _MARKED_POINTS else ""
            axes.plot(xs, ys, color=colour, linewidth=1.4, marker=marker, markersize=3, label=name)
        if all(isinstance(x, int) for xs, _ in series.values() for x in xs):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(series) > 1:
            axes.legend(frameon=False, labelcolor=_INK)
        return _svg(figure)


def bar_plot(
    edges: Sequence[float],
    counts: Sequence[float],
    *,
    x_label: str,
    y_label: str,
    mark: float | None = None,
) -> str:
    """Return an SVG histogram: `counts[i]` from `edges[i]` to `edges[i + 1]`; a vertical line at `mark`."""
    with _axes(x_label, y_label) as (figure, axes):
        widths = [right - left for left, right in pairwise(edges)]
        axes.bar(edges[:-1], counts, width=widths, align="edge", color=_COLOURS[0], edgecolor="white")
        if mark is not None:
            axes.axvline(mark, color=_COLOURS[1], linewidth=1.4)
        return _svg(figure)


def interval_plot(points: Sequence[tuple[str, float, float, float]], *, y_label: str) -> str:
    """Return an SVG of (label, value, low, high) in their order; the last one is highlighted."""
    with _axes("", y_label) as (figure, axes):
        for position, (_, value, low, high) in enumerate(points):
            colour = _COLOURS[1] if position == len(points) - 1 else _COLOURS[0]
            spread = [[value - low], [high - value]]
            axes.errorbar([position], [value], spread, fmt="o", color=colour, capsize=4, linewidth=1.4)
            axes.annotate(f"{value:.3f}", (position, value), (7, 3), textcoords="offset points")
        names = [label for label, *_ in points]
        axes.set_xticks(range(len(points)), names, rotation=0 if len(points) <= _UPRIGHT_LABELS else 30)
        axes.set_xlim(-0.5, len(points) - 0.5 + 0.3)
        top = min(1.05, max(0.1, 1.2 * max(high for *_, high in points)))
        axes.set_ylim(-0.04 * top, top)  # so that a point at zero is not cut in half
        return _svg(figure)


@contextmanager
def _axes(x_label: str, y_label: str) -> Iterator[tuple[Figure, Axes]]:
    import matplotlib
    from matplotlib.figure import Figure

    plain = {"svg.hashsalt": "mindrail", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
    with matplotlib.rc_context(plain):
        figure = Figure(figsize=(7.2, 2.8), layout="constrained")
        axes = figure.add_subplot()
        axes.set_xlabel(x_label, color=_INK)
        axes.set_ylabel(y_label, color=_INK)
        axes.grid(color=_GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(colors=_INK)
        axes.spines[["top", "right"]].set_visible(False)
        yield figure, axes


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue()
    return text[text.index("<svg") :]
