"""Writes a whole checkpoint as a `.ckpt`, a safetensors file, or Hugging Face's shards with their index."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelcore.errors import MindrailError
from modelcore.store.disk import check_room
from modelcore.weights.ckpt_file import ckpt_layout
from modelcore.weights.file_layout import FileLayout, TensorSpec
from modelcore.weights.safetensors_file import safetensors_layout
from modelcore.weights.tensor_record import TensorRecord
from modelcore.weights.tensors import LazyTensor
from modelcore.weights.write_file import journal_path, scratch_path, write_file

__all__ = [
    "INDEX",
    "OutputFile",
    "ckpt_output",
    "hf_outputs",
    "remove_journals",
    "safetensors_output",
    "write_outputs",
]

INDEX = "model.safetensors.index.json"

# Where transformers splits ("5GB").
SHARD_BYTES = 5_000_000_000

_WEIGHTS = ("*.ckpt", "*.safetensors", INDEX)


@dataclass(frozen=True)
class OutputFile:
    """A file to write: its name and layout."""

    name: str
    layout: FileLayout


def ckpt_output(tensors: Mapping[str, LazyTensor]) -> list[OutputFile]:
    """Return MindSpore's one file, its tensors in the order of `tensors`."""
    return [OutputFile("model.ckpt", ckpt_layout(_specs(tensors)))]


def safetensors_output(tensors: Mapping[str, LazyTensor]) -> list[OutputFile]:
    """Return MindSpore's one file in safetensors format."""
    return [OutputFile("model.safetensors", safetensors_layout(_specs(tensors), {"format": "ms"}))]


def hf_outputs(tensors: Mapping[str, LazyTensor], *, one_file: bool = False) -> list[OutputFile]:
    """Return Hugging Face's file, or its shards of at most `SHARD_BYTES`, filled in `tensors`' order.

    Args:
        tensors: to write.
        one_file: make one file of them, however large.
    """
    shards: list[list[TensorSpec]] = [[]]
    filled = 0
    for spec in _specs(tensors):
        if shards[-1] and filled + spec.nbytes > SHARD_BYTES and not one_file:
            shards.append([])
            filled = 0
        shards[-1].append(spec)
        filled += spec.nbytes
    names = [f"model-{at:05d}-of-{len(shards):05d}.safetensors" for at in range(1, len(shards) + 1)]
    if len(shards) == 1:
        names = ["model.safetensors"]
    layouts = (safetensors_layout(specs, {"format": "pt"}) for specs in shards)
    return [OutputFile(name, layout) for name, layout in zip(names, layouts, strict=True)]


def write_outputs(
    directory: Path,
    outputs: Sequence[OutputFile],
    tensors: Mapping[str, LazyTensor],
    *,
    origin: str,
    wrote: Callable[[int], None],
) -> dict[str, list[TensorRecord]]:
    """Write the files into `directory`; resume where an interrupted call with the same `origin` stopped.

    Args:
        directory: made if missing.
        outputs: the files.
        tensors: name -> tensor, for every tensor of the files.
        origin: what the tensors are made from.
        wrote: called with each number of bytes that is written.

    Returns:
        File name -> records of its tensors. The journals stay until `remove_journals`.

    Raises:
        MindrailError: the directory has other weights.
        StepFailed: there is not enough room on the disk.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _check_alone(directory, outputs)
    _check_room(directory, outputs)
    digest = hashlib.sha256(origin.encode()).hexdigest()
    records = {
        output.name: write_file(directory / output.name, output.layout, tensors, origin=digest, wrote=wrote)
        for output in outputs
    }
    if len(outputs) > 1:
        _write_index(directory / INDEX, outputs)
    return records


def remove_journals(directory: Path, outputs: Iterable[OutputFile]) -> None:
    """Remove the journals of files that are complete."""
    for output in outputs:
        journal_path(directory / output.name).unlink(missing_ok=True)


def _specs(tensors: Mapping[str, LazyTensor]) -> list[TensorSpec]:
    return [TensorSpec(name, tensor.dtype, tensor.shape) for name, tensor in tensors.items()]


def _write_index(path: Path, outputs: Sequence[OutputFile]) -> None:
    weight_map = {spec.name: output.name for output in outputs for spec in output.layout.specs}
    total = sum(spec.nbytes for output in outputs for spec in output.layout.specs)
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    path.write_text(json.dumps(index, indent=2) + "\n")


def _check_alone(directory: Path, outputs: Sequence[OutputFile]) -> None:
    """Refuse a directory with other weights, which a reader could take for these."""
    expected = {output.name for output in outputs} | ({INDEX} if len(outputs) > 1 else set())
    for pattern in _WEIGHTS:
        for path in sorted(directory.glob(pattern)):
            if path.name not in expected:
                raise MindrailError(
                    "is in the way of another checkpoint", where=path, fix="choose an empty directory"
                )


def _check_room(directory: Path, outputs: Sequence[OutputFile]) -> None:
    needed = sum(output.layout.size for output in outputs)
    for output in outputs:
        for path in (directory / output.name, scratch_path(directory / output.name)):
            needed -= path.stat().st_blocks * 512 if path.exists() else 0
    check_room(directory, needed)
