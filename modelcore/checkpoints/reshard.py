"""Shard, merge and reshard: converts a checkpoint directory of any layout into one of any other.

Everything streams: memory does not grow with the model. A killed run resumes if it is started again with the
same destination; a file has its final name only when it is complete. The result's bytes depend only on the
source and the layout.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelcore.checkpoints.assemble import assemble
from modelcore.checkpoints.companions import write_companions
from modelcore.checkpoints.holdings import Holdings, holdings_of_shards, holdings_of_whole, is_state
from modelcore.checkpoints.shards import find_shards, rank_file
from modelcore.checkpoints.slicing import device_box, strategy_of, with_states
from modelcore.checkpoints.write_shards import Target, write_targets
from modelcore.config.checkpoint import Dtype, FileFormat
from modelcore.errors import MindrailError
from modelcore.models.families import read_model
from modelcore.parallel.box import whole_box
from modelcore.parallel.mesh import Layout, Mesh
from modelcore.parallel.partition import Cut, Partition
from modelcore.parallel.strategy import Strategy, encode_strategy, strategy_file
from modelcore.progress import Progress, silent
from modelcore.weights.casting import cast
from modelcore.weights.ckpt_file import ckpt_layout
from modelcore.weights.dtypes import dtype_named
from modelcore.weights.file_layout import FileLayout, TensorSpec
from modelcore.weights.safetensors_file import safetensors_layout
from modelcore.weights.tensors import LazyTensor

__all__ = [
    "ReshardReport",
    "merge_checkpoint",
    "reshard_checkpoint",
    "shard_checkpoint",
]


@dataclass(frozen=True)
class ReshardReport:
    """The checkpoint files that were written, their bytes, and notes for the user."""

    files: tuple[Path, ...]
    nbytes: int
    notes: tuple[str, ...] = ()


def shard_checkpoint(
    source: Path,
    destination: Path,
    cut: Cut,
    *,
    ranks: Sequence[int] | None = None,
    format: FileFormat = "ckpt",
    weights_only: bool = False,
    description: Path | None = None,
    progress: Progress = silent,
) -> ReshardReport:
    """Divide a whole checkpoint into one file for each rank, with strategy files beside them.

    Args:
        source: config.json, tokenizer files, and a .ckpt or safetensors with MindSpore's names; or the file.
        destination: directory to fill: rank_<r>/checkpoint_<r>.<format>, strategy/, config.json, tokenizer.
        cut: which part of which tensor goes to which rank.
        ranks: write only these ranks' files (a host writes its own); all by default.
        format: of the files written.
        weights_only: leave out optimizer states and step counters.
        description: directory with config.json and tokenizer, if they are not beside the weights.
        progress: called with the bytes written.

    Raises:
        MindrailError: the model does not divide, or the checkpoint is of another model.
        StepFailed: the disk is full.
    """
    described = description or (source if source.is_dir() else source.parent)
    _check_destination(destination, source, described)
    held = holdings_of_whole(_whole(source), weights_only=weights_only)
    return _write_shards(held, described, destination, cut, ranks, format, progress)


def reshard_checkpoint(
    source: Path,
    destination: Path,
    cut: Cut,
    *,
    ranks: Sequence[int] | None = None,
    format: FileFormat = "ckpt",
    weights_only: bool = False,
    newest: bool = False,
    description: Path | None = None,
    progress: Progress = silent,
) -> ReshardReport:
    """Write a sharded checkpoint at another layout: `shard_checkpoint` with a sharded `source`.

    Args:
        newest: if a rank directory has several checkpoints, take the last by epoch and step.
        description: directory with config.json, tokenizer and strategy/, if `source` has none.
    """
    described = description or source
    _check_destination(destination, source, described)
    held = _held(source, described, newest, weights_only)
    return _write_shards(held, described, destination, cut, ranks, format, progress)


def merge_checkpoint(
    source: Path,
    destination: Path,
    *,
    format: FileFormat = "ckpt",
    dtype: Dtype = "keep",
    weights_only: bool = False,
    newest: bool = False,
    description: Path | None = None,
    progress: Progress = silent,
) -> ReshardReport:
    """Merge a sharded checkpoint into one file, `destination`/model.<format>.

    Args:
        source: rank_<r>/ directories of ours or of MindFormers', with strategy/ in it or beside it.
        destination: directory to fill, with config.json and tokenizer files if there are any.
        format: of the file written.
        dtype: type to cast the parameters to, not the optimizer's states; or keep.
        weights_only: leave out optimizer states and step counters.
        newest: if a rank directory has several checkpoints, take the last by epoch and step.
        description: directory with config.json, tokenizer and strategy/, if `source` has none.
        progress: called with the bytes written.

    Raises:
        MindrailError: shards are missing, contradict each other or their strategies, or are of another model.
        StepFailed: the disk is full.
    """
    described = description or source
    _check_destination(destination, source, described)
    held = _held(source, described, newest, weights_only)
    names = dict.fromkeys(held.shapes)
    parameters = [name for name in names if not is_state(name, names) and not held.is_counter(name)]
    notes = ["there is no config.json: the parameters could not be checked against it"]
    if (described / "config.json").exists():
        notes = []
        partition = read_model(described).partition(Layout())
        _check_model(held, partition, described)
        names = dict.fromkeys([*_stages(partition, held.shapes)[0].layouts, *names])
        parameters = [*partition.placements]
    tensors = {name: assemble(name, whole_box(held.shapes[name]), held.pieces[name]) for name in names}
    if (target := dtype_named(dtype)) is not None:
        tensors |= {name: cast(tensors[name], target, name) for name in parameters}
    files = {destination / f"model.{format}": tensors}
    report = _write(files, held, destination, format, notes, progress, dtype=dtype)
    write_companions(described, destination, [tensors[name] for name in parameters])
    return report


def _check_destination(destination: Path, *sources: Path) -> None:
    if destination.resolve() in [source.resolve() for source in sources]:
        raise MindrailError("is also the source", where=destination, fix="choose another destination")


def _held(source: Path, described: Path, newest: bool, weights_only: bool) -> Holdings:
    shards = find_shards(source, other=described, newest=newest)
    return holdings_of_shards(shards, weights_only=weights_only)


def _whole(directory: Path) -> Path:
    if (directory / "model.ckpt").exists() and (directory / "model.safetensors").exists():
        raise MindrailError("holds model.ckpt and model.safetensors", where=directory, fix="leave only one")
    return directory


def _check_model(held: Holdings, partition: Partition, where: Path) -> None:
    """Refuse a checkpoint that does not have exactly the parameters of config.json's model."""
    for name, placement in partition.placements.items():
        if name not in held.shapes:
            raise MindrailError(f"the checkpoint has no {name}, but config.json's model does", where=where)
        if held.shapes[name] != placement.shape:
            raise MindrailError(
                f"{name} is {list(held.shapes[name])}, by config.json it is {list(placement.shape)}",
                where=where,
            )
    for name in held.shapes:
        if name in partition.placements or is_state(name, partition.placements) or held.is_counter(name):
            continue
        raise MindrailError(f"the checkpoint has {name}, but config.json's model does not", where=where)
    for name, shape in held.shapes.items():
        whole = held.shapes.get(name.partition(".")[2], shape)
        if shape != whole:
            raise MindrailError(f"{name} is {list(shape)}, its parameter {list(whole)}", where=where)


