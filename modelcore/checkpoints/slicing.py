"""From MindSpore's strategies to boxes: which part of a whole parameter each device of a stage holds.

Device matrix, tensor map and optimizer sharding mean what they mean in mindspore.transform_checkpoints, with
which the tests compare it bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from modelcore.errors import MindrailError
from modelcore.parallel.box import Box
from modelcore.parallel.mesh import Mesh
from modelcore.parallel.partition import Partition
from modelcore.parallel.strategy import Strategy, TensorLayout

__all__ = ["device_box", "state_layout", "strategy_of", "whole_shape", "with_states"]


def strategy_of(partition: Partition, rank: int) -> Strategy:
    """Return the strategy of `rank`; the stage's devices are data_parallel x model_parallel."""
    layout = partition.layout
    layouts = {}
    for name, box in partition.boxes(rank).items():
        cut = partition.placements[name].axis
        tensor_map = tuple((0,) if axis == cut else () for axis in range(len(box)))
        layouts[name] = TensorLayout((layout.data_parallel, layout.model_parallel), tensor_map)
    return Strategy(Mesh(layout).coordinates(rank).stage, layouts)


def state_layout(layout: TensorLayout, whole: tuple[int, ...]) -> TensorLayout:
    """Return the layout of an optimizer's state that is divided among the data-parallel replicas (ZeRO-1).

    Each replica has an equal part of the rows of its slice of the parameter; if they do not divide, every
    replica keeps them all.

    Args:
        layout: of the parameter, on devices data_parallel x model_parallel.
        whole: shape of the whole parameter.
    """
    replicas, slices = layout.device_matrix
    if not whole or replicas == 1:
        return layout
    if layout.tensor_map[0]:
        divides = whole[0] % (slices * replicas) == 0
        return replace(layout, shard_step=slices, shard_size=replicas) if divides else layout
    divides = whole[0] % replicas == 0
    return replace(layout, tensor_map=((1,), *layout.tensor_map[1:])) if divides else layout


def with_states(
    strategy: Strategy, states: Mapping[str, tuple[int, ...]], *, shard_optimizer: bool
) -> Strategy:
    """Return the strategy with the optimizer's states added, laid out like their parameters.

    Each kind of state is in the order of the parameters, whatever the order of `states`.

    Args:
        strategy: of the parameters alone.
        states: the whole shapes of the states by name, `adam_m.<parameter>`; others are ignored.
        shard_optimizer: whether they are divided among the data-parallel replicas, see `state_layout`.
    """
    layouts = dict(strategy.layouts)
    kinds = dict.fromkeys(name.partition(".")[0] for name in states)
    for kind in kinds:
        for parameter, layout in strategy.layouts.items():
            name = f"{kind}.{parameter}"
            if name in states:
                layouts[name] = state_layout(layout, states[name]) if shard_optimizer else layout
    return Strategy(strategy.stage, layouts)


def whole_shape(name: str, layout: TensorLayout, held: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the whole parameter of which each device holds a part of shape `held`.

    Raises:
        MindrailError: the layout contradicts itself or the shape.
    """
    if len(held) != len(layout.tensor_map):
        raise MindrailError(
            f"has the shape {list(held)}, in its strategy it has {len(layout.tensor_map)} axes",
            where=name,
            fix="the strategy files are of another model",
        )
    _check(name, layout)
    whole = [size * ways for size, ways in zip(held, _ways(layout), strict=True)]
    if whole:
        whole[0] *= _parts(layout)
    return tuple(whole)


def device_box(name: str, layout: TensorLayout, device: int, whole: tuple[int, ...]) -> Box:
    """Return the box of the parameter of shape `whole` that device number `device` of the stage holds.

    Optimizer sharding divides axis 0 of the slice further, among the devices that hold the same slice.

    Raises:
        MindrailError: the layout contradicts itself, or an axis does not divide.
    """
    _check(name, layout)
    at = _coordinates(device, layout.device_matrix)
    box: list[tuple[int, int]] = []
    for number, (axes, ways, size) in enumerate(zip(layout.tensor_map, _ways(layout), whole, strict=True)):
        index = 0
        for axis in axes:
            index = index * layout.device_matrix[-1 - axis] + at[-1 - axis]
        if number == 0:
            index = index * _parts(layout) + _copy(layout, at) % _parts(layout)
            ways *= _parts(layout)
        if size % ways:
            raise MindrailError(f"axis {number} of {size} does not divide into {ways}", where=name)
        box.append((index * size // ways, (index + 1) * size // ways))
    return tuple(box)


def _copies(layout: TensorLayout) -> list[int]:
    """Return the axes of the device matrix, from the left, along which all devices hold the same slice."""
    used = {len(layout.device_matrix) - 1 - axis for axes in layout.tensor_map for axis in axes}
    return [axis for axis, size in enumerate(layout.device_matrix) if axis not in used and size > 1]


def _copy(layout: TensorLayout, at: tuple[int, ...]) -> int:
    """Return the number of the device at `at` among those that hold the same slice."""
    index = 0
    for axis in _copies(layout):
        index = index * layout.device_matrix[axis] + at[axis]
    return index


def _parts(layout: TensorLayout) -> int:
    """Return into how many parts optimizer sharding divides a slice; 1 for none."""
    if not layout.shard_step or not layout.shard_size:
        return 1
    if layout.shard_size == -1:
        return math.prod(layout.device_matrix[axis] for axis in _copies(layout))
    return layout.shard_size


def _check(name: str, layout: TensorLayout) -> None:
    matrix, axes = layout.device_matrix, [axis for group in layout.tensor_map for axis in group]
    if not matrix or min(matrix) < 1 or any(axis >= len(matrix) for axis in axes):
        raise MindrailError(f"tensor map {layout.tensor_map} on devices {matrix}", where=name)
    if len(set(axes)) != len(axes):
        raise MindrailError(f"tensor map {layout.tensor_map} uses a device axis twice", where=name)
    parts = _parts(layout)
    if parts == 1:
        return
    if axes != sorted(axes, reverse=True):
        # Here MindSpore's transform_checkpoints contradicts the tensor map.
        raise MindrailError(f"optimizer sharding with the tensor map {layout.tensor_map}", where=name)
    copies = math.prod(matrix[axis] for axis in _copies(layout))
    if parts < 1 or copies % parts:
        raise MindrailError(f"optimizer sharding divides {copies} copies into {parts} parts", where=name)
    group = [
        device
        for device in range(math.prod(matrix))
        if _copy(layout, at := _coordinates(device, matrix)) < parts and not _holds_another_slice(layout, at)
    ]
    step = (group[-1] - group[0]) // (parts - 1)
    if layout.shard_step != step:
        raise MindrailError(
            f"optimizer sharding steps by {layout.shard_step} ranks, on devices {matrix} it is {step}",
            where=name,
        )


def _holds_another_slice(layout: TensorLayout, at: tuple[int, ...]) -> bool:
    """Whether the device at `at` holds another slice than device 0 does."""
    return any(at[-1 - axis] for axes in layout.tensor_map for axis in axes)


def _ways(layout: TensorLayout) -> list[int]:
    return [math.prod(layout.device_matrix[-1 - axis] for axis in axes) for axes in layout.tensor_map]


def _coordinates(device: int, matrix: tuple[int, ...]) -> tuple[int, ...]:
    at: list[int] = []
    for size in reversed(matrix):
        device, one = divmod(device, size)
        at.insert(0, one)
    return tuple(at)
