"""safetensors: what the library writes is read; what is written here is what the library would write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import torch as library

from modelcore.errors import MindrailError
from modelcore.weights.dtypes import BF16, DTYPES, FP32, DType, by_safetensors
from modelcore.weights.file_layout import TensorSpec
from modelcore.weights.safetensors_file import read_safetensors, safetensors_layout
from modelcore.weights.tensors import from_array, read
from modelcore.weights.write_file import write_file

TORCH = {
    dtype.safetensors: getattr(torch, name)
    for dtype, name in zip(
        DTYPES,
        (
            "float16",
            "bfloat16",
            "float32",
            "float64",
            "int8",
            "int16",
            "int32",
            "int64",
            "uint8",
            "uint16",
            "uint32",
            "uint64",
            "bool",
        ),
        strict=True,
    )
}


def everything() -> dict[str, torch.Tensor]:
    """One tensor of every type, an empty one, a scalar, and names that JSON must escape."""
    tensors = {f"t.{name}": torch.arange(6).reshape(2, 3).to(kind) for name, kind in TORCH.items()}
    tensors |= {'quote " é \n': torch.ones(2), "empty": torch.zeros(0, 4), "scalar": torch.tensor(3.0)}
    return tensors


def bits(tensor: torch.Tensor) -> bytes:
    return (
        tensor.contiguous().view(torch.uint8).numpy().tobytes() if tensor.dim() else tensor.numpy().tobytes()
    )


def test_every_type_the_library_writes_is_read_bit_for_bit(tmp_path: Path) -> None:
    library.save_file(everything(), tmp_path / "x.safetensors", metadata={"format": "pt"})
    found = read_safetensors(tmp_path / "x.safetensors")
    assert found.keys() == everything().keys()
    for name, tensor in everything().items():
        assert found[name].shape == tuple(tensor.shape)
        assert TORCH[found[name].dtype.safetensors] == tensor.dtype
        assert read(found[name]).tobytes() == bits(tensor)


def test_a_file_written_here_equals_the_librarys(tmp_path: Path) -> None:
    tensors = everything()
    library.save_file(tensors, tmp_path / "library.safetensors", metadata={"format": "pt"})
    read_back = read_safetensors(tmp_path / "library.safetensors")
    specs = [TensorSpec(name, read_back[name].dtype, read_back[name].shape) for name in tensors]
    write_file(tmp_path / "ours.safetensors", safetensors_layout(specs, {"format": "pt"}), read_back)
    assert (tmp_path / "ours.safetensors").read_bytes() == (tmp_path / "library.safetensors").read_bytes()


@pytest.mark.parametrize("dtype", [FP32, BF16])
def test_rows_of_a_stored_tensor_are_cut_without_reading_it(tmp_path: Path, dtype: DType) -> None:
    array = np.arange(12, dtype=dtype.array).reshape(4, 3)
    layout = safetensors_layout([TensorSpec("a", dtype, (4, 3))], {})
    write_file(tmp_path / "x.safetensors", layout, {"a": from_array(array, dtype)})
    stored = read_safetensors(tmp_path / "x.safetensors")["a"]
    np.testing.assert_array_equal(read(stored.rows(1, 3)), array[1:3])


def test_a_truncated_file_is_refused_by_the_tensor_it_cuts(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    library.save_file({"a": torch.ones(4), "b": torch.ones(4)}, path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(MindrailError, match=r"x\.safetensors: b: truncated"):
        read_safetensors(path)


def test_a_file_that_shrinks_after_it_was_opened_is_refused_by_the_tensor(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    library.save_file({"a": torch.ones(4)}, path)
    stored = read_safetensors(path)["a"]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(MindrailError, match="ends inside tensor a"):
        read(stored)


def test_all_types_have_a_torch_name() -> None:
    assert set(TORCH) == set(by_safetensors)
