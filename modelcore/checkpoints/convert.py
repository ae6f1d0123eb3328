"""Converts a whole checkpoint between Hugging Face and MindSpore, streaming: memory is bounded by a tensor.

The source may have the names of either side: PyTorch's .bin becomes safetensors, or a .ckpt safetensors with
the same names, in one step.

The result is a function of the source and the options alone, byte for byte. `conversion.json` in the
destination lists every tensor with its sha256; it is written last, so a directory without it is unfinished.
Resharding is not done here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from modelcore.checkpoints.companions import write_companions
from modelcore.checkpoints.match import (
    Matched,
    has_hf_names,
    match_hf,
    match_mindspore,
    select_hf,
    select_mindspore,
)
from modelcore.checkpoints.verify import verify_conversion
from modelcore.checkpoints.vocabulary import check_vocabulary
from modelcore.config.checkpoint import Dtype, FileFormat
from modelcore.errors import MindrailError
from modelcore.models.families import read_model
from modelcore.models.model import Model
from modelcore.progress import Progress, silent
from modelcore.store.durable import replace_contents, sync_tree
from modelcore.weights.casting import cast
from modelcore.weights.checkpoint import open_checkpoint
from modelcore.weights.dtypes import dtype_named
from modelcore.weights.outputs import (
    OutputFile,
    ckpt_output,
    hf_outputs,
    remove_journals,
    safetensors_output,
    write_outputs,
)
from modelcore.weights.tensor_record import TensorRecord
from modelcore.weights.tensors import LazyTensor, nbytes

__all__ = ["CONVERSION", "ConversionReport", "conversion_warnings", "convert_checkpoint"]

CONVERSION = "conversion.json"


Side = Literal["hf", "mindspore"]

_MATCHES: dict[tuple[Side, Side], Callable[[Model, Mapping[str, LazyTensor], object], Matched]] = {
    ("hf", "mindspore"): match_hf,
    ("mindspore", "hf"): match_mindspore,
    ("hf", "hf"): select_hf,
    ("mindspore", "mindspore"): select_mindspore,
}
"""By the side whose names the source has, and that whose names are written."""

# Raised when the bytes written for the same source change, so that nothing old is continued.
_VERSION = 1


@dataclass(frozen=True)
class ConversionReport:
    """What was converted.

    Attributes:
        family: config.json's model_type.
        files: the weight files written, by name.
        tensors: every tensor written, in file order.
        size: bytes of all of them.
        dropped: the source's tensors that carry no weight and were left out.
        warnings: what the user should know; each one line.
        verified: whether both sides were read back and compared.
    """

    family: str
    files: tuple[str, ...]
    tensors: tuple[TensorRecord, ...]
    size: int
    dropped: tuple[str, ...]
    warnings: tuple[str, ...]
    verified: bool

    @property
    def nan(self) -> int:
        """NaN elements in all tensors."""
        return sum(record.nan for record in self.tensors)

    @property
    def infinite(self) -> int:
        """Infinite elements in all tensors."""
        return sum(record.infinite for record in self.tensors)


def convert_checkpoint(
    source: Path,
    destination: Path,
    *,
    to: Side,
    format: FileFormat = "ckpt",
    dtype: Dtype = "keep",
    verify: bool = False,
    description: Path | None = None,
    one_file: bool = False,
    progress: Progress = silent,
) -> ConversionReport:
    """Convert the checkpoint at `source` into the directory `destination`.

    Args:
        source: a directory with config.json and weights, or the weights file (or index) in such a one.
        destination: an empty or new directory, or the one of an interrupted call with the same arguments:
            the tensors already written are kept.
        to: `mindspore` writes MindFormers' names, `hf` Hugging Face's (safetensors, sharded at 5 GB); those
            of the source may be either.
        format: of MindSpore's file.
        dtype: `keep`, or cast every tensor.
        verify: read both sides back and compare them, tensor by tensor.
        description: directory with config.json and tokenizer, if they are not beside the weights.
        one_file: do not shard safetensors.
        progress: bytes written (and, verifying, compared).

    Raises:
        MindrailError: the source is not sound or not the model that config.json describes; the line names the
            file and the tensor. Nothing usable is left in `destination`.
        StepFailed: the disk is full.
    """
    home = description or (source if source.is_dir() else source.parent)
    _check_apart(home, destination)
    model = read_model(home)
    warnings = check_vocabulary(home, model.config)
    opened, origin = _open(source, model, to)
    side: Side = "hf" if has_hf_names(model, opened) else "mindspore"
    matched = _MATCHES[side, to](model, opened, source)
    target = dtype_named(dtype)
    tensors = {name: cast(one, target or one.dtype, name) for name, one in matched.tensors.items()}
    outputs = _outputs(tensors, to, format, one_file=one_file)
    (destination / CONVERSION).unlink(missing_ok=True)
    counter = _Counter(progress, sum(map(nbytes, tensors.values())) * (2 if verify else 1))
    written = write_outputs(
        destination, outputs, tensors, origin=f"{_VERSION} {origin} {dtype}", wrote=counter.add
    )
    if verify:
        back = _MATCHES[to, side](model, open_checkpoint(destination).tensors, destination).tensors
        verify_conversion(opened, back, destination, dtype=target, compared=counter.add)
    write_companions(home, destination, tensors.values())
    report = ConversionReport(
        family=model.family.name,
        files=tuple(written),
        tensors=tuple(record for records in written.values() for record in records),
        size=sum(map(nbytes, tensors.values())),
        dropped=matched.dropped,
        warnings=(*warnings, *_nonfinite(written)),
        verified=verify,
    )
    sync_tree(destination)
    _write_report(destination / CONVERSION, report, written, to=to, dtype=dtype)
    remove_journals(destination, outputs)
    return report


def conversion_warnings(directory: Path) -> list[str]:
    """Return what a finished conversion warned of, from its conversion.json."""
    warnings: list[str] = json.loads((directory / CONVERSION).read_bytes())["warnings"]
    return warnings


class _Counter:
    """Adds up the bytes that are done."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def add(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._total, "bytes")


