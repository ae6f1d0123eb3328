"""Everything a user may ask of preprocessing, checked in one place."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from modelcore.data.encoding.compat import PEER_WAYS
from modelcore.data.encoding.formats import FORMATS, PLAIN_FORMATS
from modelcore.data.quality.contamination import NGRAM
from modelcore.errors import MindrailError

__all__ = ["Compat", "Contaminated", "NearDuplicate", "Options"]

Compat = Literal["model", "mindformers"]
Contaminated = Literal["report", "drop", "fail"]
NearDuplicate = Literal["ignore", "report", "drop"]


@dataclass(frozen=True)
class Options:
    """What decides the rows, apart from the source and the vocabulary.

    Attributes:
        format: wizardcoder, llama, codellama-instruct, deepseek (instructions); wiki, text (pretraining).
        seq_length: tokens the network sees; rows hold one more.
        compat: "mindformers" reproduces MindFormers' rows, its faults included.
        strict: raise if anything is lost: a bad record, a truncated or a wholly masked sample.
        skip_bad: go on after records that cannot be used, and count them.
        pad_id: what fills rows up; None takes the vocabulary's pad, else the id that ends an answer.
        literal_specials: a special token written out in the data (`</s>`) becomes its id, as in transformers;
            False reads it as ordinary characters.
        pack: put several samples into a row, told apart by the column `segments`.
        validation: share of samples, chosen by a hash of their content, that goes to
            FILE.validation.mindrecord.
        rows_per_file: write FILE_0.mindrecord, FILE_1.mindrecord, … of so many rows; 0 writes one file.
        drop_duplicates: keep only the first of samples with equal content.
        near_duplicates: whether nearly equal samples are looked for, and whether they go.
        near_threshold: share of word shingles that makes two samples nearly equal.
        benchmarks: benchmark files (HumanEval's, MBPP's) that the data must not contain.
        contaminated: what to do with samples that share text with a benchmark.
        ngram: words in a row that must agree to share text.
    """

    format: str
    seq_length: int
    compat: Compat = "model"
    strict: bool = False
    skip_bad: bool = False
    pad_id: int | None = None
    literal_specials: bool = True
    pack: bool = False
    validation: float = 0.0
    rows_per_file: int = 0
    drop_duplicates: bool = False
    near_duplicates: NearDuplicate = "ignore"
    near_threshold: float = 0.8
    benchmarks: tuple[Path, ...] = ()
    contaminated: Contaminated = "report"
    ngram: int = NGRAM

    def __post_init__(self) -> None:
        choices = {
            "format": (*FORMATS, *PLAIN_FORMATS),
            "compat": get_args(Compat),
            "contaminated": get_args(Contaminated),
            "near_duplicates": get_args(NearDuplicate),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise MindrailError(
                    f"unknown value {getattr(self, name)!r}", where=name, fix=f"one of {allowed}"
                )
        self._need(self.seq_length >= 1, "seq_length", "1 or more")
        self._need(0 <= self.validation < 1, "validation", "at least 0 and less than 1")
        self._need(0 < self.near_threshold <= 1, "near_threshold", "above 0 and at most 1")
        self._need(self.rows_per_file >= 0, "rows_per_file", "0 or more")
        self._need(self.ngram >= 3, "ngram", "3 or more")
        self._need(self.pad_id is None or self.pad_id >= 0, "pad_id", "an id")
        self._need(not self.pack or self.format in FORMATS, "pack", "false: pretraining rows are full anyway")
        if self.compat == "mindformers":
            self._need(self.format in PEER_WAYS, "format", f"one MindFormers has: {', '.join(PEER_WAYS)}")
            own = {"format", "seq_length", "compat", "strict", "skip_bad", "pad_id", "rows_per_file"}
            changed = [
                f.name for f in fields(self) if f.name not in own and getattr(self, f.name) != f.default
            ]
            if changed:
                raise MindrailError(
                    f"MindFormers has no {', '.join(changed)}", where="compat", fix="use compat: model"
                )

    def _need(self, holds: bool, name: str, wanted: str) -> None:
        if not holds:
            raise MindrailError(f"{getattr(self, name)!r}, must be {wanted}", where=name)

    @property
    def width(self) -> int:
        """Tokens a row: one more than the network sees."""
        return self.seq_length + 1
