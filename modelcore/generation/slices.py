"""The weights that one of several ranks generates with, from a whole or a sharded checkpoint of any layout.

Nothing is read here, and no file is written: each slice is read from the files that hold it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from modelcore.checkpoints.assemble import assemble
from modelcore.checkpoints.holdings import Holdings, holdings_of_shards, holdings_of_whole
from modelcore.checkpoints.shards import find_shards
from modelcore.models.model import Model
from modelcore.parallel.mesh import Layout
from modelcore.weights.tensors import LazyTensor

__all__ = ["rank_tensors"]


def rank_tensors(checkpoint: Path, model: Model, rank: int, ranks: int) -> Mapping[str, LazyTensor]:
    """Return the tensors that one of `ranks` tensor-parallel ranks holds.

    Args:
        checkpoint: directory of a whole MindSpore checkpoint, or of one with `rank_<r>/` and `strategy/`.
        model: of its config.json.
        rank: which.
        ranks: how many share each layer.

    Raises:
        MindrailError: heads or widths do not divide, or the checkpoint is damaged or incomplete.
    """
    boxes = model.partition(Layout(model_parallel=ranks)).boxes(rank)
    held = _held(checkpoint)
    return {
        name: assemble(name, boxes[name], pieces) if name in boxes else pieces[0].tensor
        for name, pieces in held.pieces.items()
    }


def _held(checkpoint: Path) -> Holdings:
    if any((directory / "rank_0").is_dir() for directory in (checkpoint, checkpoint / "checkpoint")):
        return holdings_of_shards(find_shards(checkpoint, newest=True), weights_only=True)
    return holdings_of_whole(checkpoint)
