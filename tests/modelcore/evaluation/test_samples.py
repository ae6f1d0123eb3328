from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import Benchmark
from modelcore.evaluation.samples import extract_samples
from modelcore.evaluation.templates import template


def test_responses_become_completions_and_keep_their_other_fields(
    tmp_path: Path, tiny: Benchmark, write_samples: Callable[..., Path]
) -> None:
    response = "Sure:\n```python\ndef add(x, y):\n    return x + y\n```\nThat is \ud800 all."
    responses = write_samples({"task_id": "Tiny/0", "sample": 3, "response": response, "finish": "eos"})
    extract_samples(responses, tmp_path / "completions.jsonl", tiny, template("alpaca"))
    (line,) = (tmp_path / "completions.jsonl").read_text().splitlines()
    completion = "def add(x, y):\n    return x + y\n"
    assert json.loads(line) == {"task_id": "Tiny/0", "sample": 3, "finish": "eos", "completion": completion}


def test_a_response_to_no_problem_is_refused_and_nothing_is_written(
    tmp_path: Path, tiny: Benchmark, write_samples: Callable[..., Path]
) -> None:
    responses = write_samples({"task_id": "Tiny/7", "response": ""})
    with pytest.raises(MindrailError, match="line 1: no task 'Tiny/7'"):
        extract_samples(responses, tmp_path / "completions.jsonl", tiny, template("alpaca"))
    assert not (tmp_path / "completions.jsonl").exists()
