"""Assembles samples into rows, writes them to their files, and counts them."""

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
from modelcore.data.encoding.rows import (
    Assembler,
    Packer,
    Padder,
    Rows,
    StreamCutter,
    loss_tokens,
    select,
    truncate,
)
from modelcore.data.mindrecord.decode import decode_row
from modelcore.data.mindrecord.file import MindRecordWriter
from modelcore.data.mindrecord.output import rows_path, validation_path
from modelcore.data.options import Options
from modelcore.data.report import PreprocessReport
from modelcore.data.tokenizers import Tokenizer

__all__ = ["RowFiles", "Sink", "Sinks", "open_sinks"]

DECODED_ROWS = 3  # in the report


class RowFiles:
    """The MindRecord files of the training or the validation rows: one, or several (`output.rows_path`).

    Args:
        path: of the only file; names of several are derived from it.
        columns: names of the rows' columns.
        rows_per_file: rows per file; 0 for a single file.
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
        """Append rows, and open the next file when one is full.

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

    def __enter__(self) -> RowFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)


@dataclass
class Sink:
    """Turns samples into rows of its files and counts them in the report.

    Attributes:
        files: where the rows are written.
        assembler: builds the rows.
        tokenizer: decodes the first rows for the report.
        options: of preprocessing.
        report: updated with the counts.
        is_validation: whether these are the validation rows.
    """

    files: RowFiles
    assembler: Assembler
    tokenizer: Tokenizer
    options: Options
    report: PreprocessReport
    is_validation: bool

    def add(self, chunk: Chunk, encoded: Encoded, mask: npt.NDArray[np.bool_]) -> None:
        """Add the samples of a chunk for which `mask` is true."""
        encoded = select(encoded, mask)
        if not isinstance(self.assembler, StreamCutter):
            encoded = self._truncated(encoded, np.array(chunk.numbers, np.int64)[mask])
        self.report.tokens += len(encoded.ids)
        self.report.trained_tokens += int(encoded.trained.sum())
        self._write(self.assembler.add(encoded))

    def finish(self) -> None:
        """Write the rows that the assembler has kept."""
        self._write(self.assembler.finish())
        if isinstance(self.assembler, StreamCutter):
            dropped = len(self.assembler.rest)
            self.report.dropped_tokens += dropped
            self.report.tokens -= dropped
            self.report.trained_tokens -= dropped

    def _truncated(self, encoded: Encoded, numbers: npt.NDArray[np.int64]) -> Encoded:
        """Truncate samples to a row, drop those without tokens in the loss, and count both."""
        over = encoded.lengths - self.options.width
        self.report.truncated += int((over > 0).sum())
        self.report.tokens_lost += int(over[over > 0].sum())
        self.report.add_records("truncated", numbers[over > 0].tolist())
        encoded = truncate(encoded, self.options.width)
        masked = loss_tokens(encoded) == 0
        self.report.wholly_masked += int(masked.sum())
        self.report.add_records("wholly_masked", numbers[masked].tolist())
        # MindFormers keeps such rows, although a batch of them has no loss.
        return encoded if self.options.compat == "mindformers" else select(encoded, ~masked)

    def _write(self, rows: Rows) -> None:
        for index in range(min(len(rows.input_ids), DECODED_ROWS - len(self.report.first_rows))):
            labels = None if rows.labels is None else rows.labels[index]
            spans = decode_row(rows.input_ids[index], labels, self.tokenizer, self.report.pad_id)
            self.report.first_rows.append(spans)
        self.files.write(rows)
        self.report.rows_out += len(rows.input_ids)
        if self.is_validation:
            self.report.validation_rows += len(rows.input_ids)


@dataclass
class Sinks:
    """The sinks of the training rows and, if requested, of the validation rows."""

    train: Sink
    validation: Sink | None

    def add(
        self, chunk: Chunk, encoded: Encoded, keep: npt.NDArray[np.bool_], validation: npt.NDArray[np.bool_]
    ) -> None:
        """Add the samples of a chunk for which `keep` is true, to validation where `validation` is too."""
        self.train.add(chunk, encoded, keep & ~validation)
        if self.validation:
            self.validation.add(chunk, encoded, keep & validation)

    def finish(self) -> None:
        """Write the remaining rows."""
        self.train.finish()
        if self.validation:
            self.validation.finish()


@contextmanager
def open_sinks(path: Path, examiner: Examiner, options: Options, report: PreprocessReport) -> Iterator[Sinks]:
    """Open the files of all rows; they are complete after the block.

    Args:
        path: of the training rows; the validation rows are written beside it.
        examiner: has the tokenizer and the ids of control tokens.
        options: of preprocessing.
        report: updated with the counts.
    """
    with ExitStack() as stack:

        def open_sink(rows: Path, *, is_validation: bool) -> Sink:
            assembler = _assembler(examiner, options, report)
            files = stack.enter_context(RowFiles(rows, assembler.columns, options.rows_per_file))
            return Sink(files, assembler, examiner.tokenizer, options, report, is_validation)

        train = open_sink(path, is_validation=False)
        validation = open_sink(validation_path(path), is_validation=True) if options.validation else None
        yield Sinks(train, validation)


def _assembler(examiner: Examiner, options: Options, report: PreprocessReport) -> Assembler:
    if options.format not in FORMATS:
        return StreamCutter(options.width)
    report.pad_id = examiner.pad_id
    return (Packer if options.pack else Padder)(options.width, examiner.pad_id)
