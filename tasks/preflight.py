"""What can be known before any work: whether inputs are there and the layout fits the model.

A model's sizes are in its config.json; a source on this machine has it already. For a source elsewhere the
same check follows the download, before anything else. No Prefect here: the command line checks before it
starts a server.
"""

from __future__ import annotations

from pathlib import Path

from modelcore.config.evaluation import Generate
from modelcore.config.runs import Training
from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.evaluation.templates import template
from tasks.inputs import local_directory, local_file
from tasks.layout import check_layout

__all__ = ["check_questions", "check_resume_from", "preflight"]


def preflight(config: Training) -> tuple[str, ...]:
    """Check a run before its first step.

    Returns:
        What a user should know about the layout, one line each (a vocabulary that is kept whole).

    Raises:
        MindrailError: an input is missing, or heads, layers or widths do not divide as the layout asks.
    """
    local_file(config.preprocess.input, key="preprocess.input")
    check_resume_from(config)
    directory = local_directory(config.download.source, key="download.source")
    return () if directory is None else check_layout(directory, config.parallel).notes


def check_resume_from(config: Training) -> None:
    """Check that the directory to resume from is there.

    Raises:
        MindrailError: it is not.
    """
    source = config.train.resume_from
    if source is not None and not Path(source).is_dir():
        raise MindrailError("there is no such directory", where=f"train.resume_from: {source}")


def check_questions(config: Generate) -> None:
    """Check that benchmark and template are there, before a checkpoint is downloaded or converted.

    Raises:
        MindrailError: one of them is not.
    """
    load_benchmark(config.benchmark)
    template(config.template)
