"""PyTorch files: the same tensors that torch.load finds, without torch and without running anything."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from modelcore.errors import MindrailError
from modelcore.weights.dtypes import DTYPES
from modelcore.weights.tensors import read
from modelcore.weights.torch_file import read_torch

KINDS = ("float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
UNSIGNED = ("uint16", "uint32", "uint64")  # torch pickles these in another way, which is not read


def test_what_torch_loads_is_read_bit_for_bit(tmp_path: Path) -> None:
    base = torch.randn(6, 4)
    tensors = {kind: base.to(getattr(torch, kind)) for kind in KINDS}
    tensors |= {
        "slice": base[2:5],
        "same": base,
        "parameter": torch.nn.Parameter(base),
        "scalar": torch.tensor(2.0),
    }
    torch.save(tensors, tmp_path / "x.bin")
    found = read_torch(tmp_path / "x.bin")
    loaded = torch.load(tmp_path / "x.bin", weights_only=True)
    assert list(found) == list(loaded)
    for name, tensor in loaded.items():
        plain = tensor.detach().clone()
        assert read(found[name]).tobytes() == bytes(plain.untyped_storage())[: plain.nbytes], name
        assert found[name].shape == tuple(tensor.shape)


def test_the_types_have_torchs_names(tmp_path: Path) -> None:
    read_here = [dtype for dtype in DTYPES if dtype.name not in UNSIGNED]
    for dtype, kind in zip(read_here, KINDS, strict=True):
        torch.save({"a": torch.ones(2, dtype=getattr(torch, kind))}, tmp_path / "x.bin")
        assert read_torch(tmp_path / "x.bin")["a"].dtype == dtype


@pytest.mark.parametrize("kind", UNSIGNED)
def test_types_that_torch_pickles_in_another_way_are_refused(kind: str, tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2, dtype=getattr(torch, kind))}, tmp_path / "x.bin")
    with pytest.raises(
        MindrailError, match="refused: it would import or run torch._utils._rebuild_tensor_v3"
    ):
        read_torch(tmp_path / "x.bin")


def test_a_modules_state_dict_is_read(tmp_path: Path) -> None:
    module = torch.nn.Linear(3, 2)
    torch.save(module.state_dict(), tmp_path / "x.bin")
    assert read_torch(tmp_path / "x.bin")["weight"].shape == (2, 3)
    torch.save(OrderedDict(a=torch.ones(1)), tmp_path / "x.bin")
    assert list(read_torch(tmp_path / "x.bin")) == ["a"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": torch.ones(2, 3).t()}, "a: is not stored row-major"),
        ({"a": {"b": torch.ones(1)}}, "a: is a dict, not a tensor"),
        ([torch.ones(1)], "holds a list"),
        ({"a": torch.ones(2).to_sparse()}, "would import or run torch._utils._rebuild_sparse_tensor"),
        (torch.nn.Linear(1, 1), "would import or run torch.nn.modules.linear.Linear"),
    ],
)
def test_what_is_not_a_dictionary_of_plain_tensors_is_refused(
    tmp_path: Path, content: object, message: str
) -> None:
    torch.save(content, tmp_path / "x.bin")
    with pytest.raises(MindrailError, match=message):
        read_torch(tmp_path / "x.bin")


def test_a_file_of_old_torch_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "x.bin", _use_new_zipfile_serialization=False)
    with pytest.raises(MindrailError, match="before 1.6"):
        read_torch(tmp_path / "x.bin")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1000)}, tmp_path / "x.bin")
    (tmp_path / "x.bin").write_bytes((tmp_path / "x.bin").read_bytes()[:-100])
    with pytest.raises(MindrailError, match=r"x\.bin"):
        read_torch(tmp_path / "x.bin")
