"""The part that every run which trains has in common: from a source to a trained checkpoint.

download → convert → preprocess → shard → launch → merge → export; a model that is trained from scratch has
random weights in the place of converted ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelcore.config.checkpoint import Convert
from modelcore.config.runs import Predict, Training
from modelcore.data.mindrecord.file import MindRecordReader
from modelcore.store.location import store_directory
from modelcore.store.store import Store
from tasks.convert import convert
from tasks.download import download
from tasks.download_source import download_source
from tasks.export import export
from tasks.initialize import initialize
from tasks.join import join
from tasks.launch import launch
from tasks.log import log
from tasks.merge import merge
from tasks.planned_steps import step_names
from tasks.precision import log_precision, with_precision
from tasks.preflight import preflight
from tasks.preprocess import preprocess, rows_file
from tasks.shard import shard
from tasks.step import Step, TrainingSteps
from tasks.step_recorder import StepRecorder
from tasks.step_task import Outcome
from tasks.trained_types import trained_types
from tasks.training_report import training_report

__all__ = ["TrainedRun", "launch_with_retries", "run_training", "train", "whole_checkpoint", "with_rows"]


@dataclass(frozen=True)
class TrainedRun:
    """The result of a run that only trains: its steps in order, the model for both frameworks, the report."""

    name: str
    steps: tuple[Step, ...]
    seconds: float
    mindspore: Path
    hugging_face: Path
    report: Path


def train(
    store: Store, config: Training, recorder: StepRecorder, *, random_weights: bool = False
) -> TrainingSteps:
    """Take a model from its source through training.

    Args:
        store: holds the artifacts.
        config: the run.
        recorder: gets every step.
        random_weights: start from random weights; only the source's config.json and tokenizer are fetched.
    """
    source = recorder.record(download(store, config.download, config, weights=not random_weights))
    for note in preflight(config, model=source.path):
        log(f"note: {note}")
    start = recorder.record(
        initialize(store, source, config.seed) if random_weights else whole_checkpoint(store, source, config)
    )
    rows = recorder.record(preprocess(store, source, config.preprocess))
    config = with_rows(config, rows)  # too few rows are refused before anything is sharded
    shards = recorder.record(shard(store, start, config.parallel))
    trained = recorder.record(launch_with_retries(store, shards, rows, config))
    types = trained_types(config, source.path if random_weights else start.path)
    merged = recorder.record(merge(store, trained, dtype=types.merge))
    exported = recorder.record(export(store, merged, Convert(format="safetensors", dtype=types.export)))
    return TrainingSteps(source, start, rows, shards, trained, merged, exported)


def run_training(config: Training, *, random_weights: bool = False) -> TrainedRun:
    """Do a run that only trains; as `train`."""
    recorder, store = StepRecorder(step_names(config)), Store(store_directory(config.store))
    preflight(config)
    log_precision(config)
    config = with_precision(config)
    steps = train(store, config, recorder, random_weights=random_weights)
    page = training_report(store, config, steps, recorder)
    return TrainedRun(
        name=config.name,
        steps=recorder.steps,
        seconds=recorder.seconds,
        mindspore=steps.merge.path,
        hugging_face=steps.export.path,
        report=page,
    )


def whole_checkpoint(store: Store, source: Step, config: Training | Predict) -> Outcome:
    """Make a whole MindSpore checkpoint of a run's source: join its shards, or convert it."""
    shards = download_source(config.download).shards
    if shards is None:
        return convert(store, source, config.convert)
    return join(store, shards, source, config.convert, newest=config.download.newest)


def launch_with_retries(store: Store, shards: Step, rows: Step, config: Training) -> Outcome:
    """Train the shards on the rows, again from the last checkpoint if a rank is lost."""
    task = launch.with_options(
        retries=config.launch.step_retries, retry_delay_seconds=config.launch.retry_delay
    )
    return task(store, shards, rows, with_rows(config, rows))


def with_rows(config: Training, rows: Step) -> Training:
    """Return a run with the number of steps that its epochs are, which is logged, if it has epochs.

    Args:
        config: the run.
        rows: the artifact of `preprocess`.

    Raises:
        MindrailError: as `Training.with_rows`.
    """
    if config.train.epochs is None:
        return config
    count = len(MindRecordReader(rows_file(rows.path)))
    counted = config.with_rows(count)
    log(
        f"launch: {config.train.epochs} epochs of {count} rows, {config.global_batch} rows per step: "
        f"{counted.train.steps} steps, {counted.train.warmup_steps} of them warm-up"
    )
    return counted
