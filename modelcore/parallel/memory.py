"""How much memory each rank will need, from sizes alone: before a cluster is reserved, without a device.

Weights, gradients and optimizer states are exact: they follow from the partition. Activations are an
estimate: what the backward pass keeps of every layer, as in Korthikanti et al. 2022 ("Reducing
Activation Recomputation in Large Transformer Models", section 4), with attention probabilities and the
causal mask unless attention is fused. The framework's own buffers and fragmentation are not in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from modelcore.errors import MindrailError
from modelcore.parallel.mesh import Layout, Mesh
from modelcore.parallel.partition import Partition

__all__ = [
    "Fit",
    "Inference",
    "LayerWidths",
    "RankMemory",
    "Training",
    "inference_memory",
    "training_memory",
    "what_fits",
]

_FP32 = 4


@dataclass(frozen=True)
class LayerWidths:
    """The widths of one layer per token, in elements.

    Attributes:
        hidden: width of the residual stream.
        heads: attention heads.
        key_value: width of all keys of a token (heads x head size); the values' is the same.
        key_value_cut: whether model_parallel divides keys and values (not if all heads share one).
        inner: width of the feed-forward layer.
        inner_kept: tensors of that width that the backward pass needs (gate, its sigmoid, up, product: 4).
        vocabulary: entries of the vocabulary.
        rotation: elements of the constant that rotates queries and keys at one position (head size squared
            with rotary positions, otherwise 0).
    """

    hidden: int
    heads: int
    key_value: int
    key_value_cut: bool
    inner: int
    inner_kept: int
    vocabulary: int
    rotation: int = 0


@dataclass(frozen=True)
class Training:
    """The settings of a training job that decide its memory.

    Attributes:
        batch_size: rows of a micro-batch on one data-parallel replica.
        seq_length: tokens of a row.
        micro_batches: micro-batches of a step; with pipeline stages several are in flight at once.
        recompute: keep only each layer's input and run the layer again in the backward pass.
        shard_optimizer: divide the optimizer's states among the data-parallel replicas (ZeRO-1).
        compute_bytes: bytes of an activation: 2 for fp16 and bf16, 4 for fp32.
        flash_attention: one fused kernel; neither probabilities nor a mask are kept.
    """

    batch_size: int
    seq_length: int
    micro_batches: int = 1
    recompute: bool = False
    shard_optimizer: bool = False
    compute_bytes: int = 2
    flash_attention: bool = True


@dataclass(frozen=True)
class Inference:
    """The settings of generation that decide its memory: rows at once, tokens per row, bytes per element."""

    batch_size: int
    seq_length: int
    element_bytes: int = 2


@dataclass(frozen=True)
class RankMemory:
    """Bytes that one rank needs, by their use."""

    weights: int
    gradients: int = 0
    optimizer: int = 0
    activations: int = 0
    cache: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.cache


@dataclass(frozen=True)
class Fit:
    """One layout of `what_fits`: the fullest rank's memory, or why the model cannot be divided that way."""

    layout: Layout
    memory: RankMemory | None
    fits: bool
    reason: str = ""


def training_memory(partition: Partition, rank: int, widths: LayerWidths, job: Training) -> RankMemory:
    """Return what `rank` needs to train: fp32 master weights, gradients and two Adam states.

    With 16-bit arithmetic a 16-bit copy of the weights is counted too.
    """
    shapes = partition.shapes(rank).values()
    elements = sum(math.prod(shape) for shape in shapes)
    replicas = partition.layout.data_parallel if job.shard_optimizer else 1
    copy = job.compute_bytes if job.compute_bytes < _FP32 else 0
    return RankMemory(
        weights=elements * (_FP32 + copy),
        gradients=elements * _FP32,
        optimizer=2 * _FP32 * sum(_state_elements(shape, replicas) for shape in shapes),
        activations=_activations(partition, rank, widths, job),
    )


def _state_elements(shape: tuple[int, ...], replicas: int) -> int:
    """Return the elements of one replica's part of a state; all of them if the rows do not divide."""
    divides = bool(shape) and shape[0] % replicas == 0
    return math.prod(shape) // (replicas if divides else 1)


