"""Turn instructions or texts into MindRecord rows with the model's own tokenizer."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelcore.cluster.spread_job import PreprocessJob, run_spread
from modelcore.config.data import Preprocess
from modelcore.config.training import Cluster
from modelcore.data.given_rows import given_files, take_rows
from modelcore.data.losses import check_truncated, loss_warning
from modelcore.data.mindrecord.output import report_path
from modelcore.data.page import write_page
from modelcore.data.preprocess import preprocess as write_rows
from modelcore.data.report import PreprocessReport
from modelcore.data.sources.files import named_files
from modelcore.data.tokenizers import load_tokenizer
from modelcore.progress import Progress
from modelcore.store.manifest import LOGS
from modelcore.store.store import Store
from tasks.inputs import check_file, joint_digest, tokenizer_digest
from tasks.log import warn
from tasks.preflight.data import given_options, vocabulary_of
from tasks.preflight.errors import key_named
from tasks.step import Step
from tasks.step_task import Outcome, build_step, finished, step_task

__all__ = ["preprocess", "rows_file"]

_VERSION = 4
_GIVEN_VERSION = 1
_ROWS = Path("rows") / "train.mindrecord"


def rows_file(rows: Path) -> Path:
    """Return the MindRecord file of an artifact of this step; a file is returned as it is.

    Its index, its report and the rows held back for validation are beside it.
    """
    return rows / _ROWS if rows.is_dir() else rows


@step_task("preprocess")
def preprocess(store: Store, checkpoint: Step, config: Preprocess) -> Outcome:
    """Write rows and a report of what was truncated, masked or left out.

    Args:
        store: where artifacts lie.
        checkpoint: the directory with the tokenizer.
        config: input, row format and length.
    """
    if config.rows:
        return _take(store, checkpoint, config)
    with key_named("preprocess.input"):
        sources = named_files(config.input)
    benchmarks = tuple(check_file(name, key="preprocess.benchmarks") for name in config.benchmarks)
    choices = config.model_dump(exclude={"input", "rows", "benchmarks", "max_truncated", "cluster"})

    def build(directory: Path, progress: Progress) -> None:
        _empty(directory)
        rows = directory / _ROWS
        if config.cluster is None:
            report = write_rows(
                sources,
                rows,
                tokenizer_dir=checkpoint.path,
                benchmarks=benchmarks,
                progress=progress,
                **choices,
            )
        else:
            report = _spread(config.cluster, sources, rows, checkpoint, benchmarks, choices, progress)
        write_page(rows, report)

    outcome = build_step(
        store,
        "preprocess",
        build,
        version=_VERSION,
        inputs={"data": _digest(store, sources), "tokenizer": tokenizer_digest(store, checkpoint)},
        parameters=choices | {"benchmarks": [store.digests.sha256(path) for path in benchmarks]},
        recorded={"input": ", ".join(config.input)},
    )
    _check_losses(finished(outcome).path, config)
    return outcome


def _spread(
    cluster: Cluster,
    sources: Sequence[Path],
    rows: Path,
    checkpoint: Step,
    benchmarks: Sequence[Path],
    choices: Mapping[str, Any],
    progress: Progress,
) -> PreprocessReport:
    """Write rows with the hosts of a cluster: the same as here."""
    job = PreprocessJob(
        sources=[str(path) for path in sources],
        destination=str(rows),
        tokenizer=str(checkpoint.path),
        choices={**choices, "benchmarks": [str(path) for path in benchmarks]},
        cluster=cluster,
    )
    rows.parent.mkdir(parents=True)
    run_spread("preprocess", job, rows.parent.parent / LOGS, progress)
    return PreprocessReport.read(report_path(rows))


def _take(store: Store, checkpoint: Step, config: Preprocess) -> Outcome:
    """Take rows that exist already, after looking at each of them."""
    with key_named("preprocess.rows"):
        files = given_files(config.rows)
    options = given_options(config)

    def build(directory: Path, progress: Progress) -> None:
        _empty(directory)
        rows = directory / _ROWS
        report = take_rows(
            files,
            rows,
            options=options,
            tokenizer=load_tokenizer(checkpoint.path),
            vocab_size=vocabulary_of(checkpoint.path),
            progress=progress,
        )
        write_page(rows, report)

    return build_step(
        store,
        "preprocess",
        build,
        version=_GIVEN_VERSION,
        inputs={"rows": _digest(store, files), "tokenizer": tokenizer_digest(store, checkpoint)},
        parameters=options.model_dump(include={"format", "seq_length", "pad_id", "validation"}),
        recorded={"input": ", ".join(config.rows)},
    )


def _digest(store: Store, files: Sequence[Path]) -> str:
    return joint_digest([store.digests.sha256(path) for path in files])


def _check_losses(rows: Path, config: Preprocess) -> None:
    """Warn of lost data, also when the rows are cached; the rows stay in the store if it is too much."""
    report = PreprocessReport.read(report_path(rows_file(rows)))
    if (warning := loss_warning(report)) is not None:
        warn(warning)
    check_truncated(report, config.max_truncated, where="preprocess.max_truncated")


def _empty(directory: Path) -> None:
    """Remove what an attempt that died left behind: rows are written whole or not at all."""
    for path in directory.iterdir():
        shutil.rmtree(path)
