"""The KV cache of a decoder: one pair of parameters for each layer, written in place, of fixed size.

A slot holds one sequence; position p of it lies in the rows slot * kv_heads … of column p. Shapes never
change, so a graph is compiled once; what lies beyond a sequence's end is masked, and overwritten as it grows.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import mindspore
import numpy as np
from mindspore import Parameter, Tensor, ops

from modelcore.models.attention import MASKED
from modelcore.models.layers import NamedCell

__all__ = ["CachedAttention", "LayerCache", "Places", "places"]


class LayerCache(NamedTuple):
    """Keys and values of one layer, float32 [slots * kv_heads, length, head_dim] each."""

    keys: Parameter
    values: Parameter

    @classmethod
    def empty(cls, layer: int, slots: int, kv_heads: int, length: int, head_dim: int) -> LayerCache:
        """Return the cache of layer number `layer`, of zeros."""
        shape = (slots * kv_heads, length, head_dim)
        return cls(*(_zeros(f"cache.{layer}.{kind}", shape) for kind in ("keys", "values")))


def _zeros(name: str, shape: tuple[int, ...]) -> Parameter:
    return Parameter(Tensor(np.zeros(shape, np.float32)), name=name, requires_grad=False)


Places = tuple[Tensor, ...]
"""Where the tokens of one call go and what they may attend to, for all layers: what `places` returns.

A family's decoder may append what its attention needs to know of the tokens' positions.
"""
# A plain tuple: a named one makes MindSpore fall back to the Python interpreter inside its graph.


def places(slots: Tensor, start: Tensor, tokens: int, heads: int, kv_heads: int, length: int) -> Places:
    """Return the places of `tokens` tokens of each of n sequences: (positions, index, rows, mask).

    positions: int32 [n * t], of each token in its sequence. index: int32 [n * kv_heads * t, 2], cache row and
    column of each token's keys. rows: int32 [n * kv_heads], cache rows of each sequence. mask: float32
    [n * kv_heads, group * t, length], added to the scores.

    Args:
        slots: int32 [n], the slot of each sequence.
        start: int32 [n], how many tokens of it are in the cache already.
        tokens: new tokens of each, t.
        heads: query heads.
        kv_heads: key and value heads.
        length: columns of the cache.
    """
    n = slots.shape[0]
    positions = start.expand_dims(1) + ops.arange(tokens).astype(mindspore.int32)
    rows = slots.expand_dims(1) * kv_heads + ops.arange(kv_heads).astype(mindspore.int32)
    row = ops.broadcast_to(rows.expand_dims(2), (n, kv_heads, tokens))
    column = ops.broadcast_to(positions.expand_dims(1), (n, kv_heads, tokens))
    index = ops.stack((row, column), -1).reshape(-1, 2)
    future = ops.arange(length).astype(mindspore.int32) > positions.expand_dims(2)
    mask = (future.astype(mindspore.float32) * MASKED).reshape(n, 1, 1, tokens, length)
    mask = ops.broadcast_to(mask, (n, kv_heads, heads // kv_heads, tokens, length))
    return positions.reshape(-1), index, rows.reshape(-1), mask.reshape(n * kv_heads, -1, length)


class CachedAttention(NamedCell):
    """Attention of new tokens over all tokens of their sequence, which they join.

    Args:
        cache: of the layer.
        heads: query heads.
        kv_heads: key and value heads.
        every_slot: the sequences of a call are all slots, in order: the cache need not be gathered.
    """

    def __init__(self, cache: LayerCache, heads: int, kv_heads: int, every_slot: bool) -> None:
        super().__init__()
        self.keys, self.values, self.every_slot = cache.keys, cache.values, every_slot
        self.kv_heads, self.group, self.head_dim = kv_heads, heads // kv_heads, cache.keys.shape[2]
        self.scale = 1 / math.sqrt(self.head_dim)
        self.write = ops.ScatterNdUpdate()
        self.scores, self.mix = ops.BatchMatMul(transpose_b=True), ops.BatchMatMul()

    def construct(self, q: Tensor, k: Tensor, v: Tensor, tokens: int, where: Places) -> Tensor:
        """Return [n * t, heads * head_dim].

        Args:
            q: [n * t, heads * head_dim].
            k: [n * t, kv_heads * head_dim].
            v: as k.
            tokens: t.
            where: of `places`.
        """
        index, rows, mask = where[1], where[2], where[3]
        keys = self.write(self.keys, index, self._by_head(k, tokens))
        values = self.write(self.values, index, self._by_head(v, tokens))
        if not self.every_slot:
            keys, values = ops.gather(keys, rows, 0), ops.gather(values, rows, 0)
        batch = rows.shape[0]
        split = q.reshape(-1, tokens, self.kv_heads, self.group, self.head_dim) * self.scale
        split = ops.transpose(split, (0, 2, 3, 1, 4)).reshape(batch, self.group * tokens, self.head_dim)
        weights = ops.softmax(self._scores(split, keys, tokens) + mask, -1)
        mixed = self.mix(weights, values).reshape(-1, self.kv_heads, self.group, tokens, self.head_dim)
        return ops.transpose(mixed, (0, 3, 1, 2, 4)).reshape(q.shape)

    def _scores(self, q: Tensor, keys: Tensor, tokens: int) -> Tensor:
        """Return q keys^T, [n * kv_heads, group * t, length]."""
        if tokens > 1:
            return self.scores(q, keys)
        # For a single row the CPU is more than twice as fast with the large matrix first and not transposed.
        return ops.swapaxes(self.mix(keys, ops.swapaxes(q, 1, 2)), 1, 2)

    def _by_head(self, x: Tensor, tokens: int) -> Tensor:
        """Return [n * kv_heads * t, head_dim]."""
        if tokens == 1:
            return x.reshape(-1, self.head_dim)
        return ops.transpose(x.reshape(-1, tokens, self.kv_heads, self.head_dim), (0, 2, 1, 3)).reshape(
            -1, self.head_dim
        )
