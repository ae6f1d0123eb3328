"""Training text that holds text of a benchmark.

The rule: texts are lower-cased and split into words (runs of letters, digits and underscores). A record
shares text with a problem if any run of `length` words of the record stands in the problem's prompt,
solution or tests. A run does not count if it stands in more than three problems of the benchmark (its
boilerplate), or if fewer than three different words of it begin with a letter or underscore (tables of
numbers). A problem's text shorter than a run is compared whole, if it has at least eight words.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelcore.data.sources.json_records import bad_record, read_records

__all__ = ["BenchmarkText", "read_benchmark_texts"]

SHORTEST = 8
BOILERPLATE = 3
LETTERED = 3

WORD = re.compile(r"\w+")
# HumanEval's fields, and MBPP's.
FIELDS = ("prompt", "canonical_solution", "test", "text", "code", "test_list", "challenge_test_list")


def read_benchmark_texts(path: Path) -> dict[str, list[str]]:
    """Read the prompts, solutions and tests of a benchmark file such as HumanEval's or MBPP's JSON lines.

    Returns:
        Problem name (`task_id`; a number is put behind the file's own name) to its texts.

    Raises:
        MindrailError: the file is unusable, or a record has no `task_id` or none of the fields.
    """
    problems: dict[str, list[str]] = {}
    for record in read_records(path):
        task = record.fields.get("task_id")
        texts = [text for name in FIELDS for text in _texts(record.fields.get(name))]
        if not isinstance(task, str | int) or not texts:
            raise bad_record(
                path, record.number, "no task_id, or none of a benchmark's texts", fix="is it a benchmark?"
            )
        problems[task if isinstance(task, str) else f"{path.stem}/{task}"] = texts
    return problems


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str) and text]


class BenchmarkText:
    """The word runs of a benchmark's problems, to look training text up in.

    Args:
        problems: problem name to its texts.
        length: words a run.
    """

    def __init__(self, problems: Mapping[str, Sequence[str]], length: int) -> None:
        self.length = length
        found: dict[int, set[str]] = defaultdict(set)
        self._lengths: set[int] = {length}
        for name, texts in problems.items():
            # Tests are short lines that only make sense together.
            for text in ("\n".join(texts), *texts):
                words = WORD.findall(text.lower())
                size = min(length, len(words))
                if size == length or size >= SHORTEST:
                    self._lengths.add(size)
                    for run in _runs(words, size):
                        found[run].add(name)
        self._problems = {run: names for run, names in found.items() if len(names) <= BOILERPLATE}

    def shared_with(self, text: str) -> list[str]:
        """Return the names of the problems that `text` shares a run of words with, sorted."""
        words = WORD.findall(text.lower())
        names: set[str] = set()
        for size in self._lengths:
            for run in _runs(words, size):
                names |= self._problems.get(run, set())
        return sorted(names)


def _runs(words: list[str], size: int) -> set[int]:
    """Return the hashes of all runs of `size` words that have enough words with letters."""
    runs = set()
    lettered = [not word[0].isdigit() for word in words]
    for at in range(len(words) - size + 1):
        if sum(lettered[at : at + size]) >= LETTERED:
            run = tuple(words[at : at + size])
            if len({word for word in run if not word[0].isdigit()}) >= LETTERED:
                runs.add(hash(run))
    return runs
