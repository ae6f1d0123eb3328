"""Divides a model's parameters among the ranks of a layout: by tensor slice and by pipeline stage.

A family has a table with the axis of each parameter that model_parallel divides, and its pipeline stage
(`modelcore.models.<family>.partition`). From that and a layout follows what each rank holds; what cannot be
divided is refused before anything runs. Knows no family and needs no device.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from modelcore.errors import MindrailError
from modelcore.parallel.box import Box
from modelcore.parallel.mesh import Layout, Mesh

__all__ = ["Cut", "Partition", "Placement", "Rule", "partition_model", "stage_layers"]

_LAYER = re.compile(r"(?<=\.)\d+(?=\.)")


@dataclass(frozen=True)
class Cut:
    """Everything that decides which part of which tensor is on which rank.

    Attributes:
        layout: the ranks.
        vocab_emb_dp: embedding and head are whole on every rank.
        offsets: layers more or fewer in each pipeline stage.
        shard_optimizer: the replicas share the optimizer's states (ZeRO-1): each has an equal part of the
            rows of its slice, or all of them where they do not divide (`modelcore.checkpoints.slicing`).
    """

    layout: Layout
    vocab_emb_dp: bool = False
    offsets: tuple[int, ...] = ()
    shard_optimizer: bool = False


@dataclass(frozen=True)
class Rule:
    """How one parameter of a family is divided.

    Attributes:
        axis: the axis that model_parallel divides; None keeps the parameter whole on every rank.
        counts: the config.json key whose number must be a multiple of model_parallel (heads, not elements).
        place: its pipeline stage; "ends" is a parameter shared by the first and the last.
        vocabulary: kept whole, with a note, if its rows do not divide or vocab_emb_dp is set.
    """

    axis: int | None = None
    counts: str = ""
    place: Literal["first", "layer", "last", "ends"] = "layer"
    vocabulary: bool = False


@dataclass(frozen=True)
class Placement:
    """Where one parameter is: its whole shape, the axis that is divided or None, the stages that hold it."""

    shape: tuple[int, ...]
    axis: int | None
    stages: tuple[int, ...]

    def box(self, tensor: int, model_parallel: int) -> Box:
        """Return the box that tensor-parallel slice number `tensor` holds."""
        box = [(0, size) for size in self.shape]
        if self.axis is not None:
            rows = self.shape[self.axis] // model_parallel
            box[self.axis] = (tensor * rows, (tensor + 1) * rows)
        return tuple(box)


@dataclass(frozen=True)
class Partition:
    """What every rank of a layout holds.

    Attributes:
        layout: the layout it is for.
        placements: every parameter of the whole model, in network order.
        layers: the layers of each pipeline stage.
        notes: what a user should know, one line each (a vocabulary that was kept whole).
    """

    layout: Layout
    placements: Mapping[str, Placement]
    layers: tuple[range, ...]
    notes: tuple[str, ...] = ()

    def boxes(self, rank: int) -> dict[str, Box]:
        """Return the box of each parameter that `rank` holds, in network order."""
        at = Mesh(self.layout).coordinates(rank)
        return {
            name: placement.box(at.tensor, self.layout.model_parallel)
            for name, placement in self.placements.items()
            if at.stage in placement.stages
        }

    def shapes(self, rank: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each slice that `rank` holds, in network order."""
        return {name: tuple(stop - start for start, stop in box) for name, box in self.boxes(rank).items()}


def stage_layers(num_layers: int, stages: int, offsets: Sequence[int] = ()) -> tuple[range, ...]:
    """Return the layers of each pipeline stage: num_layers // stages and, as in MindFormers, an offset.

    Args:
        num_layers: layers of the model.
        stages: pipeline_stage of the layout.
        offsets: for each stage how many layers more (or fewer) than num_layers // stages it takes.

    Raises:
        MindrailError: the layers do not divide, or the offsets do not add up.
    """
    share = num_layers // stages
    if not offsets and num_layers % stages:
        raise MindrailError(
            f"{num_layers} layers do not divide into {stages} stages",
            where="pipeline_stage",
            fix=f"give offset, e.g. {[int(i >= stages - num_layers % stages) for i in range(stages)]}",
        )
    sizes = [share + offset for offset in offsets or [0] * stages]
    if len(sizes) != stages or sum(sizes) != num_layers or min(sizes) < 1:
        raise MindrailError(
            f"{list(offsets)} makes stages of {sizes} layers; the model has {num_layers}, in {stages} stages",
            where="offset",
        )
    starts = [sum(sizes[:i]) for i in range(stages)]
    return tuple(range(start, start + size) for start, size in zip(starts, sizes, strict=True))


def partition_model(
    shapes: Mapping[str, tuple[int, ...]],
    rules: Mapping[str, Rule],
    counts: Mapping[str, int],
    layout: Layout,
    *,
    num_layers: int,
    vocab_emb_dp: bool = False,
    offsets: Sequence[int] = (),
) -> Partition:
    """Divide a model's parameters by its family's rules.

    Args:
        shapes: every parameter of the whole model, in network order.
        rules: the family's table; `{}` in a name stands for the layer's number.
        counts: the numbers that must divide by model_parallel, by their config.json key.
        layout: the ranks to divide among.
        num_layers: layers of the model.
        vocab_emb_dp: keep the vocabulary's tensors whole on every rank (MindFormers' key).
        offsets: layers more or fewer for each pipeline stage (MindFormers' `offset`).

    Raises:
        MindrailError: something does not divide (the config.json key is named), or a parameter has no rule.
    """
    layers = stage_layers(num_layers, layout.pipeline_stage, offsets)
    _check_counts(rules, counts, layout.model_parallel)
    placements: dict[str, Placement] = {}
    notes: list[str] = []
    for name, shape in shapes.items():
        rule = _rule(name, rules)
        axis = None if layout.model_parallel == 1 else rule.axis
        if rule.vocabulary and axis is not None and (vocab_emb_dp or shape[axis] % layout.model_parallel):
            reason = (
                "vocab_emb_dp" if vocab_emb_dp else f"no multiple of model_parallel {layout.model_parallel}"
            )
            notes.append(f"{name}: {shape[axis]} rows kept whole on every rank ({reason})")
            axis = None
        placements[name] = Placement(shape, axis, _stages(name, rule, layers))
    return Partition(layout, placements, layers, tuple(notes))


def _check_counts(rules: Mapping[str, Rule], counts: Mapping[str, int], model_parallel: int) -> None:
    for key in dict.fromkeys(rule.counts for rule in rules.values() if rule.counts):
        if counts[key] % model_parallel:
            raise MindrailError(
                f"{key} {counts[key]} of config.json does not divide by model_parallel {model_parallel}",
                where="model_parallel",
                fix=f"choose a divisor of {counts[key]}",
            )


def _rule(name: str, rules: Mapping[str, Rule]) -> Rule:
    rule = rules.get(_LAYER.sub("{}", name, count=1))
    if rule is None:
        raise MindrailError("the parameter is not in this family's partition table", where=name)
    return rule


def _stages(name: str, rule: Rule, layers: tuple[range, ...]) -> tuple[int, ...]:
    last = len(layers) - 1
    if rule.place == "layer":
        match = _LAYER.search(name)
        number = int(match.group()) if match else -1
        return tuple(stage for stage, held in enumerate(layers) if number in held)
    ends = {"first": (0,), "last": (last,), "ends": (0, last)}[rule.place]
    return tuple(dict.fromkeys(ends))
