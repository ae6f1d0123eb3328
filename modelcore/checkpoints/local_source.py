"""What a path on this machine holds that training can start from: a model's directory, a file, or shards.

Understood are Hugging Face's and MindSpore's directories; a MindSpore .ckpt by any name, alone, in a
directory, or in rank_0/ as MindFormers wants it; and sharded checkpoints with their strategy files, of this
project or of MindFormers. Only names are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelcore.errors import MindrailError
from modelcore.models.families import native_files
from modelcore.store.model_files import HF_WEIGHTS, INDEX_SUFFIX, WEIGHT_SUFFIXES

__all__ = ["LocalSource", "local_source"]


@dataclass(frozen=True)
class LocalSource:
    """Where a checkpoint's parts are.

    Attributes:
        path: what the user named.
        weights: the one file of weights, if it is not a file of a model's directory by its usual name.
        shards: directory of rank_<r>/, if the checkpoint is sharded.
        description: directory with config.json and tokenizer; None if there is none beside the weights.
    """

    path: Path
    weights: Path | None = None
    shards: Path | None = None
    description: Path | None = None


def local_source(path: Path) -> LocalSource:
    """Say what is at a path.

    Raises:
        MindrailError: there is nothing, several checkpoints are meant, or shards lack their strategy files.
    """
    if path.is_file():
        if path.suffix not in WEIGHT_SUFFIXES:
            raise MindrailError(f"not a file of weights (*{', *'.join(WEIGHT_SUFFIXES)})", where=path)
        return LocalSource(path, weights=path, description=_described(path.parent))
    if not path.is_dir():
        raise MindrailError("there is no such file or directory", where=path, fix="check the path")
    if ranks := _ranks(path):
        return _of_ranks(path, ranks)
    if _has_usual_weights(path):
        return LocalSource(path, description=_described(path))
    found = sorted(file for file in path.glob("*.ckpt") if file.is_file())
    if len(found) > 1:
        raise MindrailError(
            f"holds {found[0].name} and {found[1].name}", where=path, fix="give the file that is meant"
        )
    return LocalSource(path, weights=found[0] if found else None, description=_described(path))


def _of_ranks(path: Path, ranks: list[Path]) -> LocalSource:
    """Return shards with their strategies, or the whole checkpoint that lies in rank_0/ alone."""
    if any((place / "strategy").is_dir() for place in (path, path.parent)):
        return LocalSource(path, shards=path, description=_described(path))
    files = sorted(ranks[0].glob("*.ckpt"))
    if len(ranks) > 1 or len(files) != 1:
        raise MindrailError(
            "holds rank directories, but there is no strategy/ with their strategy files",
            where=path,
            fix="put strategy/ beside them, or give the one file of a whole checkpoint",
        )
    return LocalSource(path, weights=files[0], description=_described(path) or _described(ranks[0]))


def _ranks(path: Path) -> list[Path]:
    for base in (path, path / "checkpoint"):
        if found := sorted(rank for rank in base.glob("rank_[0-9]*") if rank.is_dir()):
            return found
    return []


def _has_usual_weights(path: Path) -> bool:
    usual = (path / (name + suffix) for name in HF_WEIGHTS for suffix in ("", INDEX_SUFFIX))
    return any(file.is_file() for file in usual) or native_files(path) is not None


def _described(directory: Path) -> Path | None:
    return directory if (directory / "config.json").is_file() or native_files(directory) else None
