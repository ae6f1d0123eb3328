"""What preprocessing did to the data: counts, lengths and first rows, as JSON that repeats exactly.

Holds no times and no paths, so that the same input gives the same bytes. Drawing it is `modelcore.report`'s
business.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcore.data.encoding.compat import PEER_WAYS
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
LISTED = 50  # record numbers and messages kept of each kind


@dataclass
class LengthHistogram:
    """How many samples have how many tokens, before any cut.

    Attributes:
        step: width of a bin in tokens.
        counts: samples in [i * step, (i + 1) * step); the last bin also holds everything longer.
        longest: tokens of the longest sample.
    """

    step: int
    counts: list[int]
    longest: int = 0

    @classmethod
    def for_width(cls, width: int) -> LengthHistogram:
        """Return an empty histogram whose bins reach to twice the width of a row."""
        return cls(max(1, -(-width // 16)), [0] * 33)

    def add(self, lengths: npt.NDArray[np.int64]) -> None:
        """Count samples of these lengths."""
        if len(lengths) == 0:
            return
        bins = np.minimum(lengths // self.step, len(self.counts) - 1)
        added = np.bincount(bins, minlength=len(self.counts))
        self.counts = [have + int(more) for have, more in zip(self.counts, added, strict=True)]
        self.longest = max(self.longest, int(lengths.max()))


@dataclass
class PreprocessReport:
    """Everything that happened to the records of one source.

    Attributes:
        format: the row format.
        compat: "model" or "mindformers".
        seq_length: tokens the network sees; rows hold one more.
        pad_id: what fills rows up; None where nothing is filled.
        notes: what a reader must know of these rows and no count says.
        records_in: records found in the source, bad ones included.
        rows_out: rows written, validation included.
        validation_rows: rows written to the validation file.
        bad: records that could not be used and were skipped.
        empty_answers: records with an answer of no characters (their end token alone is learnt).
        truncated: samples cut off at the width of a row.
        tokens_lost: tokens cut off.
        wholly_masked: samples of which nothing was left to learn.
        duplicates: samples whose content an earlier one had, removed.
        near_duplicates: samples found nearly equal to an earlier one.
        contaminated: samples that share text with a benchmark.
        tokens: tokens in the rows, padding left out.
        trained_tokens: tokens the loss is taken over.
        dropped_tokens: tokens at a stream's end that fill no row.
        lengths: tokens a sample, before any cut.
        listed: kind of loss to the first record numbers it befell.
        messages: what was wrong with the first bad records.
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
    listed: dict[str, list[int]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    contamination: dict[str, list[int]] = field(default_factory=dict)
    first_rows: list[list[Span]] = field(default_factory=list)

    @classmethod
    def empty(cls, options: Options) -> PreprocessReport:
        """Return a report on nothing yet, with what is to be known of rows made by these options."""
        lengths = LengthHistogram.for_width(options.width)
        notes = _notes(options)
        return cls(options.format, options.compat, options.seq_length, None, lengths, notes=notes)

    @property
    def width(self) -> int:
        """Tokens a row."""
        return self.seq_length + 1

    @property
    def trained_share(self) -> float:
        """The share of tokens that is learnt, 0.0 where there are none."""
        return self.trained_tokens / self.tokens if self.tokens else 0.0

    @property
    def counts(self) -> dict[str, int]:
        """Every count, by its attribute's name."""
        return {name: getattr(self, name) for name in COUNTED}

    @property
    def losses(self) -> dict[str, int]:
        """What was lost without being asked for, kind to count; empty where nothing was."""
        kinds = ("bad", "truncated", "wholly_masked")
        return {kind: count for kind in kinds if (count := getattr(self, kind))}

    def note_records(self, kind: str, numbers: list[int]) -> None:
        """Remember the first records that something befell."""
        if numbers:
            kept = self.listed.setdefault(kind, [])
            kept += numbers[: LISTED - len(kept)]

    def note_bad(self, message: str) -> None:
        """Count a record that could not be used, and remember why."""
        self.bad += 1
        if len(self.messages) < LISTED:
            self.messages.append(message)

    def to_json(self) -> str:
        """Return the report as JSON, the same text for the same preprocessing."""
        state = asdict(self)
        state["first_rows"] = [[span._asdict() for span in row] for row in self.first_rows]
        # Threads count side by side: the kinds come in an order of their own.
        state["listed"] = dict(sorted(self.listed.items()))
        state["trained_share"] = round(self.trained_share, 6)
        return json.dumps(state, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> PreprocessReport:
        """Read a report that `to_json` wrote.

        Raises:
            MindrailError: there is none, or the file is something else.
        """
        try:
            state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            state.pop("trained_share")
            state["lengths"] = LengthHistogram(**state["lengths"])
            state["first_rows"] = [[Span(**span) for span in row] for row in state["first_rows"]]
            return cls(**state)
        except OSError as error:
            raise MindrailError(
                f"cannot be read ({error.strerror})", where=path, fix="give what `mindrail preprocess` made"
            ) from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise MindrailError("not a report on preprocessing", where=path) from error


def decoded_rows(path: Path, count: int) -> list[list[Span]]:
    """Return the first rows of the MindRecord `path` as the report beside it holds them, decoded.

    Raises:
        MindrailError: there is no report, or it holds fewer rows than `count` of the rows written.
    """
    report = PreprocessReport.read(report_path(path))
    if count > len(report.first_rows) < report.rows_out:
        raise MindrailError(
            f"{count} rows asked for, the report holds {len(report.first_rows)} decoded",
            where=report_path(path),
            fix="give --tokenizer to decode others",
        )
    return report.first_rows[:count]


def _notes(options: Options) -> list[str]:
    if options.compat == "mindformers":
        return [f"as MindFormers writes them: {PEER_WAYS[options.format]}"]
    read = "their ids" if options.literal_specials else "ordinary characters"
    told = [f"as the model's own tokenizer reads them; special tokens written out in the data are {read}"]
    if options.pack:
        told.append(
            "packed: the column segments tells the samples of a row apart, and training here reads it; with "
            "a network that does not, samples attend to the ones before them"
        )
    return told
