"""Weights are widened to float32 where they fit, and never narrowed unless that is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from modelcore.generation.weight_type import weight_type
from modelcore.weights.dtypes import BF16, FP16, FP32, DType
from modelcore.weights.tensors import from_array

KIB = {"a": from_array(np.zeros(512, np.uint16), BF16)}


@pytest.mark.parametrize(
    ("precision", "free_memory", "chosen"),
    [
        ("auto", 4096, FP32),
        ("auto", 2048, BF16),
        ("keep", 1 << 40, BF16),
        ("fp32", 0, FP32),
        ("fp16", 1 << 40, FP16),
    ],
)
def test_auto_widens_what_fits_the_free_memory(precision: str, free_memory: int, chosen: DType) -> None:
    assert weight_type(precision, KIB, free_memory=free_memory) == chosen


def test_a_mixture_of_types_is_kept_in_the_one_that_holds_all_exactly() -> None:
    mixture = {"half": from_array(np.zeros(4, np.float16)), **KIB}
    assert weight_type("keep", mixture) == FP32
