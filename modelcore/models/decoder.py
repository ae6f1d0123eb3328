"""What the decoders of all families share: a network that reads tokens into a KV cache.

It predicts the token after each sequence's last. The same cell prefills (many tokens of a few sequences) and
decodes (one token of each); it borrows the network's cells and so its weights.

Not here: the cache itself (`cache.py`), which sequences there are (`modelcore.generation`).
"""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn, ops

from modelcore.models.cache import CachedAttention, LayerCache, Places, places
from modelcore.models.layers import NamedCell
from modelcore.models.network import Block, Transformer

__all__ = ["CachedDecoder", "CachedSelfAttention"]


class CachedSelfAttention(NamedCell):
    """A block's attention over the layer's cache.

    Args:
        attention: the block's; has `query`, `key`, `value` and `output`, and its numbers of heads.
        cache: of the layer.
        every_slot: as of `CachedDecoder`.
    """

    def __init__(self, attention: nn.Cell, cache: LayerCache, *, every_slot: bool) -> None:
        super().__init__()
        self.query, self.key, self.value = attention.query, attention.key, attention.value
        self.output = attention.output
        self.attend = CachedAttention(cache, attention.heads, attention.kv_heads, every_slot)

    def rotate(self, x: Tensor, where: Places) -> Tensor:
        """Return queries or keys [n * t, heads * head_dim], rotated in a family that rotates them."""
        return x

    def construct(self, x: Tensor, tokens: int, where: Places) -> Tensor:
        """Return [n * t, hidden]."""
        q, k = self.rotate(self.query(x), where), self.rotate(self.key(x), where)
        return self.output(self.attend(q, k, self.value(x), tokens, where))


class _CachedBlock(NamedCell):
    """A block whose attention reads the cache."""

    def __init__(self, block: Block, attention: CachedSelfAttention) -> None:
        super().__init__()
        self.attention_norm, self.attention = block.attention_norm, attention
        self.feed_forward_norm, self.feed_forward = block.feed_forward_norm, block.feed_forward

    def construct(self, x: Tensor, tokens: int, where: Places) -> Tensor:
        """Return [n * t, hidden]."""
        x = x + self.attention(self.attention_norm(x), tokens, where)
        return x + self.feed_forward(self.feed_forward_norm(x))


class CachedDecoder(NamedCell):
    """Extends the sequences in some slots of the cache.

    Args:
        network: a whole model on one device.
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
        self.heads, self.kv_heads, self.length = network.heads, network.kv_heads, caches[0].keys.shape[1]
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
        """Return logits [n, vocabulary] of what follows each sequence's last new token.

        Args:
            ids: int32 [n, t] new tokens of each sequence, padded with anything.
            slots: int32 [n], the slot of each sequence.
            start: int32 [n], how many tokens of each are in the cache already.
            last: int32 [n], row of its last new token in ids.reshape(-1).
        """
        tokens = ids.shape[1]
        where = self.at(places(slots, start, tokens, self.heads, self.kv_heads, self.length))
        x = self.rows(ids, where)
        for layer in self.layers:
            x = layer(x, tokens, where)
        if tokens > 1:
            x = ops.gather(x, last, 0)
        return self.head(self.norm(x))
