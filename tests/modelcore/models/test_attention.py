"""Causal attention: values and gradients are those of torch's own, however heads share keys."""

from __future__ import annotations

import mindspore
import numpy as np
import pytest
import torch
from mindspore import Tensor

from modelcore.models.attention import CausalAttention, causal_masks, own_segment_masks

BATCH, HEAD_DIM = 2, 8


def drawn(heads: int, seq: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((BATCH * heads, seq, HEAD_DIM)).astype(np.float32)


def ours(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, masks: tuple[Tensor, ...], slope: np.ndarray
) -> list[np.ndarray]:
    cell = CausalAttention(len(q) // BATCH, len(k) // BATCH, HEAD_DIM)

    def weighted(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        mixed = cell(q, k, v, masks)
        return (mixed * Tensor(slope)).sum(), mixed

    taken = (Tensor(q), Tensor(k), Tensor(v))
    (_, mixed), slopes = mindspore.value_and_grad(weighted, (0, 1, 2), has_aux=True)(*taken)
    return [one.asnumpy() for one in (mixed, *slopes)]


def theirs(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, seen: np.ndarray, slope: np.ndarray
) -> list[np.ndarray]:
    taken = [torch.from_numpy(one).requires_grad_() for one in (q, k, v)]
    apart = [one.reshape(BATCH, -1, *one.shape[1:]) for one in taken]
    mixed = torch.nn.functional.scaled_dot_product_attention(
        *apart, attn_mask=torch.from_numpy(seen)[:, None], scale=1.0, enable_gqa=True
    ).reshape(q.shape)
    (mixed * torch.from_numpy(slope)).sum().backward()
    return [one.detach().numpy() for one in (mixed, *(one.grad for one in taken))]


def assert_alike(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2), (4, 1)])
@pytest.mark.parametrize("seq", [12, 7])
def test_values_and_gradients_are_torchs(heads: int, kv_heads: int, seq: int):
    q, k, v = drawn(heads, seq, 0), drawn(kv_heads, seq, 1), drawn(kv_heads, seq, 2)
    slope = drawn(heads, seq, 3)
    seen = np.tril(np.ones((BATCH, seq, seq), bool))
    assert_alike(
        ours(q, k, v, causal_masks(BATCH, seq, heads, kv_heads), slope), theirs(q, k, v, seen, slope)
    )


def test_samples_of_a_packed_row_do_not_see_each_other():
    heads, kv_heads, seq = 4, 2, 12
    segments = np.array([[0] * 5 + [1] * 7, [0] * 12], np.int32)
    q, k, v = drawn(heads, seq, 0), drawn(kv_heads, seq, 1), drawn(kv_heads, seq, 2)
    slope = drawn(heads, seq, 3)
    seen = np.tril(segments[:, :, None] == segments[:, None, :])
    masks = own_segment_masks(causal_masks(BATCH, seq, heads, kv_heads), Tensor(segments), heads)
    assert_alike(ours(q, k, v, masks, slope), theirs(q, k, v, seen, slope))
