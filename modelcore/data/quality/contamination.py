"""Finds benchmark text in training data by common n-grams of words.

Texts are lower-cased and split into words (runs of letters, digits and underscores). A record shares text
with a problem if any n-gram of the record occurs in the problem's prompt, solution or tests. An n-gram does
not count if it occurs in more than three problems of the benchmark (boilerplate), or if fewer than three
different words of it start with a letter or underscore (tables of numbers). A problem's text with fewer than
n words is compared as a whole if it has at least eight.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelcore.data.sources.json_records import bad_record, read_records

__all__ = ["BenchmarkText", "read_benchmark_texts"]

SHORTEST_TEXT = 8  # words
MOST_PROBLEMS = 3  # in which an n-gram may occur
LEAST_NAMES = 3  # different words of an n-gram that start with a letter or underscore

WORD = re.compile(r"\w+")
# HumanEval's fields, and MBPP's.
FIELDS = ("prompt", "canonical_solution", "test", "text", "code", "test_list", "challenge_test_list")


def read_benchmark_texts(path: Path) -> dict[str, list[str]]:
    """Read the prompts, solutions and tests of a benchmark file such as HumanEval's or MBPP's JSON lines.

    Returns:
        Problem name (`task_id`; if it is a number, after the file's name and a slash) to its texts.

    Raises:
        MindrailError: the file is unusable, or a record has no `task_id` or none of the fields.
    """
    problems: dict[str, list[str]] = {}
    for record in read_records(path):
        task = record.fields.get("task_id")
        texts = [text for name in FIELDS for text in _texts(record.fields.get(name))]
        if not isinstance(task, str | int) or not texts:
            raise bad_record(
                path, record.number, "no task_id, or no text of a benchmark", fix="give a benchmark file"
            )
        problems[task if isinstance(task, str) else f"{path.stem}/{task}"] = texts
    return problems


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str) and text]


class BenchmarkText:
    """The n-grams of a benchmark's problems, in which training text is looked up.

    Args:
        problems: problem name to its texts.
        length: n, the number of words in an n-gram.
    """

    def __init__(self, problems: Mapping[str, Sequence[str]], length: int) -> None:
        self.length = length
        by_ngram: dict[int, set[str]] = defaultdict(set)
        self._lengths: set[int] = {length}
        for name, texts in problems.items():
            # Tests are short lines, which also count together.
            for text in ("\n".join(texts), *texts):
                words = WORD.findall(text.lower())
                size = min(length, len(words))
                if size == length or size >= SHORTEST_TEXT:
                    self._lengths.add(size)
                    for ngram in _ngrams(words, size):
                        by_ngram[ngram].add(name)
        self._problems = {ngram: names for ngram, names in by_ngram.items() if len(names) <= MOST_PROBLEMS}

    def shared_with(self, text: str) -> list[str]:
        """Return the sorted names of the problems with which `text` shares an n-gram."""
        words = WORD.findall(text.lower())
        names: set[str] = set()
        for size in self._lengths:
            for ngram in _ngrams(words, size):
                names |= self._problems.get(ngram, set())
        return sorted(names)


def _ngrams(words: list[str], size: int) -> set[int]:
    """Return the hashes of all n-grams of `size` words that have enough words other than numbers."""
    ngrams = set()
    is_name = [not word[0].isdigit() for word in words]
    for start in range(len(words) - size + 1):
        if sum(is_name[start : start + size]) >= LEAST_NAMES:
            ngram = tuple(words[start : start + size])
            if len({word for word in ngram if not word[0].isdigit()}) >= LEAST_NAMES:
                ngrams.add(hash(ngram))
    return ngrams
