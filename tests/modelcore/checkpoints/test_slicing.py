from __future__ import annotations

import itertools

import numpy as np
import pytest

from modelcore.checkpoints.slicing import device_box, state_layout, strategy_of, whole_shape, with_states
from modelcore.errors import MindrailError
from modelcore.parallel.box import Box
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Rule, partition_model
from modelcore.parallel.strategy import Strategy, TensorLayout


def boxes(layout: TensorLayout, whole: tuple[int, ...], devices: int) -> list[Box]:
    return [device_box("w", layout, device, whole) for device in range(devices)]


def test_rows_and_columns_are_divided_by_the_device_axis_in_the_map() -> None:
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
        (TensorLayout((), ((), ())), "tensor map"),
        (TensorLayout((0, 2), ((), ())), "tensor map"),
        (TensorLayout((2, 2), ((0,), ()), 2, -2), "divides 2 copies into -2 parts"),
        (TensorLayout((6, 1), ((), ()), 1, 4), "divides 6 copies into 4 parts"),
    ],
)
def test_a_layout_that_contradicts_itself_is_refused_by_parameter(layout: TensorLayout, message: str) -> None:
    with pytest.raises(MindrailError, match=f"w: .*{message}"):
        device_box("w", layout, 0, (8, 3))


def test_a_partition_gives_each_stage_its_strategy() -> None:
    rules = {"embedding": Rule(0, place="first"), "layers.{}.w": Rule(1), "norm": Rule(place="last")}
    shapes = {"embedding": (8, 4), "layers.0.w": (4, 8), "layers.1.w": (4, 8), "norm": (4,)}
    partition = partition_model(shapes, rules, {}, Layout(2, 4, 2), num_layers=2)
    assert strategy_of(partition, 3) == Strategy(
        0,
        {
            "embedding": TensorLayout((2, 4), ((0,), ())),
            "layers.0.w": TensorLayout((2, 4), ((), (0,))),
        },
    )
    last = strategy_of(partition, 8)
    assert last.stage == 1
    assert last.layouts["norm"] == TensorLayout((2, 4), ((),))
    assert list(last.layouts) == ["layers.1.w", "norm"]


@pytest.mark.parametrize(
    ("layout", "whole", "expected"),
    [
        # rows that model_parallel divides are divided further, if they divide
        (TensorLayout((2, 4), ((0,), ())), (16, 3), TensorLayout((2, 4), ((0,), ()), 4, 2)),
        (TensorLayout((2, 4), ((0,), ())), (12, 3), TensorLayout((2, 4), ((0,), ()))),
        # rows that are whole are divided by the axis of the replicas
        (TensorLayout((2, 4), ((), (0,))), (6, 8), TensorLayout((2, 4), ((1,), (0,)))),
        (TensorLayout((2, 4), ((),)), (6,), TensorLayout((2, 4), ((1,),))),
        (TensorLayout((2, 4), ((),)), (7,), TensorLayout((2, 4), ((),))),
        # one replica, or a single value, is left as it is
        (TensorLayout((1, 4), ((0,), ())), (16, 3), TensorLayout((1, 4), ((0,), ()))),
        (TensorLayout((2, 4), ()), (), TensorLayout((2, 4), ())),
    ],
)
def test_an_optimizer_state_is_divided_among_the_replicas_where_its_rows_divide(
    layout: TensorLayout, whole: tuple[int, ...], expected: TensorLayout
) -> None:
    assert state_layout(layout, whole) == expected


def test_states_follow_their_parameters_kind_by_kind() -> None:
    a, b = TensorLayout((2, 1), ((), ())), TensorLayout((2, 1), ((),))
    strategy = Strategy(1, {"a": a, "b": b})
    states = {"adam_m.b": (4,), "adam_m.a": (4, 2), "adam_v.a": (3, 2), "step": (), "adam_m.other": (4,)}
    plain = with_states(strategy, states, shard_optimizer=False)
    assert plain.stage == 1
    assert list(plain.layouts) == ["a", "b", "adam_m.a", "adam_m.b", "adam_v.a"]
    assert [plain.layouts[name] for name in ("adam_m.a", "adam_m.b", "adam_v.a")] == [a, b, a]
    shared = with_states(strategy, states, shard_optimizer=True)
    assert shared.layouts["adam_m.a"] == TensorLayout((2, 1), ((1,), ()))
    assert shared.layouts["adam_m.b"] == TensorLayout((2, 1), ((1,),))
    assert shared.layouts["adam_v.a"] == a, "3 rows do not divide by 2 replicas"
    assert (shared.layouts["a"], strategy.layouts) == (a, {"a": a, "b": b})


def test_a_single_value_has_no_box_axes_and_no_parts() -> None:
    layout = TensorLayout((2, 2), (), shard_step=1, shard_size=-1)
    assert whole_shape("w", layout, ()) == ()
    assert device_box("w", layout, 3, ()) == ()


def test_an_axis_divided_by_two_device_axes_is_numbered_with_the_first_outermost() -> None:
    layout = TensorLayout((2, 3), ((1, 0),))
    assert boxes(layout, (6,), 6) == [((i, i + 1),) for i in range(6)]
    turned = TensorLayout((2, 3), ((0, 1),))
    assert boxes(turned, (6,), 6) == [((i, i + 1),) for i in (0, 2, 4, 1, 3, 5)]
    assert whole_shape("w", layout, (1,)) == (6,)


def test_axes_of_a_device_matrix_of_three_axes_are_counted_from_the_right() -> None:
    # Device 17 of 2 x 3 x 4 has the coordinates (1, 1, 1), device 7 (0, 1, 3).
    layout = TensorLayout((2, 3, 4), ((2,), (1,)))
    assert device_box("w", layout, 17, (8, 9)) == ((4, 8), (3, 6))
    assert device_box("w", layout, 7, (8, 9)) == ((0, 4), (3, 6))
    assert whole_shape("w", layout, (4, 3)) == (8, 9)


def test_copies_along_two_axes_of_the_matrix_are_numbered_with_the_left_one_outermost() -> None:
    layout = TensorLayout((2, 3, 4), ((1,),), shard_step=1, shard_size=4)
    # Device 17 has slice 1 of 3, and is number 5 of the 8 devices that do: part 5 % 4 of slice 1.
    assert device_box("w", layout, 17, (24,)) == ((10, 12),)
    assert device_box("w", layout, 3, (24,)) == ((6, 8),)
    assert whole_shape("w", layout, (2,)) == (24,)
    everyone = TensorLayout((2, 3, 4), ((1,),), shard_step=2, shard_size=-1)
    assert device_box("w", everyone, 17, (24,)) == ((13, 14),)
    nested = TensorLayout((2, 3, 4), ((0, 2),))
    assert device_box("w", nested, 17, (24,)) == ((9, 12),)
    layout = TensorLayout((2, 3, 4), ((0,),), shard_step=4, shard_size=3)
    assert device_box("w", layout, 9, (24,)) == ((10, 12),)


def test_a_layout_that_contradicts_itself_has_no_whole_shape() -> None:
    with pytest.raises(MindrailError, match="w: .*uses a device axis twice"):
        whole_shape("w", TensorLayout((2, 2), ((0,), (0,))), (4, 4))
