"""MindSpore's strategy files (`ckpt_strategy_rank_<r>.ckpt`): how each parameter is laid out on a stage.

The message is `ParallelStrategyMap` of MindSpore's node_strategy.proto; it is read and written here byte for
byte, without MindSpore. MindSpore's JSON strategies are not supported. Which slice a rank has is in
`modelcore.checkpoints.slicing`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from modelcore.boundary.files import read_file
from modelcore.errors import MindrailError
from modelcore.parallel.mesh import MOST_RANKS
from modelcore.weights.protobuf import BYTES, VARINT, Damaged, Field, fields, length_prefix, varint

__all__ = ["Strategy", "TensorLayout", "encode_strategy", "read_strategy", "strategy_file"]

# Empty unless an EmbeddingLookup's rows are divided by hand: param_split_shape and indices_offset.
_UNEVEN_SIZES, _UNEVEN_OFFSETS = 3, 4

_LARGEST = 4 << 20  # bytes; of 1,000 parameters 150,000 are needed
_LARGEST_LAYOUT = 4096  # bytes; 100 are needed


@dataclass(frozen=True)
class TensorLayout:
    """How one parameter is laid out on the devices of its stage.

    Attributes:
        device_matrix: the stage's devices as a box, e.g. (data_parallel, model_parallel); last axis fastest.
        tensor_map: for each axis of the tensor the device axes that divide it, from the right; () whole.
        shard_step: distance in ranks between neighbours of an optimizer-sharding group; 0 for none.
        shard_size: into how many parts optimizer sharding divides axis 0 of the slice; 0 for none, -1 for as
            many as devices hold the same slice.
    """

    device_matrix: tuple[int, ...]
    tensor_map: tuple[tuple[int, ...], ...]
    shard_step: int = 0
    shard_size: int = 0


@dataclass(frozen=True)
class Strategy:
    """One rank's strategy file: its pipeline stage and the layout of each parameter of that stage."""

    stage: int
    layouts: Mapping[str, TensorLayout]


def strategy_file(directory: Path, rank: int) -> Path:
    """Return the path of `rank`'s strategy file in a checkpoint directory, as MindFormers names it."""
    return directory / "strategy" / f"ckpt_strategy_rank_{rank}.ckpt"


def encode_strategy(strategy: Strategy) -> bytes:
    """Return the strategy as MindSpore would write it.

    MindSpore finds the stage in the first operator's entry, so one entry that names no real operator is
    written for it. At most one device axis may divide an axis of a tensor.
    """
    operator = _nested(1, b"stage") + _nested(2, _number(1, strategy.stage))
    items = [
        _nested(3, _nested(1, name.encode()) + _nested(2, _encode_layout(layout)))
        for name, layout in strategy.layouts.items()
    ]
    return _number(1, strategy.stage) + _nested(2, operator) + b"".join(items)


def read_strategy(path: Path) -> Strategy:
    """Read one strategy file.

    Raises:
        MindrailError: the file is missing or damaged, or has no stage or no parameters.
    """
    if not path.is_file():
        raise MindrailError("there is no such strategy file", where=path)
    try:
        return _decode(read_file(path, _LARGEST))
    except (Damaged, UnicodeDecodeError) as error:
        raise MindrailError(f"is not a strategy file: {error}", where=path) from error


def _encode_layout(layout: TensorLayout) -> bytes:
    return b"".join(
        [
            _dims(1, layout.device_matrix),
            _dims(2, tuple(axes[0] if axes else -1 for axes in layout.tensor_map)),
            _dims(_UNEVEN_SIZES, ()),
            _dims(_UNEVEN_OFFSETS, ()),
            _number(5, 0),
            _number(6, layout.shard_step),
            _number(7, layout.shard_size),
        ]
    )


def _dims(field: int, values: tuple[int, ...]) -> bytes:
    return _nested(field, b"".join(_number(1, value) for value in values))


def _number(field: int, value: int) -> bytes:
    return varint(field << 3 | VARINT) + varint(value)


