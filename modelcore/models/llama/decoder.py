"""A llama network that generates with a KV cache."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn, ops

from modelcore.models.cache import LayerCache, Places
from modelcore.models.decoder import CachedDecoder, CachedSelfAttention
from modelcore.models.llama.network import Llama
from modelcore.models.rotary import rotary_tables, rotate_half

__all__ = ["LlamaDecoder"]


class LlamaDecoder(CachedDecoder):
    """Extends the sequences in some slots of the cache; arguments as of `CachedDecoder`."""

    def __init__(self, network: Llama, caches: Sequence[LayerCache], *, every_slot: bool) -> None:
        super().__init__(network, caches, every_slot=every_slot, attention=_RotaryAttention)
        config = network.config
        tables = rotary_tables(config.head_dim, config.rope_theta, config.rope_scaling, self.length)
        self.cos, self.sin = (Tensor(table) for table in tables)

    def at(self, where: Places) -> Places:
        """Return `where`, and cos and sin of each token's angles for queries, then for keys.

        Each is float32 [n * t, heads * head_dim], repeated for all heads: on CPU two tensors of one shape
        are multiplied in a fifth of the time that broadcasting takes.
        """
        cos, sin = ops.gather(self.cos, where[0], 0), ops.gather(self.sin, where[0], 0)
        of_queries = ops.tile(cos, (1, self.heads)), ops.tile(sin, (1, self.heads))
        if self.kv_heads == self.heads:
            return (*where, *of_queries, *of_queries)
        return (*where, *of_queries, ops.tile(cos, (1, self.kv_heads)), ops.tile(sin, (1, self.kv_heads)))


class _RotaryAttention(CachedSelfAttention):
    """Attention whose queries and keys are rotated."""

    def __init__(self, attention: nn.Cell, cache: LayerCache, *, every_slot: bool) -> None:
        super().__init__(attention, cache, every_slot=every_slot)
        self.head_dim = attention.head_dim
        self.rotate_half = Tensor(rotate_half(self.head_dim))

    def queries(self, x: Tensor, where: Places) -> Tensor:
        """Return queries [n * t, heads * head_dim], each head rotated by its token's angles."""
        return self._rotated(x, where[4], where[5])

    def keys(self, x: Tensor, where: Places) -> Tensor:
        """Return keys [n * t, kv_heads * head_dim], each head rotated by its token's angles."""
        return self._rotated(x, where[6], where[7])

    def _rotated(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        half = ops.matmul(x.reshape(-1, self.head_dim), self.rotate_half).reshape(x.shape)
        return x * cos + half * sin
