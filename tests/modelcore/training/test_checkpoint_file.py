from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelcore.checkpoints.shards import rank_file
from modelcore.errors import MindrailError
from modelcore.training.checkpoint_file import read_part, write_part, write_tensors
from tests.tensors import read_tensors

TENSORS = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(4, np.float32)}


def test_a_part_read_back_is_the_same(tmp_path: Path):
    write_part(tmp_path, 3, TENSORS, {"step": 7})
    assert read_part(tmp_path, 3)["step"] == 7
    found = read_tensors(rank_file(tmp_path, 3))
    assert list(found) == list(TENSORS)
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(found[name], tensor)


def test_the_file_is_what_mindspore_writes(tmp_path: Path):
    import mindspore

    write_tensors(tmp_path / "ours.ckpt", TENSORS)
    listed = [{"name": name, "data": mindspore.Tensor(value)} for name, value in TENSORS.items()]
    mindspore.save_checkpoint(listed, str(tmp_path / "theirs.ckpt"))
    assert (tmp_path / "ours.ckpt").read_bytes() == (tmp_path / "theirs.ckpt").read_bytes()


@pytest.mark.parametrize("place", [0, 40, -1])
def test_a_flipped_bit_is_noticed(tmp_path: Path, place: int):
    write_part(tmp_path, 0, TENSORS, {})
    content = bytearray(rank_file(tmp_path, 0).read_bytes())
    content[place] ^= 4
    rank_file(tmp_path, 0).write_bytes(content)
    with pytest.raises(MindrailError, match=r"checkpoint_0\.ckpt: is damaged"):
        read_part(tmp_path, 0)


def test_a_truncated_file_is_noticed(tmp_path: Path):
    write_part(tmp_path, 0, TENSORS, {})
    content = rank_file(tmp_path, 0).read_bytes()
    rank_file(tmp_path, 0).write_bytes(content[:-5])
    with pytest.raises(MindrailError, match=f"has {len(content) - 5} bytes, {len(content)} were written"):
        read_part(tmp_path, 0)


def test_a_part_that_nothing_vouches_for_is_missing(tmp_path: Path):
    write_tensors(rank_file(tmp_path, 0), TENSORS)
    with pytest.raises(MindrailError, match=r"state\.json: is missing"):
        read_part(tmp_path, 0)
