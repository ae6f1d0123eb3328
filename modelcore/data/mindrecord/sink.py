"""Where samples become rows of one file, and are counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from modelcore.data.encoding.chunks import Chunk
from modelcore.data.encoding.encode import Encoded
from modelcore.data.encoding.examine import Examiner
from modelcore.data.encoding.formats import FORMATS
from modelcore.data.encoding.rows import Assembler, Packer, Padder, Rows, StreamCutter, cut, learnt, take
from modelcore.data.mindrecord.decode import decode_row
from modelcore.data.mindrecord.file import MindRecordWriter
from modelcore.data.mindrecord.output import rows_path, validation_path
from modelcore.data.options import Options
from modelcore.data.report import PreprocessReport
from modelcore.data.tokenizers import Tokenizer

__all__ = ["Files", "Sink", "Sinks", "open_sinks"]

DECODED = 3  # rows shown in the report


class Files:
    """The MindRecord files of one kind: one, or several of so many rows each (`output.rows_path`).

    Args:
        path: the one file's path, of which the others' are made.
        columns: of their rows.
        rows_per_file: rows a file; 0 puts all into one.
    """

    def __init__(self, path: Path, columns: Sequence[str], rows_per_file: int) -> None:
        self._path = path
        self._columns = columns
        self._limit = rows_per_file
        self._number = 0
        self._writer = self._open()

    def _open(self) -> MindRecordWriter:
        return MindRecordWriter(rows_path(self._path, self._number if self._limit else None), self._columns)

    def write(self, rows: Rows) -> None:
        """Append rows, beginning another file where one is full.

        Raises:
            StepFailed: a file could not be written.
        """
        begin = 0
        while begin < len(rows.input_ids):
            room = self._limit - self._writer.rows if self._limit else len(rows.input_ids)
            if room == 0:
                self._writer.close()
                self._number += 1
                self._writer = self._open()
                continue
            self._writer.write(rows.part(begin, begin + room))
            begin += room

    def __enter__(self) -> Files:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)


@dataclass
class Sink:
    """The files of one kind and what leads to them; `held_back` says they are for validation."""

    files: Files
    assembler: Assembler
    tokenizer: Tokenizer
    options: Options
    report: PreprocessReport
    held_back: bool

    def add(self, chunk: Chunk, encoded: Encoded, mask: npt.NDArray[np.bool_]) -> None:
        """Take the samples of a chunk for which `mask` is true."""
        encoded = take(encoded, mask)
        if not isinstance(self.assembler, StreamCutter):
            encoded = self._fit(encoded, np.array(chunk.numbers, np.int64)[mask])
        self.report.tokens += len(encoded.ids)
        self.report.trained_tokens += int(encoded.trained.sum())
        self._write(self.assembler.add(encoded))

    def finish(self) -> None:
        """Write what the assembler still holds."""
        self._write(self.assembler.finish())
        if isinstance(self.assembler, StreamCutter):
            left = len(self.assembler.rest)
            self.report.dropped_tokens += left
            self.report.tokens -= left
            self.report.trained_tokens -= left

    def _fit(self, encoded: Encoded, numbers: npt.NDArray[np.int64]) -> Encoded:
        """Cut samples to a row and leave out those of which nothing is left to learn, counting both."""
        over = encoded.lengths - self.options.width
        self.report.truncated += int((over > 0).sum())
        self.report.tokens_lost += int(over[over > 0].sum())
        self.report.note_records("truncated", numbers[over > 0].tolist())
        encoded = cut(encoded, self.options.width)
        masked = learnt(encoded) == 0
        self.report.wholly_masked += int(masked.sum())
        self.report.note_records("wholly_masked", numbers[masked].tolist())
        # MindFormers keeps such rows, though a batch of them has no loss.
        return encoded if self.options.compat == "mindformers" else take(encoded, ~masked)

    def _write(self, rows: Rows) -> None:
        for index in range(min(len(rows.input_ids), DECODED - len(self.report.first_rows))):
            labels = None if rows.labels is None else rows.labels[index]
            spans = decode_row(rows.input_ids[index], labels, self.tokenizer, self.report.pad_id)
            self.report.first_rows.append(spans)
        self.files.write(rows)
        self.report.rows_out += len(rows.input_ids)
        if self.held_back:
            self.report.validation_rows += len(rows.input_ids)


@dataclass
class Sinks:
    """The rows to learn from, and those held back where that is asked for."""

    train: Sink
    validation: Sink | None

    def add(
        self, chunk: Chunk, encoded: Encoded, keep: npt.NDArray[np.bool_], held_back: npt.NDArray[np.bool_]
    ) -> None:
        """Take the samples of a chunk that `keep` says, each to its side."""
        self.train.add(chunk, encoded, keep & ~held_back)
        if self.validation:
            self.validation.add(chunk, encoded, keep & held_back)

    def finish(self) -> None:
        """Write what is still held."""
        self.train.finish()
        if self.validation:
            self.validation.finish()


@contextmanager
def open_sinks(path: Path, examiner: Examiner, options: Options, report: PreprocessReport) -> Iterator[Sinks]:
    """Open the files of all rows, `path` and those beside it; they are complete after the block.

    Args:
        path: where the rows to learn from go.
        examiner: knows the vocabulary and the ids of control tokens.
        options: what is asked for.
        report: gets the counts.
    """
    with ExitStack() as stack:

        def sink(place: Path, counted: bool) -> Sink:
            assembler = _assembler(examiner, options, report)
            files = stack.enter_context(Files(place, assembler.columns, options.rows_per_file))
            return Sink(files, assembler, examiner.tokenizer, options, report, counted)

        yield Sinks(sink(path, False), sink(validation_path(path), True) if options.validation else None)


def _assembler(examiner: Examiner, options: Options, report: PreprocessReport) -> Assembler:
    if options.format not in FORMATS:
        return StreamCutter(options.width)
    candidates = (options.pad_id, examiner.tokenizer.pad_id, examiner.encoder.closing)
    report.pad_id = next(number for number in candidates if number is not None)
    return (Packer if options.pack else Padder)(options.width, report.pad_id)
