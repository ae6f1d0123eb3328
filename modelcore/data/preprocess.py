"""Converts a source into rows in MindRecord files, with a report on what happened to its records.

Reads, encodes and writes in parallel, one chunk at a time: memory does not grow with the input, except for
what the search for duplicates must remember. Existing files are never replaced, and a failure leaves no files
(`output`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from modelcore.config.reading import parse
from modelcore.data.encoding.chunks import Chunk, chunked
from modelcore.data.encoding.examine import Examined, Examiner, Plan
from modelcore.data.encoding.formats import FORMATS
from modelcore.data.encoding.prefetch import prefetch
from modelcore.data.encoding.samples import Position, Sample, read_samples, read_texts
from modelcore.data.encoding.workers import examine_all, suitable_workers
from modelcore.data.losses import KEPT_WHOLE, SampleLengths, check_truncated
from modelcore.data.mindrecord.output import atomic_rows, report_path
from modelcore.data.mindrecord.sink import Sinks, open_sinks
from modelcore.data.options import Options
from modelcore.data.quality.selection import Selector
from modelcore.data.report import PreprocessReport
from modelcore.errors import MindrailError
from modelcore.progress import Progress, silent

__all__ = ["check_first_sample", "preprocess"]

Examinations: TypeAlias = Generator[tuple[Chunk, Examined], None, None]
Examine: TypeAlias = Callable[[Iterator[Chunk], Plan], Examinations]


def preprocess(
    sources: Path | Sequence[Path],
    destination: Path,
    *,
    tokenizer_dir: Path,
    workers: int | None = None,
    examine: Examine | None = None,
    progress: Progress = silent,
    **choices: Any,
) -> PreprocessReport:
    """Convert a source into `destination`, its `.db` and its report.

    Args:
        sources: a JSON list or JSON lines, plain or gzipped; for the format `wiki` a wikitext file; or
            several, which are read one after the other. They are only read.
        destination: FILE.mindrecord; `output` lists the files beside it.
        tokenizer_dir: directory of the model's tokenizer files.
        workers: number of processes; None chooses by the source's size and the number of processors. The
            rows do not depend on it.
        examine: examines chunks instead of processes on this host; yields them in their order.
        progress: called with the number of records done.
        **choices: fields of `Options` (format, seq_length, strict, skip_bad, pack, validation, …).

    Returns:
        The report, which is also in FILE.report.json.

    Raises:
        MindrailError: the source, the tokenizer, an option or the destination is unusable, or the data has
            an error that the options do not allow. No files are left.
        StepFailed: a worker died or the disk is full.

    Example:
        >>> preprocess(Path("code_alpaca.json"), Path("rows.mindrecord"), format="wizardcoder",
        ...            tokenizer_dir=Path("WizardCoder-15B"), seq_length=2048, drop_duplicates=True)
    """
    options, files = parse(choices, Options), [sources] if isinstance(sources, Path) else [*sources]
    plan = Plan(options, tokenizer_dir)
    examiner = Examiner(plan)
    report = PreprocessReport.empty(options)
    with atomic_rows(destination) as path:
        with open_sinks(path, examiner, options, report) as sinks:

            def here(chunks: Iterator[Chunk], plan: Plan) -> Examinations:
                return examine_all(chunks, plan, examiner, workers or suitable_workers(files))

            _fill(sinks, files, plan, examine or here, report, progress)
        _check_result(_named(files), report, options)
        report_path(path).write_text(report.to_json(), encoding="utf-8")
    return report


def check_first_sample(source: Path, options: Options) -> None:
    """Check that the source can be read in its format, up to the first valid sample.

    Raises:
        MindrailError: it cannot be read, or contains no sample.
    """
    if options.format == "wiki" and options.compat == "mindformers":
        return  # MindFormers' rules need the whole text at once
    if next(_read([source], options, PreprocessReport.empty(options)), None) is None:
        raise MindrailError("no sample", where=source)


def _fill(
    sinks: Sinks,
    sources: Sequence[Path],
    plan: Plan,
    examine: Examine,
    report: PreprocessReport,
    progress: Progress,
) -> None:
    """Read, examine and write the samples of the source, in parallel."""
    selector = Selector(plan.options, report)
    lengths = SampleLengths()
    samples = selector.first_pass(_read(sources, plan.options, report))
    with (
        prefetch(chunked(samples)) as chunks,
        prefetch(examine(chunks, plan)) as results,
    ):
        for chunk, examined in results:
            keep, validation = selector.second_pass(chunk, examined)
            report.lengths.add(examined.encoded.lengths[keep])
            lengths.add(examined.encoded.lengths[keep])
            sinks.add(chunk, examined.encoded, keep, validation)
            progress(chunk.numbers[-1], None, "records")
    sinks.finish()
    report.seq_length_for_99 = lengths.seq_length(KEPT_WHOLE)


def _read(sources: Sequence[Path], options: Options, report: PreprocessReport) -> Iterator[Sample]:
    """Yield the samples of the sources, numbered through."""
    last = 0
    for source in sources:
        position = Position(last, f"{source.name}, " if len(sources) > 1 else "")
        for sample in _read_one(source, options, report, position):
            last = sample.number
            yield sample


def _read_one(
    source: Path, options: Options, report: PreprocessReport, position: Position
) -> Iterator[Sample]:
    if options.format in FORMATS:
        return read_samples(source, FORMATS[options.format], report, options, position)
    return read_texts(source, report, options, position)


def _named(sources: Sequence[Path]) -> str:
    return str(sources[0]) if len(sources) == 1 else f"{sources[0]} and {len(sources) - 1} more"


def _check_result(source: str, report: PreprocessReport, options: Options) -> None:
    if report.rows_out == 0:
        raise MindrailError(
            f"no rows from its {report.records_in} records",
            where=source,
            fix="check the records and seq_length",
        )
    if options.strict and report.losses:
        losses = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in report.losses.items())
        raise MindrailError(
            f"strict: {losses} of {report.records_in} records", where=source, fix="raise seq_length"
        )
    check_truncated(report, options.max_truncated, where=source)
