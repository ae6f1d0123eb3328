"""The llama family as one value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelcore.models.family import Family, NativeFormat
from modelcore.models.llama.config import LlamaConfig
from modelcore.models.llama.meta import meta_config, meta_parts, meta_tensors
from modelcore.models.llama.names import NAMES, SCALES, TO_RESIDUAL
from modelcore.models.llama.partition import RULES, counts, layer_widths

if TYPE_CHECKING:
    from modelcore.models.cache import LayerCache
    from modelcore.models.llama.decoder import LlamaDecoder
    from modelcore.models.llama.network import Llama
    from modelcore.models.network import NetworkPart

__all__ = ["LLAMA"]


def _network(config: LlamaConfig, part: NetworkPart) -> Llama:
    from modelcore.models.llama.network import Llama

    return Llama(config, part)


def _decoder(network: Llama, caches: Sequence[LayerCache], *, every_slot: bool) -> LlamaDecoder:
    from modelcore.models.llama.decoder import LlamaDecoder

    return LlamaDecoder(network, caches, every_slot=every_slot)


LLAMA = Family(
    name="llama",
    read_config=LlamaConfig.from_hf,
    names=NAMES,
    rules=RULES,
    counts=counts,
    layer_widths=layer_widths,
    scales=SCALES,
    to_residual=TO_RESIDUAL,
    network=_network,
    decoder=_decoder,
    native=NativeFormat("Meta", meta_parts, meta_config, meta_tensors),
)
