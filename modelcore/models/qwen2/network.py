"""The Qwen2 network: llama's with a bias on queries, keys and values."""

from __future__ import annotations

from modelcore.models.llama.network import Llama
from modelcore.models.network import WHOLE_NETWORK, NetworkPart
from modelcore.models.qwen2.config import Qwen2Config

__all__ = ["Qwen2"]


class Qwen2(Llama):
    """A Qwen2 network; arguments as of `Llama`."""

    def __init__(self, config: Qwen2Config, part: NetworkPart = WHOLE_NETWORK) -> None:
        super().__init__(config, part, qkv_bias=True)
