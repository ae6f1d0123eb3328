"""Puts configuration and tokenizer beside written weights; config.json states the type that they have.

Older releases of transformers write the type as `torch_dtype`, newer ones as `dtype`: the source's key is
kept.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from modelcore.models.families import native_files, read_config_json
from modelcore.store.model_files import copy_companions
from modelcore.weights.dtypes import BF16, FP16, FP32, DType
from modelcore.weights.tensors import LazyTensor, nbytes

__all__ = ["hf_dtype", "main_dtype", "write_companions"]

_HF_DTYPE = {FP16: "float16", BF16: "bfloat16", FP32: "float32"}


def write_companions(source: Path, destination: Path, tensors: Iterable[LazyTensor]) -> None:
    """Copy config.json, tokenizer and what belongs to them; correct the type that config.json states.

    A config.json without a type states float32, as transformers reads it.

    Args:
        source: directory with these files, or a publisher's own ones, from which config.json is made.
        destination: directory of the weights.
        tensors: the weights in it.
    """
    copy_companions(source, destination)
    if not (source / "config.json").is_file() and native_files(source) is None:
        return
    config, dtype = read_config_json(source), main_dtype(tensors)
    keys = [key for key in ("dtype", "torch_dtype") if config.get(key) is not None]
    stated = {config[key] for key in keys} or {"float32"}
    is_true = dtype is None or stated == {hf_dtype(dtype)}
    if is_true and (destination / "config.json").is_file():
        return
    if dtype is not None:
        config |= dict.fromkeys(keys or ["torch_dtype"], hf_dtype(dtype))
    (destination / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def main_dtype(tensors: Iterable[LazyTensor]) -> DType | None:
    """Return the floating-point type of most bytes of the tensors; None if none is fp16, bf16 or fp32."""
    held: Counter[DType] = Counter()
    for tensor in tensors:
        if tensor.dtype in _HF_DTYPE:
            held[tensor.dtype] += nbytes(tensor)
    return max(held, key=lambda dtype: held[dtype]) if held else None


def hf_dtype(dtype: DType) -> str:
    """Return a type's name in config.json."""
    return _HF_DTYPE[dtype]
