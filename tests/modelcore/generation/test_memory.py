from __future__ import annotations

import pytest

from modelcore.errors import MindrailError
from modelcore.generation.memory import check_memory, generation_memory
from modelcore.weights.dtypes import BF16, FP32
from tests.families import NAMES, small_model


@pytest.mark.parametrize("family", NAMES)
def test_the_weights_count_once_and_the_cache_for_each_sequence(family: str) -> None:
    model = small_model(family)
    need = generation_memory(model, FP32, length=32)
    elements = sum(a * b for a, b in ((*shape, 1)[:2] for shape in model.config.parameter_shapes().values()))
    assert need.weights == 4 * elements
    assert need.total(3) - need.total(2) == need.slot
    assert generation_memory(model, BF16, length=32).weights < need.weights


def test_too_much_is_refused_with_the_largest_batch_that_fits() -> None:
    model = small_model("llama")
    need = generation_memory(model, FP32, length=32)
    free = int(need.total(5) / 0.9) + 1
    check_memory(model, FP32, slots=5, length=32, free=free)
    with pytest.raises(MindrailError, match="batch_size: 6 sequences of 32 tokens need .* to 5 or less"):
        check_memory(model, FP32, slots=6, length=32, free=free)
    with pytest.raises(MindrailError, match="use a machine with more memory"):
        check_memory(model, FP32, slots=6, length=32, free=need.weights // 2)
