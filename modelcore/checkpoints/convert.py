"""Converts a whole checkpoint between Hugging Face and MindSpore, streaming: memory is bounded by a tensor.

The result is a function of the source and the options alone, byte for byte. `conversion.json` in the
destination lists every tensor with its sha256; it is written last, so a directory without it is unfinished.
Resharding is not done here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from modelcore.checkpoints.match import match_hf, match_mindspore
from modelcore.checkpoints.verify import verify_conversion
from modelcore.checkpoints.vocabulary import check_vocabulary
from modelcore.config.checkpoint import Dtype, FileFormat
from modelcore.errors import MindrailError
from modelcore.models.families import read_config_json, read_model
from modelcore.models.model import Model
from modelcore.progress import Progress, silent
from modelcore.store.durable import replace_contents, sync_tree
from modelcore.store.model_files import copy_companions
from modelcore.weights.casting import cast
from modelcore.weights.checkpoint import open_checkpoint
from modelcore.weights.dtypes import BF16, FP16, FP32, DType
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

_DTYPES: dict[str, DType | None] = {"keep": None, "fp16": FP16, "bf16": BF16, "fp32": FP32}
_HF_DTYPE = {FP16: "float16", BF16: "bfloat16", FP32: "float32"}

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
    to: Literal["mindspore", "hf"],
    format: FileFormat = "ckpt",
    dtype: Dtype = "keep",
    verify: bool = False,
    progress: Progress = silent,
) -> ConversionReport:
    """Convert the checkpoint at `source` into the directory `destination`.

    Args:
        source: a directory with config.json and weights, or the weights file (or index) in such a one.
        destination: an empty or new directory, or the one of an interrupted call with the same arguments:
            the tensors already written are kept.
        to: `mindspore` writes MindFormers' names, `hf` Hugging Face's (safetensors, sharded at 5 GB).
        format: of MindSpore's file.
        dtype: `keep`, or cast every tensor.
        verify: read both sides back and compare them, tensor by tensor.
        progress: bytes written (and, verifying, compared).

    Raises:
        MindrailError: the source is not sound or not the model that config.json describes; the line names the
            file and the tensor. Nothing usable is left in `destination`.
        StepFailed: the disk is full.
    """
    home = source if source.is_dir() else source.parent
    _check_apart(home, destination)
    model = read_model(home)
    warnings = check_vocabulary(home, model.config)
    opened, origin = _open(source, model, to)
    match = match_hf if to == "mindspore" else match_mindspore
    matched = match(model, opened, source)
    target = _DTYPES[dtype]
    tensors = {name: cast(one, target or one.dtype, name) for name, one in matched.tensors.items()}
    outputs = _outputs(tensors, to, format)
    (destination / CONVERSION).unlink(missing_ok=True)
    counter = _Counter(progress, sum(map(nbytes, tensors.values())) * (2 if verify else 1))
    written = write_outputs(
        destination, outputs, tensors, origin=f"{_VERSION} {origin} {dtype}", wrote=counter.add
    )
    if verify:
        verify_conversion(model, opened, destination, to=to, dtype=target, compared=counter.add)
    _finish(home, destination, target)
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
        if to == "hf":
            # They have Hugging Face's names already; the way back begins at MindSpore's.
            tensors = match_hf(model, tensors, source).tensors
    else:
        checkpoint = open_checkpoint(source)
        files, tensors = checkpoint.files, checkpoint.tensors
    facts = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files]
    return tensors, json.dumps([to, facts])


def _has_no_other_weights(source: Path) -> bool:
    """Say whether a source is a directory without weights in Hugging Face's or MindSpore's formats."""
    others = ("*.safetensors", "pytorch_model*.bin", "model.ckpt")
    return source.is_dir() and not any(found for pattern in others for found in source.glob(pattern))


def _outputs(tensors: Mapping[str, LazyTensor], to: str, format: str) -> list[OutputFile]:
    if to == "hf":
        return hf_outputs(tensors)
    return ckpt_output(tensors) if format == "ckpt" else safetensors_output(tensors)


def _finish(home: Path, destination: Path, target: DType | None) -> None:
    """Put configuration and tokenizer beside the weights; config.json names their type."""
    copy_companions(home, destination)
    if target is None and (home / "config.json").is_file():
        return
    config = read_config_json(home)
    if target is not None:
        config["dtype" if "dtype" in config else "torch_dtype"] = _HF_DTYPE[target]
    (destination / "config.json").write_text(json.dumps(config, indent=2) + "\n")


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
