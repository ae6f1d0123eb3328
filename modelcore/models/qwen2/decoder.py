"""A Qwen2 network that generates with a KV cache: llama's decoder, as the projections bring their bias."""

from __future__ import annotations

from modelcore.models.llama.decoder import LlamaDecoder

__all__ = ["Qwen2Decoder"]


class Qwen2Decoder(LlamaDecoder):
    """Extends the sequences in some slots of the cache; arguments as of `CachedDecoder`."""
