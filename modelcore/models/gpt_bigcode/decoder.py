"""A GPTBigCode network that generates with a KV cache."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, ops

from modelcore.models.cache import LayerCache, Places
from modelcore.models.decoder import CachedDecoder
from modelcore.models.gpt_bigcode.network import GPTBigCode

__all__ = ["GPTBigCodeDecoder"]


class GPTBigCodeDecoder(CachedDecoder):
    """Extends the sequences in some slots of the cache; arguments as of `CachedDecoder`."""

    def __init__(self, network: GPTBigCode, caches: Sequence[LayerCache], *, every_slot: bool) -> None:
        super().__init__(network, caches, every_slot=every_slot)
        self.positions, self.last_position = network.positions.table, network.max_positions - 1

    def rows(self, ids: Tensor, where: Places) -> Tensor:
        """Return the embeddings of tokens and positions, [n * t, width]."""
        # Padding may reach beyond the last position: any row of the table will do.
        positions = ops.minimum(where[0], self.last_position)
        return self.embed(ids.reshape(-1)) + ops.gather(self.positions, positions, 0)
