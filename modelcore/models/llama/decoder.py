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
        """Return `where` and cos and sin of each token's angles, float32 [n * t, head_dim]."""
        return (*where, ops.gather(self.cos, where[0], 0), ops.gather(self.sin, where[0], 0))


class _RotaryAttention(CachedSelfAttention):
    """Attention whose queries and keys are rotated."""

    def __init__(self, attention: nn.Cell, cache: LayerCache, *, every_slot: bool) -> None:
        super().__init__(attention, cache, every_slot=every_slot)
        self.head_dim = attention.head_dim
        self.rotate_half = Tensor(rotate_half(self.head_dim))

    def rotate(self, x: Tensor, where: Places) -> Tensor:
        """Return x [n * t, heads * head_dim] with each head rotated by its token's angles."""
        heads = x.reshape(x.shape[0], -1, self.head_dim)
        rotated = ops.matmul(x.reshape(-1, self.head_dim), self.rotate_half).reshape(heads.shape)
        return (heads * where[4].expand_dims(1) + rotated * where[5].expand_dims(1)).reshape(x.shape)
