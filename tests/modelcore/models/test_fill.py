"""Loading weights: each parameter takes the tensor of its name, or nothing changes and the line names it."""

from __future__ import annotations

import numpy as np
import pytest
from mindspore import Parameter, Tensor

from modelcore.errors import MindrailError
from modelcore.models.fill import fill
from modelcore.weights.tensors import LazyTensor, from_array


def parameters() -> dict[str, Parameter]:
    return {name: Parameter(Tensor(np.zeros((2, 3), np.float32)), name=name) for name in ("a", "b")}


def tensors(**changes: np.ndarray | None) -> dict[str, LazyTensor]:
    arrays = {name: np.arange(6, dtype=np.float32).reshape(2, 3) for name in ("a", "b")} | changes
    return {name: from_array(array) for name, array in arrays.items() if array is not None}


def test_half_precision_is_widened_to_float32() -> None:
    filled = parameters()
    fill(filled, tensors(b=np.full((2, 3), 0.5, np.float16)), "model.ckpt")
    np.testing.assert_array_equal(filled["a"].asnumpy(), np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(filled["b"].asnumpy(), np.full((2, 3), 0.5))
    assert filled["b"].asnumpy().dtype == np.float32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"b": None}, "model.ckpt: has no tensor b, which the network has"),
        ({"c": np.zeros(1, np.float32)}, "model.ckpt: holds c, which the network does not have"),
        ({"b": np.zeros((3, 2), np.float32)}, r"model.ckpt: b is \[3, 2\], the network's \[2, 3\]"),
        ({"b": np.zeros((2, 3), np.int32)}, "model.ckpt: b is int32, not fp16, bf16 or fp32"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(
    changes: dict[str, np.ndarray | None], message: str
) -> None:
    kept = parameters()
    with pytest.raises(MindrailError, match=message):
        fill(kept, tensors(**changes), "model.ckpt")
    assert all(not parameter.asnumpy().any() for parameter in kept.values())
