"""Takes rows that exist already, of this project or of MindFormers, after looking at every one of them.

They are written anew, as one file with a report beside it, like the rows that `preprocess` makes: columns
that training does not read are left out, and some rows can be held back for validation. Tokens are not
changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modelcore.data.encoding.encode import Int32
from modelcore.data.encoding.rows import IGNORE, Rows
from modelcore.data.mindrecord.decode import decode_row
from modelcore.data.mindrecord.file import MindRecordReader
from modelcore.data.mindrecord.output import SUFFIX, atomic_rows, report_path, validation_path
from modelcore.data.mindrecord.sink import DECODED_ROWS, RowFiles
from modelcore.data.options import Options
from modelcore.data.report import PreprocessReport
from modelcore.data.sources.files import named_files
from modelcore.data.tokenizers import Tokenizer
from modelcore.errors import MindrailError
from modelcore.progress import Progress, silent

__all__ = ["check_given_rows", "given_files", "take_rows"]

_COLUMNS = ("input_ids", "labels", "segments")
_BATCH = 256
_SAMPLED = 64


def given_files(names: Sequence[str]) -> list[Path]:
    """Return the MindRecord files that are meant, in order; those of a directory or pattern without `.db`.

    Raises:
        MindrailError: as of `named_files`.
    """
    found = named_files(names, suffixes=(SUFFIX,))
    return [path for path in found if not path.name.endswith(".db")]


def check_given_rows(files: Sequence[Path], options: Options, vocab_size: int | None) -> None:
    """Look at some rows from all over each file; errors as of `take_rows`."""
    for path, columns in _common_columns(files).items():
        reader = MindRecordReader(path)
        chosen = np.unique(np.linspace(0, len(reader) - 1, min(_SAMPLED, len(reader))).astype(np.int64))
        rows = _Rows(path, columns, options.width, vocab_size)
        for number in chosen.tolist():
            rows.check(number, reader.read(number))


def take_rows(
    files: Sequence[Path],
    destination: Path,
    *,
    options: Options,
    tokenizer: Tokenizer,
    vocab_size: int | None,
    progress: Progress = silent,
) -> PreprocessReport:
    """Write the rows of the files, one after the other, into `destination`, with a report.

    Args:
        files: MindRecord files with the column input_ids and perhaps labels and segments, int32.
        destination: FILE.mindrecord; `output` lists the files beside it.
        options: seq_length, which the rows must have; validation, the share to hold back; pad_id, which is
            left out of the loss where there are no labels.
        tokenizer: decodes the first rows for the report.
        vocab_size: of the model, which no token may reach; None if it is not known.
        progress: called with the number of rows done.

    Raises:
        MindrailError: a row has another length, a token that the model does not know, or labels that are not
            its tokens or IGNORE; the line names file and row. No files are left.
        StepFailed: the disk is full.
    """
    columns = _common_columns(files)
    report = PreprocessReport.empty(options)
    report.pad_id, report.notes = options.pad_id, _notes(files, columns, options)
    written = [name for name in _COLUMNS if name in next(iter(columns.values()))]
    if options.pad_id is not None and "labels" not in written:
        written.insert(1, "labels")
    with atomic_rows(destination) as path:
        with ExitStack() as stack:
            train = stack.enter_context(RowFiles(path, written, 0))
            held_back = RowFiles(validation_path(path), written, 0) if options.validation else None
            sink = _Sink(train, held_back and stack.enter_context(held_back), report, options, tokenizer)
            for file, names in columns.items():
                for rows in _batches(file, _Rows(file, names, options.width, vocab_size)):
                    sink.add(_masked(rows, options.pad_id))
                    progress(report.records_in, None, "rows")
        if report.rows_out == report.validation_rows:
            raise MindrailError("holds no rows to train on", where=files[0], fix="check the files")
        report_path(path).write_text(report.to_json(), encoding="utf-8")
    return report


@dataclass
class _Sink:
    """Writes rows and counts them."""

    train: RowFiles
    validation: RowFiles | None
    report: PreprocessReport
    options: Options
    tokenizer: Tokenizer

    def add(self, rows: Rows) -> None:
        held_back = _held_back(rows.input_ids, self.options.validation)
        self.train.write(_select(rows, ~held_back))
        if self.validation is not None:
            self.validation.write(_select(rows, held_back))
        self._count(rows, int(held_back.sum()))

    def _count(self, rows: Rows, held_back: int) -> None:
        report, count = self.report, len(rows.input_ids)
        trained = np.ones(rows.input_ids.shape, bool) if rows.labels is None else rows.labels != IGNORE
        masked = np.flatnonzero(~trained[:, 1:].any(axis=1))
        report.wholly_masked += len(masked)
        report.add_records("wholly_masked", (masked + report.records_in + 1).tolist())
        for index in range(min(count, DECODED_ROWS - len(report.first_rows))):
            labels = None if rows.labels is None else rows.labels[index]
            spans = decode_row(rows.input_ids[index], labels, self.tokenizer, self.options.pad_id)
            report.first_rows.append(spans)
        padding = 0 if self.options.pad_id is None else int((rows.input_ids == self.options.pad_id).sum())
        report.records_in += count
        report.rows_out += count
        report.validation_rows += held_back
        report.tokens += rows.input_ids.size - padding
        report.trained_tokens += int(trained.sum())


@dataclass(frozen=True)
class _Rows:
    """What the rows of one file must be."""

    path: Path
    columns: tuple[str, ...]
    width: int
    vocab_size: int | None

    def check(self, number: int, row: dict[str, Int32]) -> None:
        """Refuse a row that is not as long as the others, or not of this vocabulary."""
        where = f"{self.path}, row {number}"
        for name in self.columns:
            if row[name].size != self.width:
                raise MindrailError(
                    f"{name} has {row[name].size} tokens, seq_length {self.width - 1} makes {self.width}",
                    where=where,
                    fix=f"set preprocess.seq_length to {row[name].size - 1} if all rows are that long",
                )
        ids = row["input_ids"]
        if ids.min() < 0 or (self.vocab_size is not None and ids.max() >= self.vocab_size):
            wrong = int(ids.min()) if ids.min() < 0 else int(ids.max())
            raise MindrailError(
                f"holds token {wrong}, the model has {self.vocab_size}",
                where=where,
                fix="use rows of this model's tokenizer",
            )
        if "labels" in self.columns:
            _check_labels(ids, row["labels"], where)


def _check_labels(ids: Int32, labels: Int32, where: str) -> None:
    """Refuse labels that are neither IGNORE nor their own token: those of a row that is shifted already."""
    trained = labels != IGNORE
    if np.array_equal(labels[trained], ids[trained]):
        return
    shifted = trained[:-1]
    if np.array_equal(labels[:-1][shifted], ids[1:][shifted]):
        raise MindrailError(
            "labels are shifted by one token already; training shifts them itself",
            where=where,
            fix="write labels that are -100 or the token at the same place",
        )
    at = int(np.flatnonzero(trained & (labels != ids))[0])
    raise MindrailError(
        f"token {at} is {ids[at]}, its label {labels[at]}: neither the same nor -100",
        where=where,
        fix="write labels that are -100 or the token at the same place",
    )


def _common_columns(files: Sequence[Path]) -> dict[Path, tuple[str, ...]]:
    """Return the columns of each file that training reads, which must be the same for all."""
    columns = {}
    for path in files:
        reader = MindRecordReader(path)
        if not len(reader):
            raise MindrailError("has no rows", where=path)
        if "input_ids" not in reader.columns:
            raise MindrailError(f"has the columns {sorted(reader.columns)}, no input_ids", where=path)
        columns[path] = tuple(name for name in _COLUMNS if name in reader.columns)
        if columns[path] != columns[files[0]]:
            raise MindrailError(
                f"has the columns {', '.join(columns[path])}, {files[0]} has {', '.join(columns[files[0]])}",
                where=path,
                fix="train on files of one kind",
            )
    return columns


def _batches(path: Path, expected: _Rows) -> Iterator[Rows]:
    reader = MindRecordReader(path)
    for start in range(0, len(reader), _BATCH):
        taken = []
        for number in range(start, min(start + _BATCH, len(reader))):
            row = reader.read(number)
            expected.check(number, row)
            taken.append(row)
        yield Rows(**{name: np.stack([row[name] for row in taken]) for name in expected.columns})


def _masked(rows: Rows, pad_id: int | None) -> Rows:
    """Leave padding out of the loss where there are no labels, as MindFormers does while it trains."""
    if pad_id is None or rows.labels is not None:
        return rows
    return rows._replace(labels=np.where(rows.input_ids == pad_id, np.int32(IGNORE), rows.input_ids))


def _held_back(ids: Int32, share: float) -> NDArray[np.bool_]:
    """Return which rows are for validation: equal rows always go the same way."""
    if not share:
        return np.zeros(len(ids), np.bool_)
    digests = (hashlib.sha256(row.astype("<i4").tobytes()).digest() for row in ids)
    shares = np.array([int.from_bytes(digest[:8], "big") for digest in digests], np.float64) / 2.0**64
    return shares < share


def _select(rows: Rows, mask: NDArray[np.bool_]) -> Rows:
    return Rows(*(None if column is None else column[mask] for column in rows))  # type: ignore[arg-type]


def _notes(files: Sequence[Path], columns: dict[Path, tuple[str, ...]], options: Options) -> list[str]:
    notes = [f"Rows that existed before, in {len(files)} file{'s' if len(files) > 1 else ''}."]
    if "labels" in next(iter(columns.values())):
        return notes
    if options.pad_id is None:
        return [*notes, "They have no labels: every token is in the loss, padding too if there is any."]
    return [*notes, f"They have no labels: every token but {options.pad_id} is in the loss."]
