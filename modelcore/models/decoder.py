"""What the decoders of all families share: a network that reads tokens into a KV cache.

It predicts the token after each sequence's last. The same cell prefills (many tokens of a few sequences) and
decodes (one token of each); it borrows the network's cells and so its weights. Hidden states are columns.

Not here: the cache itself (`cache.py`), which sequences there are (`modelcore.generation`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mindspore import Tensor, nn, ops

from modelcore.models.cache import CachedAttention, LayerCache, Places, places
from modelcore.models.columns import columns
from modelcore.models.layers import NamedCell
from modelcore.models.network import Block, Transformer
from modelcore.parallel.collectives import GroupGather, TensorGroup

__all__ = ["CachedDecoder", "CachedSelfAttention"]


class CachedSelfAttention(NamedCell):
    """A block's attention over the layer's cache.

    Args:
        attention: the block's, of columns: `query_key_value` and `output`, its numbers of heads and head_dim.
        cache: of the layer.
        every_slot: as of `CachedDecoder`.
    """

    def __init__(self, attention: nn.Cell, cache: LayerCache, *, every_slot: bool) -> None:
        super().__init__()
        self.query_key_value, self.output = attention.query_key_value, attention.output
        self.attend = CachedAttention(cache, attention.heads, attention.kv_heads, every_slot)
        self.queries, self.keys = (
            count * attention.head_dim for count in (attention.heads, attention.kv_heads)
        )
        self.cut, self.scale = ops.Slice(), attention.head_dim**-0.5

    def positioned(self, x: Tensor, where: Places) -> Tensor:
        """Return queries, keys and values with what the family does to them for their tokens' positions.

        Args:
            x: [(heads + 2 kv_heads) * head_dim, n * t], all queries, then all keys, then all values.
            where: of the decoder's `at`.
        """
        return x

    def construct(self, x: Tensor, tokens: int, where: Places) -> Tensor:
        """Return [hidden, n * t] for x of the same shape."""
        rows = columns(self.positioned(self.query_key_value(x), where))
        q = self._piece(rows, 0, self.queries) * self.scale
        k = self._piece(rows, self.queries, self.keys)
        v = self._piece(rows, self.queries + self.keys, self.keys)
        return self.output.of_rows(self.attend(q, k, v, tokens, where))

    def _piece(self, rows: Tensor, start: int, width: int) -> Tensor:
        return self.cut(rows, (0, start), (rows.shape[0], width))


class _CachedBlock(NamedCell):
    """A block whose attention reads the cache."""

    def __init__(self, block: Block, attention: CachedSelfAttention, feed_forward: nn.Cell) -> None:
        super().__init__()
        self.attention_norm, self.attention = block.attention_norm, attention
        self.feed_forward_norm, self.feed_forward = block.feed_forward_norm, feed_forward

    def construct(self, x: Tensor, tokens: int, where: Places) -> Tensor:
        """Return [hidden, n * t] for x of the same shape."""
        x = x + self.attention(self.attention_norm(x), tokens, where)
        return x + self.feed_forward(self.feed_forward_norm(x))


class _WholeVocabulary(NamedCell):
    """Logits of all ranks' parts of the vocabulary below each other, on every rank to the same bits."""

    def __init__(self, group: TensorGroup) -> None:
        super().__init__()
        self.alone, self.gather = group.size == 1, GroupGather(group)

    def construct(self, logits: Tensor) -> Tensor:
        """Return [vocabulary, n] for the [vocabulary of this rank, n] of each."""
        if self.alone:
            return logits
        return self.gather(logits.reshape(-1)).reshape(-1, logits.shape[1])


def _same(feed_forward: nn.Cell) -> nn.Cell:
    return feed_forward


class CachedDecoder(NamedCell):
    """Extends the sequences in some slots of the cache.

    Args:
        network: all layers of a model, or of a rank's slice of it, whose hidden states are columns
            (`to_columns`).
        caches: one for each layer.
        every_slot: each call extends all slots, in order, instead of the slots it is given.
        attention: the family's attention over a cache.
        feed_forward: makes of a block's feed-forward the one of columns.
    """

    def __init__(
        self,
        network: Transformer,
        caches: Sequence[LayerCache],
        *,
        every_slot: bool,
        attention: type[CachedSelfAttention] = CachedSelfAttention,
        feed_forward: Callable[[Any], nn.Cell] = _same,
    ) -> None:
        super().__init__()
        self.every_slot = every_slot
        self.heads, self.kv_heads, self.length = network.heads, network.kv_heads, caches[0].length
        self.embed, self.norm, self.head = network.embed, network.norm, network.head
        self.vocabulary = _WholeVocabulary(network.vocabulary)
        blocks = [
            _CachedBlock(
                block,
                attention(block.attention, cache, every_slot=every_slot),
                feed_forward(block.feed_forward),
            )
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
        return self.vocabulary(self.head(self.norm(x)))
