"""From a configuration's layout to the one that modelcore works with, checked against a model."""

from __future__ import annotations

from pathlib import Path

from modelcore.config.schema import Parallel
from modelcore.models.families import load_model_config
from modelcore.parallel.mesh import Layout

__all__ = ["check_layout", "layout_of"]


def layout_of(config: Parallel) -> Layout:
    """Return the layout that a configuration asks for."""
    return Layout(config.data_parallel, config.model_parallel, config.pipeline_stage)


def check_layout(checkpoint: Path, config: Parallel) -> None:
    """Check that the model in a Hugging Face directory can be divided as `config` asks.

    Raises:
        MindrailError: it cannot; the key of the layout and that of config.json are named.
    """
    load_model_config(checkpoint).partition(layout_of(config))
