"""A llama network that reads tokens into a KV cache and predicts the one after each sequence's last.

The same cell prefills (many tokens of a few sequences) and decodes (one token of each); it borrows the
network's layers and so its weights.
"""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn, ops

from modelcore.models.cache import CachedAttention, LayerCache, Places, places
from modelcore.models.layers import NamedCell
from modelcore.models.llama.network import Attention, Layer, Llama, quarter_turn, rotary_tables

__all__ = ["LlamaDecoder"]


class LlamaDecoder(NamedCell):
    """Extends the sequences in some slots of the cache.

    Args:
        network: a whole model on one device.
        caches: one a layer.
        every_slot: each call extends all slots, in order, instead of the slots it is given.
    """

    def __init__(self, network: Llama, caches: Sequence[LayerCache], every_slot: bool) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.length = network.heads, network.kv_heads, caches[0].keys.shape[1]
        self.embed, self.norm, self.head = network.embed, network.norm, network.head
        pairs = zip(network.layers, caches, strict=True)
        self.layers = nn.CellList(
            [_CachedLayer(layer, cache, every_slot) for layer, cache in pairs], auto_prefix=False
        )
        self.cos, self.sin = (Tensor(table) for table in rotary_tables(network.config, self.length))

    def construct(self, ids: Tensor, slots: Tensor, start: Tensor, last: Tensor) -> Tensor:
        """Return logits [n, vocabulary] of what follows each sequence's last new token.

        Args:
            ids: int32 [n, t] new tokens of each sequence, padded with anything.
            slots: int32 [n], where each sequence lies.
            start: int32 [n], how many tokens of each lie there already.
            last: int32 [n], row of its last new token in ids.reshape(-1).
        """
        tokens = ids.shape[1]
        where = places(slots, start, tokens, self.heads, self.kv_heads, self.length)
        tables = (ops.gather(self.cos, where[0], 0), ops.gather(self.sin, where[0], 0))
        x = self.embed(ids.reshape(-1))
        for layer in self.layers:
            x = layer(x, tokens, tables, where)
        if tokens > 1:
            x = ops.gather(x, last, 0)
        return self.head(self.norm(x))


class _CachedLayer(NamedCell):
    """A layer whose attention looks into the cache."""

    def __init__(self, layer: Layer, cache: LayerCache, every_slot: bool) -> None:
        super().__init__()
        self.attention_norm, self.ffn_norm = layer.attention_norm, layer.ffn_norm
        self.feed_forward = layer.feed_forward
        self.attention = _CachedSelfAttention(layer.attention, cache, every_slot)

    def construct(self, x: Tensor, tokens: int, tables: tuple[Tensor, Tensor], where: Places) -> Tensor:
        """Return [n * t, hidden]."""
        x = x + self.attention(self.attention_norm(x), tokens, tables, where)
        return x + self.feed_forward(self.ffn_norm(x))


class _CachedSelfAttention(NamedCell):
    """The rotary attention of a layer over its cache."""

    def __init__(self, attention: Attention, cache: LayerCache, every_slot: bool) -> None:
        super().__init__()
        self.wq, self.wk, self.wv, self.wo = attention.wq, attention.wk, attention.wv, attention.wo
        self.head_dim = attention.head_dim
        self.attend = CachedAttention(cache, attention.heads, attention.kv_heads, every_slot)
        self.turn = Tensor(quarter_turn(self.head_dim))

    def construct(self, x: Tensor, tokens: int, tables: tuple[Tensor, Tensor], where: Places) -> Tensor:
        """Return [n * t, hidden]."""
        q, k = self._rotate(self.wq(x), tables), self._rotate(self.wk(x), tables)
        return self.wo(self.attend(q, k, self.wv(x), tokens, where))

    def _rotate(self, x: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
        """Return x [n * t, heads * head_dim] with each head turned by its token's angles."""
        heads = x.reshape(x.shape[0], -1, self.head_dim)
        turned = ops.matmul(x.reshape(-1, self.head_dim), self.turn).reshape(heads.shape)
        return (heads * tables[0].expand_dims(1) + turned * tables[1].expand_dims(1)).reshape(x.shape)
