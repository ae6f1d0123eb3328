"""A GPTBigCode network that reads tokens into a KV cache and predicts the one after each sequence's last.

The same cell prefills (many tokens of a few sequences) and decodes (one token of each); it borrows the
network's layers and so its weights.
"""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn, ops

from modelcore.models.cache import CachedAttention, LayerCache, Places, places
from modelcore.models.gpt_bigcode.network import Attention, Block, GPTBigCode
from modelcore.models.layers import NamedCell

__all__ = ["GPTBigCodeDecoder"]


class GPTBigCodeDecoder(NamedCell):
    """Extends the sequences in some slots of the cache.

    Args:
        network: a whole model on one device.
        caches: one a layer.
        every_slot: each call extends all slots, in order, instead of the slots it is given.
    """

    def __init__(self, network: GPTBigCode, caches: Sequence[LayerCache], every_slot: bool) -> None:
        super().__init__()
        self.heads, self.length = network.heads, caches[0].keys.shape[1]
        self.last_position = network.config.max_positions - 1
        self.embed, self.positions = network.embed, network.positions.table
        self.norm, self.head = network.norm, network.head
        pairs = zip(network.layers, caches, strict=True)
        self.layers = nn.CellList(
            [_CachedBlock(block, cache, every_slot) for block, cache in pairs], auto_prefix=False
        )

    def construct(self, ids: Tensor, slots: Tensor, start: Tensor, last: Tensor) -> Tensor:
        """Return logits [n, vocabulary] of what follows each sequence's last new token.

        Args:
            ids: int32 [n, t] new tokens of each sequence, padded with anything.
            slots: int32 [n], where each sequence lies.
            start: int32 [n], how many tokens of each lie there already.
            last: int32 [n], row of its last new token in ids.reshape(-1).
        """
        tokens = ids.shape[1]
        where = places(slots, start, tokens, self.heads, 1, self.length)
        # Padding may reach beyond the last position: it must read something, whatever that is.
        positions = ops.minimum(where[0], self.last_position)
        x = self.embed(ids.reshape(-1)) + ops.gather(self.positions, positions, 0)
        for layer in self.layers:
            x = layer(x, tokens, where)
        if tokens > 1:
            x = ops.gather(x, last, 0)
        return self.head(self.norm(x))


class _CachedBlock(NamedCell):
    """A block whose attention looks into the cache."""

    def __init__(self, block: Block, cache: LayerCache, every_slot: bool) -> None:
        super().__init__()
        self.layernorm1, self.layernorm2, self.output = block.layernorm1, block.layernorm2, block.output
        self.attention = _CachedSelfAttention(block.attention, cache, every_slot)

    def construct(self, x: Tensor, tokens: int, where: Places) -> Tensor:
        """Return [n * t, hidden]."""
        x = x + self.attention(self.layernorm1(x), tokens, where)
        return x + self.output(self.layernorm2(x))


class _CachedSelfAttention(NamedCell):
    """The multi-query attention of a block over its cache."""

    def __init__(self, attention: Attention, cache: LayerCache, every_slot: bool) -> None:
        super().__init__()
        self.dense1, self.dense2, self.dense3 = attention.dense1, attention.dense2, attention.dense3
        self.projection = attention.projection
        self.attend = CachedAttention(cache, attention.heads, 1, every_slot)

    def construct(self, x: Tensor, tokens: int, where: Places) -> Tensor:
        """Return [n * t, hidden]."""
        mixed = self.attend(self.dense1(x), self.dense2(x), self.dense3(x), tokens, where)
        return self.projection(mixed)
