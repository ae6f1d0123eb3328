"""Matches a checkpoint's tensors with those a model must have, and makes the other side's tensors of them.

Every tensor the model needs must be there, with the shape that config.json demands, and nothing else may be:
each tensor of the source is used exactly once, and each of the target comes from exactly one. `match_…`
renames for the other side, `select_…` keeps the names.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from modelcore.errors import MindrailError
from modelcore.models.model import Model
from modelcore.weights.dtypes import BF16, FP16, FP32
from modelcore.weights.tensors import LazyTensor, StoredTensor, sha256

__all__ = ["Matched", "has_hf_names", "match_hf", "match_mindspore", "select_hf", "select_mindspore"]

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Matched:
    """The target's tensors in the network's order, and the source's that carry no weight and are left out."""

    tensors: dict[str, LazyTensor]
    dropped: tuple[str, ...]


def has_hf_names(model: Model, source: Iterable[str]) -> bool:
    """Whether more of the names are Hugging Face's than MindSpore's."""
    shapes = model.config.parameter_shapes()
    hf_names = {row.hf for row in model.family.names.expand(model.config.num_layers, shapes)}
    names = set(source)
    return len(names & hf_names) > len(names & set(shapes))


def match_hf(model: Model, source: Mapping[str, LazyTensor], where: object) -> Matched:
    """Return MindSpore's tensors, made lazily of Hugging Face's.

    Args:
        model: the model.
        source: the checkpoint's tensors under Hugging Face's names.
        where: the checkpoint, for errors.

    Raises:
        MindrailError: a tensor is missing, unexpected, misshapen or not fp16, bf16 or fp32.
    """
    shapes = model.config.parameter_shapes()
    selected = select_hf(model, source, where)
    tensors: dict[str, LazyTensor] = {}
    for row in model.family.names.expand(model.config.num_layers, shapes):
        made = row.to_mindspore(selected.tensors[row.hf], [shapes[part] for part in row.parts])
        tensors.update(zip(row.parts, made, strict=True))
    return Matched({name: tensors[name] for name in shapes}, selected.dropped)


def select_hf(model: Model, source: Mapping[str, LazyTensor], where: object) -> Matched:
    """Return Hugging Face's tensors as they are, checked like those of `match_hf`."""
    shapes = model.config.parameter_shapes()
    layers = model.config.num_layers
    rows = model.family.names.expand(layers, shapes)
    expected = {row.hf: row.hf_shape([shapes[part] for part in row.parts]) for row in rows}
    buffers = model.family.names.buffer_names(layers)
    dropped = [name for name in source if name in buffers]
    dropped += _tied_head(model.family.names.tied, expected, source, where)
    _check(expected, source, dropped, where)
    row_of = {part: row.hf for row in rows for part in row.parts}
    names = dict.fromkeys(row_of[name] for name in shapes)
    return Matched({name: source[name] for name in names}, tuple(dropped))


def match_mindspore(model: Model, source: Mapping[str, LazyTensor], where: object) -> Matched:
    """Return Hugging Face's tensors, made lazily of MindSpore's; see `match_hf`.

    Optimizer states (`<kind>.<parameter>`) and single numbers (step counters) of a training checkpoint are
    left out.
    """
    shapes = model.config.parameter_shapes()
    selected = select_mindspore(model, source, where)
    rows = model.family.names.expand(model.config.num_layers, shapes)
    row_of = {part: row for row in rows for part in row.parts}
    tensors: dict[str, LazyTensor] = {}
    for name in shapes:
        row = row_of[name]
        if row.hf not in tensors:
            tensors[row.hf] = row.to_hf([selected.tensors[part] for part in row.parts])
    return Matched(tensors, selected.dropped)


def select_mindspore(model: Model, source: Mapping[str, LazyTensor], where: object) -> Matched:
    """Return MindSpore's tensors as they are, checked and reduced like those of `match_mindspore`."""
    shapes = model.config.parameter_shapes()
    dropped = [name for name in source if _is_training_state(name, source[name], shapes)]
    dropped += _tied_head(model.family.names.tied_mindspore, shapes, source, where)
    _check(shapes, source, dropped, where)
    return Matched({name: source[name] for name in shapes}, tuple(dropped))


def _is_training_state(name: str, tensor: LazyTensor, shapes: Shapes) -> bool:
    return name not in shapes and (name.partition(".")[2] in shapes or math.prod(tensor.shape) == 1)


def _tied_head(
    tied: tuple[str, str], expected: Shapes, source: Mapping[str, LazyTensor], where: object
) -> list[str]:
    """Return the head's name if it is a second copy of the tied embedding; refuse one that is not a copy."""
    embedding, head = tied
    if head in expected or head not in source or embedding not in source:
        return []
    if not _equal(source[head], source[embedding]):
        raise MindrailError(
            f"{head} differs from {embedding}, but config.json ties them",
            where=where,
            fix="set tie_word_embeddings to false in config.json if the head is meant to be its own",
        )
    return [head]


def _equal(one: LazyTensor, other: LazyTensor) -> bool:
    if isinstance(one, StoredTensor) and isinstance(other, StoredTensor) and one.extents == other.extents:
        return one.shape == other.shape and one.dtype == other.dtype
    return one.shape == other.shape and sha256(one) == sha256(other)


def _check(
    expected: Shapes,
    source: Mapping[str, LazyTensor],
    dropped: list[str],
    where: object,
) -> None:
    missing = [name for name in expected if name not in source]
    unexpected = [name for name in source if name not in expected and name not in dropped]
    if unexpected:
        raise MindrailError(
            f"{_some(unexpected)} is in the checkpoint, but not in the model of config.json", where=where
        )
    if missing:
        raise MindrailError(f"{_some(missing)} is missing", where=where, fix="get the checkpoint again")
    for name, shape in expected.items():
        if source[name].shape != shape:
            raise MindrailError(
                f"has shape {list(source[name].shape)}, config.json demands {list(shape)}",
                where=f"{where}: {name}",
            )
        if source[name].dtype not in (FP16, BF16, FP32):
            raise MindrailError(f"is {source[name].dtype}, not fp16, bf16 or fp32", where=f"{where}: {name}")


def _some(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} (and {len(names) - 1} more)"
