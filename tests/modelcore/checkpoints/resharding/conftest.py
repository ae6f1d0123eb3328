"""Tiny models of every family as whole checkpoint directories, for the tests of sharding."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from modelcore.checkpoints.write_shards import Target, write_targets
from modelcore.models.families import model_from_config
from modelcore.weights.checkpoint import open_file
from modelcore.weights.ckpt_file import ckpt_layout
from modelcore.weights.dtypes import DTYPES, DType
from modelcore.weights.file_layout import TensorSpec
from modelcore.weights.safetensors_file import safetensors_layout
from modelcore.weights.tensors import from_array, read
from tests.families import NAMES, small

CONFIGS = {
    **{family: small(family, layers=4, heads=8, vocab=32) for family in NAMES},
    "llama, tied": small("llama", layers=4, heads=8, vocab=32, tied=True),
    "gpt_bigcode, 33 rows do not divide": small("gpt_bigcode", layers=4, heads=8, vocab=33),
}


def shapes(raw: Mapping[str, object]) -> dict[str, tuple[int, ...]]:
    return model_from_config(raw, "config.json").config.parameter_shapes()


def dtype_named(name: str) -> DType:
    return next(one for one in DTYPES if one.name == name)


def write_whole(
    directory: Path,
    raw: Mapping[str, object],
    *,
    dtype: str = "fp32",
    states: bool = False,
    name: str = "model.ckpt",
) -> dict[str, np.ndarray]:
    """Write config.json and a whole checkpoint of random values; return them, bfloat16 as uint16."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(raw))
    kind, fp32 = dtype_named(dtype), dtype_named("fp32")
    random = np.random.default_rng(0)
    arrays: dict[str, tuple[np.ndarray, DType]] = {}
    for prefix in ("", "adam_m.", "adam_v.") if states else ("",):
        for parameter, shape in shapes(raw).items():
            one = fp32 if prefix else kind
            bits = random.integers(0, 2**14, shape).astype(f"<u{one.size}")
            arrays[prefix + parameter] = bits.view(one.array), one
    if states:
        arrays["global_step"] = np.array([7], np.int32), dtype_named("int32")
    write_tensors(directory / name, arrays)
    return {key: array for key, (array, _) in arrays.items()}


def write_tensors(path: Path, arrays: Mapping[str, tuple[np.ndarray, DType]]) -> None:
    specs = [TensorSpec(name, dtype, array.shape) for name, (array, dtype) in arrays.items()]
    layout = ckpt_layout(specs) if path.suffix == ".ckpt" else safetensors_layout(specs, {"format": "ms"})
    tensors = {name: from_array(array, dtype) for name, (array, dtype) in arrays.items()}
    write_targets({path: Target(layout, tensors)}, "test")


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    return {name: read(tensor) for name, tensor in open_file(path).items()}


def assert_same(found: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> None:
    assert sorted(found) == sorted(wanted)
    for name, array in wanted.items():
        assert found[name].shape == array.shape, name
        assert found[name].tobytes() == array.tobytes(), name


@pytest.fixture
def tiny() -> SimpleNamespace:
    """The helpers above: test modules cannot import each other."""
    return SimpleNamespace(
        whole=write_whole,
        write=write_tensors,
        read=read_arrays,
        assert_same=assert_same,
        dtype=dtype_named,
        llama=CONFIGS["llama"],
        configs=CONFIGS,
    )
