"""The report on preprocessing: counts, lengths and first rows, as reproducible JSON.

It contains no times and no paths, so that the same input gives the same bytes. `page` shows it as HTML.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcore.data.encoding.compat import MINDFORMERS_DIFFERENCES
from modelcore.data.mindrecord.decode import Span
from modelcore.data.mindrecord.output import report_path
from modelcore.data.options import Options
from modelcore.errors import MindrailError

__all__ = ["COUNTED", "LISTED", "LengthHistogram", "PreprocessReport", "decoded_rows"]

COUNTED = (
    "records_in",
    "rows_out",
    "validation_rows",
    "bad",
    "empty_answers",
    "truncated",
    "tokens_lost",
    "wholly_masked",
    "duplicates",
    "near_duplicates",
    "contaminated",
    "tokens",
    "trained_tokens",
    "dropped_tokens",
)
LISTED = 50  # record numbers and messages kept for each count


@dataclass
class LengthHistogram:
    """Histogram of the samples' tokens, before truncation.

    Attributes:
        step: width of a bin in tokens.
        counts: samples in [i * step, (i + 1) * step); the last bin includes all longer samples.
        longest: tokens of the longest sample.
    """

    step: int
    counts: list[int]
    longest: int = 0

    @classmethod
    def for_width(cls, width: int) -> LengthHistogram:
        """Return an empty histogram whose bins extend to twice the width of a row."""
        return cls(max(1, -(-width // 16)), [0] * 33)

    def add(self, lengths: npt.NDArray[np.int64]) -> None:
        """Count samples of these lengths."""
        if len(lengths) == 0:
            return
        bins = np.minimum(lengths // self.step, len(self.counts) - 1)
        added = np.bincount(bins, minlength=len(self.counts))
        self.counts = [count + int(more) for count, more in zip(self.counts, added, strict=True)]
        self.longest = max(self.longest, int(lengths.max()))


@dataclass
class PreprocessReport:
    """What happened to the records of one source.

    Attributes:
        format: the row format.
        compat: "model" or "mindformers".
        seq_length: tokens that the network reads; rows have one more.
        pad_id: id of the padding; None if the rows have none.
        notes: sentences that a reader of these rows must know.
        records_in: records in the source, invalid ones included.
        rows_out: rows written, validation rows included.
        validation_rows: rows written to the validation file.
        bad: invalid records, which were skipped.
        empty_answers: records with an empty answer (only its end token is in the loss).
        truncated: samples truncated to the width of a row.
        tokens_lost: tokens cut off by truncation.
        wholly_masked: samples without tokens in the loss.
        duplicates: samples with the content of an earlier one, removed.
        near_duplicates: samples nearly equal to an earlier one.
        contaminated: samples that share text with a benchmark.
        tokens: tokens in the rows, without padding.
        trained_tokens: tokens in the loss.
        dropped_tokens: tokens at the end of a stream that fill no row.
        lengths: tokens per sample, before truncation.
        seq_length_for_99: the least seq_length that truncates at most 1 % of the samples; 0 if not known.
        listed: name of a count to the numbers of the first records counted.
        messages: errors in the first invalid records.
        contamination: benchmark problem to the numbers of the records that share text with it.
        first_rows: the first rows, as runs of masked and trained text.
    """

    format: str
    compat: str
    seq_length: int
    pad_id: int | None
    lengths: LengthHistogram
    notes: list[str] = field(default_factory=list)
    records_in: int = 0
    rows_out: int = 0
    validation_rows: int = 0
    bad: int = 0
    empty_answers: int = 0
    truncated: int = 0
    tokens_lost: int = 0
    wholly_masked: int = 0
    duplicates: int = 0
    near_duplicates: int = 0
    contaminated: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    dropped_tokens: int = 0
    seq_length_for_99: int = 0
    listed: dict[str, list[int]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    contamination: dict[str, list[int]] = field(default_factory=dict)
    first_rows: list[list[Span]] = field(default_factory=list)

    @classmethod
    def empty(cls, options: Options) -> PreprocessReport:
        """Return a report without counts, with the notes on rows built with these options."""
        lengths = LengthHistogram.for_width(options.width)
        notes = _notes(options)
        return cls(options.format, options.compat, options.seq_length, None, lengths, notes=notes)

    @property
    def width(self) -> int:
        """Tokens per row."""
        return self.seq_length + 1

    @property
    def samples(self) -> int:
        """Samples that became rows, or were dropped for want of a token in the loss."""
        return sum(self.lengths.counts)

    @property
    def trained_share(self) -> float:
        """The share of tokens in the loss; 0.0 if there are no tokens."""
        return self.trained_tokens / self.tokens if self.tokens else 0.0

    @property
    def counts(self) -> dict[str, int]:
        """Every count, by its attribute's name."""
        return {name: getattr(self, name) for name in COUNTED}

    @property
    def losses(self) -> dict[str, int]:
        """The counts of data lost without being requested, where not zero."""
        kinds = ("bad", "truncated", "wholly_masked")
        return {kind: count for kind in kinds if (count := getattr(self, kind))}

    def add_records(self, kind: str, numbers: list[int]) -> None:
        """Add record numbers to the list for a count, which keeps the first ones."""
        if numbers:
            listed = self.listed.setdefault(kind, [])
            listed += numbers[: LISTED - len(listed)]

    def add_bad(self, message: str) -> None:
        """Count an invalid record and keep the first error messages."""
        self.bad += 1
        if len(self.messages) < LISTED:
            self.messages.append(message)

    def to_json(self) -> str:
        """Return the report as JSON text, the same for the same preprocessing."""
        state = asdict(self)
        state["first_rows"] = [[span._asdict() for span in row] for row in self.first_rows]
        # Threads count in parallel, so the order in which the counts appear varies.
        state["listed"] = dict(sorted(self.listed.items()))
        state["trained_share"] = round(self.trained_share, 6)
        return json.dumps(state, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> PreprocessReport:
        """Read a report that `to_json` wrote.

        Raises:
            MindrailError: there is no such file, or it is not a report.
        """
        try:
            state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            state.pop("trained_share")
            state["lengths"] = LengthHistogram(**state["lengths"])
            state["first_rows"] = [[Span(**span) for span in row] for row in state["first_rows"]]
            return cls(**state)
        except OSError as error:
            raise MindrailError(
                f"cannot be read ({error.strerror})",
                where=path,
                fix="give a file that `mindrail preprocess` wrote",
            ) from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise MindrailError("not a report on preprocessing", where=path) from error


def decoded_rows(path: Path, count: int) -> list[list[Span]]:
    """Return the first rows of the MindRecord `path`, decoded, from the report beside it.

    Raises:
        MindrailError: there is no report, or it has fewer than `count` of the rows.
    """
    report = PreprocessReport.read(report_path(path))
    if count > len(report.first_rows) < report.rows_out:
        raise MindrailError(
            f"{count} rows requested, the report has {len(report.first_rows)} decoded",
            where=report_path(path),
            fix="give --tokenizer to decode others",
        )
    return report.first_rows[:count]


def _notes(options: Options) -> list[str]:
    if options.compat == "mindformers":
        return [f"Rows as MindFormers writes them: {MINDFORMERS_DIFFERENCES[options.format]}."]
    read_as = "their ids" if options.literal_specials else "ordinary characters"
    notes = [
        "Rows as the model's own tokenizer encodes them. Special tokens written out in the data are read as "
        f"{read_as}."
    ]
    if options.pack:
        notes.append(
            "Packed rows: the column segments numbers the samples of a row, and mindrail's training keeps "
            "them apart. In a network that ignores it, samples attend to those before them."
        )
    return notes
