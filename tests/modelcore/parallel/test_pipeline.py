"""The order of a pipeline's work, played through with stages that wait for each other at every transfer."""

from __future__ import annotations

import itertools

import pytest

from modelcore.parallel.pipeline import Action, forward_only, one_forward_one_backward

SIZES = list(itertools.product(range(1, 9), [1, 2, 3, 4, 7, 8, 16]))


def play(orders: list[list[Action]]) -> list[tuple[int, Action]]:
    """Let every stage work through its order, meeting for transfers; return what was done, in order.

    Raises:
        AssertionError: no stage can continue.
    """
    at, done = [0] * len(orders), []

    def next_of(stage: int) -> Action | None:
        return orders[stage][at[stage]] if at[stage] < len(orders[stage]) else None

    while any(next_of(stage) for stage in range(len(orders))):
        before = list(at)
        for stage in range(len(orders)):
            action = next_of(stage)
            if action and action.work in ("forward", "backward"):
                done.append((stage, action))
                at[stage] += 1
        for stage in range(len(orders) - 1):
            here, there = next_of(stage), next_of(stage + 1)
            if here and there and meet(here, there):
                at[stage] += 1
                at[stage + 1] += 1
        assert at != before, f"every stage waits: {[next_of(stage) for stage in range(len(orders))]}"
    return done


def meet(here: Action, there: Action) -> bool:
    works = {("send_forward", "receive_forward"), ("receive_backward", "send_backward")}
    return (here.work, there.work) in works and here.micro_batch == there.micro_batch


@pytest.mark.parametrize(("stages", "micro_batches"), SIZES)
def test_stages_that_wait_for_each_other_all_come_to_the_end(stages: int, micro_batches: int):
    done = play([one_forward_one_backward(i, stages, micro_batches) for i in range(stages)])
    for work in ("forward", "backward"):
        for stage in range(stages):
            mine = [action.micro_batch for at, action in done if at == stage and action.work == work]
            assert mine == list(range(micro_batches))


@pytest.mark.parametrize(("stages", "micro_batches"), SIZES)
def test_a_stage_keeps_no_more_micro_batches_than_there_are_stages_from_it_on(
    stages: int, micro_batches: int
):
    for stage in range(stages):
        kept = most = 0
        for action in one_forward_one_backward(stage, stages, micro_batches):
            kept += {"forward": 1, "backward": -1}.get(action.work, 0)
            most = max(most, kept)
        assert most == min(stages - stage, micro_batches)


@pytest.mark.parametrize(("stages", "micro_batches"), SIZES)
def test_forward_alone_comes_to_the_end_too(stages: int, micro_batches: int):
    done = play([forward_only(i, stages, micro_batches) for i in range(stages)])
    assert sum(action.work == "forward" for _, action in done) == stages * micro_batches
    assert all(action.work == "forward" for _, action in done)


def test_a_single_stage_communicates_with_none():
    order = one_forward_one_backward(0, 1, 2)
    assert [action.work for action in order] == ["forward", "backward"] * 2
