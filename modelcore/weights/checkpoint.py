"""Finds and opens a whole checkpoint: one file, or the shards of an index, in any supported format.

A checkpoint is opened as a mapping of names to stored tensors; only headers are read. A directory must have
one checkpoint: if two could be meant, both are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelcore.errors import MindrailError
from modelcore.store.checkpoint_index import index_shards
from modelcore.store.model_files import HF_WEIGHTS, INDEX_SUFFIX
from modelcore.weights.ckpt_file import read_ckpt
from modelcore.weights.safetensors_file import read_safetensors
from modelcore.weights.tensors import StoredTensor
from modelcore.weights.torch_file import read_torch

__all__ = ["CHECKPOINT_NAMES", "READERS", "Checkpoint", "open_checkpoint", "open_file"]

CHECKPOINT_NAMES = (*HF_WEIGHTS, "model.ckpt")

READERS: dict[str, Callable[[Path], dict[str, StoredTensor]]] = {
    ".safetensors": read_safetensors,
    ".bin": read_torch,
    ".pth": read_torch,
    ".pt": read_torch,
    ".ckpt": read_ckpt,
}


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint: its files, in order, and its tensors by name."""

    files: tuple[Path, ...]
    tensors: dict[str, StoredTensor]


def open_checkpoint(path: Path) -> Checkpoint:
    """Open the checkpoint at `path`: a weights file, an index, or a directory with one of them.

    Raises:
        MindrailError: there is none or more than one, a shard is missing, or a file is damaged.
    """
    if not path.is_dir():
        return _open_index(path) if path.name.endswith(INDEX_SUFFIX) else Checkpoint((path,), open_file(path))
    candidates = [path / (name + suffix) for name in CHECKPOINT_NAMES for suffix in ("", INDEX_SUFFIX)]
    present = [candidate for candidate in candidates if candidate.exists()]
    if clash := _clash([candidate.name for candidate in present]):
        raise MindrailError(f"holds {' and '.join(clash)}", where=path, fix="remove one of them")
    return open_checkpoint(present[0] if present else _only_ckpt(path))


def _only_ckpt(directory: Path) -> Path:
    """Return the one .ckpt of a directory, whatever its name: MindFormers' users choose it."""
    found = sorted(path for path in directory.glob("*.ckpt") if path.is_file())
    if len(found) > 1:
        raise MindrailError(
            f"holds {found[0].name} and {found[1].name}", where=directory, fix="give the file that is meant"
        )
    if not found:
        raise MindrailError(
            f"no checkpoint here: none of {', '.join(CHECKPOINT_NAMES)}, no index of shards, no other .ckpt",
            where=directory,
            fix="give the directory or the file with the weights",
        )
    return found[0]


def _clash(names: list[str]) -> list[str]:
    """Return two files that are both a checkpoint and may differ; safetensors beside .bin is usual."""
    for kind in (".safetensors", ".bin"):
        if len(same := [name for name in names if kind in name]) > 1:
            return same[:2]
    return names[:2] if "model.ckpt" in names and len(names) > 1 else []


def open_file(path: Path) -> dict[str, StoredTensor]:
    """Open one weights file by its suffix: .safetensors, .ckpt, .bin, .pth or .pt.

    Raises:
        MindrailError: it is missing, of another kind, or damaged.
    """
    if not path.is_file():
        raise MindrailError("no such file", where=path)
    reader = READERS.get(path.suffix)
    if reader is None:
        raise MindrailError(f"not a weights file: its name ends in none of {', '.join(READERS)}", where=path)
    return reader(path)


def _open_index(index: Path) -> Checkpoint:
    shards = index_shards(index)
    tensors: dict[str, StoredTensor] = {}
    for shard, names in shards.items():
        path = index.parent / shard
        if not path.is_file():
            raise MindrailError(f"the shard {shard} is missing", where=index, fix="download it")
        found = open_file(path)
        _check_shard(index, shard, set(names), set(found))
        tensors |= found
    return Checkpoint(tuple(index.parent / shard for shard in shards), tensors)


def _check_shard(index: Path, shard: str, listed: set[str], found: set[str]) -> None:
    if missing := sorted(listed - found):
        raise MindrailError(f"{missing[0]} is not in {shard}, where the index says it is", where=index)
    if unlisted := sorted(found - listed):
        raise MindrailError(f"{shard} holds {unlisted[0]}, which the index does not list there", where=index)
