"""Activations: values and gradients are torch's, and stay finite in float16."""

from __future__ import annotations

from collections.abc import Callable

import mindspore
import numpy as np
import pytest
import torch
from mindspore import Tensor, nn

from modelcore.models.activations import GELU, SiLUGate, TanhGELU

X = np.linspace(-12, 12, 4001, dtype=np.float32)
OTHER = np.cos(X)
KINDS: list[tuple[type[nn.Cell], Callable, int]] = [
    (TanhGELU, lambda x: torch.nn.functional.gelu(x, approximate="tanh"), 1),
    (GELU, torch.nn.functional.gelu, 1),
    (SiLUGate, lambda a, b: torch.nn.functional.silu(a) * b, 2),
]


@pytest.mark.parametrize(("kind", "reference", "arguments"), KINDS)
def test_values_and_gradients_are_torchs(kind: type[nn.Cell], reference: Callable, arguments: int):
    given = [X, OTHER][:arguments]
    cell = kind()

    def first(*x: Tensor) -> Tensor:
        return cell(*x)[0]

    found = [
        first(*map(Tensor, given)),
        *_listed(mindspore.grad(first, tuple(range(arguments)))(*map(Tensor, given))),
    ]
    taken = [torch.from_numpy(x).requires_grad_() for x in given]
    expected = reference(*taken)
    expected.sum().backward()
    for ours, theirs in zip(found, [expected, *(x.grad for x in taken)], strict=True):
        np.testing.assert_allclose(ours.asnumpy(), theirs.detach().numpy(), atol=2e-6)


@pytest.mark.parametrize("kind", [TanhGELU, GELU])
def test_float16_beyond_the_root_of_its_largest_number_has_its_limits(kind: type[nn.Cell]):
    cell = kind()

    def first(x: Tensor) -> Tensor:
        return cell(x)[0]

    x = Tensor(np.array([-60000, -300, 300, 60000], np.float16))
    assert first(x).asnumpy().tolist() == [0, 0, 300, 60000]
    assert mindspore.grad(first)(x).asnumpy().tolist() == [0, 0, 1, 1]


def _listed(gradients: Tensor | tuple[Tensor, ...]) -> list[Tensor]:
    return [gradients] if isinstance(gradients, Tensor) else list(gradients)
