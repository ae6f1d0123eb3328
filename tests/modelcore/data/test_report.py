"""The report's counts, its JSON, and what is said of a file that is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelcore.data.mindrecord.decode import Span
from modelcore.data.mindrecord.output import report_path
from modelcore.data.options import Options
from modelcore.data.report import LISTED, LengthHistogram, PreprocessReport, decoded_rows
from modelcore.errors import MindrailError

SPANS = [Span("masked", 3, "a<b>"), Span("trained", 2, "é"), Span("padding", 4, "")]


def report_of(**choices: Any) -> PreprocessReport:
    return PreprocessReport.empty(Options(format="llama", seq_length=8, **choices))


def lengths(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_lengths_are_counted_in_sixteenths_of_a_row_and_the_last_bin_holds_the_rest() -> None:
    histogram = LengthHistogram.for_width(32)
    histogram.add(lengths(0, 1, 2, 3, 31, 32))
    histogram.add(lengths(64, 1000, 65))
    histogram.add(lengths())
    counts = {place: count for place, count in enumerate(histogram.counts) if count}
    assert (histogram.step, len(histogram.counts), histogram.longest) == (2, 33, 1000)
    assert counts == {0: 2, 1: 2, 15: 1, 16: 1, 32: 3}


@pytest.mark.parametrize(("width", "step"), [(1, 1), (16, 1), (17, 2), (513, 33)])
def test_a_bin_is_at_least_a_token_wide(width: int, step: int) -> None:
    assert LengthHistogram.for_width(width).step == step


def test_record_numbers_and_messages_are_listed_up_to_a_number() -> None:
    report = report_of()
    report.add_records("truncated", [])
    assert report.listed == {}
    report.add_records("truncated", list(range(30)))
    report.add_records("truncated", list(range(30, 70)))
    for number in range(60):
        report.add_bad(f"record {number}")
    assert report.listed == {"truncated": list(range(LISTED))} and LISTED == 50
    assert report.bad == 60 and report.messages == [f"record {number}" for number in range(50)]


def test_shares_and_losses_are_those_of_the_counts() -> None:
    report = report_of()
    assert report.trained_share == 0.0 and report.losses == {} and not any(report.counts.values())
    report.tokens, report.trained_tokens, report.truncated, report.wholly_masked = 8, 2, 3, 1
    report.duplicates = 5  # left out on request: no loss
    assert report.trained_share == 0.25
    assert report.losses == {"truncated": 3, "wholly_masked": 1}
    assert report.counts["duplicates"] == 5 and report.width == 9


def test_a_report_is_read_back_as_it_was(tmp_path: Path) -> None:
    report = report_of(pack=True)
    report.rows_out, report.tokens, report.trained_tokens, report.pad_id = 2, 3, 1, 7
    report.listed = {"truncated": [2], "contaminated": [1]}
    report.contamination = {"p/1": [1]}
    report.first_rows = [SPANS, SPANS[:1]]
    report.lengths.add(lengths(3, 5))
    path = tmp_path / "report.json"
    path.write_text(report.to_json(), encoding="utf-8")
    assert PreprocessReport.read(path) == report
    state = json.loads(report.to_json())
    assert list(state["listed"]) == ["contaminated", "truncated"] and state["trained_share"] == 0.333333
    assert "é" in report.to_json() and report.to_json().endswith("}\n")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"trained_share": 1}', '{"lengths": {}, "trained_share": 0}']
)
def test_another_file_is_no_report(tmp_path: Path, content: str) -> None:
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(MindrailError) as refused:
        PreprocessReport.read(tmp_path / "report.json")
    assert str(refused.value) == f"{tmp_path}/report.json: not a report on preprocessing"


def test_a_missing_report_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        MindrailError, match=r"report\.json: cannot be read \(No such file or directory\); give"
    ):
        PreprocessReport.read(tmp_path / "report.json")


def test_first_rows_are_those_of_the_report_beside_the_file(tmp_path: Path) -> None:
    report = report_of()
    report.first_rows, report.rows_out = [SPANS, SPANS[:1]], 2
    rows = tmp_path / "rows.mindrecord"
    report_path(rows).write_text(report.to_json(), encoding="utf-8")
    assert decoded_rows(rows, 1) == [SPANS]
    assert decoded_rows(rows, 5) == [SPANS, SPANS[:1]]  # the file has no more
    report.rows_out = 3
    report_path(rows).write_text(report.to_json(), encoding="utf-8")
    with pytest.raises(MindrailError, match="3 rows requested, the report has 2 decoded; give --tokenizer"):
        decoded_rows(rows, 3)


def test_notes_say_how_special_tokens_are_read_and_that_rows_are_packed() -> None:
    (characters,), (ids,) = report_of(literal_specials=False).notes, report_of().notes
    assert "ordinary characters" in characters and "their ids" in ids
    assert len(report_of(pack=True).notes) == 2 and "segments" in report_of(pack=True).notes[1]
    (peer,) = report_of(compat="mindformers").notes
    assert peer.startswith("Rows as MindFormers writes them")