def inference_memory(partition: Partition, rank: int, widths: LayerWidths, job: Inference) -> RankMemory:
    """Return what `rank` needs to generate: weights, and keys and values of every token of every row."""
    elements = sum(math.prod(shape) for shape in partition.shapes(rank).values())
    layers = len(partition.layers[Mesh(partition.layout).coordinates(rank).stage])
    tokens = job.batch_size * job.seq_length
    cache = 2 * layers * tokens * _key_value(widths, partition.layout.model_parallel)
    return RankMemory(weights=elements * job.element_bytes, cache=cache * job.element_bytes)


def what_fits(
    world_size: int,
    capacity: int,
    partition: Callable[[Layout], Partition],
    memory: Callable[[Partition, int], RankMemory],
) -> list[Fit]:
    """Try every layout of `world_size` ranks.

    Args:
        world_size: number of ranks.
        capacity: bytes of one device.
        partition: divides the model; raises MindrailError if it cannot be divided.
        memory: of a rank, e.g. `training_memory` with its last two arguments bound.

    Returns:
        The layouts by the fullest rank's memory; those that cannot be divided last, with the reason.
    """
    found = []
    for layout in _layouts(world_size):
        try:
            cut = partition(layout)
        except MindrailError as error:
            found.append(Fit(layout, None, False, str(error)))
            continue
        # Replicas and slices of a stage need the same: one rank of each stage is enough.
        ranks = range(0, world_size, layout.data_parallel * layout.model_parallel)
        fullest = max((memory(cut, rank) for rank in ranks), key=lambda need: need.total)
        found.append(Fit(layout, fullest, fullest.total <= capacity))
    return sorted(found, key=lambda fit: (fit.memory is None, fit.memory.total if fit.memory else 0))


def _layouts(world_size: int) -> Iterator[Layout]:
    for model in range(1, world_size + 1):
        for stages in range(1, world_size // model + 1):
            if world_size % (model * stages) == 0:
                yield Layout(world_size // (model * stages), model, stages)


def _activations(partition: Partition, rank: int, widths: LayerWidths, job: Training) -> int:
    """Return the bytes kept between forward and backward when most micro-batches are in flight (1F1B).

    Of a micro-batch in flight a stage keeps what came in, and computes its layers again when the gradient
    of what went out comes back: the layers' own activations are those of one micro-batch.
    """
    layout, stage = partition.layout, Mesh(partition.layout).coordinates(rank).stage
    layers = len(partition.layers[stage])
    tokens = job.batch_size * job.seq_length
    hidden = tokens * widths.hidden * job.compute_bytes
    layer = tokens * _kept_by_layer(widths, layout.model_parallel, job)
    kept = layers * (hidden if job.recompute else layer)
    in_flight = min(job.micro_batches, layout.pipeline_stage - stage) if stage else 0
    total = kept + in_flight * hidden + (layer if job.recompute else 0)
    total += job.seq_length * widths.rotation * _FP32
    if not job.flash_attention:
        total += tokens * _scores(widths, layout.model_parallel, job) * _FP32
    if stage == layout.pipeline_stage - 1:
        # Logits and their gradient, in fp32.
        columns = widths.vocabulary
        total += 2 * tokens * columns // _divisor(columns, layout.model_parallel) * _FP32
    return total


def _kept_by_layer(widths: LayerWidths, model_parallel: int, job: Training) -> int:
    """Return the bytes that the backward pass keeps per token in one layer of one rank.

    Whole on every rank: the inputs and outputs of the two norms. Cut: queries, keys, values, the attention's
    result and the feed-forward's inner tensors. Without flash attention the probabilities too, in fp32 as
    the softmax returns them and, with 16-bit arithmetic, as the product reads them.
    """
    whole = 4 * widths.hidden
    cut = 2 * widths.hidden + widths.inner_kept * widths.inner
    elements = whole + cut // model_parallel + 2 * _key_value(widths, model_parallel)
    if job.flash_attention:
        return elements * job.compute_bytes
    taken = job.compute_bytes if job.compute_bytes < _FP32 else 0
    return elements * job.compute_bytes + _scores(widths, model_parallel, job) * (_FP32 + taken)


def _scores(widths: LayerWidths, model_parallel: int, job: Training) -> int:
    """Return the attention scores of one token in one layer of one rank; the mask is as large."""
    return widths.heads * job.seq_length // model_parallel


def _key_value(widths: LayerWidths, model_parallel: int) -> int:
    return widths.key_value // (model_parallel if widths.key_value_cut else 1)


def _divisor(rows: int, model_parallel: int) -> int:
    return model_parallel if rows % model_parallel == 0 else 1
