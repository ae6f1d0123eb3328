"""From a configuration's layout to the one that modelcore works with, checked against a model.

No Prefect here: the command line checks before it starts a server.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from modelcore.checkpoints.layout import DryRun, Job, dry_run, ways_to_fit
from modelcore.config.runs import Predict, Training
from modelcore.config.training import Sharding
from modelcore.errors import MindrailError, StepFailed
from modelcore.models.families import read_model
from modelcore.models.model import Model
from modelcore.models.shipped import published_config, shipped_name
from modelcore.parallel.memory import Inference
from modelcore.parallel.memory import Training as TrainingJob
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut
from modelcore.parallel.process_memory import process_memory
from modelcore.store.download import download_config
from tasks.download_source import download_source
from tasks.precision import with_precision

__all__ = [
    "changes_that_fit",
    "cut_of",
    "described_source",
    "dry_run_of",
    "layout_of",
    "model_of_run",
    "process_need",
    "training_job",
]

_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}


def layout_of(config: Sharding) -> Layout:
    """Return the layout of a configuration."""
    return Layout(config.data_parallel, config.model_parallel, config.pipeline_stage)


def cut_of(config: Sharding) -> Cut:
    """Return everything in a configuration that decides which tensor is where."""
    return Cut(layout_of(config), config.vocab_emb_dp, tuple(config.offset), config.shard_optimizer)


def _job_of(config: Training | Predict) -> Job:
    """Return what decides the memory of a run's ranks."""
    if isinstance(config, Predict):
        return Inference(config.batch_size, config.seq_length)
    return training_job(config)


def training_job(config: Training) -> TrainingJob:
    """Return what decides the memory of ranks that train; attention here is not one fused kernel."""
    precision = with_precision(config).train.precision
    return TrainingJob(
        batch_size=config.train.batch_size,
        seq_length=config.preprocess.seq_length,
        micro_batches=config.micro_batches,
        recompute=config.parallel.recompute,
        shard_optimizer=config.parallel.shard_optimizer,
        compute_bytes=_BYTES[precision],
        flash_attention=False,
    )


def model_of_run(config: Training | Predict, directory: Path | None = None) -> Model:
    """Return the model of a run.

    Args:
        config: the run's; its config.json is that of its source where `directory` is not given: as shipped
            for a model of `mindrail models`, fetched for any other.
        directory: directory of a config.json.

    Raises:
        MindrailError: config.json is unavailable, or its family is unknown.
    """
    if directory is not None:
        return read_model(directory)
    with described_source(config) as described:
        return read_model(described)


def dry_run_of(config: Training | Predict, model: Model) -> DryRun:
    """Return what every rank of a run will hold and need; raise MindrailError if it cannot be divided."""
    return dry_run(model, cut_of(config.parallel), _job_of(config))


def process_need(config: Training, model: Model, rank: int) -> int:
    """Return the most bytes that the process of a rank will hold where it trains on a CPU."""
    partition = model.divide(cut_of(config.parallel))
    return process_memory(partition, rank, model.layer_widths(), training_job(config))


def changes_that_fit(config: Training | Predict, model: Model, capacity: int) -> list[str]:
    """Return changes of a run's keys after which every rank fits a device of `capacity` bytes."""
    return ways_to_fit(model, cut_of(config.parallel), _job_of(config), capacity)


@contextmanager
def described_source(config: Training | Predict) -> Iterator[Path]:
    """Yield a directory with the config.json of a run's source, and perhaps nothing else.

    Raises:
        MindrailError: it is neither on this machine nor shipped, and cannot be fetched.
    """
    name = shipped_name(config.download.model or config.download.source)
    if name is None:
        with _fetched(config) as fetched:
            yield fetched
        return
    with TemporaryDirectory() as directory:
        shutil.copyfile(published_config(name), Path(directory) / "config.json")
        yield Path(directory)


@contextmanager
def _fetched(config: Training | Predict) -> Iterator[Path]:
    download = config.download
    with TemporaryDirectory() as name:
        try:
            download_config(
                download_source(download).model,
                Path(name),
                token=os.environ.get("HF_TOKEN"),
                endpoint=download.endpoint or os.environ.get("HF_ENDPOINT"),
                revision=download.revision,
            )
        except (MindrailError, StepFailed) as error:
            raise MindrailError(
                f"config.json is unavailable: {error}", fix="give a directory that holds it with --model"
            ) from error
        yield Path(name)
