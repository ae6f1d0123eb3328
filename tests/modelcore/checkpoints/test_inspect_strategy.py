from __future__ import annotations

from pathlib import Path

import pytest

from modelcore.checkpoints.inspect_strategy import StrategyLine, describe_cut, inspect_strategies
from modelcore.parallel.strategy import Strategy, TensorLayout, encode_strategy, strategy_file


def test_parameters_that_lie_alike_are_one_line(tmp_path: Path) -> None:
    cut, whole = TensorLayout((1, 2), ((0,), ())), TensorLayout((1, 2), ((),))
    (tmp_path / "strategy").mkdir()
    for rank in range(4):
        stage = rank // 2
        layouts = {f"m.layers.{2 * stage + i}.wq.weight": cut for i in (0, 1)} | {f"norm{stage}": whole}
        strategy_file(tmp_path, rank).write_bytes(encode_strategy(Strategy(stage, layouts)))
    assert inspect_strategies(tmp_path / "strategy") == (
        4,
        [
            StrategyLine(0, "m.layers.{}.wq.weight", 2, "axis 0 in 2"),
            StrategyLine(0, "norm0", 1, "whole"),
            StrategyLine(1, "m.layers.{}.wq.weight", 2, "axis 0 in 2"),
            StrategyLine(1, "norm1", 1, "whole"),
        ],
    )


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        (TensorLayout((4, 1), ((0,), ())), "whole"),
        (TensorLayout((4, 2), ((), (0,))), "axis 1 in 2"),
        (TensorLayout((2, 2, 2), ((1, 0), ())), "axis 0 in 2 x 2"),
        (TensorLayout((4, 2), ((0,), ()), 2, 4), "axis 0 in 2, its rows in 4 (optimizer)"),
        (TensorLayout((4, 2), ((), ()), 1, -1), "its rows in as many as there are copies (optimizer)"),
    ],
)
def test_a_layout_in_words(layout: TensorLayout, words: str) -> None:
    assert describe_cut(layout) == words
