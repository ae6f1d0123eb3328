"""Lost data is reported in one line with its numbers; the share of truncated samples can be limited."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelcore.data.losses import SampleLengths, check_truncated, loss_warning
from modelcore.data.mindrecord.output import page_path
from modelcore.data.options import Options
from modelcore.data.page import write_page
from modelcore.data.preprocess import preprocess
from modelcore.data.report import PreprocessReport
from modelcore.errors import MindrailError
from tests.byte_vocabulary import write_byte_vocabulary


def report_of(*lengths: int, **counts: Any) -> PreprocessReport:
    report = PreprocessReport.empty(Options(format="llama", seq_length=512))
    report.lengths.add(np.array(lengths, np.int64))
    for name, count in counts.items():
        setattr(report, name, count)
    return report


def write_records(path: Path, *answer_lengths: int) -> Path:
    path.write_text(json.dumps([{"instruction": "say", "output": "x" * length} for length in answer_lengths]))
    return path


def rows_of(tmp_path: Path, *answer_lengths: int, **choices: Any) -> PreprocessReport:
    source = write_records(tmp_path / "records.json", *answer_lengths)
    tokenizer = write_byte_vocabulary(tmp_path)
    options = {"format": "wizardcoder", "seq_length": 300, "tokenizer_dir": tokenizer, **choices}
    return preprocess(source, tmp_path / "rows.mindrecord", **options)


@pytest.mark.parametrize(
    ("lengths", "share", "expected"),
    [
        ([], 0.99, 0),
        ([1], 0.99, 1),
        ([10] * 99 + [1000], 0.99, 9),
        ([10] * 98 + [500, 1000], 0.99, 499),
        ([10] * 98 + [500, 1000], 1.0, 999),
        (list(range(2, 102)), 0.5, 50),
    ],
)
def test_the_least_seq_length_that_holds_a_share_of_the_samples_whole(
    lengths: list[int], share: float, expected: int
) -> None:
    counter = SampleLengths()
    counter.add(np.array(lengths[::2], np.int64))
    counter.add(np.array(lengths[1::2], np.int64))
    assert counter.seq_length(share) == expected


def test_rows_of_that_seq_length_truncate_at_most_one_sample_in_a_hundred(tmp_path: Path) -> None:
    answers = [*range(1, 199), 5000, 6000]
    first = rows_of(tmp_path, *answers)
    (tmp_path / "again").mkdir()
    second = rows_of(tmp_path / "again", *answers, seq_length=first.seq_length_for_99)
    (tmp_path / "shorter").mkdir()
    third = rows_of(tmp_path / "shorter", *answers, seq_length=first.seq_length_for_99 - 1)
    assert first.truncated > 2 and second.truncated == 2 and third.truncated == 3


def test_the_warning_has_the_numbers_and_the_length_that_keeps_99_per_cent() -> None:
    report = report_of(600, 400, truncated=1, tokens_lost=87, wholly_masked=1, seq_length_for_99=599)
    assert loss_warning(report) == (
        "data lost: 1 of 2 samples truncated to seq_length 512 (87 tokens lost; seq_length 599 would hold "
        "99% of the samples whole); 1 sample dropped because none of its tokens is in the loss"
    )


def test_rows_as_mindformers_writes_them_keep_samples_without_a_token_in_the_loss() -> None:
    report = report_of(600, wholly_masked=2, compat="mindformers")
    assert "2 samples kept although none of their tokens" in str(loss_warning(report))


def test_records_left_out_as_invalid_are_warned_of_and_what_was_requested_is_not() -> None:
    assert loss_warning(report_of(5, duplicates=3, contaminated=2, empty_answers=1)) is None
    warning = loss_warning(report_of(5, records_in=9, bad=8))
    assert warning == "data lost: 8 of 9 records left out because they are invalid"


def test_a_limit_is_refused_only_beyond_it() -> None:
    report = report_of(600, 400, 400, 400, truncated=1, seq_length_for_99=599)
    check_truncated(report, 0.25, where="key")
    with pytest.raises(
        MindrailError, match=r"key: 25.0% of the samples \(1 of 4\) .* 512, .* 24.0%; set seq_length 599 "
    ):
        check_truncated(report, 0.24, where="key")


def test_too_many_truncated_samples_leave_no_rows(tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match=r"66.7% of the samples \(2 of 3\)"):
        rows_of(tmp_path, 1, 400, 500, max_truncated=0.5)
    assert not (tmp_path / "rows.mindrecord").exists()
    assert rows_of(tmp_path, 1, 400, 500, max_truncated=0.7).truncated == 2


def test_the_warning_is_the_first_thing_on_the_page(tmp_path: Path) -> None:
    report = rows_of(tmp_path, 1, 400)
    write_page(tmp_path / "rows.mindrecord", report)
    html = page_path(tmp_path / "rows.mindrecord").read_text(encoding="utf-8")
    assert "1 of 2 samples truncated" in html
    assert html.index("1 of 2 samples truncated") < html.index("records in")