def _write_shards(
    held: Holdings,
    described: Path,
    destination: Path,
    cut: Cut,
    ranks: Sequence[int] | None,
    format: FileFormat,
    progress: Progress,
) -> ReshardReport:
    partition = read_model(described).divide(cut)
    _check_model(held, partition, described)
    stages = _stages(partition, held.shapes, shard_optimizer=cut.shard_optimizer)
    targets = _targets(destination, held, stages, partition.layout, ranks, format)
    _write_strategies(destination, stages, _devices(partition.layout))
    report = _write(targets, held, destination, format, partition.notes, progress)
    write_companions(described, destination, _parameters(held, partition))
    return report


def _parameters(held: Holdings, partition: Partition) -> list[LazyTensor]:
    """Return a stored piece of each of the model's parameters, which has its type."""
    return [held.pieces[name][0].tensor for name in partition.placements]


def _devices(layout: Layout) -> int:
    """Return the ranks of one pipeline stage."""
    return layout.data_parallel * layout.model_parallel


def _stages(
    partition: Partition, shapes: Mapping[str, tuple[int, ...]], *, shard_optimizer: bool = False
) -> list[Strategy]:
    """Return each pipeline stage's strategy, the optimizer's states among `shapes` included."""
    first_ranks = Mesh(partition.layout).ranks[:: _devices(partition.layout)]
    strategies = [strategy_of(partition, rank) for rank in first_ranks]
    return [with_states(one, shapes, shard_optimizer=shard_optimizer) for one in strategies]


