from __future__ import annotations

import math

import numpy as np
import pytest

from modelcore.errors import MindrailError
from modelcore.training.health import FAULTS, Health, LossScale, check_finite, not_finite


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


def test_without_fp16_the_scale_is_one_and_stays():
    scale = LossScale(dynamic=False)
    assert all(scale.seen(finite=True) for _ in range(2000))
    assert scale.state() == {"loss_scale": 1.0, "good_steps": 2000}


def test_a_new_scale_has_seen_nothing_and_an_overflow_begins_the_thousand_again():
    scale = LossScale(dynamic=True)
    assert scale.state() == {"loss_scale": 65536.0, "good_steps": 0}
    for _ in range(999):
        scale.seen(finite=True)
    assert scale.state() == {"loss_scale": 65536.0, "good_steps": 999}
    scale.seen(finite=False)
    assert scale.state() == {"loss_scale": 32768.0, "good_steps": 0}
    for _ in range(1000):
        scale.seen(finite=True)
    assert scale.state() == {"loss_scale": 65536.0, "good_steps": 0}


def test_a_loss_may_be_twice_that_of_a_blind_guess_or_of_the_first_step():
    blind = math.log(64)
    guessing, bad = Health(vocab_size=64), Health(vocab_size=64)
    guessing.check(1, 1.0, 0)
    guessing.check(2, 2 * blind, 0)
    bad.check(1, 20.0, 0)
    bad.check(2, 40.0, 0)
    for health, loss in ((guessing, 2.001 * blind), (bad, 40.1)):
        with pytest.raises(MindrailError, match="^the loss has exploded: "):
            health.check(3, loss, 0)


def test_the_first_loss_is_the_one_of_the_first_step():
    health = Health(vocab_size=64)
    assert health.first_loss is None
    health.check(1, 4.5, 0)
    health.check(2, 3.5, 0)
    assert health.first_loss == 4.5


@pytest.mark.parametrize(
    ("loss", "norm", "origin", "line"),
    [
        (math.inf, 1.0, ("loss", []), "the loss is inf at step 7"),
        (2.0, math.nan, ("gradient", [0]), "the gradient is nan at step 7 on rank 0"),
        (
            math.nan,
            1.0,
            ("weights", [1]),
            "the loss is nan at step 7 on rank 1, whose weights are not finite",
        ),
        (math.nan, 1.0, ("weights", []), "the loss is nan at step 7"),
    ],
)
def test_what_is_not_finite_is_named_with_what_to_do(
    loss: float, norm: float, origin: tuple[str, list[int]], line: str
):
    advice = "there is no checkpoint yet; lower learning_rate or lengthen warmup_steps"
    assert str(not_finite(7, loss, norm, origin, 0)) == f"{line}; {advice}"


def test_faults_are_listed_in_the_order_in_which_they_spread():
    assert FAULTS == ("weights", "loss", "gradient")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_tensors_that_are_not_finite_are_not_saved(value: float):
    good = np.ones(3, np.float32)
    check_finite({"a": good, "b": good}, 8, 1, 4)
    with pytest.raises(MindrailError) as refused:
        check_finite({"a": good, "b": np.array([0, value], np.float32)}, 8, 1, 4)
    assert str(refused.value) == (
        "b is not finite after step 8 on rank 1, so it is not saved; the checkpoint of step 4 is kept; "
        "lower learning_rate or lengthen warmup_steps"
    )
