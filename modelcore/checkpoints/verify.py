"""Reads a conversion back and compares it with its source, through the name table's other direction."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from modelcore.checkpoints.match import match_hf, match_mindspore
from modelcore.errors import MindrailError
from modelcore.models.model import Model
from modelcore.weights.casting import cast
from modelcore.weights.checkpoint import open_checkpoint
from modelcore.weights.dtypes import DType
from modelcore.weights.tensors import LazyTensor, nbytes, sha256

__all__ = ["verify_conversion"]


def verify_conversion(
    model: Model,
    source: Mapping[str, LazyTensor],
    destination: Path,
    *,
    to: str,
    dtype: DType | None,
    compared: Callable[[int], None] = lambda count: None,
) -> None:
    """Convert `destination` back and compare every tensor with the source's, cast to `dtype`.

    Args:
        model: the model.
        source: the tensors the conversion began with.
        destination: what it wrote.
        to: the side that was written, `mindspore` or `hf`.
        dtype: what everything was cast to; None for kept.
        compared: called with the bytes of each tensor compared.

    Raises:
        MindrailError: a tensor differs; the line names it.
    """
    written = open_checkpoint(destination).tensors
    back = (match_mindspore if to == "mindspore" else match_hf)(model, written, destination).tensors

    def check(name: str) -> int:
        expected = cast(source[name], dtype or source[name].dtype, name)
        if back[name].dtype != expected.dtype or sha256(back[name]) != sha256(expected):
            raise MindrailError(
                f"what was written for {name} differs from the source",
                where=destination,
                fix="check disk and memory, then convert again",
            )
        return nbytes(expected)

    with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as pool:
        for count in pool.map(check, back):
            compared(count)
