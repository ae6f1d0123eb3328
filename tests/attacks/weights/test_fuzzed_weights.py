"""Sound files with bytes changed, cut, doubled or put in at random are read or refused by a line."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from modelcore.checkpoints.inspect import inspect_path
from modelcore.errors import MindrailError
from modelcore.weights.checkpoint import open_file
from modelcore.weights.ckpt_file import ckpt_layout
from modelcore.weights.dtypes import FP16, FP32
from modelcore.weights.file_layout import TensorSpec
from modelcore.weights.tensors import nbytes, sha256

FUZZED = settings(
    max_examples=150,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def sound_safetensors() -> bytes:
    return save({"a": np.ones((3, 4), np.float32), "b.weight": np.zeros((2, 2), np.float16)})


def sound_ckpt() -> bytes:
    layout = ckpt_layout([TensorSpec("a", FP32, (3, 4)), TensorSpec("b.weight", FP16, (2, 2))])
    content = bytearray(layout.size)
    for offset, header in layout.headers:
        content[offset : offset + len(header)] = header
    return bytes(content)


def sound_bin() -> bytes:
    stream = io.BytesIO()
    torch.save({"a": torch.ones(3, 4), "b.weight": torch.zeros(2, 2, dtype=torch.float16)}, stream)
    return stream.getvalue()


SOUND: dict[str, Callable[[], bytes]] = {
    ".safetensors": sound_safetensors,
    ".ckpt": sound_ckpt,
    ".bin": sound_bin,
}


def change(content: bytes, data: st.DataObject) -> bytes:
    """Do a few random things to the content, most of them near its beginning, where headers are."""
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        limit = min(len(changed), data.draw(st.sampled_from([16, 200, 10_000])))
        at = data.draw(st.integers(0, max(0, limit - 1)))
        match data.draw(st.sampled_from(["set", "cut", "put in", "double", "drop"])):
            case "set":
                changed[at : at + 1] = data.draw(st.binary(min_size=1, max_size=1))
            case "cut":
                del changed[at + 1 :]
            case "put in":
                changed[at:at] = data.draw(st.binary(min_size=1, max_size=12))
            case "double":
                changed[at:at] = changed[at : at + data.draw(st.integers(1, 100))]
            case "drop":
                del changed[at : at + data.draw(st.integers(1, 20))]
    return bytes(changed)


def read_or_refused(path: Path) -> None:
    """Read the file as far as anything here would; only a one-line refusal may come out."""
    size = path.stat().st_size
    try:
        tensors = open_file(path)
        for tensor in tensors.values():
            assert nbytes(tensor) <= size
            sha256(tensor)
        inspect_path(path)
    except MindrailError as error:
        assert "\n" not in str(error) and len(str(error)) < 4000 + len(str(path))


@pytest.mark.parametrize("suffix", SOUND)
def test_a_file_that_nothing_changed_is_read(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"x{suffix}").write_bytes(SOUND[suffix]())
    tensors = open_file(tmp_path / f"x{suffix}")
    assert {name: tensor.shape for name, tensor in tensors.items()} == {"a": (3, 4), "b.weight": (2, 2)}


@pytest.mark.parametrize("suffix", SOUND)
@FUZZED
@given(data=st.data())
def test_a_changed_file_is_read_or_refused(suffix: str, tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(change(SOUND[suffix](), data))
    read_or_refused(path)


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats()
    | st.sampled_from(["F32", "BF16", "a", "__metadata__"])
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_names = st.sampled_from(["a", "b", "__metadata__"])
_entries = st.fixed_dictionaries(
    {"dtype": st.sampled_from(["F32", "F16"]) | _values},
    optional={
        "shape": st.lists(st.integers(-2, 5), max_size=3) | _values,
        "data_offsets": _values,
        "x": _values,
    },
)


@FUZZED
@given(
    header=st.dictionaries(st.sampled_from(["a", "b", "__metadata__"]), _entries | _values), tail=st.binary()
)
def test_any_json_as_a_safetensors_header_is_read_or_refused(
    tmp_path: Path, header: dict[str, Any], tail: bytes
) -> None:
    text = json.dumps(header).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + tail)
    read_or_refused(path)


_objects = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@FUZZED
@given(content=_objects, protocol=st.integers(0, 5))
def test_any_pickle_in_a_torch_archive_is_read_or_refused(
    tmp_path: Path, content: object, protocol: int
) -> None:
    path = tmp_path / "x.bin"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickle.dumps(content, protocol))
        archive.writestr("x/data/0", bytes(16))
    read_or_refused(path)
