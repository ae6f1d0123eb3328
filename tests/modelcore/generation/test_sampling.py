from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcore.generation.sampling import Sampling, choose, likeliest, logprobs, penalize, random_stream

LOGITS = np.log(np.array([0.1, 0.5, 0.15, 0.25], np.float32))


def draw(logits: np.ndarray, temperature: float, top_p: float, stream: np.random.Generator) -> int:
    return choose(logits, Sampling(1, temperature=temperature, top_p=top_p), stream)


def draws(count: int, temperature: float, top_p: float) -> np.ndarray:
    stream = random_stream(1, "task", 0)
    chosen = [draw(LOGITS, temperature, top_p, stream) for _ in range(count)]
    return np.bincount(chosen, minlength=4) / count


def test_temperature_zero_takes_the_largest_and_of_equals_the_first() -> None:
    assert draw(np.array([1, 3, 3, 2], np.float32), 0, 1, random_stream(1, "", 0)) == 1


@pytest.mark.parametrize("size", [5, 256, 1000])
@pytest.mark.parametrize("count", [1, 6])
def test_the_likeliest_is_numpys_argmax_in_either_layout(size: int, count: int) -> None:
    source = np.random.default_rng(size + count)
    rows = source.integers(-9, 9, (count, size)).astype(np.float32)  # with many equal ones
    rows[0, -3:] = 99
    expected = rows.argmax(axis=1)
    columns = np.ascontiguousarray(rows.T).T
    assert likeliest(rows).tolist() == likeliest(columns).tolist() == expected.tolist()
    assert likeliest(columns.reshape(count, 1, size)).tolist() == [[place] for place in expected]
    columns[count // 2, 2] = np.nan
    assert likeliest(columns).tolist() == columns.argmax(axis=1).tolist()


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
    assert 0 <= draw(np.array(logits, np.float32), temperature, top_p, random_stream(0, "", 0)) < len(logits)


@pytest.mark.parametrize("shift", [-5000, 5000])
def test_only_differences_of_logits_count(shift: int) -> None:
    """Their exponentials alone would overflow or vanish."""
    streams = [random_stream(1, "task", 0) for _ in range(2)]
    drawn = [
        [draw(logits.astype(np.float32), 0.7, 0.9, stream) for _ in range(50)]
        for logits, stream in zip((LOGITS, LOGITS + shift), streams, strict=True)
    ]
    assert drawn[0] == drawn[1] and len(set(drawn[0])) > 1


def test_a_draw_takes_one_number_and_the_largest_takes_none() -> None:
    stream, other = random_stream(1, "task", 0), random_stream(1, "task", 0)
    draw(LOGITS, 0, 1.0, stream)
    assert stream.random() == other.random()
    draw(LOGITS, 1.0, 0.5, stream)
    other.random()
    assert stream.random() == other.random()


def test_draws_are_the_same_in_every_release() -> None:
    stream = random_stream(7, "HumanEval/53", 2)
    assert [stream.random() for _ in range(3)] == [
        0.33026413226651674,
        0.938415116076251,
        0.6801458021181919,
    ]
    stream = random_stream(1, "task", 0)
    assert [draw(LOGITS, 1.0, 1.0, stream) for _ in range(12)] == [2, 1, 2, 3, 1, 1, 3, 1, 3, 1, 1, 3]


class Drawn:
    """A stream that gives one number."""

    def __init__(self, number: float) -> None:
        self.random = lambda: number


@pytest.mark.parametrize(
    ("number", "token"),
    [(0.0, 1), (0.49, 1), (0.51, 3), (0.74, 3), (0.76, 2), (0.87, 2), (0.88, 0), (np.nextafter(1, 0), 0)],
)
def test_the_number_drawn_is_a_place_among_the_probabilities_largest_first(number: float, token: int) -> None:
    logits = np.log2(np.array([1 / 8, 1 / 2, 1 / 8, 1 / 4])) * np.log(2)
    logits[2] += 1e-9  # of equals the first would come first
    assert draw(logits, 1.0, 1.0, Drawn(number)) == token  # type: ignore[arg-type]


def test_of_equal_tokens_top_p_keeps_the_first() -> None:
    equal = np.zeros(4, np.float32)
    for number, token in ((0.0, 0), (0.49, 0), (0.51, 1), (0.99, 1)):
        assert draw(equal, 1.0, 0.5, Drawn(number)) == token  # type: ignore[arg-type]
    for number, token in ((0.34, 1), (0.99, 2)):
        assert draw(equal, 1.0, 0.51, Drawn(number)) == token  # type: ignore[arg-type]


def test_a_token_that_cannot_come_never_comes() -> None:
    logits = np.array([-np.inf, 0, -np.inf, 0], np.float32)
    stream = random_stream(3, "task", 0)
    assert {draw(logits, 1.0, 1.0, stream) for _ in range(200)} == {1, 3}


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.7, "top_k": 5},
        {"temperature": 1.3, "top_p": 0.8},
        {"temperature": 0.9, "top_k": 7, "top_p": 0.6, "repetition_penalty": 1.3},
        {"temperature": 1.0, "repetition_penalty": 0.8, "min_new_tokens": 3},
    ],
)
def test_tokens_are_drawn_from_the_distribution_of_transformers_processors(options: dict[str, Any]) -> None:
    import torch
    from transformers import generation

    logits = np.random.default_rng(0).normal(0, 2, 30).astype(np.float32)
    seen, end = [3, 4, 11], 7
    processors = generation.LogitsProcessorList()
    if "repetition_penalty" in options:
        processors.append(generation.RepetitionPenaltyLogitsProcessor(options["repetition_penalty"]))
    if "min_new_tokens" in options:
        processors.append(
            generation.MinNewTokensLengthLogitsProcessor(2, options["min_new_tokens"], end, device="cpu")
        )
    processors.append(generation.TemperatureLogitsWarper(options["temperature"]))
    if "top_k" in options:
        processors.append(generation.TopKLogitsWarper(int(options["top_k"])))
    if "top_p" in options:
        processors.append(generation.TopPLogitsWarper(options["top_p"]))
    scores = processors(torch.tensor([seen]), torch.tensor(logits)[None])
    expected = torch.softmax(scores[0].double(), -1).numpy()

    ours = Sampling(9, **options)
    penalized = penalize(logits, ours, set(seen), 1, {end})
    stream = random_stream(1, "task", 0)
    drawn = np.bincount([choose(penalized, ours, stream) for _ in range(8000)], minlength=30) / 8000
    assert set(np.flatnonzero(drawn)) <= set(np.flatnonzero(expected))
    assert np.abs(drawn - expected).sum() < 0.08


def test_log_probabilities_are_those_of_the_model() -> None:
    found = logprobs(LOGITS, 3, 2)
    assert found.logprob == pytest.approx(np.log(0.25))
    assert [token for token, _ in found.top] == [1, 3]
