"""The Qwen2 family as one value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelcore.models.family import Family
from modelcore.models.qwen2.config import Qwen2Config
from modelcore.models.qwen2.names import NAMES, SCALES, TO_RESIDUAL
from modelcore.models.qwen2.partition import RULES, counts, layer_widths

if TYPE_CHECKING:
    from modelcore.models.cache import LayerCache
    from modelcore.models.network import NetworkPart
    from modelcore.models.qwen2.decoder import Qwen2Decoder
    from modelcore.models.qwen2.network import Qwen2

__all__ = ["QWEN2"]


def _network(config: Qwen2Config, part: NetworkPart) -> Qwen2:
    from modelcore.models.qwen2.network import Qwen2

    return Qwen2(config, part)


def _decoder(network: Qwen2, caches: Sequence[LayerCache], *, every_slot: bool) -> Qwen2Decoder:
    from modelcore.models.qwen2.decoder import Qwen2Decoder

    return Qwen2Decoder(network, caches, every_slot=every_slot)


QWEN2 = Family(
    name="qwen2",
    read_config=Qwen2Config.from_hf,
    names=NAMES,
    rules=RULES,
    counts=counts,
    layer_widths=layer_widths,
    scales=SCALES,
    to_residual=TO_RESIDUAL,
    network=_network,
    decoder=_decoder,
)
