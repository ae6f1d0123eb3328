"""An iterator in a separate thread behaves as it does without one."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from modelcore.data.encoding.prefetch import DEPTH, prefetch


def counting(upto: int, made: list[int]) -> Generator[int, None, None]:
    for number in range(upto):
        made.append(number)
        yield number


def test_items_come_in_order_and_only_a_few_ahead() -> None:
    made: list[int] = []
    with prefetch(counting(100, made)) as numbers:
        for number in numbers:
            assert len(made) <= number + DEPTH + 3
            assert threading.active_count() > 1
    assert made == list(range(100))


def test_an_error_comes_after_the_items_before_it() -> None:
    def failing() -> Generator[int, None, None]:
        yield from range(5)
        raise KeyError("six")

    before = threading.active_count()
    seen = []
    with pytest.raises(KeyError, match="six"), prefetch(failing()) as numbers:
        for number in numbers:
            seen.append(number)
    assert seen == list(range(5)) and threading.active_count() == before


def test_stopping_early_leaves_no_thread_and_closes_the_iterator() -> None:
    closed = []

    def endless() -> Generator[int, None, None]:
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    before = threading.active_count()
    with prefetch(endless()) as inner, prefetch(number + 1 for number in inner) as numbers:
        assert next(numbers) == 2
    assert closed == [True] and threading.active_count() == before
