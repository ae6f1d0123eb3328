"""A benchmark of two small problems, and files of samples for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelcore.evaluation.benchmarks import Benchmark, load_benchmark

PROBLEMS = [
    {
        "task_id": "Tiny/0",
        "prompt": 'from math import floor\n\ndef add(x, y):\n    """ Add. """\n',
        "entry_point": "add",
        "canonical_solution": "    return x + y\n",
        "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(-1, 1) == 0\n",
    },
    {
        "task_id": "Tiny/1",
        "prompt": 'def double(x):\n    return 2 * x\n\ndef four_times(x):\n    """ Four times. """\n',
        "entry_point": "four_times",
        "canonical_solution": "    return double(double(x))\n",
        "test": "def check(candidate):\n    assert candidate(3) == double(6)\n",
    },
]
RIGHT = {row["task_id"]: row["canonical_solution"] for row in PROBLEMS}
WRONG = "    return None\n"


@pytest.fixture
def benchmark_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    return path


@pytest.fixture
def tiny(benchmark_file: Path) -> Benchmark:
    return load_benchmark(benchmark_file)


@pytest.fixture
def write_samples(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: dict[str, Any], name: str = "samples.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write
