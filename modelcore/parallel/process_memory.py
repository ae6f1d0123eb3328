"""How much memory the process of a rank will hold at most where it computes on a CPU.

There it is more than what a device needs: MindSpore keeps weights and optimizer states twice, in the memory
of the host and in that of the "device", and the kernels of the CPU leave more temporaries between forward and
backward than the backward pass needs. The factors were fitted to peaks of the three families with MindSpore
2.10; tests/modelcore/parallel/test_process_memory.py lists them, and measures again in `make test-long`.
Nothing here says anything of an accelerator.
"""

from __future__ import annotations

from dataclasses import replace

from modelcore.parallel.memory import LayerWidths, Training, training_memory
from modelcore.parallel.mesh import Mesh
from modelcore.parallel.partition import Partition

__all__ = ["process_memory"]

_INTERPRETER = 497 << 20
"""Python, MindSpore and what it keeps of its own, before there is a model."""

_GRAPH_OF_LAYER = 14 << 20
"""The compiled graphs of one layer, forward, backward and update."""

_TEMPORARIES = 1.7
"""What the kernels leave of a layer, in units of what its backward pass needs."""


_SUMMED = 4
"""Hidden states that the sums over the slices of a layer take and give, forward and backward."""


def process_memory(partition: Partition, rank: int, widths: LayerWidths, job: Training) -> int:
    """Return the most bytes that the process of `rank` will hold while it trains on a CPU.

    Args:
        partition: what every rank holds.
        rank: the rank.
        widths: of the model's layers.
        job: the training. On a CPU all is computed in fp32, and recomputing saves nothing.
    """
    layout = partition.layout
    stage = Mesh(layout).coordinates(rank).stage
    layers = len(partition.layers[stage])
    plain = replace(job, compute_bytes=4, recompute=False, flash_attention=False)
    need = training_memory(partition, rank, widths, plain)
    of_layers = need.activations
    if stage == layout.pipeline_stage - 1:
        of_layers -= _logits(partition, widths, job)
    if layout.model_parallel > 1:
        of_layers += layers * _SUMMED * job.batch_size * job.seq_length * widths.hidden * 4
    activations = of_layers * (layers + 0.5) / layers * _TEMPORARIES
    gradients = 1 + (layout.data_parallel > 1) + 3 * (job.micro_batches > 1)
    twice = 2 * (need.weights + need.optimizer)
    if job.shard_optimizer and layout.data_parallel > 1:
        twice += 2 * need.weights  # the rows that this replica updated, and those that it gathers
    return round(_INTERPRETER + layers * _GRAPH_OF_LAYER + twice + gradients * need.gradients + activations)


def _logits(partition: Partition, widths: LayerWidths, job: Training) -> int:
    """Return the bytes of logits and their gradient in `training_memory`: gone before the layers'."""
    columns, parts = widths.vocabulary, partition.layout.model_parallel
    return 2 * job.batch_size * job.seq_length * (columns // (parts if columns % parts == 0 else 1)) * 4
