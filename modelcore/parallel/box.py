"""A part of a tensor as a range of each axis. Knows no layout, strategy or file."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Box", "box_shape", "whole_box"]

Box = tuple[tuple[int, int], ...]
"""A part of a tensor: one half-open range (start, stop) for each axis."""


def whole_box(shape: Sequence[int]) -> Box:
    """Return the box that is all of a tensor of this shape."""
    return tuple((0, size) for size in shape)


def box_shape(box: Box) -> tuple[int, ...]:
    """Return the shape of a box."""
    return tuple(stop - start for start, stop in box)
