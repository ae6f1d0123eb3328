"""safetensors: what the library writes is read; what is written here is what the library would write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import torch as library

from modelcore.errors import MindrailError
from modelcore.weights import safetensors_file
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
def test_rows_of_a_stored_tensor_are_selected_without_reading_it(tmp_path: Path, dtype: DType) -> None:
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


def entry(begin: int, end: int, **changes: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [(end - begin) // 4], "data_offsets": [begin, end], **changes}


def write_raw(path: Path, header: object, data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def test_tensors_come_in_the_order_of_their_bytes_whatever_the_header_says(tmp_path: Path) -> None:
    header = {"b": entry(4, 8), "empty": entry(4, 4), "a": entry(0, 4), "__metadata__": {"by": "hand"}}
    found = read_safetensors(write_raw(tmp_path / "x.safetensors", header, bytes(8)))
    assert list(found) == ["a", "empty", "b"]
    start = (tmp_path / "x.safetensors").stat().st_size - 8
    assert [found[name].extents[0].offset for name in found] == [start, start + 4, start + 4]


@pytest.mark.parametrize("header", [b"{}", b"{}      ", b'{"__metadata__": {}}'])
def test_a_file_without_tensors_is_read(tmp_path: Path, header: bytes) -> None:
    assert read_safetensors(write_raw(tmp_path / "x.safetensors", header)) == {}


@pytest.mark.parametrize(
    ("header", "data", "message"),
    [
        (b"{", b"", "not JSON"),
        (b"[]", b"", "the header is not a JSON object"),
        (b'{"a": 1, "b": 2, "a": 3}', b"", "a is in the header twice"),
        ({"a": []}, b"", "a: its header entry is not {dtype, shape, data_offsets}"),
        ({"a": entry(0, 4, more=1)}, bytes(4), "a: its header entry is not"),
        ({"a": entry(0, 4, dtype="F8")}, bytes(4), "a: dtype 'F8' is not known here"),
        ({"a": entry(0, 4, dtype=7)}, bytes(4), "a: dtype 7 is not known here"),
        ({"a": entry(0, 4, shape=[-1])}, bytes(4), "a: shape [-1] or data_offsets [0, 4] are not"),
        ({"a": entry(0, 4, shape=1)}, bytes(4), "a: shape 1 or data_offsets [0, 4] are not"),
        ({"a": entry(0, 4, data_offsets=[0, 2, 4])}, bytes(4), "or data_offsets [0, 2, 4] are not"),
        ({"a": entry(0, 4, data_offsets=[0])}, bytes(4), "or data_offsets [0] are not"),
        ({"a": entry(0, 4, data_offsets=[4, 0])}, bytes(4), "or data_offsets [4, 0] are not"),
        ({"a": entry(0, 4, data_offsets="04")}, bytes(4), "or data_offsets '04' are not"),
        ({"a": entry(0, 4, shape=[2])}, bytes(4), "a: 4 bytes, where fp32 of shape [2] takes 8"),
        ({"a": entry(4, 8)}, bytes(8), "a: 4 bytes before it belong to no tensor"),
        ({"a": entry(0, 4), "b": entry(8, 12)}, bytes(12), "b: 4 bytes before it belong to no tensor"),
        ({"a": entry(0, 8), "b": entry(4, 8)}, bytes(8), "b: its bytes overlap those of a"),
        ({"a": entry(0, 4)}, bytes(5), "1 bytes after a belong to no tensor"),
        ({}, bytes(3), "3 bytes after the header belong to no tensor"),
        (
            {"a": entry(0, 4), "b": entry(4, 8)},
            bytes(4),
            "b: truncated: the tensors take 138 bytes, the file has 134",
        ),
    ],
)
def test_a_header_that_does_not_describe_the_file_is_refused(
    tmp_path: Path, header: object, data: bytes, message: str
) -> None:
    path = write_raw(tmp_path / "x.safetensors", header, data)
    with pytest.raises(MindrailError) as raised:
        read_safetensors(path)
    assert message in str(raised.value) and str(raised.value).endswith("; get the file again")


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9])
def test_a_file_too_short_for_its_header_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"\x02\0\0\0\0\0\0\0{}"[:size])
    with pytest.raises(MindrailError, match=f"x.safetensors: truncated: {size} bytes cannot hold a header"):
        read_safetensors(path)


def test_a_header_has_a_size_that_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert safetensors_file._LARGEST_HEADER == 16 << 20
    monkeypatch.setattr(safetensors_file, "_LARGEST_HEADER", 4)
    assert read_safetensors(write_raw(tmp_path / "x.safetensors", b"{  }")) == {}
    with pytest.raises(MindrailError, match="a header of 5 bytes; at most 4 are read"):
        read_safetensors(write_raw(tmp_path / "x.safetensors", b"{   }"))


def test_a_name_has_at_most_a_thousand_characters_and_is_cut_in_errors(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    assert list(read_safetensors(write_raw(path, {"n" * 1000: entry(0, 4)}, bytes(4)))) == ["n" * 1000]
    with pytest.raises(MindrailError) as raised:
        read_safetensors(write_raw(path, {"n" * 1001: entry(0, 4)}, bytes(4)))
    assert str(raised.value).endswith("nnn: a name of 1001 characters; get the file again")


def test_a_layout_knows_size_and_places_before_a_byte_is_written(tmp_path: Path) -> None:
    specs = [TensorSpec("b", BF16, (3,)), TensorSpec("c", FP32, ()), TensorSpec("a", BF16, (2, 2))]
    layout = safetensors_layout(specs, {})
    assert [spec.name for spec in layout.specs] == ["c", "a", "b"]
    (offset, header), places = layout.headers[0], layout.places
    assert (offset, len(header) % 8, len(layout.headers)) == (0, 0, 1)
    assert [(places[name][0].offset - len(header), places[name][0].length) for name in "cab"] == [
        (0, 4),
        (4, 8),
        (12, 6),
    ]
    assert layout.size == len(header) + 18


def test_all_types_have_a_torch_name() -> None:
    assert set(TORCH) == set(by_safetensors)
