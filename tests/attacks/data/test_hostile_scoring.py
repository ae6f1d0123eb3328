"""Samples, benchmarks, histories and limits that are wrong on purpose: one line, before anything runs."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flows.cli.main import command_line
from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.evaluation.history import HISTORY, check_history, read_history
from modelcore.evaluation.report import read_report
from modelcore.evaluation.samples import SampleFormat, summarize

MBPP: dict[str, Any] = {
    "task_id": 11,
    "text": "Add.",
    "code": "def add(a, b):\n    return a + b",
    "test_list": ["assert add(1, 2) == 3"],
    "test_setup_code": "",
}
HUMANEVAL: dict[str, Any] = {
    "task_id": "X/0",
    "prompt": "def f():\n",
    "entry_point": "f",
    "test": "def check(candidate):\n    pass\n",
}
RUN: dict[str, Any] = {
    "id": "abc",
    "name": "a",
    "time": "2025-01-01",
    "checkpoint": "c",
    "benchmark": "b",
    "benchmark_digest": "d",
    "pass_at_k": {"1": [0.5, 0.4, 0.6]},
    "report": "r",
}


def written(tmp_path: Path, row: dict[str, Any]) -> Path:
    path = tmp_path / "benchmark.jsonl"
    path.write_text(json.dumps(row) + "\n")
    return path


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(MindrailError) as caught:
        call(*arguments)
    assert len(str(caught.value)) <= 290
    return str(caught.value)


VALUES: list[object] = [None, True, 1.5, 10**50, "", "\0", "x" * 2000, [], {}, [[]], [1], [None], {"a": []}]


@pytest.mark.parametrize("row", [MBPP, HUMANEVAL], ids=["mbpp", "humaneval"])
def test_a_row_with_any_wrong_type_is_a_problem_or_refused(tmp_path: Path, row: dict[str, Any]) -> None:
    for field in row:
        for value in VALUES:
            try:
                load_benchmark(written(tmp_path, {**row, field: value}))
            except MindrailError as error:
                assert "benchmark.jsonl" in str(error)


@pytest.mark.parametrize(
    "code", ["(" * 10_000, "-" * 200_000 + "1", "a\0b", "x" * (1 << 21), "[" * 150 + "]" * 150]
)
def test_code_that_python_cannot_parse_is_refused(tmp_path: Path, code: str) -> None:
    assert "line 1" in refused(load_benchmark, written(tmp_path, {**MBPP, "code": code}))
    assert "line 1" in refused(load_benchmark, written(tmp_path, {**HUMANEVAL, "test": code}))


@pytest.mark.parametrize(
    "numbers", ["²-³", "1-²", "١-٢", "1", "-", "1-", "0-1000000000000000000", f"0-{'9' * 5000}"]
)
def test_a_range_of_other_digits_is_refused(tmp_path: Path, numbers: str) -> None:
    path = written(tmp_path, MBPP)
    assert "not a range" in refused(load_benchmark, f"{path}:{numbers}")


def test_a_range_of_a_billion_costs_nothing(tmp_path: Path) -> None:
    assert len(load_benchmark(f"{written(tmp_path, MBPP)}:0-999999999").problems) == 1


def test_a_benchmark_that_is_no_file_or_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    assert "a directory" in refused(load_benchmark, tmp_path)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(bytes(80 << 20)))
    assert "unpacks to more than 64 MiB" in refused(load_benchmark, tmp_path / "b.jsonl.gz")
    with (tmp_path / "b.jsonl").open("wb") as file:
        file.truncate(100 << 30)
    assert "107374182400 bytes" in refused(load_benchmark, tmp_path / "b.jsonl")


LINES = {
    "deep": '{"task_id": ' + "[" * 100_000,
    "deep but whole": '{"task_id": ' + "[" * 60 + "]" * 60 + "}",
    "NaN": '{"task_id": NaN}',
    "a long number": '{"task_id": ' + "1" * 5000 + "}",
    "half a character for a task": '{"task_id": "\\ud800", "completion": ""}',
    "a list for a task": '{"task_id": ["X/0"], "completion": ""}',
    "a number for a completion": '{"task_id": "X/0", "completion": 1}',
    "a list for a response": '{"task_id": "X/0", "response": []}',
    "a list": "[]",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_line_that_is_no_sample_is_refused_by_its_number(tmp_path: Path, line: str) -> None:
    samples = tmp_path / "samples.jsonl"
    samples.write_text(line + "\n")
    benchmark = load_benchmark(written(tmp_path, HUMANEVAL))
    assert "samples.jsonl line 1: " in refused(summarize, samples, benchmark, SampleFormat())


def test_half_a_character_in_a_completion_is_scored(tmp_path: Path) -> None:
    samples = tmp_path / "samples.jsonl"
    samples.write_text('{"task_id": "X/0", "completion": "\\ud800"}\n')
    assert summarize(samples, load_benchmark(written(tmp_path, HUMANEVAL)), SampleFormat()).rows == 1


def test_a_history_that_is_no_file_is_refused_before_work(tmp_path: Path) -> None:
    (tmp_path / HISTORY).mkdir()
    assert "no scores can be in it" in refused(check_history, tmp_path / HISTORY)
    assert "no scores can be in it" in refused(read_history, tmp_path / HISTORY)


def test_a_store_that_is_a_file_is_refused_before_work(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    assert "cannot write here" in refused(check_history, tmp_path / "store" / HISTORY)


@pytest.mark.parametrize("field", RUN)
def test_a_line_of_the_history_with_a_wrong_type_is_counted_as_unreadable(tmp_path: Path, field: str) -> None:
    wrong = {"pass_at_k": [1, {"1": [0, 1]}, {"1": [0, "nan", 1]}, {"1": [0, 1, 10**400]}, {"1": None}]}
    lines = [json.dumps({**RUN, field: value}) for value in wrong.get(field, [1, None, [], {}])]
    (tmp_path / HISTORY).write_text("\n".join([json.dumps(RUN), *lines, "[" * 100_000]) + "\n")
    history = read_history(tmp_path / HISTORY)
    assert (len(history.runs), history.unreadable) == (1, len(lines) + 1)


@pytest.mark.parametrize(
    "content",
    ["[" * 100_000, "{}", "[]", '{"form": 1, "pass_at_k": [{"k": 1e400}]}', "1" * 5000, '{"form": []}'],
)
def test_a_score_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "score.json").write_text(content)
    assert "score.json" in refused(read_report, tmp_path / "score.json")


@pytest.mark.parametrize(
    "flags",
    [
        ("--timeout", "nan"),
        ("--timeout", "inf"),
        ("--timeout", "1e300"),
        ("--memory-mb", "1"),
        ("--memory-mb", "99999999999999"),
        ("--workers", "1000000000"),
        ("--k", "²"),
        ("--k", "1" * 5000),
        ("--k", "-1"),
    ],
    ids=" ".join,
)
def test_a_limit_out_of_reason_is_called_that(tmp_path: Path, flags: tuple[str, str]) -> None:
    samples = tmp_path / "samples.jsonl"
    samples.write_text('{"task_id": "X/0", "completion": ""}\n')
    run = CliRunner().invoke(command_line, ["score", str(samples), "--benchmark", "humaneval", *flags])
    assert run.exit_code == 2 or isinstance(run.exception, MindrailError)
    message = f"{run.output} {run.exception}"
    assert flags[0].strip("-").replace("-", "_") in message.replace("-", "_")
    assert "isolation" not in message
