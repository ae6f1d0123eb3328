"""Rows are read one by one, checked with their line numbers, and turned into programs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import Benchmark
from modelcore.evaluation.samples import SampleFormat, Summary, extract_samples, read_rows, summarize
from modelcore.evaluation.templates import template

FENCED = "Sure:\n```python\nreturn 1\n```"
COMPLETIONS = SampleFormat()
RESPONSES = SampleFormat(template("alpaca"))


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(MindrailError) as error:
        call()
    return str(error.value)


def test_rows_come_with_the_number_of_their_line(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text('{"a": 1}\n\n  \n{"b": [2]}')
    assert list(read_rows(path)) == [(1, {"a": 1}), (4, {"b": [2]})]


def test_a_gzipped_file_has_the_rows_of_the_plain_one(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n'))
    assert list(read_rows(path)) == [(1, {"a": 1})]


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    assert refusal(lambda: list(read_rows(path))) == f"{path}: no such file"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON (Expecting property name enclosed in double quotes"),
        ("[1]", "not a JSON object"),
        ("5", "not a JSON object"),
    ],
)
def test_a_line_that_is_not_a_json_object_is_refused_by_number(
    tmp_path: Path, line: str, message: str
) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text(f'{{"a": 1}}\n\n{line}\n')
    assert refusal(lambda: list(read_rows(path))).startswith(f"{path} line 3: {message}")


def test_a_truncated_gzip_file_is_refused_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n')[:-9])
    assert refusal(lambda: list(read_rows(path))) == (
        f"{path} line 2: truncated or invalid gzip file "
        "(Compressed file ended before the end-of-stream marker was reached)"
    )


def test_a_line_may_have_16_mib_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    longest = '{"a": "' + "x" * ((16 << 20) - 10) + '"}\n'
    assert len(longest) == 16 << 20
    path.write_text(longest)
    assert [number for number, _ in read_rows(path)] == [1]
    path.write_text('{"a": 1}\n' + longest.replace("x", "xx", 1))
    assert refusal(lambda: list(read_rows(path))) == (
        f"{path} line 2: more than 16 MiB; shorten or remove that row"
    )


def test_the_summary_counts_the_samples_of_each_task(tiny: Benchmark, write_samples: Any) -> None:
    samples = write_samples(*({"task_id": f"Tiny/{i}", "completion": ""} for i in (0, 1, 0)))
    summary = summarize(samples, tiny, COMPLETIONS)
    assert summary == Summary(3, {"Tiny/0": 2, "Tiny/1": 1}, summary.digest)


def test_the_digest_depends_on_the_content_and_not_on_its_form(tiny: Benchmark, tmp_path: Path) -> None:
    def digest(text: str) -> str:
        path = tmp_path / "samples.jsonl"
        path.write_text(text)
        return summarize(path, tiny, COMPLETIONS).digest

    first = digest('{"task_id": "Tiny/0", "completion": "a"}\n')
    assert first == "9e5fd48f7d74e35e63624717b458f72b9787885378b3d902319cc3e5e8e853b3"
    assert digest('\n{"completion":"a",   "task_id":"Tiny/0"}') == first
    assert digest('{"task_id": "Tiny/0", "completion": "b"}\n') != first
    assert digest('{"task_id": "Tiny/0", "completion": "a", "x": 1}\n') != first


def test_an_empty_file_is_refused(tiny: Benchmark, tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text("\n")
    assert refusal(lambda: summarize(path, tiny, COMPLETIONS)) == f"{path}: no samples in the file"


@pytest.mark.parametrize(
    ("row", "sample_format", "message"),
    [
        ({"completion": ""}, COMPLETIONS, "no text under 'task_id'"),
        ({"task_id": 0, "completion": ""}, COMPLETIONS, "no text under 'task_id'"),
        ({"task_id": "T/9", "completion": ""}, COMPLETIONS, "no task 'T/9' in benchmark tiny"),
        ({"task_id": "Tiny/0"}, COMPLETIONS, "no text under 'completion'"),
        ({"task_id": "Tiny/0", "completion": 5}, COMPLETIONS, "no text under 'completion'"),
        ({"task_id": "Tiny/0"}, RESPONSES, "no text under 'completion'"),
        ({"task_id": "Tiny/0", "response": None}, RESPONSES, "no text under 'response'"),
        ({"task_id": "Tiny/0", "response": 5, "completion": ""}, RESPONSES, "no text under 'response'"),
        (
            {"task_id": "Tiny/0", "response": ""},
            COMPLETIONS,
            "a raw response and no completion; "
            "name the prompt template that the responses answer (--template)",
        ),
    ],
)
def test_a_row_without_its_task_or_text_is_refused_by_line(
    tiny: Benchmark, write_samples: Any, row: dict[str, Any], sample_format: SampleFormat, message: str
) -> None:
    samples = write_samples({"task_id": "Tiny/1", "completion": ""}, row)
    assert refusal(lambda: summarize(samples, tiny, sample_format)) == f"{samples} line 2: {message}"


@pytest.mark.parametrize(
    ("row", "sample_format", "completion"),
    [
        ({"completion": "a"}, COMPLETIONS, "a"),
        ({"completion": "a", "response": FENCED}, COMPLETIONS, "a"),
        ({"completion": "a", "response": FENCED}, RESPONSES, "return 1\n"),
        ({"completion": "a"}, RESPONSES, "a"),
    ],
)
def test_a_response_is_extracted_if_there_is_a_template(
    row: dict[str, Any], sample_format: SampleFormat, completion: str
) -> None:
    assert sample_format.completion(row) == completion


def test_a_program_is_the_prompt_and_the_completion_unless_completions_stand_alone(tiny: Benchmark) -> None:
    problem, row = tiny.problems[0], {"completion": "    return 1\n"}
    assert COMPLETIONS.program(row, problem) == problem.prompt + "    return 1\n"
    assert SampleFormat(standalone=True).program(row, problem) == "    return 1\n"


def test_responses_become_completions_and_keep_their_other_fields(
    tmp_path: Path, tiny: Benchmark, write_samples: Callable[..., Path]
) -> None:
    response = "Sure:\n```python\ndef add(x, y):\n    return x + y\n```\nThat is \ud800 all."
    responses = write_samples({"task_id": "Tiny/0", "sample": 3, "response": response, "finish": "eos"})
    extract_samples(responses, tmp_path / "completions.jsonl", tiny, template("alpaca"))
    (line,) = (tmp_path / "completions.jsonl").read_text().splitlines()
    completion = "def add(x, y):\n    return x + y\n"
    assert json.loads(line) == {"task_id": "Tiny/0", "sample": 3, "finish": "eos", "completion": completion}


def test_a_response_to_an_unknown_problem_is_refused_and_nothing_is_written(
    tmp_path: Path, tiny: Benchmark, write_samples: Callable[..., Path]
) -> None:
    responses = write_samples({"task_id": "Tiny/7", "response": ""})
    with pytest.raises(MindrailError, match="line 1: no task 'Tiny/7'"):
        extract_samples(responses, tmp_path / "completions.jsonl", tiny, template("alpaca"))
    assert not (tmp_path / "completions.jsonl").exists()
