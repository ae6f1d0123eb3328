"""`.ckpt`: byte for byte what MindSpore writes, and everything MindSpore writes is read."""

from __future__ import annotations

import filecmp
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from modelcore.errors import MindrailError
from modelcore.weights import ckpt_file
from modelcore.weights.ckpt_file import ckpt_layout, read_ckpt
from modelcore.weights.dtypes import BF16, FP16, FP32, DType
from modelcore.weights.file_layout import TensorSpec
from modelcore.weights.tensors import LazyTensor, from_array, read
from modelcore.weights.write_file import write_file


def write(path: Path, tensors: dict[str, LazyTensor]) -> None:
    layout = ckpt_layout([TensorSpec(name, one.dtype, one.shape) for name, one in tensors.items()])
    write_file(path, layout, tensors)


def saved(path: Path, tensors: dict[str, ms.Tensor], **options: object) -> Path:
    ms.save_checkpoint([{"name": name, "data": one} for name, one in tensors.items()], str(path), **options)
    return path


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [(FP32, ms.float32), (FP16, ms.float16), (BF16, ms.bfloat16)],
    ids=["fp32", "fp16", "bf16"],
)
def test_a_file_written_here_equals_mindspores(tmp_path: Path, dtype: DType, kind: ms.dtype) -> None:
    values = np.random.default_rng(0).standard_normal((5, 130)).astype(np.float32)
    tensors = {"a.weight": ms.Tensor(values).astype(kind), "b": ms.Tensor(values[0]).astype(kind)}
    theirs = saved(tmp_path / "theirs.ckpt", tensors)
    write(tmp_path / "ours.ckpt", dict(read_ckpt(theirs)))
    assert (tmp_path / "ours.ckpt").read_bytes() == theirs.read_bytes()
    assert read_ckpt(theirs)["a.weight"].dtype == dtype


def test_a_tensor_larger_than_a_slice_is_cut_as_mindspore_cuts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ckpt_file, "SLICE", 1024)
    monkeypatch.setattr(ms.train.serialization, "SLICE_SIZE", 1)
    values = np.arange(1000, dtype=np.float32).reshape(10, 100)
    theirs = saved(tmp_path / "theirs.ckpt", {"a": ms.Tensor(values)})
    write(tmp_path / "ours.ckpt", {"a": from_array(values)})
    assert (tmp_path / "ours.ckpt").read_bytes() == theirs.read_bytes()
    stored = read_ckpt(theirs)["a"]
    assert len(stored.extents) == 4
    np.testing.assert_array_equal(read(stored), values)
    np.testing.assert_array_equal(read(stored.rows(2, 7)), values[2:7])


@pytest.mark.long
def test_a_true_tensor_of_more_than_512_mib_is_written_as_by_mindspore(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 1000, (300, 1 << 20), dtype=np.int16).astype(np.float16)
    theirs = saved(tmp_path / "theirs.ckpt", {"a": ms.Tensor(values)})
    write(tmp_path / "ours.ckpt", {"a": from_array(values)})
    assert len(read_ckpt(theirs)["a"].extents) == 2
    assert filecmp.cmp(tmp_path / "ours.ckpt", theirs, shallow=False)


def test_what_is_written_here_mindspore_loads(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    write(tmp_path / "x.ckpt", {"a": from_array(values), "scalar": from_array(np.array(7, np.int32))})
    loaded = ms.load_checkpoint(str(tmp_path / "x.ckpt"))
    np.testing.assert_array_equal(loaded["a"].asnumpy(), values)
    assert loaded["scalar"].asnumpy() == 7


def test_scalars_are_read_strings_are_left_out_and_a_crc_is_passed_over(tmp_path: Path) -> None:
    path = str(tmp_path / "x.ckpt")
    extras = {"epoch": 3, "note": "trained on É"}
    ms.save_checkpoint([{"name": "a", "data": ms.Tensor([1.0])}], path, append_dict=extras, crc_check=True)
    tensors = read_ckpt(tmp_path / "x.ckpt")
    assert list(tensors) == ["a", "epoch"]
    assert tensors["epoch"].shape == () and read(tensors["epoch"]) == 3


def test_a_file_cut_anywhere_is_refused_or_holds_fewer_tensors(tmp_path: Path) -> None:
    whole = saved(tmp_path / "x.ckpt", {"a": ms.Tensor([1.0, 2.0]), "b": ms.Tensor([3.0])}).read_bytes()
    between = 2 + whole[1]
    for length in range(len(whole)):
        cut = tmp_path / "cut.ckpt"
        cut.write_bytes(whole[:length])
        if length == between:
            assert list(read_ckpt(cut)) == ["a"]
            continue
        with pytest.raises(MindrailError, match=r"cut\.ckpt: (damaged or truncated|the file is empty)"):
            read_ckpt(cut)


def test_a_tensor_that_is_in_the_file_twice_is_refused_by_name(tmp_path: Path) -> None:
    one = saved(tmp_path / "x.ckpt", {"a": ms.Tensor([1.0])}).read_bytes()
    other = saved(tmp_path / "y.ckpt", {"b": ms.Tensor([1.0])}).read_bytes()
    for content in (one + one, one + other + one):
        (tmp_path / "z.ckpt").write_bytes(content)
        with pytest.raises(MindrailError, match=r"z\.ckpt: a: .*twice"):
            read_ckpt(tmp_path / "z.ckpt")


def test_an_empty_tensor_cannot_be_in_a_ckpt() -> None:
    with pytest.raises(MindrailError, match="without elements"):
        ckpt_layout([TensorSpec("a", FP32, (0, 3))])
