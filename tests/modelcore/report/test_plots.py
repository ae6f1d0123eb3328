"""Plots are inline SVG, with the same bytes for the same numbers."""

import re
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from modelcore.report.plots import bar_plot, interval_plot, line_plot


def test_a_plot_is_svg_with_the_same_bytes_every_time():
    draw = {"loss": ([1, 2, 3], [3.0, 2.0, 1.5])}
    first, second = (line_plot(draw, x_label="step", y_label="loss") for _ in range(2))
    assert first == second
    assert ElementTree.fromstring(first).tag.endswith("svg")
    assert "step" in first


def test_several_lines_have_a_legend():
    series = {"train": ([1, 2], [2.0, 1.0]), "validation": ([1, 2], [2.5, 1.5])}
    drawn = line_plot(series, x_label="step", y_label="loss")
    assert "train" in drawn
    assert "validation" in drawn


def test_a_line_of_few_points_has_a_dot_at_each():
    few, many = (line_plot({"loss": (range(n), [1.0] * n)}, x_label="", y_label="") for n in (3, 300))
    colour = "fill: #2563eb"
    assert few.count(f"{colour}") > many.count(f"{colour}")


def test_whole_numbers_have_whole_ticks():
    drawn = line_plot({"loss": ([1, 2, 3, 4], [7.0, 7.0, 8.0, 8.0])}, x_label="step", y_label="loss")
    assert ">2</text>" in drawn
    assert ">2.5</text>" not in drawn
    assert ">2.5</text>" in line_plot({"loss": ([1.5, 4], [7.0, 8.0])}, x_label="s", y_label="loss")


class Bar(NamedTuple):
    left: float
    right: float
    height: float

    @property
    def width(self) -> float:
        return self.right - self.left


def bars(edges: list[int]) -> list[Bar]:
    """Draw counts of 3 and 1 between the edges; return the filled rectangles of the SVG."""
    drawn = bar_plot(edges, [3, 1], x_label="tokens", y_label="samples")
    paths = re.findall(r'd="([^"]+)"[^>]*style="fill: #2563eb', drawn)
    corners = [[tuple(map(float, point)) for point in re.findall(r"[ML] (\S+) (\S+)", p)] for p in paths]
    return [
        Bar(min(x for x, _ in one), max(x for x, _ in one), max(y for _, y in one) - min(y for _, y in one))
        for one in corners
    ]


def test_bars_are_drawn_between_their_edges():
    (first, second), (wide, _) = bars([0, 10, 20]), bars([0, 30, 40])
    assert first.left < first.right <= second.left < second.right
    assert first.width == pytest.approx(second.width)
    assert first.height == pytest.approx(3 * second.height)
    assert wide.width == pytest.approx(3 * first.width * 20 / 40)


def test_values_stand_with_their_intervals_in_their_order():
    points = [("monday", 0.5, 0.4, 0.6), ("tuesday", 0.55, 0.45, 0.65)]
    drawn = interval_plot(points, y_label="pass@1")
    assert drawn.index("monday") < drawn.index("tuesday")
    assert "0.550" in drawn
    assert drawn == interval_plot(points, y_label="pass@1")
