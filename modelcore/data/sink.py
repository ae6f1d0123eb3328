"""Where samples become rows of one file, and are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from modelcore.data.chunks import Chunk
from modelcore.data.decode import decode_row
from modelcore.data.encode import Encoded
from modelcore.data.mindrecord import MindRecordWriter
from modelcore.data.options import Options
from modelcore.data.report import PreprocessReport
from modelcore.data.rows import Assembler, Rows, StreamCutter, cut, learnt, take
from modelcore.data.tokenizers import Tokenizer

__all__ = ["TRAIN", "VALIDATION", "Files", "Sink"]

TRAIN, VALIDATION = "train", "validation"
DECODED = 3  # rows shown in the report


class Files:
    """The MindRecord files of one kind, `name.mindrecord`, or `name_0.mindrecord`, … of so many rows each.

    Args:
        directory: where they are written.
        name: train or validation.
        columns: of their rows.
        rows_per_file: rows a file; 0 puts all into one.
    """

    def __init__(self, directory: Path, name: str, columns: Sequence[str], rows_per_file: int) -> None:
        self.name = name
        self._directory = directory
        self._columns = columns
        self._limit = rows_per_file
        self._number = 0
        self._writer = self._open()

    def _open(self) -> MindRecordWriter:
        number = f"_{self._number}" if self._limit else ""
        return MindRecordWriter(self._directory / f"{self.name}{number}.mindrecord", self._columns)

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
    """The files of one kind and what leads to them."""

    files: Files
    assembler: Assembler
    tokenizer: Tokenizer
    options: Options
    report: PreprocessReport

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
        if self.files.name == VALIDATION:
            self.report.validation_rows += len(rows.input_ids)
