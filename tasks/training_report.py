"""A training on reports: its section of any page, and the report of a run that only trains."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

import yaml

from modelcore.cluster.records import in_words, read_attempts
from modelcore.config.runs import Training
from modelcore.data.losses import loss_warning
from modelcore.data.mindrecord.output import report_path
from modelcore.data.page import data_section
from modelcore.data.report import PreprocessReport
from modelcore.report.data_section import DataSection
from modelcore.report.run_page import StepRow
from modelcore.report.training_page import TrainingPage, render_training
from modelcore.report.training_section import TrainingSection, read_training
from modelcore.store.manifest import LOGS
from modelcore.store.store import Store
from modelcore.units import format_bytes, format_seconds
from modelcore.versions import code_version
from tasks.dashboard import (
    figures_as_markdown,
    headline_as_markdown,
    report_link,
    show_lineage,
    show_markdown,
    show_steps,
)
from tasks.preprocess import rows_file
from tasks.run_directory import write_run
from tasks.step import Step, TrainingSteps
from tasks.step_recorder import StepRecorder

__all__ = ["created", "data_of", "row_of", "training_of", "training_report", "warnings_of"]


def training_report(store: Store, config: Training, steps: TrainingSteps, recorder: StepRecorder) -> Path:
    """Write report.html and run.json of a run that only trains and return the page's path.

    Args:
        store: where the report goes.
        config: of the run.
        steps: the steps from the source to the trained checkpoint.
        recorder: every step of the run, and its time.
    """
    now = datetime.now(timezone.utc)
    training = training_of(config, steps.launch)
    page = TrainingPage(
        title=config.name,
        created=created(now, recorder.seconds),
        warnings=warnings_of(steps.preprocess),
        training=training,
        data=data_of(steps.preprocess),
        steps=[row_of(step, store) for step in recorder.steps],
        config=yaml.safe_dump(config.model_dump(), sort_keys=False, allow_unicode=True),
    )
    record = {
        "created": now.isoformat(),
        "seconds": recorder.seconds,
        "training": dict(training.headline),
        "steps": [asdict(step) for step in recorder.steps],
        "config": config.model_dump(),
    }
    path = write_run(store, config.name, now, render_training(page), record)
    show_steps(recorder.steps)
    show_lineage(store, recorder.steps)
    headline = ", ".join(f"{name} {value}" for name, value in training.headline)
    figures = figures_as_markdown(training.figures[:1])
    text = f"{headline_as_markdown(training.headline)}\n\n{report_link(path)}\n\n{figures}"
    show_markdown("training", text, f"{headline}: {config.name}")
    return path


def training_of(config: Training, launch: Step) -> TrainingSection:
    """Return what a page shows of the training in the artifact of `launch`."""
    attempts = [in_words(event) for event in read_attempts(launch.path / LOGS)]
    return read_training(launch.path, list(_settings(config)), attempts)


def _settings(config: Training) -> Iterator[tuple[str, str]]:
    parallel, train = config.parallel, config.train
    repeated = "micro_batch_num" if parallel.pipeline_stage > 1 else "accumulate"
    yield "precision", f"{train.precision} (matrix products; weights, states and sums are fp32)"
    yield (
        "layout",
        f"{parallel.world_size} ranks: data_parallel {parallel.data_parallel}, "
        f"model_parallel {parallel.model_parallel}, pipeline_stage {parallel.pipeline_stage}"
        f"{', optimizer states sharded' if parallel.shard_optimizer else ''}",
    )
    yield (
        "rows per step",
        f"{config.global_batch} of {config.preprocess.seq_length} tokens: batch_size {train.batch_size} × "
        f"data_parallel {parallel.data_parallel} × {repeated} {config.micro_batches}",
    )
    if (every := config.validate_every) is not None:
        share = config.preprocess.validation
        yield "validation", f"on {share:.3g} of the samples, every {every} steps and at the end"


def data_of(preprocess: Step) -> DataSection:
    """Return what a page shows of the rows that were trained on."""
    return data_section(_report_of(preprocess))


def warnings_of(preprocess: Step) -> list[str]:
    """Return what a page says first about the rows: the data that was lost."""
    warning = loss_warning(_report_of(preprocess))
    return [] if warning is None else [warning]


def _report_of(preprocess: Step) -> PreprocessReport:
    return PreprocessReport.read(report_path(rows_file(preprocess.path)))


def row_of(step: Step, store: Store) -> StepRow:
    """Return a step's line on a page in the directory of a run of `store`."""
    size, path = format_bytes(step.size), step.path
    link = f"../../{path.relative_to(store.root).as_posix()}/" if path.is_relative_to(store.root) else ""
    return StepRow(step.name, step.built_in, step.cached, size, step.inputs, step.digest, str(path), link)


def created(now: datetime, seconds: float) -> str:
    """Return in words when, where and by which code a page was written, and how long the run took."""
    host = socket.gethostname()
    return f"{now:%Y-%m-%d %H:%M} UTC on {host}, {format_seconds(seconds)} in all, mindrail {code_version()}"