def _targets(
    destination: Path,
    held: Holdings,
    stages: Sequence[Strategy],
    layout: Layout,
    ranks: Sequence[int] | None,
    format: FileFormat,
) -> dict[Path, dict[str, LazyTensor]]:
    """Return the file of each rank and the slices that go into it."""
    mesh, devices = Mesh(layout), _devices(layout)
    targets = {}
    for rank in mesh.ranks if ranks is None else ranks:
        mesh.coordinates(rank)
        tensors = _slices(held, stages[rank // devices], rank % devices)
        targets[rank_file(destination, rank, format)] = tensors
    return targets


def _slices(held: Holdings, strategy: Strategy, device: int) -> dict[str, LazyTensor]:
    """Return the contents of one rank's file: its slices, then the counters that all ranks share."""
    tensors = {}
    for name, layout in strategy.layouts.items():
        tensors[name] = assemble(name, device_box(name, layout, device, held.shapes[name]), held.pieces[name])
    for name in held.shapes:
        if name not in tensors and held.is_counter(name):
            tensors[name] = held.pieces[name][0].tensor
    return tensors


def _write_strategies(destination: Path, stages: Sequence[Strategy], devices: int) -> None:
    """Write every rank's strategy file; refuse a destination with those of another layout."""
    (destination / "strategy").mkdir(parents=True, exist_ok=True)
    contents = [encode_strategy(strategy) for strategy in stages]
    paths = {
        strategy_file(destination, rank): contents[rank // devices] for rank in range(devices * len(stages))
    }
    scratch = {path: path.with_name(f"{path.name}.writing") for path in paths}
    for cut_off in scratch.values():
        cut_off.unlink(missing_ok=True)
    for path in sorted((destination / "strategy").iterdir()):
        if path not in paths or path.read_bytes() != paths[path]:
            raise MindrailError(
                "is of another layout or model", where=path, fix="choose an empty destination"
            )
    for path, content in paths.items():
        if not path.exists():
            scratch[path].write_bytes(content)
            scratch[path].rename(path)


def _write(
    targets: Mapping[Path, Mapping[str, LazyTensor]],
    held: Holdings,
    destination: Path,
    format: FileFormat,
    notes: Sequence[str],
    progress: Progress,
    *,
    dtype: Dtype = "keep",
) -> ReshardReport:
    destination.mkdir(parents=True, exist_ok=True)
    files = {path: Target(_file_layout(tensors, format), tensors) for path, tensors in targets.items()}
    write_targets(files, _origin(held, dtype), progress=progress)
    return ReshardReport(tuple(files), sum(file.layout.size for file in files.values()), tuple(notes))


def _file_layout(tensors: Mapping[str, LazyTensor], format: FileFormat) -> FileLayout:
    specs = [TensorSpec(name, tensor.dtype, tensor.shape) for name, tensor in tensors.items()]
    return ckpt_layout(specs) if format == "ckpt" else safetensors_layout(specs, {"format": "ms"})


def _origin(held: Holdings, dtype: Dtype) -> str:
    """Return what identifies a result without reading its source: files' names, sizes, times; the cast."""
    paths = {
        extent.path for pieces in held.pieces.values() for piece in pieces for extent in piece.tensor.extents
    }
    stats = {str(path.resolve()): path.stat() for path in sorted(paths)}
    facts = [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()]
    made_from = facts if dtype == "keep" else [facts, dtype]
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()
