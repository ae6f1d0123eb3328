"""Which samples stay: first those that are not repeated, then those of which nothing bad was found out."""

from __future__ import annotations

import re
from typing import Any

import pytest

from modelcore.data.encoding.chunks import Chunk
from modelcore.data.encoding.encode import concatenate
from modelcore.data.encoding.examine import Examined, sample_texts
from modelcore.data.encoding.samples import Sample
from modelcore.data.options import Options
from modelcore.data.quality import selection
from modelcore.data.quality.duplicates import content_digest, signatures
from modelcore.data.quality.selection import Selector
from modelcore.data.report import PreprocessReport
from modelcore.errors import MindrailError

WORDS = re.findall(r"\w+", "a loop over all items of a list that adds up what is larger than the one before")


def selector(**choices: Any) -> tuple[Selector, PreprocessReport]:
    options = Options(format="text", seq_length=8, **choices)
    report = PreprocessReport.empty(options)
    return Selector(options, report), report


def samples(*texts: str) -> list[Sample]:
    return [Sample(number, text) for number, text in enumerate(texts, 1)]


def second_pass(
    chosen: Selector, texts: list[str], shared: list[list[str]] | None = None, *, near: bool = False
) -> tuple[list[bool], list[bool]]:
    found = Examined(concatenate([]), signatures(texts) if near else None, shared)
    keep, held_back = chosen.second_pass(Chunk(samples(*texts)), found)
    return keep.tolist(), held_back.tolist()


def test_repeated_samples_stay_unless_they_are_to_go() -> None:
    chosen, report = selector()
    assert list(chosen.first_pass(samples("a", "b", "a"))) == samples("a", "b", "a")
    assert report.duplicates == 0 and report.listed == {}


def test_of_repeated_samples_the_first_stays_over_all_passes() -> None:
    chosen, report = selector(drop_duplicates=True)
    assert [s.number for s in chosen.first_pass(samples("a", "b", "a", "c", "b"))] == [1, 2, 4]
    assert list(chosen.first_pass(samples("c"))) == []
    assert (report.duplicates, report.listed) == (3, {"duplicates": [3, 5, 1]})


def test_without_anything_asked_for_everything_stays() -> None:
    chosen, report = selector()
    assert second_pass(chosen, ["a", "b"]) == ([True, True], [False, False])
    assert not any(report.counts.values())


def test_samples_that_share_text_with_a_benchmark_are_reported_and_stay() -> None:
    chosen, report = selector()
    keep, _ = second_pass(chosen, ["a", "b", "c"], [["p/1", "p/2"], [], ["p/1"]])
    assert keep == [True, True, True]
    assert (report.contaminated, report.listed) == (2, {"contaminated": [1, 3]})
    assert report.contamination == {"p/1": [1, 3], "p/2": [1]}


def test_samples_that_share_text_with_a_benchmark_are_dropped() -> None:
    chosen, report = selector(contaminated="drop")
    keep, _ = second_pass(chosen, ["a", "b", "c"], [["p/1"], [], []])
    assert keep == [False, True, True] and report.contaminated == 1


def test_a_sample_that_shares_text_with_a_benchmark_ends_the_work() -> None:
    chosen, report = selector(contaminated="fail")
    with pytest.raises(
        MindrailError,
        match="^contamination: record 2 shares text with p/1, p/2; set contaminated to drop or report$",
    ):
        second_pass(chosen, ["a", "b"], [[], ["p/1", "p/2"]])
    assert report.contaminated == 0


def test_a_problems_list_of_records_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "LISTED", 3)
    chosen, report = selector()
    second_pass(chosen, ["a"] * 5, [["p/1"]] * 5)
    assert report.contamination == {"p/1": [1, 2, 3]} and report.contaminated == 5


@pytest.mark.parametrize(("choice", "kept"), [("report", [True, True, True]), ("drop", [True, True, False])])
def test_a_nearly_repeated_sample_is_found(choice: Any, kept: list[bool]) -> None:
    chosen, report = selector(near_duplicates=choice)
    texts = [" ".join(WORDS * 3), " ".join(reversed(WORDS)), " ".join([*WORDS * 3, "indeed"])]
    assert second_pass(chosen, texts, near=True)[0] == kept
    assert (report.near_duplicates, report.listed) == (1, {"near_duplicates": [3]})


def test_a_sample_dropped_for_its_text_makes_no_other_a_duplicate() -> None:
    chosen, report = selector(near_duplicates="drop", contaminated="drop")
    text = " ".join(WORDS)
    assert second_pass(chosen, [text, text, text], [["p/1"], [], []], near=True)[0] == [False, True, False]
    assert (report.contaminated, report.near_duplicates) == (1, 1)


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_the_share_for_validation_is_the_one_whose_digests_are_lowest(share: float) -> None:
    chosen, _ = selector(validation=share)
    texts = [f"text {number}" for number in range(400)]
    _, held_back = second_pass(chosen, texts)
    first_bytes = [content_digest(sample_texts(text))[0] for text in texts]
    assert held_back == [byte < 256 * share for byte in first_bytes]
    assert 0.7 * share < sum(held_back) / 400 < 1.3 * share
