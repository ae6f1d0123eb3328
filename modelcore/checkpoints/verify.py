"""Compares a conversion, read back through the name table's other direction, with its source."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from modelcore.errors import MindrailError
from modelcore.weights.casting import cast
from modelcore.weights.dtypes import DType
from modelcore.weights.tensors import LazyTensor, nbytes, sha256

__all__ = ["verify_conversion"]


def verify_conversion(
    source: Mapping[str, LazyTensor],
    back: Mapping[str, LazyTensor],
    destination: Path,
    *,
    dtype: DType | None,
    compared: Callable[[int], None] = lambda count: None,
) -> None:
    """Compare every tensor with the source's, cast to `dtype`.

    Args:
        source: the tensors the conversion began with.
        back: what it wrote, under the source's names again.
        destination: where it was written, for errors.
        dtype: what everything was cast to; None for kept.
        compared: called with the bytes of each tensor compared.

    Raises:
        MindrailError: a tensor differs; the line names it.
    """

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
