"""Checks that a generating model fits into memory before any of it is taken. No MindSpore here.

Counted are the weights, the KV cache, and what a step computes; the compiler's needs are in the share that is
left free.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import psutil

from modelcore.errors import MindrailError
from modelcore.models.model import Model
from modelcore.units import format_bytes
from modelcore.weights.dtypes import FP32, DType

__all__ = ["GenerationMemory", "check_memory", "generation_memory"]

_USABLE = 0.9  # of the free memory
_ACTIVATION = FP32.size


@dataclass(frozen=True)
class GenerationMemory:
    """Bytes that generation takes: the weights once, `slot` for each sequence."""

    weights: int
    slot: int

    def total(self, slots: int) -> int:
        """Return the bytes with `slots` sequences side by side."""
        return self.weights + slots * self.slot


def generation_memory(model: Model, matrices: DType, *, length: int, width: int = 1) -> GenerationMemory:
    """Return what a model takes.

    Args:
        model: its sizes.
        matrices: the type they are kept in; embeddings, norms and biases are float32.
        length: tokens of a sequence.
        width: tokens that a step appends to each.
    """
    config = model.config
    weights = 0
    for shape in config.parameter_shapes().values():
        lookup = shape[:1] == (config.vocab_size,) or len(shape) == 1
        weights += math.prod(shape) * (FP32 if lookup else matrices).size
    keys = config.num_layers * config.num_kv_heads * length * config.head_dim
    scores = config.num_heads * width * length
    logits = 2 * width * config.vocab_size  # on the device, and for the sampler
    return GenerationMemory(weights, (2 * keys + 3 * scores + logits) * _ACTIVATION)


def check_memory(
    model: Model,
    matrices: DType,
    *,
    slots: int,
    length: int,
    width: int = 1,
    free: int | None = None,
) -> None:
    """Check that a model with its cache fits.

    Args:
        model: its sizes.
        matrices: as of `generation_memory`, and so `length` and `width`.
        slots: sequences side by side.
        length: tokens of a sequence.
        width: tokens that a step appends to each.
        free: bytes; this machine's by default.

    Raises:
        MindrailError: it does not; the largest batch that does is named.
    """
    available = int((psutil.virtual_memory().available if free is None else free) * _USABLE)
    need = generation_memory(model, matrices, length=length, width=width)
    if need.total(slots) <= available:
        return
    most = (available - need.weights) // need.slot
    message = (
        f"{slots} sequences of {length} tokens need {format_bytes(need.total(slots))}, "
        f"{format_bytes(available)} are free"
    )
    if most < 1:
        raise MindrailError(message, where="batch_size", fix="use a machine with more memory")
    raise MindrailError(message, where="batch_size", fix=f"set batch_size to {most} or less")
