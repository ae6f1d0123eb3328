"""Checks that the disk holds what will be written, from sizes alone: weights, shards, checkpoints.

Rows and answers are not counted; they are small beside weights. Nor is what the store holds already.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path

from modelcore.checkpoints.layout import dry_run
from modelcore.config.checkpoint import Convert, Dtype
from modelcore.config.runs import Pretrain, Training
from modelcore.config.section import Section
from modelcore.config.training import Sharding
from modelcore.errors import MindrailError
from modelcore.models.families import read_model
from modelcore.models.model import Model
from modelcore.parallel.mesh import Mesh
from modelcore.units import format_bytes
from tasks.layout import cut_of, training_job
from tasks.preflight.built_steps import finished_steps, interrupted_bytes
from tasks.preflight.directories import Directories

__all__ = ["check_disk_space", "disk_needs"]

_FP32 = 4
_BYTES = {"fp16": 2, "bf16": 2, "fp32": _FP32, "float16": 2, "bfloat16": 2, "float32": _FP32}


def check_disk_space(config: Section, directories: Directories) -> None:
    """Check that the file system of the store has room for what is still to be written.

    Args:
        config: of a run that trains, or of one step that writes weights; nothing is known of others.
        directories: the store, and the model, whose config.json has the sizes.

    Raises:
        MindrailError: it has not; the line says what each step needs.
    """
    needs = disk_needs(config, directories)
    free = shutil.disk_usage(existing(directories.store)).free
    if sum(needs.values()) <= free:
        return
    finished, begun = finished_steps(config, directories), interrupted_bytes(directories.store)
    missing = {step: size - begun.get(step, 0) for step, size in needs.items() if step not in finished}
    if sum(missing.values()) > free:
        steps = ", ".join(f"{step} {format_bytes(size)}" for step, size in missing.items() if size > 0)
        raise MindrailError(
            f"{format_bytes(sum(missing.values()))} are needed ({steps}), {format_bytes(free)} are free",
            where=f"store: {directories.store.absolute()}",
            fix="free space, choose another directory with --store, or lower train.keep",
        )


def disk_needs(config: Section, directories: Directories) -> dict[str, int]:
    """Return the most bytes that each step has on the disk at once; nothing where the model is not known."""
    if directories.model is None:
        return {}
    if isinstance(config, Training):
        return _training_needs(config, directories.model)
    if isinstance(config, Convert):
        model = read_model(directories.model)
        return {"convert": _elements(model) * _element_bytes(model, config.dtype)}
    if isinstance(config, Sharding):
        model = read_model(directories.model)
        held = _elements_of_ranks(model, config)
        return {"shard": held * _element_bytes(model)}
    return {}


def existing(directory: Path) -> Path:
    """Return `directory`, or the nearest one above it that exists."""
    return next(path for path in (directory.absolute(), *directory.absolute().parents) if path.exists())


def _training_needs(config: Training, directory: Path) -> dict[str, int]:
    model = read_model(directory)
    whole, held = _elements(model), _elements_of_ranks(model, config.parallel)
    source = _element_bytes(model)
    random_weights = isinstance(config, Pretrain) and config.random_weights
    start = _FP32 if random_weights else _element_bytes(model, config.convert.dtype)
    bytes_of = {**_BYTES, "source": source if random_weights else start}
    return {
        "download": 0 if random_weights else whole * source,
        "initialize" if random_weights else "convert": whole * start,
        "shard": held * start,
        "launch": _launch_need(config, model, held * _FP32),
        "merge": whole * bytes_of[config.merge.dtype],
        "export": whole * bytes_of[config.export.dtype],
    }


def _launch_need(config: Training, model: Model, weights: int) -> int:
    """Return the bytes of checkpoints and trained weights: a new checkpoint is written before one goes."""
    ranks = dry_run(model, cut_of(config.parallel), training_job(config)).ranks
    checkpoint = weights + sum(rank.memory.optimizer for rank in ranks)
    steps, keep = config.train.steps, config.train.keep
    written = keep + 1 if steps is None else (steps - 1) // config.train.checkpoint_every  # epochs: the most
    while_training = min(written, keep + 1) * checkpoint
    at_the_end = min(written, keep) * checkpoint + weights
    return max(while_training, at_the_end)


def _elements(model: Model) -> int:
    return sum(map(math.prod, model.config.parameter_shapes().values()))


def _elements_of_ranks(model: Model, config: Sharding) -> int:
    """Return the elements that all ranks hold together; every rank of a stage holds as many."""
    partition, mesh = model.divide(cut_of(config)), Mesh(cut_of(config).layout)
    devices = config.data_parallel * config.model_parallel
    return sum(
        devices * sum(map(math.prod, partition.shapes(rank).values())) for rank in mesh.ranks[::devices]
    )


def _element_bytes(model: Model, dtype: Dtype = "keep") -> int:
    """Return the bytes of an element cast to `dtype`; to keep, that of the weights as config.json says."""
    return _BYTES[model.config.dtype if dtype == "keep" else dtype]
