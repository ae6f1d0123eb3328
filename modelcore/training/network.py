"""The network of one rank: built from a sharded directory's config.json, filled from tensors by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import mindspore
from mindspore import Parameter, Tensor, nn
from numpy.typing import NDArray

from modelcore.errors import MindrailError
from modelcore.models.families import Family, load_model_config
from modelcore.parallel.groups import Groups
from modelcore.parallel.partition import Partition
from modelcore.training.plan import TrainPlan

__all__ = ["RankNetwork", "build_network", "fill"]


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
        vocab_size: of the model.
        family: the whole model.
    """

    cell: nn.Cell
    hidden: tuple[int, mindspore.Type]
    sliced: frozenset[str]
    shared: frozenset[str]
    partition: Partition
    vocab_size: int
    family: Family


def build_network(plan: TrainPlan, groups: Groups) -> RankNetwork:
    """Build this rank's part of the model in `plan.model`; its weights are not read.

    Raises:
        MindrailError: the model does not divide, or its family is not known.
    """
    family = load_model_config(Path(plan.model))
    partition = family.partition(plan.layout, vocab_emb_dp=plan.vocab_emb_dp, offsets=plan.offsets)
    compute = _compute_type(plan.precision)
    cut = {name for name, placement in partition.placements.items() if placement.axis is not None}
    placements = partition.placements.items()
    return RankNetwork(
        cell=_stage(family, partition.layers, plan, groups, compute),
        hidden=(family.config.hidden_size, compute),
        sliced=frozenset(cut if groups.tensor.size > 1 else ()),
        shared=frozenset(name for name, placement in placements if len(placement.stages) > 1),
        partition=partition,
        vocab_size=family.config.vocab_size,
        family=family,
    )


def _stage(
    family: Family, layers: Sequence[range], plan: TrainPlan, groups: Groups, compute: mindspore.Type
) -> nn.Cell:
    stage = groups.pipeline.index
    last = stage == groups.pipeline.size - 1
    module = importlib.import_module(f"modelcore.models.{family.name}.network")
    build = module.build_loss if last else module.build_stage
    cell: nn.Cell = build(
        family.config,
        groups.tensor,
        layers=layers[stage],
        first=stage == 0,
        vocab_emb_dp=plan.vocab_emb_dp,
        compute=compute,
        recompute=plan.recompute,
    )
    return cell


def fill(parameters: Mapping[str, Parameter], tensors: Mapping[str, NDArray], where: object) -> None:
    """Give every parameter its tensor.

    Raises:
        MindrailError: a tensor is missing, of another shape, or belongs to no parameter.
    """
    for name in (*parameters, *tensors):
        if name not in tensors:
            raise MindrailError(f"has no tensor {name}", where=where)
        if name not in parameters:
            raise MindrailError(f"holds {name}, the network has no such parameter", where=where)
        if tensors[name].shape != parameters[name].shape:
            raise MindrailError(
                f"{name} is {list(tensors[name].shape)}, the network's {list(parameters[name].shape)}",
                where=where,
            )
    for name, parameter in parameters.items():
        parameter.set_data(Tensor(tensors[name]))


def _compute_type(precision: str) -> mindspore.Type:
    """Return the type activations are computed in; on CPU oneDNN rounds to bf16 by itself (see `rank`)."""
    on_cpu = mindspore.get_context("device_target") == "CPU"
    if precision == "fp16":
        return mindspore.float16
    return mindspore.bfloat16 if precision == "bf16" and not on_cpu else mindspore.float32
