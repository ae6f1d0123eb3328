"""Says what a checkpoint on disk is: its kind, its tensors and totals, and whether it fits its config.json.

Takes one file, a directory of Hugging Face's or MindSpore's, Meta's files, or a sharded directory
(`rank_<r>/`). Reads headers only.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from modelcore.checkpoints.match import match_hf, match_mindspore
from modelcore.errors import MindrailError
from modelcore.models.families import NativeFiles, native_files, read_model
from modelcore.models.model import Model
from modelcore.weights.checkpoint import Checkpoint, open_checkpoint, open_file
from modelcore.weights.tensors import StoredTensor, nbytes

__all__ = ["FoldedTensor", "InspectedTensor", "Inspection", "fold_layers", "inspect_checkpoint"]

_RANK = re.compile(r"rank_([0-9]{1,5})")
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


@dataclass(frozen=True)
class InspectedTensor:
    """One tensor as a file has it; `file` is relative to what was inspected."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size: int
    file: str


@dataclass(frozen=True)
class Inspection:
    """What a checkpoint is.

    Attributes:
        kind: in words: a Hugging Face checkpoint, one of MindSpore, …
        family: of the config.json beside it; None without one.
        tensors: all of them, by file and then in file order.
        notes: what a user should know, each one line.
    """

    kind: str
    family: str | None
    tensors: tuple[InspectedTensor, ...]
    notes: tuple[str, ...]

    @property
    def elements(self) -> int:
        """Numbers in all tensors together (for a whole checkpoint: the model's parameters)."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors)

    @property
    def size(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.size for tensor in self.tensors)

    @property
    def dtypes(self) -> dict[str, int]:
        """Type -> how many tensors are of it, the most frequent first."""
        return dict(Counter(tensor.dtype for tensor in self.tensors).most_common())


@dataclass(frozen=True)
class FoldedTensor:
    """Tensors of several layers or ranks that are alike: `{}` in the name stands for the layer."""

    name: str
    count: int
    dtype: str
    shape: tuple[int, ...]
    size: int
    file: str


def fold_layers(tensors: Iterable[InspectedTensor]) -> list[FoldedTensor]:
    """Return one line for tensors whose names differ in a number only and that are of one type and shape."""
    groups: dict[tuple[str, str, tuple[int, ...]], list[InspectedTensor]] = {}
    for tensor in tensors:
        groups.setdefault((_NUMBER.sub("{}", tensor.name), tensor.dtype, tensor.shape), []).append(tensor)
    lines = []
    for (form, dtype, shape), group in groups.items():
        name = form if len({tensor.name for tensor in group}) > 1 else group[0].name
        files = sorted({tensor.file for tensor in group})
        file = files[0] if len(files) == 1 else f"{len(files)} files"
        lines.append(FoldedTensor(name, len(group), dtype, shape, sum(one.size for one in group), file))
    return lines


def inspect_checkpoint(path: Path) -> Inspection:
    """Describe the checkpoint at `path`: a weights file, an index, or a directory.

    Raises:
        MindrailError: there is none, or it is not sound.
    """
    if path.is_dir() and (ranks := _ranks(path)):
        return _sharded(path, ranks)
    if path.is_dir() and not any(path.glob("*.safetensors*")) and (native := native_files(path)):
        return _native(path, native)
    checkpoint = open_checkpoint(path)
    home = path if path.is_dir() else path.parent
    kind, notes = _whole(checkpoint, home)
    return Inspection(kind, _family_name(home), tuple(_rows(checkpoint.tensors, home)), notes)


def _native(directory: Path, native: NativeFiles) -> Inspection:
    tensors = tuple(row for file in native.files for row in _rows(open_file(file), directory))
    count = len(native.files)
    kind = f"{native.format.publisher}'s checkpoint in {count} part{'s' if count > 1 else ''}"
    if not any((directory / name).is_file() for name in ("config.json", "params.json")):
        return Inspection(kind, None, tensors, ("no params.json beside it: it cannot be converted",))
    return Inspection(kind, read_model(directory).family.name, tensors, ())


def _whole(checkpoint: Checkpoint, home: Path) -> tuple[str, tuple[str, ...]]:
    """Return what a whole checkpoint is, and how it fits the config.json in `home`."""
    count = len(checkpoint.files)
    form = checkpoint.files[0].suffix.removeprefix(".") + ("" if count == 1 else f" in {count} shards")
    if not (home / "config.json").is_file():
        return f"weights ({form})", ("no config.json beside it: not compared with a model",)
    model = read_model(home)
    side = _side(model, checkpoint.tensors)
    match = match_mindspore if side == "MindSpore" else match_hf
    try:
        matched = match(model, checkpoint.tensors, home)
    except MindrailError as error:
        return f"{side} checkpoint ({form})", (f"does not fit config.json: {error}",)
    notes = [f"fits config.json: {len(model.config.parameter_shapes())} parameters of {model.family.name}"]
    if matched.dropped:
        notes.append(f"{len(matched.dropped)} tensors are no weights, such as {matched.dropped[0]}")
    return f"{side} checkpoint ({form})", tuple(notes)


def _side(model: Model, tensors: Mapping[str, StoredTensor]) -> str:
    """Return whose names most of the tensors have."""
    mindspore = sum(name in tensors for name in model.config.parameter_shapes())
    return "MindSpore" if mindspore > len(tensors) / 2 else "Hugging Face"


def _ranks(directory: Path) -> dict[int, list[Path]]:
    """Return rank -> its weight files, for a sharded directory."""
    found = {}
    for path in directory.iterdir():
        if path.is_dir() and (match := _RANK.fullmatch(path.name)):
            found[int(match[1])] = sorted([*path.glob("*.ckpt"), *path.glob("*.safetensors")])
    return dict(sorted(found.items()))


def _sharded(directory: Path, ranks: Mapping[int, list[Path]]) -> Inspection:
    notes = []
    if missing := sorted(set(range(max(ranks) + 1)) - set(ranks)):
        notes.append(f"rank {missing[0]} is missing")
    for rank, files in ranks.items():
        if len(files) != 1:
            notes.append(f"rank_{rank} holds {len(files)} checkpoints")
    strategies = len(list((directory / "strategy").glob("ckpt_strategy_rank_*.ckpt")))
    notes.append(f"{strategies} strategy files" if strategies else "no strategy files: cannot be merged")
    tensors = [row for files in ranks.values() for file in files for row in _rows(open_file(file), directory)]
    kind = f"MindSpore checkpoint sharded over {len(ranks)} ranks"
    return Inspection(kind, _family_name(directory), tuple(tensors), tuple(notes))


def _rows(tensors: Mapping[str, StoredTensor], home: Path) -> list[InspectedTensor]:
    rows = []
    for tensor in tensors.values():
        file = tensor.extents[0].path if tensor.extents else home
        name = str(file.relative_to(home)) if file.is_relative_to(home) else str(file)
        rows.append(InspectedTensor(tensor.name, tensor.dtype.name, tensor.shape, nbytes(tensor), name))
    return rows


def _family_name(home: Path) -> str | None:
    return read_model(home).family.name if (home / "config.json").is_file() else None
