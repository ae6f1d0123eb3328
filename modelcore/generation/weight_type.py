"""Chooses the type in which a generating model's weights are kept in memory. No MindSpore here.

Sixteen bits halve the memory; on CPU each product then casts its matrix first, which takes several times as
long. A cast to float32 is exact, so `auto`, `keep` and `fp32` give the same answers to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import psutil

from modelcore.weights.dtypes import BF16, FP16, FP32, DType, dtype_named
from modelcore.weights.tensors import LazyTensor

__all__ = ["weight_type"]

_USABLE = 0.7  # of the free memory; the rest is for the cache, activations and the compiler
_ASCEND = Path("/dev/davinci_manager")


def weight_type(
    precision: str, tensors: Mapping[str, LazyTensor], *, free_memory: int | None = None
) -> DType:
    """Return the type to keep weights in.

    Args:
        precision: as of `Decoding`.
        tensors: of the checkpoint.
        free_memory: bytes; this machine's by default. A device's memory is never taken to fit float32.
    """
    if precision not in ("auto", "keep"):
        wanted = dtype_named(precision)
        assert wanted is not None
        return wanted
    types = {tensor.dtype for tensor in tensors.values()}
    kept = types.pop() if types in ({FP16}, {BF16}) else FP32  # float32 holds a mixture exactly
    if precision == "keep":
        return kept
    if free_memory is None:
        free_memory = 0 if _ASCEND.exists() else psutil.virtual_memory().available
    widened = sum(math.prod(tensor.shape) for tensor in tensors.values()) * FP32.size
    return FP32 if widened <= free_memory * _USABLE else kept
