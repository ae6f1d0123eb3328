"""The order in which each stage of a pipeline works (1F1B), as plain data.

A stage runs a few micro-batches ahead, then one backward for each forward, so that it never keeps more
inputs than there are stages behind it (Narayanan et al. 2021, figure 4). Sending and receiving block: two
neighbours meet for every transfer. They agree on the order of their meetings because where both could go
first, what travels forward does.

Nothing is computed or sent here.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Action", "forward_only", "one_forward_one_backward"]

Work = Literal["receive_forward", "forward", "send_forward", "receive_backward", "backward", "send_backward"]


class Action(NamedTuple):
    """One thing a stage does with one micro-batch; `…_forward` moves activations, `…_backward` gradients."""

    work: Work
    micro_batch: int


def one_forward_one_backward(stage: int, stages: int, micro_batches: int) -> list[Action]:
    """Return what `stage` does in one optimizer step, in order.

    The first stage receives no activations and the last sends none; of gradients it is the other way round.
    """
    ahead = min(stages - 1 - stage, micro_batches)
    together = micro_batches - ahead
    order: list[Action] = []
    for i in range(ahead):
        order += _forward(i)
    if together:
        order.append(Action("receive_forward", ahead))
    for i in range(together):
        order += [Action("forward", ahead + i), Action("send_forward", ahead + i)]
        order += [Action("receive_backward", i), Action("backward", i)]
        if i + 1 < together:
            order.append(Action("receive_forward", ahead + i + 1))
        order.append(Action("send_backward", i))
    for i in range(together, micro_batches):
        order += [Action("receive_backward", i), Action("backward", i), Action("send_backward", i)]
    return _that_exist(order, stage, stages)


def forward_only(stage: int, stages: int, micro_batches: int) -> list[Action]:
    """Return what `stage` does to compute the loss of some micro-batches without a gradient."""
    order = [action for i in range(micro_batches) for action in _forward(i)]
    return _that_exist(order, stage, stages)


def _forward(micro_batch: int) -> list[Action]:
    work: list[Work] = ["receive_forward", "forward", "send_forward"]
    return [Action(one, micro_batch) for one in work]


def _that_exist(order: list[Action], stage: int, stages: int) -> list[Action]:
    none: set[Work] = set()
    if stage == 0:
        none |= {"receive_forward", "send_backward"}
    if stage == stages - 1:
        none |= {"send_forward", "receive_backward"}
    return [action for action in order if action.work not in none]
