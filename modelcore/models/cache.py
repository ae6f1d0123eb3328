"""The KV cache of a decoder: one pair of parameters for each layer, written in place, of fixed size.

A slot holds one sequence; head h of its position p is row (slot * kv_heads + h) * length + p. Shapes never
change, so a graph is compiled once; what lies beyond a sequence's end is masked, and overwritten as it grows.

Rows are written by `ScatterUpdate`: on CPU `ScatterNdUpdate` copies the whole cache at each call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import mindspore
import numpy as np
from mindspore import Parameter, ParameterTuple, Tensor, ops

from modelcore.models.attention import MASKED
from modelcore.models.layers import NamedCell

__all__ = ["CachedAttention", "CopySlot", "LayerCache", "Places", "places"]


class LayerCache(NamedTuple):
    """Keys and values of one layer, float32 [slots * kv_heads * length, head_dim] each."""

    keys: Parameter
    values: Parameter
    length: int

    @classmethod
    def empty(cls, layer: int, slots: int, kv_heads: int, length: int, head_dim: int) -> LayerCache:
        """Return the cache of layer number `layer`, of zeros."""
        shape = (slots * kv_heads * length, head_dim)
        keys, values = (_zeros(f"cache.{layer}.{kind}", shape) for kind in ("keys", "values"))
        return cls(keys, values, length)


def _zeros(name: str, shape: tuple[int, ...]) -> Parameter:
    return Parameter(Tensor(np.zeros(shape, np.float32)), name=name, requires_grad=False)


Places = tuple[Tensor, ...]
"""Where the tokens of one call go and what they may attend to, for all layers: what `places` returns.

A family's decoder may append what its attention needs to know of the tokens' positions.
"""
# A plain tuple: a named one makes MindSpore fall back to the Python interpreter inside its graph.


def places(slots: Tensor, start: Tensor, tokens: int, heads: int, kv_heads: int, length: int) -> Places:
    """Return the places of `tokens` tokens of each of n sequences: (positions, index, rows, mask).

    positions: int32 [n * t], of each token in its sequence. index: int32 [n * t * kv_heads], cache row of
    each token's keys. rows: int32 [n * kv_heads], heads of the sequences, when the cache is seen as [slots *
    kv_heads, length, head_dim]. mask: float32 [n * kv_heads, group * t, length], added to the scores.

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
    index = (rows * length).expand_dims(1) + positions.expand_dims(2)
    future = ops.arange(length).astype(mindspore.int32) > positions.expand_dims(2)
    mask = (future.astype(mindspore.float32) * MASKED).reshape(n, 1, 1, tokens, length)
    mask = ops.broadcast_to(mask, (n, kv_heads, heads // kv_heads, tokens, length))
    return positions.reshape(-1), index.reshape(-1), rows.reshape(-1), mask.reshape(n * kv_heads, -1, length)


class CopySlot(NamedCell):
    """Copies the sequence in one slot of the caches of all layers to another slot."""

    def __init__(self, caches: Sequence[LayerCache], slots: int) -> None:
        super().__init__()
        parameters = [parameter for cache in caches for parameter in (cache.keys, cache.values)]
        self.parameters = ParameterTuple(parameters)
        self.rows = parameters[0].shape[0] // slots
        self.write = ops.ScatterUpdate()

    def construct(self, source: Tensor, target: Tensor) -> Tensor:
        """Copy slot `source` to slot `target`, int32 [1] each; return `target`."""
        rows = ops.arange(self.rows).astype(mindspore.int32)
        for parameter in self.parameters:
            sequence = ops.gather(parameter, source * self.rows + rows, 0)
            self.write(parameter, target * self.rows + rows, sequence)
        return target


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
        self.kv_heads, self.group, self.head_dim = kv_heads, heads // kv_heads, cache.keys.shape[1]
        self.length = cache.length
        self.write = ops.ScatterUpdate()
        self.scores, self.mix = ops.BatchMatMul(transpose_b=True), ops.BatchMatMul()

    def construct(self, q: Tensor, k: Tensor, v: Tensor, tokens: int, where: Places) -> Tensor:
        """Return [n * t, heads * head_dim].

        Args:
            q: [n * t, heads * head_dim]; q k^T is the score.
            k: [n * t, kv_heads * head_dim].
            v: as k.
            tokens: t.
            where: of `places`.
        """
        index, rows, mask = where[1], where[2], where[3]
        keys = self.write(self.keys, index, k.reshape(-1, self.head_dim))
        values = self.write(self.values, index, v.reshape(-1, self.head_dim))
        keys = keys.reshape(-1, self.length, self.head_dim)
        values = values.reshape(-1, self.length, self.head_dim)
        if not self.every_slot:
            keys, values = ops.gather(keys, rows, 0), ops.gather(values, rows, 0)
        weights = ops.softmax(self.scores(self._by_head(q, tokens), keys) + mask, -1)
        return self._by_token(self.mix(weights, values), tokens).reshape(q.shape)

    def _by_head(self, q: Tensor, tokens: int) -> Tensor:
        """Return [n * kv_heads, group * t, head_dim] of [n * t, heads * head_dim]."""
        if tokens > 1:
            q = q.reshape(-1, tokens, self.kv_heads, self.group, self.head_dim)
            q = ops.transpose(q, (0, 2, 3, 1, 4))
        return q.reshape(-1, self.group * tokens, self.head_dim)

    def _by_token(self, mixed: Tensor, tokens: int) -> Tensor:
        """Undo `_by_head`, but for the shape."""
        if tokens > 1:
            mixed = mixed.reshape(-1, self.kv_heads, self.group, tokens, self.head_dim)
            mixed = ops.transpose(mixed, (0, 3, 1, 2, 4))
        return mixed
