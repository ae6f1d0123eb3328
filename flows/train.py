"""The stretch that every run which trains has in common: from a source to a trained checkpoint.

first programs (demo only) → download → convert → preprocess → shard → launch → merge → export; a model that
learns from nothing has random weights in the place of converted ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelcore.config.schema import Convert, Training
from modelcore.store.store import Store
from tasks.convert import convert, export
from tasks.download import download
from tasks.first_programs import first_programs
from tasks.initialize import initialize
from tasks.launch import launch
from tasks.layout import check_layout
from tasks.merge import merge
from tasks.preflight import preflight
from tasks.preprocess import preprocess
from tasks.progress import say
from tasks.shard import shard
from tasks.step import Outcome, Step, finished
from tasks.training_report import training_report

__all__ = ["Trained", "TrainedRun", "train", "training_run"]

Done = Callable[[Outcome], Step]


@dataclass(frozen=True)
class Trained:
    """The demo's source, if there is one, and the checkpoint before and after training."""

    made: Step | None
    start: Step
    merged: Step


@dataclass(frozen=True)
class TrainedRun:
    """What a run that only trains made: its steps in order, the model for both frameworks, the report."""

    name: str
    steps: tuple[Step, ...]
    seconds: float
    mindspore: Path
    hugging_face: Path
    report: Path


def train(store: Store, config: Training, done: Done, *, random_weights: bool = False) -> Trained:
    """Take a model from its source through training.

    Args:
        store: where artifacts lie.
        config: the run.
        done: takes note of each step.
        random_weights: start from random weights; only the source's config.json and tokenizer are fetched.
    """
    made = done(first_programs(store, config.first_programs)) if config.first_programs else None
    checkpoint = done(download(store, config.download, made, config.parallel, weights=not random_weights))
    for note in check_layout(checkpoint.path, config.parallel).notes:
        say(f"note: {note}")
    start = done(
        initialize(store, checkpoint, config.seed)
        if random_weights
        else convert(store, checkpoint, config.convert)
    )
    rows = done(preprocess(store, checkpoint, config.preprocess, made))
    shards = done(shard(store, start, config.parallel))
    retrying = launch.with_options(
        retries=config.launch.retries, retry_delay_seconds=config.launch.retry_delay
    )
    trained = done(retrying(store, shards, rows, config))
    merged = done(merge(store, trained))
    done(export(store, merged, Convert(format="safetensors")))
    return Trained(made, start, merged)


def training_run(config: Training, *, random_weights: bool = False) -> TrainedRun:
    """Do a run that only trains; as `train`."""
    started = time.monotonic()
    store = Store(Path(config.store))
    preflight(config)
    steps: list[Step] = []

    def done(outcome: Outcome) -> Step:
        steps.append(finished(outcome))
        return steps[-1]

    trained = train(store, config, done, random_weights=random_weights)
    exported = steps[-1]
    page = training_report(store, config, steps, time.monotonic() - started)
    seconds = time.monotonic() - started
    return TrainedRun(config.name, tuple(steps), seconds, trained.merged.path, exported.path, page)
