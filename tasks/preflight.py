"""What can be known before any work: whether inputs are there and the layout fits the model.

A model's sizes are in its config.json; a source on this machine has it already, and the demo's are in
the configuration. For a source elsewhere the same check follows the download, before anything else.
No Prefect here: the command line looks before it starts a server.
"""

from __future__ import annotations

from modelcore.config.schema import FIRST_PROGRAMS, Pipeline
from modelcore.models.families import Family
from modelcore.models.llama.config import LlamaConfig
from modelcore.models.llama.names import NAMES
from tasks.layout import check_layout, partition_of
from tasks.places import local_directory, local_file

__all__ = ["preflight"]


def preflight(config: Pipeline) -> None:
    """Check a run before its first step.

    Raises:
        MindrailError: an input is missing, or heads, layers or widths do not divide as the layout asks.
    """
    if FIRST_PROGRAMS not in config.preprocess.input:
        local_file(config.preprocess.input, key="preprocess.input")
    if FIRST_PROGRAMS in config.download.source:
        _check_small_llama(config)
        return
    directory = local_directory(config.download.source, key="download.source")
    if directory is not None:
        check_layout(directory, config.parallel)


def _check_small_llama(config: Pipeline) -> None:
    made = config.first_programs
    assert made is not None  # the schema saw to it
    sizes = LlamaConfig(vocab_size=made.vocab_size, norm_eps=1e-5, **made.model.model_dump())
    partition_of(Family("llama", sizes, NAMES), config.parallel)
