"""Turn instruction data into MindRecord rows with the model's own tokenizer."""

from __future__ import annotations

import shutil
from pathlib import Path

from modelcore.config.data import Preprocess
from modelcore.data.page import write_page
from modelcore.data.preprocess import preprocess as write_rows
from modelcore.store.store import Store
from tasks.inputs import local_file, tokenizer_digest
from tasks.step import Outcome, Step, build_step, step_task

__all__ = ["ROWS", "TRAIN", "preprocess"]

_VERSION = 2
ROWS = "rows"
"""The directory of an artifact that holds train.mindrecord, its index and its report."""
TRAIN = "train.mindrecord"


@step_task("preprocess")
def preprocess(store: Store, checkpoint: Step, config: Preprocess) -> Outcome:
    """Write rows and a report of what was truncated, masked or left out.

    Args:
        store: where artifacts lie.
        checkpoint: the directory with the tokenizer.
        config: input, row format and length.
    """
    source, digest = local_file(config.input, key="preprocess.input")
    benchmarks = [local_file(place, key="preprocess.benchmarks") for place in config.benchmarks]
    choices = config.model_dump(exclude={"input", "benchmarks"})
    return build_step(
        store,
        "preprocess",
        lambda directory, progress: write_page(
            _emptied(directory) / ROWS / TRAIN,
            write_rows(
                source,
                directory / ROWS / TRAIN,
                tokenizer_dir=checkpoint.path,
                benchmarks=tuple(path for path, _ in benchmarks),
                progress=progress,
                **choices,
            ),
        ),
        version=_VERSION,
        inputs={"data": digest, "tokenizer": tokenizer_digest(checkpoint)},
        parameters=choices | {"benchmarks": [found for _, found in benchmarks]},
    )


def _emptied(directory: Path) -> Path:
    """Remove what an attempt that died left behind: rows are made whole or not at all."""
    for path in directory.iterdir():
        shutil.rmtree(path)
    return directory
