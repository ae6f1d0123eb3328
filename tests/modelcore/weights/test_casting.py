"""Casts equal PyTorch's for all 16-bit patterns and hard float32 values; NaN and infinity are counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcore.errors import MindrailError
from modelcore.weights.casting import cast, cast_array, count_nonfinite
from modelcore.weights.dtypes import BF16, FP16, FP32, DType
from modelcore.weights.tensors import from_array, read

KINDS = {FP16: torch.float16, BF16: torch.bfloat16, FP32: torch.float32}


def as_torch(array: np.ndarray, dtype: DType) -> torch.Tensor:
    signed = array.view(np.int16 if dtype.size == 2 else np.int32)
    return torch.from_numpy(signed.copy()).view(KINDS[dtype])


def agree(array: np.ndarray, source: DType, target: DType) -> bool:
    ours = as_torch(cast_array(array, source, target), target)
    theirs = as_torch(array, source).to(KINDS[target])
    return bool(((ours == theirs) | (ours.isnan() & theirs.isnan())).all()) and bool(
        (ours.signbit() == theirs.signbit())[~theirs.isnan()].all()
    )


@pytest.mark.parametrize("source", [FP16, BF16])
@pytest.mark.parametrize("target", [FP16, BF16, FP32])
def test_every_16_bit_pattern_casts_as_in_torch(source: DType, target: DType) -> None:
    patterns = np.arange(1 << 16, dtype=np.uint16).view(source.array)
    assert agree(patterns, source, target)


@pytest.mark.parametrize("target", [FP16, BF16])
def test_float32_near_every_rounding_edge_casts_as_in_torch(target: DType) -> None:
    edges = np.arange(1 << 16, dtype=np.uint32) << 16
    near = np.concatenate(
        [edges + offset for offset in (0, 1, 0x0FFF, 0x1000, 0x1001, 0x7FFF, 0x8000, 0xFFFF)]
    )
    assert agree(near.astype(np.uint32).view(np.float32), FP32, target)


@settings(max_examples=200)
@given(st.lists(st.floats(width=32), max_size=8))
def test_any_float32_casts_as_in_torch(values: list[float]) -> None:
    array = np.array(values, np.float32)
    assert agree(array, FP32, FP16) and agree(array, FP32, BF16)


@pytest.mark.parametrize("dtype", [FP16, BF16, FP32])
def test_nan_and_infinity_are_counted(dtype: DType) -> None:
    values = np.zeros(100_000, np.float32)
    values[[5, 70_000]] = np.inf, -np.inf
    values[[6, 7, 99_999]] = np.nan
    assert count_nonfinite(cast_array(values, FP32, dtype), dtype) == (3, 2)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("dtype", [FP16, BF16, FP32])
def test_one_nan_or_infinity_of_either_sign_is_found_among_the_largest_numbers(
    dtype: DType, sign: float
) -> None:
    largest = (np.array([dtype.exponent - 1]).astype(f"<u{dtype.size}")).view(dtype.array)
    for value, expected in ((np.inf, (0, 1)), (np.nan, (1, 0))):
        array = np.concatenate([largest.repeat(3), cast_array(np.array([-0.0], np.float32), FP32, dtype)])
        assert count_nonfinite(array, dtype) == (0, 0)
        array[1:2] = cast_array(np.array([np.copysign(value, sign)], np.float32), FP32, dtype)
        assert count_nonfinite(array, dtype) == expected


def test_a_value_too_large_for_fp16_is_refused_by_the_tensors_name() -> None:
    with pytest.raises(MindrailError, match="head: has values too large for fp16"):
        read(cast(from_array(np.array([1.0, 70000.0], np.float32)), FP16, "head"))


def test_an_infinity_stays_one() -> None:
    result = read(cast(from_array(np.array([np.inf, 1.0], np.float32)), FP16, "head"))
    np.testing.assert_array_equal(result, [np.inf, 1.0])
