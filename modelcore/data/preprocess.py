"""A source to rows in a MindRecord, with a report of all that happened on the way.

Reads, examines and writes a chunk at a time: memory does not grow with the input (but for what looking for
duplicates must remember). Everything is built in a directory of its own beside the destination, which takes
the destination's name only when complete.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcore.data.chunks import Chunk, chunked
from modelcore.data.compat import PEER_WAYS
from modelcore.data.examine import Examined, Examiner, Plan
from modelcore.data.formats import FORMATS
from modelcore.data.options import Options
from modelcore.data.report import LengthHistogram, PreprocessReport
from modelcore.data.rows import Assembler, Packer, Padder, StreamCutter
from modelcore.data.samples import Sample, read_samples, read_texts
from modelcore.data.selection import Selector
from modelcore.data.sink import TRAIN, VALIDATION, Files, Sink
from modelcore.data.workers import examine_all, worker_count
from modelcore.errors import MindrailError
from modelcore.progress import Progress, silent

__all__ = ["preprocess"]

SMALL = 16 << 20  # bytes of source below which starting workers costs more than it saves


def preprocess(
    source: Path,
    destination: Path,
    *,
    format: str,
    tokenizer_dir: Path,
    seq_length: int,
    workers: int | None = None,
    progress: Progress = silent,
    **choices: Any,
) -> PreprocessReport:
    """Turn a source into `destination/train.mindrecord` (with its `.db`) and `destination/report.json`.

    Args:
        source: a JSON list or JSON lines, plain or gzipped; for `wiki` a file of wikitext's. Never written
            to.
        destination: a directory that does not exist yet or is empty.
        format: as in `Options`.
        tokenizer_dir: the model's tokenizer files.
        seq_length: tokens the network sees; rows hold one more.
        workers: processes to use; None takes one for a small source and all processors for a large one. The
            rows do not depend on it.
        progress: told the records done.
        **choices: the other fields of `Options` (compat, strict, skip_bad, pack, validation, benchmarks, …).

    Raises:
        MindrailError: the source, the tokenizer, an option or the destination is unusable, or something is
            wrong with the data that the options forbid. Nothing is left behind then.
        StepFailed: a worker died or the disk is full.

    Example:
        >>> preprocess(Path("code_alpaca.json"), Path("rows"), format="wizardcoder",
        ...            tokenizer_dir=Path("WizardCoder-15B"), seq_length=2048, drop_duplicates=True)
    """
    options = Options(format=format, seq_length=seq_length, **choices)
    plan = Plan(options, tokenizer_dir)
    examiner = Examiner(plan)
    report = PreprocessReport(
        format,
        options.compat,
        seq_length,
        None,
        LengthHistogram.for_width(options.width),
        notes=_notes(options),
    )
    samples = _read(source, options, report)
    if workers is None:
        workers = worker_count() if source.is_file() and source.stat().st_size > SMALL else 1
    with _built_aside(destination) as scratch:
        with ExitStack() as stack:
            sinks = _open_sinks(scratch, examiner, options, report, stack)
            selector = Selector(options, report)
            chunks = chunked(selector.first_pass(samples))
            for chunk, found in examine_all(chunks, plan, examiner, workers):
                _deliver(chunk, found, selector, sinks, report)
                progress(report.records_in, None, "records")
            for sink in sinks.all:
                sink.finish()
        _judge(source, report, options)
        (scratch / "report.json").write_text(report.to_json(), encoding="utf-8")
    return report


def _read(source: Path, options: Options, report: PreprocessReport) -> Iterator[Sample]:
    if options.format in FORMATS:
        return read_samples(source, FORMATS[options.format], report, options)
    return read_texts(source, report, options)


def _deliver(
    chunk: Chunk, found: Examined, selector: Selector, sinks: _Sinks, report: PreprocessReport
) -> None:
    """Give the samples that stay to the file they belong to."""
    keep, validation = selector.second_pass(chunk, found)
    report.lengths.add(found.encoded.lengths[keep])
    sinks.train.add(chunk, found.encoded, keep & ~validation)
    if sinks.validation:
        sinks.validation.add(chunk, found.encoded, keep & validation)


@dataclass
class _Sinks:
    train: Sink
    validation: Sink | None

    @property
    def all(self) -> list[Sink]:
        return [self.train, *([self.validation] if self.validation else [])]


def _open_sinks(
    scratch: Path, examiner: Examiner, options: Options, report: PreprocessReport, stack: ExitStack
) -> _Sinks:
    def sink(name: str) -> Sink:
        assembler = _assembler(examiner, options, report)
        files = Files(scratch, name, assembler.columns, options.rows_per_file)
        return Sink(stack.enter_context(files), assembler, examiner.tokenizer, options, report)

    return _Sinks(sink(TRAIN), sink(VALIDATION) if options.validation else None)


def _assembler(examiner: Examiner, options: Options, report: PreprocessReport) -> Assembler:
    if options.format not in FORMATS:
        return StreamCutter(options.width)
    candidates = (options.pad_id, examiner.tokenizer.pad_id, examiner.encoder.closing)
    report.pad_id = next(number for number in candidates if number is not None)
    if options.pack:
        return Packer(options.width, report.pad_id, options.boundaries)
    return Padder(options.width, report.pad_id)


def _notes(options: Options) -> list[str]:
    if options.compat == "mindformers":
        return [f"as MindFormers writes them: {PEER_WAYS[options.format]}"]
    read = "their ids" if options.literal_specials else "ordinary characters"
    told = [f"as the model's own tokenizer reads them; special tokens written out in the data are {read}"]
    return told + _packing_notes(options)


def _packing_notes(options: Options) -> list[str]:
    if not options.pack:
        return []
    if options.boundaries:
        return [
            "packed: the network must keep samples apart by the column `segments`, "
            "or they attend to each other"
        ]
    return ["packed without boundaries: samples in a row attend to the ones before them"]


def _judge(source: Path, report: PreprocessReport, options: Options) -> None:
    if report.rows_out == 0:
        raise MindrailError(
            f"its {report.records_in} records gave no row", where=source, fix="see seq_length"
        )
    if options.strict and report.losses:
        told = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in report.losses.items())
        raise MindrailError(
            f"strict: {told} of {report.records_in} records", where=source, fix="raise seq_length"
        )


@contextmanager
def _built_aside(destination: Path) -> Iterator[Path]:
    """Give a scratch directory that becomes `destination` if the block ends well, and is removed if not."""
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise MindrailError("exists already", where=destination, fix="remove it or choose another name")
    destination.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(
        tempfile.mkdtemp(prefix=f".{destination.name}.", suffix=".partial", dir=destination.parent)
    )
    try:
        yield scratch
        scratch.chmod(0o755)
        scratch.replace(destination)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
