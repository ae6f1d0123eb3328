"""Equal and nearly equal samples."""

from __future__ import annotations

import numpy as np
import pytest

from modelcore.data.quality.duplicates import ExactDuplicates, NearDuplicates, content_digest, signatures

WORDS = [f"word{number}" for number in range(80)]


def text(*, without: int = 0, begin: int = 0) -> str:
    """Fifty words in order, the last few replaced."""
    kept = WORDS[begin : begin + 50 - without]
    return " ".join([*kept, *(f"other{number}" for number in range(without))])


def test_texts_are_told_apart_by_content_and_by_where_one_ends() -> None:
    digests = [
        content_digest(texts) for texts in (["ab", "c"], ["a", "bc"], ["abc"], ["c", "ab"], ["abc", ""], [])
    ]
    assert len(set(digests)) == 6 and {len(digest) for digest in digests} == {16}
    assert content_digest(["ab", "c"]) == digests[0]


def test_a_digest_is_the_same_in_every_release() -> None:
    """The validation split hangs on it."""
    assert content_digest(["Grüß", "b"]).hex() == "5462e3953465fbbd3244b47cd95cc681"


def test_a_digest_is_new_once() -> None:
    seen = ExactDuplicates()
    assert [seen.is_new(digest) for digest in (b"a", b"b", b"a", b"b", b"c")] == [
        True,
        True,
        False,
        False,
        True,
    ]


def test_signatures_have_a_row_for_each_text() -> None:
    found = signatures([text(), text(), text(begin=10), ""])
    assert found.shape == (4, 128) and found.dtype == np.uint32
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
    assert signatures([]).shape == (0, 128)


def test_letters_case_and_spaces_make_no_difference_and_punctuation_does() -> None:
    plain, spaced, upper, dotted = signatures(
        ["a b c d e f", "a  b\nc d\te f", "A B C D E F", "a b. c d e f"]
    )
    assert np.array_equal(plain, spaced) and np.array_equal(plain, upper)
    assert not np.array_equal(plain, dotted)


def test_texts_shorter_than_a_shingle_are_compared_whole() -> None:
    one, other, same = signatures(["a b c", "a b d", "a b c"])
    assert np.array_equal(one, same) and not np.array_equal(one, other)


@pytest.mark.parametrize("without", [2, 10])
def test_the_share_of_equal_numbers_is_the_share_of_equal_shingles(without: int) -> None:
    one, other = signatures([text(), text(without=without)])
    both, either = 46 - without, 46 + without  # shingles of five words
    assert float(np.mean(one == other)) == pytest.approx(both / either, abs=0.12)


def test_the_first_sample_that_is_nearly_equal_is_named_and_such_are_not_remembered() -> None:
    near = NearDuplicates(0.7)
    texts = [text(), text(begin=10), text(without=2), text(begin=10, without=3), text(without=2)]
    found = [near.earlier(number, one) for number, one in enumerate(signatures(texts), 5)]
    assert found == [None, None, 5, 6, 5]


def test_of_several_candidates_the_earliest_is_named() -> None:
    near = NearDuplicates(0.5)
    first, last, middle = signatures([text(begin=20), text(), text(begin=10)])  # shares of 0.39 and 0.64
    assert near.earlier(30, first) is None
    assert near.earlier(4, last) is None
    assert near.earlier(50, middle) == 4


@pytest.mark.parametrize(("threshold", "found"), [(0.5, 1), (0.95, None)])
def test_the_threshold_decides(threshold: float, found: int | None) -> None:
    near = NearDuplicates(threshold)
    first, second = signatures([text(), text(without=6)])  # 40 of 52 shingles
    assert near.earlier(1, first) is None
    assert near.earlier(2, second) == found
