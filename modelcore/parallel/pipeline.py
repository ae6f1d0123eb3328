"""The schedule of each stage of a pipeline (1F1B: one forward, one backward), as plain data.

A stage starts with a few forward passes, the warm-up, then does one backward for each forward, so that it
keeps no more inputs than there are stages after it (Narayanan et al. 2021, figure 4). Send and receive block
until both neighbours are at the same transfer, so both schedules order their transfers equally: where either
could be first, the forward one is.

Nothing is computed or sent here.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Action", "forward_only", "one_forward_one_backward"]

Work = Literal["receive_forward", "forward", "send_forward", "receive_backward", "backward", "send_backward"]


class Action(NamedTuple):
    """One action of a stage on one micro-batch; `…_forward` moves activations, `…_backward` gradients."""

    work: Work
    micro_batch: int


def one_forward_one_backward(stage: int, stages: int, micro_batches: int) -> list[Action]:
    """Return the actions of `stage` in one optimizer step, in order.

    The first stage receives no activations and the last sends none; for gradients it is the reverse.
    """
    warm_up = min(stages - 1 - stage, micro_batches)
    steady = micro_batches - warm_up
    order: list[Action] = []
    for i in range(warm_up):
        order += _forward(i)
    if steady:
        order.append(Action("receive_forward", warm_up))
    for i in range(steady):
        order += [Action("forward", warm_up + i), Action("send_forward", warm_up + i)]
        order += [Action("receive_backward", i), Action("backward", i)]
        if i + 1 < steady:
            order.append(Action("receive_forward", warm_up + i + 1))
        order.append(Action("send_backward", i))
    for i in range(steady, micro_batches):
        order += [Action("receive_backward", i), Action("backward", i), Action("send_backward", i)]
    return _without_missing_neighbours(order, stage, stages)


def forward_only(stage: int, stages: int, micro_batches: int) -> list[Action]:
    """Return the actions of `stage` to compute the loss of some micro-batches without a gradient."""
    order = [action for i in range(micro_batches) for action in _forward(i)]
    return _without_missing_neighbours(order, stage, stages)


def _forward(micro_batch: int) -> list[Action]:
    work: list[Work] = ["receive_forward", "forward", "send_forward"]
    return [Action(one, micro_batch) for one in work]


def _without_missing_neighbours(order: list[Action], stage: int, stages: int) -> list[Action]:
    none: set[Work] = set()
    if stage == 0:
        none |= {"receive_forward", "send_backward"}
    if stage == stages - 1:
        none |= {"send_forward", "receive_backward"}
    return [action for action in order if action.work not in none]
