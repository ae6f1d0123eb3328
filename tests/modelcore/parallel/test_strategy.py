from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcore.errors import MindrailError
from modelcore.parallel.strategy import Strategy, TensorLayout, encode_strategy, read_strategy

axes = st.sampled_from([(), (0,), (1,)])
layouts = st.builds(
    TensorLayout,
    device_matrix=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    tensor_map=st.lists(axes, max_size=3).map(tuple),
    shard_step=st.integers(0, 300),
    shard_size=st.integers(-1, 300),
)
strategies = st.builds(
    Strategy,
    stage=st.integers(0, 40),
    layouts=st.dictionaries(st.text(min_size=1), layouts, min_size=1, max_size=3),
)


@pytest.fixture(scope="module")
def pb() -> ModuleType:
    from mindspore.train import node_strategy_pb2

    return node_strategy_pb2


def as_mindspore(pb: ModuleType, strategy: Strategy) -> Any:
    message = pb.ParallelStrategyMap(current_stage=strategy.stage)
    operator = message.parallel_strategy_item.add(node_name="stage")
    operator.parallel_strategys.stage = strategy.stage
    for name, layout in strategy.layouts.items():
        item = message.parallel_layout_item.add(param_name=name).parallel_layouts
        item.dev_matrix.add(dim=layout.device_matrix)
        item.tensor_map.add(dim=[one[0] if one else -1 for one in layout.tensor_map])
        item.param_split_shape.add()
        item.indices_offset.add()
        item.field = 0
        item.opt_weight_shard_step = layout.shard_step
        item.opt_weight_shard_size = layout.shard_size
    return message


@given(strategy=strategies)
def test_the_bytes_are_those_mindspores_own_message_gives(strategy: Strategy, pb: ModuleType) -> None:
    assert encode_strategy(strategy) == as_mindspore(pb, strategy).SerializeToString()


@given(strategy=strategies)
def test_what_is_written_is_read_back(strategy: Strategy, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("strategy") / "ckpt_strategy_rank_0.ckpt"
    path.write_bytes(encode_strategy(strategy))
    assert read_strategy(path) == strategy


@pytest.mark.parametrize("maps", [[[1, 0], [-1]], [[1, 0], []]])
def test_several_device_axes_of_one_tensor_axis_are_read(
    maps: list[list[int]], pb: ModuleType, tmp_path: Path
) -> None:
    message = as_mindspore(pb, Strategy(0, {"w": TensorLayout((2, 4), ((0,),))}))
    item = message.parallel_layout_item[0].parallel_layouts
    del item.tensor_map[:]
    for one in maps:
        item.tensor_map.add(dim=one)
    path = tmp_path / "s.ckpt"
    path.write_bytes(message.SerializeToString())
    wanted = ((1, 0), ()) if maps[1] else ((1, 0),)
    assert read_strategy(path).layouts["w"].tensor_map == wanted


def test_uneven_slices_are_refused_by_parameter(pb: ModuleType, tmp_path: Path) -> None:
    message = as_mindspore(pb, Strategy(0, {"table": TensorLayout((1, 2), ((0,),))}))
    message.parallel_layout_item[0].parallel_layouts.indices_offset[0].dim.append(3)
    path = tmp_path / "s.ckpt"
    path.write_bytes(message.SerializeToString())
    with pytest.raises(MindrailError, match=r"s\.ckpt: .*table: uneven slices"):
        read_strategy(path)


def test_a_file_cut_off_anywhere_is_refused_or_has_fewer_parameters(tmp_path: Path) -> None:
    whole = Strategy(1, {f"layer.{i}.weight": TensorLayout((2, 4), ((0,), ())) for i in range(3)})
    content, path = encode_strategy(whole), tmp_path / "s.ckpt"
    for size in range(len(content)):
        path.write_bytes(content[:size])
        try:
            found = read_strategy(path)
        except MindrailError as error:
            assert "s.ckpt" in str(error)
        else:
            assert len(found.layouts) < 3


def test_a_missing_file_and_one_of_another_kind_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match=r"none\.ckpt: there is no such strategy file"):
        read_strategy(tmp_path / "none.ckpt")
    (tmp_path / "text.ckpt").write_text("parallel_strategy_map")
    with pytest.raises(MindrailError, match=r"text\.ckpt: is not a strategy file"):
        read_strategy(tmp_path / "text.ckpt")
