"""Bytes changed, cut out or put into strategy files: never a crash, a hang or another exception."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcore.checkpoints.reshard import merge_checkpoint
from modelcore.checkpoints.write_shards import Target, write_targets
from modelcore.errors import MindrailError
from modelcore.parallel.strategy import Strategy, TensorLayout, encode_strategy, strategy_file
from modelcore.weights.checkpoint import open_file
from modelcore.weights.ckpt_file import ckpt_layout
from modelcore.weights.file_layout import TensorSpec
from modelcore.weights.tensors import from_array, read

WHOLE = np.arange(64, dtype=np.float32).reshape(8, 8)
LAYOUTS = {
    "rows": TensorLayout((2, 2), ((0,), ())),
    "columns": TensorLayout((2, 2), ((), (0,))),
    "shared": TensorLayout((2, 2), ((0,), ()), 2, 2),
}
CONTENT = encode_strategy(Strategy(0, LAYOUTS))


def part(name: str, rank: int) -> np.ndarray:
    replica, slice_ = divmod(rank, 2)
    if name == "columns":
        return WHOLE[:, 4 * slice_ : 4 * slice_ + 4]
    rows = WHOLE[4 * slice_ : 4 * slice_ + 4]
    return rows if name == "rows" else rows[2 * replica : 2 * replica + 2]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("shards")
    strategy_file(directory, 0).parent.mkdir()
    for rank in range(4):
        strategy_file(directory, rank).write_bytes(CONTENT)
        tensors = {name: from_array(part(name, rank)) for name in LAYOUTS}
        specs = [TensorSpec(name, tensor.dtype, tensor.shape) for name, tensor in tensors.items()]
        write_targets({directory / f"rank_{rank}" / "x.ckpt": Target(ckpt_layout(specs), tensors)}, "")
    yield directory


def damaged(kind: str, at: int, value: int) -> bytes:
    at %= len(CONTENT)
    middle = {"change": bytes([value]), "insert": bytes([value, CONTENT[at]]), "remove": b""}[kind]
    return CONTENT[:at] + middle + CONTENT[at + 1 :]


@given(
    kind=st.sampled_from(["change", "insert", "remove"]),
    at=st.integers(0, len(CONTENT) - 1),
    value=st.integers(0, 255),
    everywhere=st.booleans(),
)
def test_a_damaged_strategy_is_refused_or_still_describes_the_same_shapes(
    shards: Path, kind: str, at: int, value: int, everywhere: bool
) -> None:
    for rank in range(4):
        hurt = everywhere or rank == 1
        strategy_file(shards, rank).write_bytes(damaged(kind, at, value) if hurt else CONTENT)
    merged = shards / "merged"
    try:
        merge_checkpoint(shards, merged)
    except MindrailError as error:
        assert str(shards) in str(error) or any(name in str(error) for name in LAYOUTS)
        return
    found = {name: read(tensor) for name, tensor in open_file(merged / "model.ckpt").items()}
    assert set(found) == set(LAYOUTS)
    shutil.rmtree(merged)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ((), r"rows: a device matrix of \(\)"),
        ((2, 0), r"rows: a device matrix of \(2, 0\)"),
        ((1 << 31, 1 << 31), r"rows: a device matrix of \(2147483648, 2147483648\)"),
        ((3, 1), r"ckpt_strategy_rank_3\.ckpt: stage 0; with 3 devices per stage it should be 1"),
    ],
)
def test_a_device_matrix_that_cannot_be_is_refused(
    shards: Path, matrix: tuple[int, ...], message: str
) -> None:
    for rank in range(4):
        layouts = {name: replace(layout, device_matrix=matrix) for name, layout in LAYOUTS.items()}
        strategy_file(shards, rank).write_bytes(encode_strategy(Strategy(0, layouts)))
    with pytest.raises(MindrailError, match=message):
        merge_checkpoint(shards, shards / "merged")


def test_undamaged_they_give_the_whole(shards: Path) -> None:
    for rank in range(4):
        strategy_file(shards, rank).write_bytes(CONTENT)
    merge_checkpoint(shards, shards / "sound")
    for tensor in open_file(shards / "sound" / "model.ckpt").values():
        np.testing.assert_array_equal(read(tensor), WHOLE)
