"""The GPTBigCode family as one value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelcore.models.family import Family
from modelcore.models.gpt_bigcode.config import GPTBigCodeConfig
from modelcore.models.gpt_bigcode.names import NAMES, SCALES, TO_RESIDUAL
from modelcore.models.gpt_bigcode.partition import RULES, counts, layer_widths

if TYPE_CHECKING:
    from modelcore.models.cache import LayerCache
    from modelcore.models.gpt_bigcode.decoder import GPTBigCodeDecoder
    from modelcore.models.gpt_bigcode.network import GPTBigCode
    from modelcore.models.network import NetworkPart

__all__ = ["GPT_BIGCODE"]


def _network(config: GPTBigCodeConfig, part: NetworkPart) -> GPTBigCode:
    from modelcore.models.gpt_bigcode.network import GPTBigCode

    return GPTBigCode(config, part)


def _decoder(network: GPTBigCode, caches: Sequence[LayerCache], *, every_slot: bool) -> GPTBigCodeDecoder:
    from modelcore.models.gpt_bigcode.decoder import GPTBigCodeDecoder

    return GPTBigCodeDecoder(network, caches, every_slot=every_slot)


GPT_BIGCODE = Family(
    name="gpt_bigcode",
    read_config=GPTBigCodeConfig.from_hf,
    names=NAMES,
    rules=RULES,
    counts=counts,
    layer_widths=layer_widths,
    scales=SCALES,
    to_residual=TO_RESIDUAL,
    network=_network,
    decoder=_decoder,
)
