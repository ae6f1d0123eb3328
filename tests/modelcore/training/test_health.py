from __future__ import annotations

import pytest

from modelcore.errors import MindrailError
from modelcore.training.health import Health, LossScale, not_finite


def test_a_scale_is_halved_by_an_overflow_and_doubled_after_a_thousand_good_steps():
    scale = LossScale(dynamic=True)
    assert scale.seen(finite=False) and scale.value == 32768
    assert all(scale.seen(finite=True) for _ in range(1000)) and scale.value == 65536


def test_an_overflow_at_the_smallest_scale_cannot_be_helped():
    scale = LossScale(dynamic=True)
    assert [scale.seen(finite=False) for _ in range(17)] == [True] * 16 + [False]


def test_without_fp16_nothing_that_is_not_finite_is_let_pass():
    assert not LossScale(dynamic=False).seen(finite=False)


def test_a_restored_scale_goes_on_where_it_was():
    scale, other = LossScale(dynamic=True), LossScale(dynamic=True)
    scale.seen(finite=False)
    scale.seen(finite=True)
    other.restore(scale.state())
    assert other.state() == scale.state()


def test_a_loss_far_above_a_blind_guess_stops_the_run():
    health = Health(vocab_size=64)
    health.check(1, 4.2, 0)
    health.check(2, 8.0, 0)
    with pytest.raises(
        MindrailError, match="has exploded: 8.5 at step 3, 4.2 at the first; the checkpoint of step 2"
    ):
        health.check(3, 8.5, 2)


def test_a_model_that_starts_badly_may_go_on():
    health = Health(vocab_size=64)
    health.check(1, 20.0, 0)
    health.check(2, 25.0, 0)


def test_ranks_are_named():
    error = not_finite(7, float("nan"), float("nan"), ("loss", [1, 3]), 5)
    assert "the loss is nan at step 7 on rank 1, 3; the checkpoint of step 5 is kept" in str(error)
    assert "the gradient is inf at step 7;" in str(not_finite(7, 2.0, float("inf"), ("", []), 0))