def _nonfinite(written: Mapping[str, Sequence[TensorRecord]]) -> list[str]:
    """Return a line on NaN and infinite weights, where there are any."""
    found = [record for records in written.values() for record in records if record.nan or record.infinite]
    if not found:
        return []
    nan, infinite = sum(record.nan for record in found), sum(record.infinite for record in found)
    return [f"{nan} NaN and {infinite} infinite weights, the first in {found[0].name}"]


def _check_apart(home: Path, destination: Path) -> None:
    if home.resolve() == destination.resolve():
        raise MindrailError("source and destination are the same directory", where=destination)


def _open(source: Path, model: Model, to: str) -> tuple[Mapping[str, LazyTensor], str]:
    """Return the source's tensors and an identity of the source that needs no reading."""
    tensors: Mapping[str, LazyTensor]
    native = model.family.native
    if native is not None and _has_no_other_weights(source) and (parts := native.files(source)):
        files, tensors = tuple(parts), native.tensors(parts, model.config)
    else:
        checkpoint = open_checkpoint(source)
        files, tensors = checkpoint.files, checkpoint.tensors
    facts = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files]
    return tensors, json.dumps([to, facts])


def _has_no_other_weights(source: Path) -> bool:
    """Say whether a source is a directory without weights in Hugging Face's or MindSpore's formats."""
    others = ("*.safetensors", "pytorch_model*.bin", "*.ckpt")
    return source.is_dir() and not any(found for pattern in others for found in source.glob(pattern))


def _outputs(
    tensors: Mapping[str, LazyTensor], to: Side, format: FileFormat, *, one_file: bool
) -> list[OutputFile]:
    if to == "hf":
        return hf_outputs(tensors, one_file=one_file)
    return ckpt_output(tensors) if format == "ckpt" else safetensors_output(tensors)


def _write_report(
    path: Path, report: ConversionReport, written: Mapping[str, Sequence[TensorRecord]], **options: str
) -> None:
    tensors = [
        {
            "name": record.name,
            "file": file,
            "shape": list(record.shape),
            "dtype": record.dtype,
            "sha256": record.sha256,
            "nan": record.nan,
            "infinite": record.infinite,
        }
        for file, records in written.items()
        for record in records
    ]
    content: dict[str, Any] = {
        **options,
        "family": report.family,
        "size": report.size,
        "nan": report.nan,
        "infinite": report.infinite,
        "verified": report.verified,
        "dropped": list(report.dropped),
        "warnings": list(report.warnings),
        "tensors": tensors,
    }
    contents = (json.dumps(content, indent=1) + "\n").encode("ascii")
    replace_contents(path, contents, scratch_suffix=".writing")
