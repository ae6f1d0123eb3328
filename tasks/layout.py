"""From a configuration's layout to the one that modelcore works with, checked against a model."""

from __future__ import annotations

from pathlib import Path

from modelcore.config.schema import Parallel
from modelcore.models.families import Family, load_model_config
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Partition

__all__ = ["check_layout", "layout_of", "partition_of"]


def layout_of(config: Parallel) -> Layout:
    """Return the layout that a configuration asks for."""
    return Layout(config.data_parallel, config.model_parallel, config.pipeline_stage)


def partition_of(family: Family, config: Parallel) -> Partition:
    """Return what each rank holds of a model.

    Raises:
        MindrailError: it cannot be divided so; the keys of the layout and of config.json are named.
    """
    return family.partition(layout_of(config), vocab_emb_dp=config.vocab_emb_dp, offsets=config.offset)


def check_layout(checkpoint: Path, config: Parallel) -> Partition:
    """Check that the model in a Hugging Face directory can be divided as `config` asks.

    Raises:
        MindrailError: it cannot; the key of the layout and that of config.json are named.
    """
    return partition_of(load_model_config(checkpoint), config)
