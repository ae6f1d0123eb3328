from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcore.generation.sampling import choose, random_stream

LOGITS = np.log(np.array([0.1, 0.5, 0.15, 0.25], np.float32))


def draws(count: int, temperature: float, top_p: float) -> np.ndarray:
    stream = random_stream(1, "task", 0)
    chosen = [choose(LOGITS, temperature, top_p, stream) for _ in range(count)]
    return np.bincount(chosen, minlength=4) / count


def test_temperature_zero_takes_the_largest_and_of_equals_the_first() -> None:
    assert choose(np.array([1, 3, 3, 2], np.float32), 0, 1, random_stream(1, "", 0)) == 1


def test_frequencies_are_the_probabilities() -> None:
    assert draws(4000, 1.0, 1.0) == pytest.approx([0.1, 0.5, 0.15, 0.25], abs=0.03)


def test_temperature_sharpens() -> None:
    squares = np.array([0.1, 0.5, 0.15, 0.25]) ** 2
    assert draws(4000, 0.5, 1.0) == pytest.approx(squares / squares.sum(), abs=0.03)


def test_top_p_keeps_the_fewest_tokens_that_reach_it() -> None:
    assert draws(2000, 1.0, 0.74) == pytest.approx([0, 2 / 3, 0, 1 / 3], abs=0.04)
    assert draws(200, 1.0, 0.4).tolist() == [0, 1, 0, 0]


def test_a_stream_depends_on_seed_task_and_sample() -> None:
    names = [(1, "a", 0), (2, "a", 0), (1, "b", 0), (1, "a", 1), (1, "a\0001", 0)]
    first = {random_stream(*name).random() for name in names}
    assert len(first) == len(names)
    assert random_stream(1, "a", 0).random() in first


@given(
    st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=9), st.floats(0.01, 100), st.floats(0.01, 1)
)
def test_any_finite_logits_give_a_token(logits: list[float], temperature: float, top_p: float) -> None:
    assert (
        0 <= choose(np.array(logits, np.float32), temperature, top_p, random_stream(0, "", 0)) < len(logits)
    )
