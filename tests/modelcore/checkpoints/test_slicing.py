from __future__ import annotations

import itertools

import numpy as np
import pytest

from modelcore.checkpoints.slicing import device_box, whole_shape
from modelcore.errors import MindrailError
from modelcore.parallel.box import Box
from modelcore.parallel.strategy import TensorLayout


def boxes(layout: TensorLayout, whole: tuple[int, ...], devices: int) -> list[Box]:
    return [device_box("w", layout, device, whole) for device in range(devices)]


def test_rows_and_columns_are_cut_by_the_device_axis_the_map_names() -> None:
    rows = TensorLayout((2, 4), ((0,), ()))
    assert boxes(rows, (8, 3), 8) == [((2 * i, 2 * i + 2), (0, 3)) for i in (0, 1, 2, 3)] * 2
    columns = TensorLayout((2, 4), ((), (1,)))
    assert boxes(columns, (3, 8), 8) == [((0, 3), (0, 4))] * 4 + [((0, 3), (4, 8))] * 4


def test_optimizer_sharding_cuts_the_rows_of_the_copies() -> None:
    cut = TensorLayout((2, 2), ((0,), ()), shard_step=2, shard_size=2)
    assert [box[0] for box in boxes(cut, (8, 3), 4)] == [(0, 2), (4, 6), (2, 4), (6, 8)]
    whole = TensorLayout((2, 2), ((), ()), shard_step=1, shard_size=-1)
    assert [box[0] for box in boxes(whole, (8, 3), 4)] == [(0, 2), (2, 4), (4, 6), (6, 8)]
    half = TensorLayout((4, 2), ((0,), ()), shard_step=2, shard_size=2)
    assert [box[0] for box in boxes(half, (8, 3), 8)] == [(0, 2), (4, 6), (2, 4), (6, 8)] * 2


def test_no_step_means_no_optimizer_sharding() -> None:
    assert boxes(TensorLayout((2, 1), ((),), shard_step=0, shard_size=-1), (4,), 2) == [((0, 4),)] * 2


@pytest.mark.parametrize("matrix", [(4,), (2, 2), (2, 2, 2), (1, 8)])
def test_the_boxes_of_all_devices_cover_the_tensor_evenly(matrix: tuple[int, ...]) -> None:
    device_axes: list[tuple[int, ...]] = [(), *((i,) for i in range(len(matrix)))]
    for tensor_map in itertools.product(device_axes, repeat=2):
        if tensor_map[0] == tensor_map[1] != ():
            continue
        layout = TensorLayout(matrix, tensor_map)
        count = np.zeros((16, 16), int)
        for rows, columns in boxes(layout, (16, 16), int(np.prod(matrix))):
            count[slice(*rows), slice(*columns)] += 1
        assert count.min() == count.max() > 0


def test_the_whole_shape_follows_from_what_a_device_holds() -> None:
    layout = TensorLayout((2, 2), ((0,), ()), shard_step=2, shard_size=2)
    assert whole_shape("w", layout, (2, 3)) == (8, 3)
    with pytest.raises(MindrailError, match=r"w: has the shape \[2\], in its strategy .* 2 axes; .*another"):
        whole_shape("w", layout, (2,))


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (TensorLayout((2, 2), ((2,), ())), "tensor map"),
        (TensorLayout((2, 2), ((0,), (0,))), "uses a device axis twice"),
        (TensorLayout((2, 2), ((0,), ()), 2, 3), "divides 2 copies into 3 parts"),
        (TensorLayout((2, 2), ((0,), ()), 1, 2), r"steps by 1 ranks, on devices \(2, 2\) it is 2"),
        (TensorLayout((2, 2, 2), ((0,), (1,)), 4, 2), "optimizer sharding with the tensor map"),
        (TensorLayout((1, 5), ((0,), ())), "axis 0 of 8 does not divide into 5"),
    ],
)
def test_a_layout_that_contradicts_itself_is_refused_by_parameter(layout: TensorLayout, message: str) -> None:
    with pytest.raises(MindrailError, match=f"w: .*{message}"):
        device_box("w", layout, 0, (8, 3))
