"""The length of a training, in steps or epochs, with MindFormers' meaning of its schedule's keys."""

from __future__ import annotations

from typing import Any

import pytest

from modelcore.config.reading import parse
from modelcore.config.runs import Training
from modelcore.errors import MindrailError


def run(
    parallel: dict[str, Any] | None = None, launch: dict[str, Any] | None = None, **train: Any
) -> Training:
    raw = {
        "download": {"source": "codellama-7b"},
        "preprocess": {"input": "rows.json"},
        "parallel": parallel or {},
        "launch": launch or {},
        "train": {"batch_size": 4, **train},
    }
    return parse(raw, Training)


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ({}, "train: steps or epochs must be given"),
        ({"steps": 3, "epochs": 1}, "steps is 3 and epochs is 1: leave one out"),
        ({"steps": 10, "warmup_steps": 2, "warmup_ratio": 0.1}, "warmup_steps is 2 and warmup_ratio is 0.1"),
        ({"steps": 10, "total_steps": 0}, "train.total_steps: 0 steps are no schedule"),
        ({"steps": 10, "total_steps": -2}, "train.total_steps: input should be greater than or equal to -1"),
        ({"steps": 10, "total_steps": 5, "warmup_steps": 5}, "warmup_steps 5 leaves nothing of the 5 steps"),
    ],
)
def test_a_length_that_says_too_little_or_too_much_is_refused(train: dict[str, Any], said: str) -> None:
    with pytest.raises(MindrailError) as refused:
        run(**train)
    assert said in str(refused.value)


def test_epochs_are_the_whole_steps_that_the_rows_make() -> None:
    replicas = {"data_parallel": 2}
    counted = run(replicas, epochs=3, accumulate=2, warmup_ratio=0.03).with_rows(1010)
    assert (counted.train.steps, counted.train.warmup_steps) == (3 * (1010 // 16), int(0.03 * 189))
    assert counted.train.epochs is None


def test_epochs_have_the_key_of_as_many_steps() -> None:
    epochs = run(epochs=2, warmup_ratio=0.1, total_steps=-1).with_rows(403)
    assert epochs.key_parameters == run(steps=200, warmup_steps=20).key_parameters
    assert epochs.key_parameters == run(steps=200, warmup_ratio=0.1, total_steps=200).key_parameters
    assert epochs.key_parameters != run(steps=200, warmup_steps=20, total_steps=300).key_parameters


def test_the_ratio_is_of_the_schedule_and_rounded_down() -> None:
    assert run(steps=100, warmup_ratio=0.29).train.options(100).warmup_steps == int(100 * 0.29) == 28
    assert run(steps=100, total_steps=200, warmup_ratio=0.1).train.options(100).warmup_steps == 20


def test_what_only_the_rows_can_show_is_refused_when_they_are_counted() -> None:
    with pytest.raises(MindrailError, match="train.epochs: 3 rows are less than the 4 of one step"):
        run(epochs=1).with_rows(3)
    with pytest.raises(
        MindrailError, match=r"train: warmup_steps 50 leaves nothing of the 25 steps \(epochs:"
    ):
        run(epochs=1, warmup_steps=50).with_rows(100)


def test_the_number_of_ranks_follows_from_the_layout_and_is_checked_where_it_is_given() -> None:
    layout = {"model_parallel": 8, "pipeline_stage": 2}
    assert run(layout, steps=10).parallel.world_size == 16
    assert run(layout, {"world_size": 16}, steps=10).launch.world_size == 16
    with pytest.raises(MindrailError, match="launch.world_size is 8, but parallel gives"):
        run(layout, {"world_size": 8}, steps=10)


def test_a_cluster_has_a_named_precision() -> None:
    cluster = {"cluster": {"hosts": 2, "ranks_per_host": 1}}
    with pytest.raises(MindrailError, match=r"precision auto follows this machine's processor.*give bf16"):
        run({"data_parallel": 2}, cluster, steps=10, precision="auto")
