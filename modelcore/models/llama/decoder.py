"""A llama network that generates with a KV cache."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mindspore import Tensor, nn, ops

from modelcore.models.cache import LayerCache, Places
from modelcore.models.columns import columns
from modelcore.models.decoder import CachedDecoder, CachedSelfAttention
from modelcore.models.layers import NamedCell
from modelcore.models.llama.network import FeedForward, Llama
from modelcore.models.rotary import rotary_tables

__all__ = ["LlamaDecoder"]


class LlamaDecoder(CachedDecoder):
    """Extends the sequences in some slots of the cache; arguments as of `CachedDecoder`."""

    def __init__(self, network: Llama, caches: Sequence[LayerCache], *, every_slot: bool) -> None:
        super().__init__(
            network,
            caches,
            every_slot=every_slot,
            attention=_RotaryAttention,
            feed_forward=_GatedFeedForward,
        )
        config = network.config
        cos, sin = rotary_tables(config.head_dim, config.rope_theta, config.rope_scaling, self.length)
        sin[:, : config.head_dim // 2] *= -1
        self.table = Tensor(np.concatenate([cos, np.ones_like(cos), sin, np.zeros_like(sin)], axis=1))
        kinds = np.repeat([0, 1], [self.heads + self.kv_heads, self.kv_heads])
        rows = kinds[:, None] * config.head_dim + np.arange(config.head_dim)
        self.cos_rows = Tensor(rows.reshape(-1).astype(np.int32))
        self.sin_rows = Tensor((rows.reshape(-1) + 2 * config.head_dim).astype(np.int32))

    def at(self, where: Places) -> Places:
        """Return `where`, and what queries, keys and values are multiplied with: cos and sin of the angles.

        Each is float32 [(heads + 2 kv_heads) * head_dim, n * t]: on CPU two tensors of one shape are
        multiplied in a fifth of the time that broadcasting takes. Those of values are one and zero; the first
        half of a head's sin is negative.
        """
        angles = columns(ops.gather(self.table, where[0], 0))
        return (*where, ops.gather(angles, self.cos_rows, 0), ops.gather(angles, self.sin_rows, 0))


class _RotaryAttention(CachedSelfAttention):
    """Attention whose queries and keys are rotated."""

    def __init__(self, attention: nn.Cell, cache: LayerCache, *, every_slot: bool) -> None:
        super().__init__(attention, cache, every_slot=every_slot)
        width = self.queries + 2 * self.keys
        halves = np.arange(width).reshape(-1, 2, attention.head_dim // 2)[:, ::-1]
        self.other_half = Tensor(halves.reshape(-1).astype(np.int32))

    def positioned(self, x: Tensor, where: Places) -> Tensor:
        """Return x with each head of queries and keys rotated by its token's angles (`LlamaDecoder.at`)."""
        return x * where[4] + ops.gather(x, self.other_half, 0) * where[5]


class _GatedFeedForward(NamedCell):
    """A `FeedForward` of columns: one product for both factors of the gate."""

    def __init__(self, feed_forward: FeedForward) -> None:
        super().__init__()
        self.gate_and_up, self.w2 = feed_forward.gate_and_up, feed_forward.w2
        self.gate, self.split = feed_forward.gate, ops.Split(0, 2)

    def construct(self, x: Tensor) -> Tensor:
        """Return [hidden, n * t] for x of the same shape."""
        gate, up = self.split(self.gate_and_up(x))
        return self.w2(self.gate(gate, up)[0])
