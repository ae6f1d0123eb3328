"""Says what a path is: a checkpoint or a part of one, a strategy, a MindRecord, a tokenizer, an artifact.

Only headers and small files are read, so 13 GB take no longer than 13 kB. Here the kinds are distinguished;
what each holds and whether it is sound is decided in its own package.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modelcore.boundary.files import status
from modelcore.checkpoints.inspect_checkpoint import InspectedTensor, fold_layers, inspect_checkpoint
from modelcore.checkpoints.inspect_strategy import inspect_strategies, inspect_strategy, is_strategy
from modelcore.checkpoints.vocabulary import check_vocabulary
from modelcore.data.mindrecord.file import inspect_mindrecord, read_mindrecord
from modelcore.data.tokenizers import describe_tokenizer, tokenizer_files
from modelcore.errors import MindrailError
from modelcore.models.families import native_files, read_model
from modelcore.store.manifest import MANIFEST, Manifest
from modelcore.store.model_files import VOCABULARIES
from modelcore.units import format_bytes
from modelcore.weights.checkpoint import CHECKPOINT_NAMES, READERS

__all__ = ["Found", "Row", "inspect_path"]

Row = dict[str, Any]

_KNOWN = "a checkpoint, weights file, strategy file, MindRecord, tokenizer, config.json or artifact"


@dataclass(frozen=True)
class Found:
    """What a path is.

    Attributes:
        what: in words.
        rows: the whole table, a line each: tensors, parameters, columns, special tokens or files.
        brief: the table for a person: what repeats in every layer is one line with its count.
        totals: what all rows together are, by name.
        notes: what one should know, each one line.
    """

    what: str
    rows: tuple[Row, ...]
    brief: tuple[Row, ...]
    totals: Row
    notes: tuple[str, ...]


def inspect_path(path: Path) -> Found:
    """Say what is at `path`.

    Raises:
        MindrailError: there is nothing, nothing that is known here, or it is not sound.
    """
    status(path)
    if path.is_dir():
        return _directory(path)
    if not path.is_file():
        raise MindrailError("neither a file nor a directory", where=path, fix=f"give {_KNOWN}")
    return _file(path)


def _file(path: Path) -> Found:
    if path.name == "config.json":
        return _config(path.parent)
    if path.name == MANIFEST:
        return _directory(path.parent)
    if path.name in VOCABULARIES:
        return _tokenizer(path.parent)
    if path.suffix == ".db" or path.suffix == ".mindrecord" or Path(f"{path}.db").is_file():
        return _mindrecord(path.with_suffix("") if path.suffix == ".db" else path)
    if path.suffix == ".ckpt" and is_strategy(path):
        lines = inspect_strategy(path)
        return _table("strategy file of one rank", lines, {"parameters": sum(line.count for line in lines)})
    if path.suffix in READERS or path.name.endswith(".index.json"):
        return _checkpoint(path)
    raise _unknown(path)


def _directory(path: Path) -> Found:
    manifest = Manifest.read(path)
    if manifest is not None:
        return _artifact(path, manifest)
    if (path / MANIFEST).exists():
        raise MindrailError("its manifest is damaged", where=path, fix="run the step again")
    return _contents(path)


def _contents(path: Path) -> Found:
    for base in (path, path / "checkpoint"):
        if any(base.glob("rank_*/")):
            return _checkpoint(base)
    weights = [file for file in sorted(path.iterdir()) if file.suffix in READERS and file.is_file()]
    strategies = [file for file in weights if file.suffix == ".ckpt" and is_strategy(file)]
    if strategies and len(strategies) == len(weights):
        ranks, lines = inspect_strategies(path)
        return _table(f"strategy files of {ranks} ranks", lines, {"ranks": ranks})
    if _is_checkpoint(path):
        return _checkpoint(path)
    if len(weights) == 1:
        return _checkpoint(weights[0])
    if weights:
        raise MindrailError(
            f"holds {weights[0].name} and {len(weights) - 1} more weights files, but no index of them",
            where=path,
            fix="give one of the files",
        )
    if records := [file for file in sorted(path.glob("*.mindrecord")) if file.is_file()]:
        return _mindrecord(records[0]) if len(records) == 1 else _mindrecords(records)
    if any((path / name).is_file() for name in VOCABULARIES):
        return _tokenizer(path)
    if (path / "config.json").is_file():
        return _config(path)
    raise _unknown(path)


def _is_checkpoint(path: Path) -> bool:
    whole = (path / (name + end) for name in CHECKPOINT_NAMES for end in ("", ".index.json"))
    return any(file.exists() for file in whole) or native_files(path) is not None


def _unknown(path: Path) -> MindrailError:
    return MindrailError("not something mindrail knows", where=path, fix=f"give {_KNOWN}")


def _table(what: str, lines: Sequence[Any], totals: Row, notes: Sequence[str] = ()) -> Found:
    rows = tuple(asdict(line) for line in lines)
    return Found(what, rows, rows, totals, tuple(notes))


def _checkpoint(path: Path) -> Found:
    found = inspect_checkpoint(path)
    home = path if path.is_dir() else path.parent
    totals = {
        "tensors": len(found.tensors),
        "elements": found.elements,
        "bytes": found.size,
        "dtypes": ", ".join(f"{dtype} × {count}" for dtype, count in found.dtypes.items()),
    }
    if found.family is not None:
        totals["family"] = found.family
    notes = [*found.notes, *_companion_notes(home, found.family is not None)]
    rows = tuple(asdict(tensor) for tensor in found.tensors)
    brief = tuple(asdict(line) for line in fold_layers(found.tensors))
    return Found(found.kind, rows, brief, totals, tuple(notes))


def _companion_notes(home: Path, has_config: bool) -> list[str]:
    """Return what the tokenizer beside weights is, and where it and config.json disagree."""
    notes = []
    if any((home / name).is_file() for name in VOCABULARIES):
        tokenizer = describe_tokenizer(home)
        notes.append(f"tokenizer beside it: {tokenizer.kind}, {tokenizer.vocab_size} tokens")
    return notes + (check_vocabulary(home, read_model(home).config) if has_config else [])


def _config(directory: Path) -> Found:
    model = read_model(directory)
    shapes = model.config.parameter_shapes()
    width = 4 if model.config.dtype == "float32" else 2
    tensors = [
        InspectedTensor(name, model.config.dtype, shape, math.prod(shape) * width, "config.json")
        for name, shape in shapes.items()
    ]
    size = sum(tensor.size for tensor in tensors)
    totals = {"tensors": len(shapes), "elements": size // width, "bytes": size} | asdict(model.config)
    rows = tuple(asdict(tensor) for tensor in tensors)
    brief = tuple(asdict(line) for line in fold_layers(tensors))
    return Found(f"configuration of a {model.family.name} model, without weights", rows, brief, totals, ())


def _mindrecord(path: Path) -> Found:
    info = inspect_mindrecord(path)
    first = next(read_mindrecord(path), {}) if set(info.columns.values()) == {"int32"} else {}
    rows = tuple(
        {"column": name, "dtype": kind, "values a row": len(first[name]) if name in first else None}
        for name, kind in info.columns.items()
    )
    totals = {"rows": info.rows, "bytes": path.stat().st_size + Path(f"{path}.db").stat().st_size}
    see = f"see rows with: mindrail data decode {path} --tokenizer DIRECTORY"
    return Found("MindRecord", rows, rows, totals, (see,))


def _mindrecords(paths: Sequence[Path]) -> Found:
    records = {path.name: inspect_mindrecord(path) for path in paths}
    rows = tuple(
        {"file": name, "rows": info.rows, "columns": ", ".join(info.columns)}
        for name, info in records.items()
    )
    totals = {"files": len(rows), "rows": sum(info.rows for info in records.values())}
    return Found("MindRecords", rows, rows, totals, ())


def _tokenizer(directory: Path) -> Found:
    tokenizer = describe_tokenizer(directory)
    totals: Row = {
        "tokens": tokenizer.vocab_size,
        "bos": tokenizer.bos_id,
        "eos": tokenizer.eos_id,
        "pad": tokenizer.pad_id,
    }
    files = ", ".join(path.name for path in tokenizer_files(directory))
    return _table(f"tokenizer ({tokenizer.kind})", tokenizer.special, totals, [f"read from {files}"])


def _artifact(path: Path, manifest: Manifest) -> Found:
    rows = tuple({"file": e.path, "bytes": e.size, "sha256": e.sha256} for e in manifest.files)
    totals: Row = {
        "files": len(manifest.files),
        "bytes": manifest.size,
        "digest": manifest.digest,
        "key": manifest.key,
        "made": f"{manifest.created} on {manifest.host} in {manifest.seconds} s",
        "inputs": manifest.inputs,
        "parameters": manifest.parameters,
    }
    notes = [f"holds: {_in_a_line(path, place, found)}" for place, found in _inside(path)]
    return Found(f"artifact of the step {manifest.step}", rows, rows, totals, tuple(notes))


def _inside(path: Path) -> list[tuple[Path, Found]]:
    """Return what the directory holds, or else what its sub-directories do."""
    found = []
    for place in (path, *(sub for sub in sorted(path.iterdir()) if sub.is_dir())):
        try:
            found.append((place, _contents(place)))
        except MindrailError:
            continue  # a directory of logs, say, which the table lists all the same
        if place == path:
            break
    return found


def _in_a_line(base: Path, place: Path, found: Found) -> str:
    where = f" in {place.relative_to(base)}/" if place != base else ""
    count, unit = next(iter((value, key) for key, value in found.totals.items()))
    size = f", {format_bytes(found.totals['bytes'])}" if "bytes" in found.totals else ""
    return f"{found.what}{where}: {count} {unit}{size}"
