"""What the decoders of all families share: a network that reads tokens into a KV cache.

It predicts the token after each sequence's last. The same cell prefills (many tokens of a few sequences) and
decodes (one token of each); it borrows the network's cells and so its weights. Hidden states are columns.

Not here: the cache itself (`cache.py`), which sequences there are (`modelcore.generation`).
"""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn, ops

from modelcore.models.cache import CachedAttention, LayerCache, Places, places
from modelcore.models.columns import columns
from modelcore.models.layers import NamedCell
from modelcore.models.network import Block, Transformer

__all__ = ["CachedDecoder", "CachedSelfAttention"]


class CachedSelfAttention(NamedCell):
    """A block's attention over the layer's cache.

    Args:
        attention: the block's, of columns: `query`, `key`, `value` and `output`, and its numbers of heads.
        cache: of the layer.
        every_slot: as of `CachedDecoder`.
    """

    def __init__(self, attention: nn.Cell, cache: LayerCache, *, every_slot: bool) -> None:
        super().__init__()
        self.query, self.key, self.value = attention.query, attention.key, attention.value
        self.output = attention.output
        self.attend = CachedAttention(cache, attention.heads, attention.kv_heads, every_slot)

    def queries(self, x: Tensor, where: Places) -> Tensor:
        """Return queries [n * t, heads * head_dim] with what the family does to them for their positions."""
        return x

    def keys(self, x: Tensor, where: Places) -> Tensor:
        """Return keys [n * t, kv_heads * head_dim], as `queries` does."""
        return x

    def construct(self, x: Tensor, tokens: int, where: Places) -> Tensor:
        """Return [hidden, n * t] for x of the same shape."""
        q = self.queries(columns(self.query(x)), where)
        k = self.keys(columns(self.key(x)), where)
        return self.output.of_rows(self.attend(q, k, columns(self.value(x)), tokens, where))


class _CachedBlock(NamedCell):
    """A block whose attention reads the cache."""

    def __init__(self, block: Block, attention: CachedSelfAttention) -> None:
        super().__init__()
        self.attention_norm, self.attention = block.attention_norm, attention
        self.feed_forward_norm, self.feed_forward = block.feed_forward_norm, block.feed_forward

    def construct(self, x: Tensor, tokens: int, where: Places) -> Tensor:
        """Return [hidden, n * t] for x of the same shape."""
        x = x + self.attention(self.attention_norm(x), tokens, where)
        return x + self.feed_forward(self.feed_forward_norm(x))


class CachedDecoder(NamedCell):
    """Extends the sequences in some slots of the cache.

    Args:
        network: a whole model on one device, whose hidden states are columns (`to_columns`).
        caches: one for each layer.
        every_slot: each call extends all slots, in order, instead of the slots it is given.
        attention: the family's attention over a cache.
    """

    def __init__(
        self,
        network: Transformer,
        caches: Sequence[LayerCache],
        *,
        every_slot: bool,
        attention: type[CachedSelfAttention] = CachedSelfAttention,
    ) -> None:
        super().__init__()
        self.every_slot = every_slot
        self.heads, self.kv_heads, self.length = network.heads, network.kv_heads, caches[0].length
        self.embed, self.norm, self.head = network.embed, network.norm, network.head
        blocks = [
            _CachedBlock(block, attention(block.attention, cache, every_slot=every_slot))
            for block, cache in zip(network.layers, caches, strict=True)
        ]
        self.layers = nn.CellList(blocks, auto_prefix=False)

    def rows(self, ids: Tensor, where: Places) -> Tensor:
        """Return the first block's input, [n * t, width], for int32 ids [n, t]."""
        return self.embed(ids.reshape(-1))

    def at(self, where: Places) -> Places:
        """Return `where` with what the family's attention needs of the tokens' positions at its end."""
        return where

    def construct(self, ids: Tensor, slots: Tensor, start: Tensor, last: Tensor) -> Tensor:
        """Return logits [vocabulary, n] of what follows each sequence's last new token.

        With `every_slot`, of what follows every token: [vocabulary, n * t].

        Args:
            ids: int32 [n, t] new tokens of each sequence, padded with anything.
            slots: int32 [n], the slot of each sequence.
            start: int32 [n], how many tokens of each are in the cache already.
            last: int32 [n], place of its last new token in ids.reshape(-1); of no use with `every_slot`.
        """
        tokens = ids.shape[1]
        where = self.at(places(slots, start, tokens, self.heads, self.kv_heads, self.length))
        x = columns(self.rows(ids, where))
        for layer in self.layers:
            x = layer(x, tokens, where)
        if not self.every_slot:
            x = ops.gather(x, last, 1)
        return self.head(self.norm(x))
