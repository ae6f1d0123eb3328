"""Turn instructions or texts into MindRecord rows with the model's own tokenizer."""

from __future__ import annotations

import shutil
from pathlib import Path

from modelcore.config.data import Preprocess
from modelcore.data.losses import check_truncated, loss_warning
from modelcore.data.mindrecord.output import report_path
from modelcore.data.page import write_page
from modelcore.data.preprocess import preprocess as write_rows
from modelcore.data.report import PreprocessReport
from modelcore.progress import Progress
from modelcore.store.store import Store
from tasks.inputs import check_file, tokenizer_digest
from tasks.log import warn
from tasks.step import Step
from tasks.step_task import Outcome, build_step, finished, step_task

__all__ = ["preprocess", "rows_file"]

_VERSION = 4
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
    source = check_file(config.input, key="preprocess.input")
    benchmarks = tuple(check_file(name, key="preprocess.benchmarks") for name in config.benchmarks)
    choices = config.model_dump(exclude={"input", "benchmarks", "max_truncated"})

    def build(directory: Path, progress: Progress) -> None:
        _empty(directory)
        rows = directory / _ROWS
        report = write_rows(
            source, rows, tokenizer_dir=checkpoint.path, benchmarks=benchmarks, progress=progress, **choices
        )
        write_page(rows, report)

    outcome = build_step(
        store,
        "preprocess",
        build,
        version=_VERSION,
        inputs={"data": store.digests.sha256(source), "tokenizer": tokenizer_digest(store, checkpoint)},
        parameters=choices | {"benchmarks": [store.digests.sha256(path) for path in benchmarks]},
        recorded={"input": config.input},
    )
    _check_losses(finished(outcome).path, config)
    return outcome


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
