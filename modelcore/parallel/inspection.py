"""What a directory of strategy files says, for a person: one line for each kind of parameter.

Parameters that differ only in their layer's number and lie alike are one line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from modelcore.parallel.shards import read_strategies
from modelcore.parallel.strategy import TensorLayout

__all__ = ["StrategyLine", "describe_cut", "inspect_strategies"]

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


@dataclass(frozen=True)
class StrategyLine:
    """Parameters of one stage that lie alike.

    Attributes:
        stage: the pipeline stage.
        name: the parameters' name, `{}` for the layer's number.
        count: how many there are.
        cut: how they lie, e.g. "axis 0 in 4" or "whole".
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
    counts: dict[tuple[int, str, str], int] = {}
    for rank in range(0, len(strategies), devices):
        for name, layout in strategies[rank].layouts.items():
            key = (strategies[rank].stage, _NUMBER.sub("{}", name), describe_cut(layout))
            counts[key] = counts.get(key, 0) + 1
    return len(strategies), [StrategyLine(*key[:2], count, key[2]) for key, count in counts.items()]


def describe_cut(layout: TensorLayout) -> str:
    """Return in words how a parameter lies on its stage's devices."""
    words = []
    for number, axes in enumerate(layout.tensor_map):
        ways = [layout.device_matrix[-1 - axis] for axis in axes]
        if any(way > 1 for way in ways):
            words.append(f"axis {number} in {' x '.join(str(way) for way in ways)}")
    if layout.shard_step and layout.shard_size not in (0, 1):
        parts = "as many as there are copies" if layout.shard_size == -1 else str(layout.shard_size)
        words.append(f"its rows in {parts} (optimizer)")
    return ", ".join(words) or "whole"
