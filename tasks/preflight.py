"""What can be known before any work: whether inputs are there and the layout fits the model.

A model's sizes are in its config.json; a source on this machine has it already, and the demo's are in
the configuration. For a source elsewhere the same check follows the download, before anything else.
No Prefect here: the command line looks before it starts a server.
"""

from __future__ import annotations

from pathlib import Path

from modelcore.config.schema import FIRST_PROGRAMS, Generate, Training
from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.evaluation.templates import template
from tasks.inputs import local_directory, local_file
from tasks.layout import check_layout, cut_of, small_llama

__all__ = ["check_questions", "preflight"]


def preflight(config: Training) -> tuple[str, ...]:
    """Check a run before its first step.

    Returns:
        What a user should know about the layout, one line each (a vocabulary that is kept whole).

    Raises:
        MindrailError: an input is missing, or heads, layers or widths do not divide as the layout asks.
    """
    if FIRST_PROGRAMS not in config.preprocess.input:
        local_file(config.preprocess.input, key="preprocess.input")
    if config.train.resume_from is not None and not Path(config.train.resume_from).is_dir():
        raise MindrailError(
            "there is no such directory", where=f"train.resume_from: {config.train.resume_from}"
        )
    if FIRST_PROGRAMS in config.download.source:
        assert config.first_programs is not None  # the schema saw to it
        return small_llama(config.first_programs).divide(cut_of(config.parallel)).notes
    directory = local_directory(config.download.source, key="download.source")
    return () if directory is None else check_layout(directory, config.parallel).notes


def check_questions(config: Generate) -> None:
    """Check that benchmark and template are there, before a checkpoint is downloaded or converted.

    Raises:
        MindrailError: one of them is not.
    """
    load_benchmark(config.benchmark)
    template(config.template)
