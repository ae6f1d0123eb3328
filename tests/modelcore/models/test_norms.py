"""Norms of many rows and of few: values and gradients are torch's."""

from __future__ import annotations

import mindspore
import numpy as np
import pytest
import torch
from mindspore import Tensor

from modelcore.models.norms import LayerNorm, RMSNorm
from modelcore.models.outer import SMALL

EPSILON = 1e-5
WIDTH = 96
ROWS = [7, 2 * SMALL // WIDTH]
"""Factors are made by broadcasting for the first, by a product for the second."""


def drawn(*shape: int, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) + 0.5).astype(np.float32)


def ours(cell: RMSNorm | LayerNorm, x: np.ndarray, slope: np.ndarray) -> list[np.ndarray]:
    """Return the result and the gradients of x and of each parameter."""
    weights = list(cell.trainable_params())

    def weighted(x: Tensor) -> tuple[Tensor, Tensor]:
        result = cell(x)
        return (result * Tensor(slope)).sum(), result

    (_, result), (of_x, of_weights) = mindspore.value_and_grad(weighted, 0, weights, has_aux=True)(Tensor(x))
    return [one.asnumpy() for one in (result, of_x, *of_weights)]


def theirs(layer: torch.nn.Module, x: np.ndarray, slope: np.ndarray) -> list[np.ndarray]:
    taken = torch.from_numpy(x).requires_grad_()
    result = layer(taken)
    (result * torch.from_numpy(slope)).sum().backward()
    return [one.detach().numpy() for one in (result, taken.grad, *(p.grad for p in layer.parameters()))]


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("kind", ["rms", "layer"])
def test_values_and_gradients_are_torchs(rows: int, kind: str):
    cell: RMSNorm | LayerNorm
    layer: torch.nn.Module
    if kind == "rms":
        cell, layer = RMSNorm("norm", WIDTH, EPSILON), torch.nn.RMSNorm(WIDTH, EPSILON)
    else:
        cell, layer = LayerNorm("norm", WIDTH, EPSILON), torch.nn.LayerNorm(WIDTH, EPSILON)
    for number, (one, other) in enumerate(zip(cell.trainable_params(), layer.parameters(), strict=True)):
        value = drawn(WIDTH, seed=number)
        one.set_data(Tensor(value))
        other.data = torch.from_numpy(value)
    x, slope = drawn(rows, WIDTH, seed=10), drawn(rows, WIDTH, seed=11)
    for found, expected in zip(ours(cell, x, slope), theirs(layer, x, slope), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
