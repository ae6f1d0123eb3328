"""Describes strategy files: one line for each kind of parameter.

Parameters that have the same layout and differ only in their layer's number are one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from modelcore.checkpoints.shards import read_strategies
from modelcore.parallel.strategy import Strategy, TensorLayout, read_strategy

__all__ = ["StrategyLine", "describe_cut", "inspect_strategies", "inspect_strategy", "is_strategy"]

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


@dataclass(frozen=True)
class StrategyLine:
    """Parameters of one stage with the same layout.

    Attributes:
        stage: the pipeline stage.
        name: the parameters' name, `{}` for the layer's number.
        count: how many there are.
        cut: how they are divided, e.g. "axis 0 in 4" or "whole".
    """

    stage: int
    name: str
    count: int
    cut: str


def inspect_strategies(directory: Path) -> tuple[int, list[StrategyLine]]:
    """Read the strategy files in `directory`.

    Returns:
        The number of ranks, and the lines, stage by stage, in the files' order.

    Raises:
        MindrailError: the files are missing, damaged or contradict each other.
    """
    strategies, devices = read_strategies(directory)
    return len(strategies), _lines([strategies[rank] for rank in range(0, len(strategies), devices)])


def inspect_strategy(path: Path) -> list[StrategyLine]:
    """Read the strategy file of one rank and return its lines.

    Raises:
        MindrailError: it is damaged.
    """
    return _lines([read_strategy(path)])


def is_strategy(path: Path) -> bool:
    """Whether a `.ckpt` is a strategy, not weights: by its first byte, the key of its first field.

    Weights begin with a field 1 of bytes; a strategy with a field 1 that is a number, or with field 2 or 3.
    """
    with path.open("rb") as file:
        return file.read(1) in (b"\x08", b"\x12", b"\x1a")


def _lines(strategies: Iterable[Strategy]) -> list[StrategyLine]:
    counts: dict[tuple[int, str, str], int] = {}
    for strategy in strategies:
        for name, layout in strategy.layouts.items():
            key = (strategy.stage, _NUMBER.sub("{}", name), describe_cut(layout))
            counts[key] = counts.get(key, 0) + 1
    return [StrategyLine(*key[:2], count, key[2]) for key, count in counts.items()]


def describe_cut(layout: TensorLayout) -> str:
    """Return in words how a parameter is divided among its stage's devices."""
    words = []
    for number, axes in enumerate(layout.tensor_map):
        ways = [layout.device_matrix[-1 - axis] for axis in axes]
        if any(way > 1 for way in ways):
            words.append(f"axis {number} in {' x '.join(str(way) for way in ways)}")
    if layout.shard_step and layout.shard_size not in (0, 1):
        parts = "as many as there are copies" if layout.shard_size == -1 else str(layout.shard_size)
        words.append(f"its rows in {parts} (optimizer)")
    return ", ".join(words) or "whole"
