"""One model with its KV cache behind plain numpy: fill slots with prompts, then extend all slots.

A graph is compiled for each, whatever the prompts; a third copies a slot, where a prompt has several
responses.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import mindspore
import numpy as np
from mindspore import Tensor
from numpy.typing import NDArray

from modelcore.generation.slices import rank_tensors
from modelcore.models.cache import CopySlot, LayerCache
from modelcore.models.columns import to_columns
from modelcore.models.fill import fill
from modelcore.models.layers import matrices_in
from modelcore.models.model import Model
from modelcore.models.network import NetworkPart
from modelcore.parallel.collectives import WHOLE, TensorGroup
from modelcore.weights.dtypes import BF16, FP16, FP32, DType

__all__ = ["CHUNK", "Decoder"]

CHUNK = 64
"""Tokens of a prompt that are read at a time; all prompts are read in chunks of this shape."""

FEWEST = 4
"""Columns that every product has at least: for a single one, oneDNN takes a kernel that sums differently."""


_MINDSPORE = {FP32: mindspore.float32, FP16: mindspore.float16, BF16: mindspore.bfloat16}


class Decoder:
    """A model that remembers `slots` sequences of up to `length` tokens.

    Args:
        model: of the checkpoint's config.json.
        checkpoint: directory of its weights, whole or sharded.
        slots: sequences side by side.
        length: tokens a sequence may have; rounded up to whole chunks.
        prompts: how many sequences are begun by one call.
        width: tokens that one call appends to each sequence.
        tensor: the ranks that share each layer; every one returns the logits of the whole vocabulary.
        matrices: type in which the layers' matrices are kept in memory. Activations, the KV cache and all
            products are float32.

    Raises:
        MindrailError: the checkpoint is not the model's, or has values too large for that type.
    """

    def __init__(
        self,
        model: Model,
        checkpoint: Path,
        *,
        slots: int,
        length: int,
        prompts: int,
        width: int = 1,
        tensor: TensorGroup = WHOLE,
        matrices: DType = FP32,
    ) -> None:
        config, family = model.config, model.family
        columns = -(-(length + width - 1) // CHUNK) * CHUNK
        tensors = rank_tensors(checkpoint, model, tensor.index, tensor.size)
        with matrices_in(_MINDSPORE[matrices]):
            network = family.network(config, NetworkPart(tensor=tensor))
        caches = [
            LayerCache.empty(layer, slots, network.kv_heads, columns, config.head_dim)
            for layer in range(config.num_layers)
        ]
        parameters = {parameter.name: parameter for parameter in network.get_parameters()}
        fill(parameters, tensors, checkpoint)
        del parameters
        to_columns(network)
        self._prefill = family.decoder(network, caches, every_slot=False)
        self._decode = family.decoder(network, caches, every_slot=True)
        self.slots, self.prompts, self.length, self.width = slots, prompts, length, width
        self._every_slot = _int32(range(slots))
        self._copy = CopySlot(caches, slots)
        self._compile()

    def _compile(self) -> None:
        """Compile both graphs, always in this order: the compile cache numbers them."""
        self.begin([0], [[0]])
        self.extend(np.zeros((self.slots, self.width), np.int32), np.zeros(self.slots, np.int32))

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
        last = np.resize(last, max(len(slots), FEWEST))
        starts = _int32([start] * len(slots))
        output: Tensor = self._prefill(_int32(ids), _int32(slots), starts, _int32(last))
        return np.asarray(output.asnumpy()).T

    def share(self, source: int, slots: Sequence[int]) -> None:
        """Put the sequence that was begun in slot `source` into other slots, too."""
        for slot in slots:
            self._copy(_int32([source]), _int32([slot]))

    def extend(self, tokens: NDArray[np.int32], lengths: NDArray[np.int32]) -> NDArray[np.float32]:
        """Append tokens to every slot; return logits [slots, width, vocabulary] of what follows each.

        A later call may append after fewer of them: what lies beyond a sequence's length is overwritten.

        Args:
            tokens: int32 [slots, width]; anything for an idle slot.
            lengths: int32 [slots], how many tokens each holds before; 0 for an idle slot.
        """
        output: Tensor = self._decode(_int32(tokens), self._every_slot, _int32(lengths), self._every_slot)
        return np.asarray(output.asnumpy()).T.reshape(*tokens.shape, -1)


def _int32(values: Sequence[int] | NDArray | range) -> Tensor:
    return Tensor(np.asarray(values, np.int32), mindspore.int32)
