"""Benchmark text in training data is found by common n-grams of words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelcore.data.preprocess import preprocess
from modelcore.data.quality.contamination import BenchmarkText, read_benchmark_texts
from modelcore.errors import MindrailError
from tests.modelcore.evaluation.small_mbpp import write_mbpp

PROBLEM = {
    "task_id": "HumanEval/0",
    "prompt": "def near(a, b):\n    '''Tell whether any two numbers lie closer than the limit given.'''\n",
    "canonical_solution": "    for i, a in enumerate(numbers):\n        if any(abs(a - b) < c for b in d):\n",
    "test": "def check(candidate):\n    assert candidate([1.0, 2.0, 3.9, 4.0, 5.0, 2.2], 0.3) == True\n",
}
OTHER = {
    "task_id": "HumanEval/1",
    "prompt": "def other(): pass",
    "canonical_solution": "pass",
    "test": "assert True",
}


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    path = tmp_path / "HumanEval.jsonl"
    path.write_text("\n".join(map(json.dumps, (PROBLEM, OTHER))))
    return path


def test_a_common_ngram_is_found_whatever_its_layout(benchmark: Path) -> None:
    text = BenchmarkText(read_benchmark_texts(benchmark), 10)
    assert text.shared_with("TELL whether any two\n numbers, lie closer than (the limit) given!") == [
        "HumanEval/0"
    ]
    assert text.shared_with("Tell whether any two numbers lie closer than a limit.") == []


def test_the_length_of_an_ngram_decides(benchmark: Path) -> None:
    problems = read_benchmark_texts(benchmark)
    assert BenchmarkText(problems, 8).shared_with("whether any two numbers lie closer than the") == [
        "HumanEval/0"
    ]
    assert BenchmarkText(problems, 9).shared_with("whether any two numbers lie closer than the") == []


def test_solutions_and_tests_count_as_well(benchmark: Path) -> None:
    text = BenchmarkText(read_benchmark_texts(benchmark), 10)
    assert text.shared_with(PROBLEM["canonical_solution"]) == ["HumanEval/0"]
    assert text.shared_with(f"x = 1\n{PROBLEM['test']}") == ["HumanEval/0"]


def test_numbers_alone_do_not_count() -> None:
    problem = {"a": ["assert f([" + ", ".join(map(str, range(40))) + "])"]}
    assert BenchmarkText(problem, 13).shared_with(" ".join(map(str, range(40)))) == []


def test_text_that_many_problems_share_does_not_count() -> None:
    line = "import os and then run the same long preamble for every problem here"
    problems = {f"p/{i}": [f"{line}\nproblem {i}"] for i in range(5)}
    assert BenchmarkText(problems, 10).shared_with(line) == []
    assert BenchmarkText(dict(list(problems.items())[:2]), 10).shared_with(line) == ["p/0", "p/1"]


def test_a_short_problem_is_compared_as_a_whole() -> None:
    text = BenchmarkText({"p/0": ["write a function that adds two given numbers"]}, 10)
    assert text.shared_with("Please write a function that adds two given numbers, thanks") == ["p/0"]
    assert text.shared_with("Please write a function that adds two given words") == []


def test_names_of_mbpp_problems_begin_with_the_file_name(tmp_path: Path) -> None:
    path = tmp_path / "mbpp.jsonl"
    path.write_text(
        json.dumps({"task_id": 2, "text": "Find it.", "code": "x", "test_list": ["assert a", "assert b"]})
    )
    assert read_benchmark_texts(path) == {"mbpp/2": ["Find it.", "x", "assert a", "assert b"]}
    path.write_text(json.dumps({"x": 1}))
    with pytest.raises(MindrailError, match=r"record 1: no task_id"):
        read_benchmark_texts(path)


def test_contaminated_samples_are_reported_dropped_or_fatal(
    benchmark: Path, tmp_path: Path, vocab_merges_dir: Path
) -> None:
    data = [
        {"instruction": "Add.", "output": "a + b"},
        {"instruction": "Near.", "output": PROBLEM["prompt"] + PROBLEM["canonical_solution"]},
    ]
    source = tmp_path / "s.json"
    source.write_text(json.dumps(data))
    options: dict[str, Any] = {
        "format": "wizardcoder",
        "tokenizer_dir": vocab_merges_dir,
        "seq_length": 400,
        "benchmarks": (benchmark,),
    }
    report = preprocess(source, tmp_path / "a.mindrecord", **options)
    assert (report.contaminated, report.contamination, report.rows_out) == (1, {"HumanEval/0": [2]}, 2)
    report = preprocess(source, tmp_path / "b.mindrecord", contaminated="drop", workers=2, **options)
    assert (report.contaminated, report.rows_out) == (1, 1)
    with pytest.raises(MindrailError, match="record 2 shares text with HumanEval/0"):
        preprocess(source, tmp_path / "c.mindrecord", contaminated="fail", **options)
    assert not (tmp_path / "c.mindrecord").exists()


def test_a_small_mbpp_in_its_own_words_is_found(tmp_path: Path) -> None:
    problems = read_benchmark_texts(write_mbpp(tmp_path))
    text = BenchmarkText(problems, 13)
    for name, texts in problems.items():
        assert text.shared_with("\n".join(texts)) == [name]
    assert text.shared_with("Write a function to return the area of a square.") == []


def test_mbpp_in_its_own_words_is_found(shared_data: Path) -> None:
    problems = read_benchmark_texts(shared_data / "mbpp" / "mbpp.jsonl")
    text = BenchmarkText(problems, 13)
    found = sum(name in text.shared_with("\n".join(texts)) for name, texts in problems.items())
    # The rest stand in so many problems' words that nothing is their own.
    assert len(problems) == 974 and found > 965


def test_a_run_may_be_shorter_than_the_shortest_text_that_is_compared_whole() -> None:
    texts = {"p/0": ["return the larger of two given numbers and stop"], "p/1": ["of two given numbers"]}
    text = BenchmarkText(texts, 5)
    assert text.shared_with("print the larger of two words") == []
    assert text.shared_with("Find the larger of two given letters: larger of two given numbers") == ["p/0"]
