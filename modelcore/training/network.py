"""The network of one rank, built from a sharded directory's config.json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mindspore
from mindspore import nn

from modelcore.models.families import read_model
from modelcore.models.loss import NextTokenLoss
from modelcore.models.model import Model
from modelcore.models.network import NetworkPart
from modelcore.parallel.groups import Groups
from modelcore.parallel.partition import Partition
from modelcore.training.plan import TrainPlan

__all__ = ["RankNetwork", "build_network"]


@dataclass(frozen=True)
class RankNetwork:
    """What one rank trains.

    Attributes:
        cell: construct(x, labels) -> (loss summed over tokens, number of tokens); in a pipeline's stages
            before the last construct(x) -> hidden states. Of packed rows both take their segments, too.
        hidden: width and dtype of the hidden states.
        sliced: names of the parameters that are a tensor-parallel slice.
        shared: names of the parameters that the first and the last stage both hold.
        partition: what every rank holds.
        model: the whole model.
    """

    cell: nn.Cell
    hidden: tuple[int, mindspore.Type]
    sliced: frozenset[str]
    shared: frozenset[str]
    partition: Partition
    model: Model


def build_network(plan: TrainPlan, groups: Groups) -> RankNetwork:
    """Build this rank's part of the model in `plan.model`; its weights are not read.

    Raises:
        MindrailError: the model does not divide, or its family is not known.
    """
    model = read_model(Path(plan.model))
    partition = model.partition(plan.layout, vocab_emb_dp=plan.vocab_emb_dp, offsets=plan.offsets)
    stage, compute = groups.pipeline.index, _compute_type(plan.precision)
    part = NetworkPart(
        tensor=groups.tensor,
        layers=partition.layers[stage],
        first=stage == 0,
        last=stage == groups.pipeline.size - 1,
        vocab_emb_dp=plan.vocab_emb_dp,
        compute=compute,
        recompute=plan.recompute,
    )
    network = model.family.network(model.config, part)
    placements = partition.placements.items()
    cut = {name for name, placement in placements if placement.axis is not None}
    return RankNetwork(
        cell=NextTokenLoss(network) if part.last else network,
        hidden=(model.config.hidden_size, compute),
        sliced=frozenset(cut if groups.tensor.size > 1 else ()),
        shared=frozenset(name for name, placement in placements if len(placement.stages) > 1),
        partition=partition,
        model=model,
    )


def _compute_type(precision: str) -> mindspore.Type:
    """Return the type activations are computed in; on CPU oneDNN rounds to bf16 on its own (see `rank`)."""
    on_cpu = mindspore.get_context("device_target") == "CPU"
    if precision == "fp16":
        return mindspore.float16
    return mindspore.bfloat16 if precision == "bf16" and not on_cpu else mindspore.float32
