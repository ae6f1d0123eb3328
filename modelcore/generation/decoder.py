"""One model with its KV cache behind plain numpy: fill slots with prompts, then extend all slots by a token.

Two graphs are compiled, one for each. Which family a network is of is decided here and nowhere above.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import mindspore
import numpy as np
from mindspore import Tensor, nn
from numpy.typing import NDArray

from modelcore.errors import MindrailError
from modelcore.models.cache import LayerCache
from modelcore.models.families import Family
from modelcore.models.gpt_bigcode.decoder import GPTBigCodeDecoder
from modelcore.models.gpt_bigcode.network import GPTBigCode
from modelcore.models.llama.config import LlamaConfig
from modelcore.models.llama.decoder import LlamaDecoder
from modelcore.models.llama.network import Llama
from modelcore.weights.casting import cast
from modelcore.weights.checkpoint import open_checkpoint
from modelcore.weights.dtypes import FP32
from modelcore.weights.tensors import read

__all__ = ["CHUNK", "Decoder", "fill"]

CHUNK = 64
"""Tokens of a prompt that are read at a time; all prompts are read in chunks of this shape."""


class Decoder:
    """A model that remembers `slots` sequences of up to `length` tokens.

    Args:
        family: the model.
        checkpoint: directory of its weights.
        slots: sequences side by side.
        length: tokens a sequence may have; rounded up to whole chunks.
        prompts: how many sequences are begun by one call.
    """

    def __init__(self, family: Family, checkpoint: Path, *, slots: int, length: int, prompts: int) -> None:
        config = family.config
        columns = -(-length // CHUNK) * CHUNK
        caches = [
            LayerCache.empty(layer, slots, config.num_kv_heads, columns, config.head_dim)
            for layer in range(config.num_layers)
        ]
        network, (self._prefill, self._decode) = _network(family, caches)
        fill(network, checkpoint)
        self.slots, self.prompts, self.length = slots, prompts, length
        self._every_slot = _int32(range(slots))

    def begin(self, slots: Sequence[int], prompts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Put prompts into slots; return logits [len(prompts), vocabulary] of what follows each.

        Args:
            slots: distinct, at most `self.prompts`.
            prompts: their token ids, none empty, each shorter than `length`.
        """
        # A short call repeats its last row: the same tokens at the same place change nothing.
        rows = [min(i, len(slots) - 1) for i in range(self.prompts)]
        lengths = np.array([len(prompts[row]) for row in rows])
        padded = np.zeros((self.prompts, -(-int(lengths.max()) // CHUNK) * CHUNK), np.int32)
        for i, row in enumerate(rows):
            padded[i, : lengths[i]] = prompts[row]
        logits: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(slots)
        for start in range(0, padded.shape[1], CHUNK):
            result = self._read(
                padded[:, start : start + CHUNK], [slots[row] for row in rows], start, lengths
            )
            for i in range(len(slots)):
                if start < lengths[i] <= start + CHUNK:
                    logits[i] = result[i]
        return np.stack(logits)

    def _read(
        self, ids: NDArray[np.int32], slots: Sequence[int], start: int, lengths: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        last = np.clip(lengths - 1 - start, 0, CHUNK - 1) + np.arange(len(slots)) * CHUNK
        starts = _int32([start] * len(slots))
        output: Tensor = self._prefill(_int32(ids), _int32(slots), starts, _int32(last))
        return np.asarray(output.asnumpy())

    def extend(self, tokens: NDArray[np.int32], lengths: NDArray[np.int32]) -> NDArray[np.float32]:
        """Append one token to every slot; return logits [slots, vocabulary] of what follows.

        Args:
            tokens: int32 [slots]; anything for an idle slot.
            lengths: int32 [slots], how many tokens each holds before; 0 for an idle slot.
        """
        ids = _int32(tokens.reshape(-1, 1))
        output: Tensor = self._decode(ids, self._every_slot, _int32(lengths), self._every_slot)
        return np.asarray(output.asnumpy())


def _network(family: Family, caches: Sequence[LayerCache]) -> tuple[nn.Cell, tuple[nn.Cell, nn.Cell]]:
    """Return the network of a family with (the cell that begins sequences, the one that extends them)."""
    if isinstance(family.config, LlamaConfig):
        llama = Llama(family.config)
        return llama, (LlamaDecoder(llama, caches, False), LlamaDecoder(llama, caches, True))
    code = GPTBigCode(family.config)
    return code, (GPTBigCodeDecoder(code, caches, False), GPTBigCodeDecoder(code, caches, True))


def fill(network: nn.Cell, checkpoint: Path) -> None:
    """Load a whole MindSpore checkpoint, any of fp16, bf16 and fp32, into a network's float32 parameters.

    Raises:
        MindrailError: a tensor is missing, unexpected or misshapen, or the file is not sound.
    """
    tensors = open_checkpoint(checkpoint).tensors
    parameters = {parameter.name: parameter for parameter in network.get_parameters()}
    for name in (*parameters, *tensors):
        if name not in tensors:
            raise MindrailError(f"has no tensor {name}, which its config.json demands", where=checkpoint)
        if name not in parameters:
            raise MindrailError(f"holds {name}, which the model of its config.json has not", where=checkpoint)
        found, wanted = list(tensors[name].shape), list(parameters[name].shape)
        if found != wanted:
            raise MindrailError(f"{name} is {found}, its config.json demands {wanted}", where=checkpoint)
    for name, parameter in parameters.items():
        parameter.set_data(Tensor(read(cast(tensors[name], FP32))))


def _int32(values: Sequence[int] | NDArray | range) -> Tensor:
    return Tensor(np.asarray(values, np.int32), mindspore.int32)