def _nested(field: int, content: bytes) -> bytes:
    return length_prefix(field, len(content)) + content


@lru_cache(maxsize=8)
def _decode(message: bytes) -> Strategy:
    # Cached, because all ranks of a stage have the same file.
    stage: int | None = None
    layouts: dict[str, TensorLayout] = {}
    for field in fields(message, 0, len(message)):
        if field.number == 2 and stage is None:
            stage = next(iter(_numbers(_child(_content(message, field), 2), 1)), None)
        elif field.number == 3:
            item = _content(message, field)
            name = _child(item, 1).decode()
            if name in layouts:
                raise Damaged(f"{name} is in it twice")
            layouts[name] = _decode_layout(name, _child(item, 2))
    if not layouts:
        raise Damaged("there are no parameters in it")
    if stage is None:
        raise Damaged("no operator in it names a stage")
    return Strategy(stage, layouts)


def _decode_layout(name: str, message: bytes) -> TensorLayout:
    if len(message) > _LARGEST_LAYOUT:
        raise Damaged(f"{name}: a layout of {len(message)} bytes")
    boxes: dict[int, list[tuple[int, ...]]] = {1: [], 2: [], _UNEVEN_SIZES: [], _UNEVEN_OFFSETS: []}
    scalars = {number: next(iter(_numbers(message, number)), 0) for number in (5, 6, 7)}
    for field in fields(message, 0, len(message)):
        if field.number in boxes:
            boxes[field.number].append(tuple(_numbers(_content(message, field), 1)))
    if scalars[5] or any(boxes[_UNEVEN_OFFSETS]):
        raise Damaged(f"{name}: uneven slices (field, indices_offset) are not implemented")
    if len(boxes[1]) != 1 or not boxes[2]:
        raise Damaged(f"{name}: its layout has no device matrix or no tensor map")
    if not boxes[1][0] or min(boxes[1][0]) < 1:
        raise Damaged(f"{name}: a device matrix of {boxes[1][0]}")
    layout = TensorLayout(boxes[1][0], _tensor_map(boxes[2]), scalars[6], scalars[7])
    _check_range(name, layout)
    return layout


def _check_range(name: str, layout: TensorLayout) -> None:
    """Refuse axes that the device matrix does not have, and numbers of ranks beyond any cluster's."""
    axes = len(layout.device_matrix)
    if any(axis >= axes for cut in layout.tensor_map for axis in cut):
        raise Damaged(f"{name}: tensor map {layout.tensor_map} of a device matrix of {axes} axes")
    if math.prod(layout.device_matrix) > MOST_RANKS:
        raise Damaged(f"{name}: a device matrix of {layout.device_matrix}")
    if not (0 <= layout.shard_step <= MOST_RANKS and -1 <= layout.shard_size <= MOST_RANKS):
        raise Damaged(f"{name}: optimizer shards of step {layout.shard_step} and size {layout.shard_size}")


def _tensor_map(maps: list[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    """Return the tensor map of its messages: one with an entry for each axis, or one message for each axis.

    For a tensor of one axis MindSpore adds an empty message, to distinguish the second form from the first.
    """
    axes = [tuple(one) for one in maps if one] if len(maps) > 1 else [(one,) for one in maps[0]]
    return tuple(tuple(i for i in one if i >= 0) for one in axes)


def _numbers(message: bytes, number: int) -> list[int]:
    """Return the integers of a repeated field; proto2 has them one by one, not packed."""
    found = [field for field in fields(message, 0, len(message)) if field.number == number]
    if any(field.wire != VARINT for field in found):
        raise Damaged(f"field {number} is not a number")
    return [field.value - (1 << 64) if field.value >> 63 else field.value for field in found]


def _child(message: bytes, number: int) -> bytes:
    for field in fields(message, 0, len(message)):
        if field.number == number:
            return _content(message, field)
    raise Damaged(f"field {number} is missing")


def _content(message: bytes, field: Field) -> bytes:
    if field.wire != BYTES:
        raise Damaged(f"field {field.number} is not a message")
    return message[field.start : field.stop]
