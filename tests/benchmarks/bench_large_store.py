"""How long commands take on a store of 2,000 artifacts and 5,000 runs, beside an almost empty one.

Prints processor seconds and their ratio; asserts no times. The aim is a ratio below 2. Artifacts have small
files; runs are in the store's list, its history and the database of the command's own Prefect server.
`python -m pytest -m benchmark -s tests/benchmarks/bench_large_store.py`, or as a script.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from modelcore.store.store import Store
from tests.flows.reduced_demo import demo_arguments
from tests.paths import ROOT

ARTIFACTS, RUNS = 2_000, 5_000
WITHOUT_SERVER = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
STEPS = ("download", "convert", "preprocess", "shard", "launch", "merge", "export", "generate", "score")
COMMANDS = {
    "store ls": ("store", "ls"),
    "plan": ("plan", str(ROOT / "configs" / "finetune_codellama_34b_16p.yaml"), "--elsewhere"),
    "runs": ("runs",),
    "results": ("results",),
}


def mindrail(store: Path, *arguments: str) -> float:
    """Run a command and return the processor seconds of it and of all its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "flows.cli.main", *arguments, "--store", str(store), "--json"]
    subprocess.run(command, cwd=ROOT, env=WITHOUT_SERVER, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def fill(store: Path, artifacts: int, runs: int) -> None:
    """Add artifacts, each built from the one before, and finished runs with their scores."""
    shelf, digest = Store(store), "0" * 64
    for number in range(artifacts):
        built = shelf.build(
            STEPS[number % len(STEPS)],
            partial(_write_files, number),
            version=1,
            inputs={"before": digest},
            parameters={"number": number, "source": "hf://owner/name", "steps": 1000},
        )
        digest = built.artifact.digest
    with (store / "history.jsonl").open("a") as history:
        for number in range(runs):
            run = store / "runs" / f"20250101T000000-{number:05}-demo"
            run.mkdir(parents=True)
            scores = {"before": 0.1, "after": 0.5}
            record = {"config": {"name": "demo"}, "created": "2025-01-01T00:00:00+00:00", "seconds": 60.0}
            (run / "run.json").write_text(json.dumps(record | {"pass_at_1": scores}))
            history.write(json.dumps(_score(number)) + "\n")


def _write_files(number: int, directory: Path) -> None:
    for i in range(8):
        (directory / f"file{i}").write_text(f"{number}")


def _score(number: int) -> dict[str, object]:
    return {
        "id": f"{number:010x}",
        "name": "demo",
        "time": "2025-01-01T00:00:00+00:00",
        "checkpoint": "merge/0",
        "benchmark": "humaneval",
        "benchmark_digest": "0" * 64,
        "pass_at_k": {"1": [0.5, 0.4, 0.6]},
        "report": "score.json",
        "conditions": {"template": "base v1", "isolation": "namespaces", "missing": 0},
        "model": "",
        "data": "",
    }


def multiply_flow_runs(database: Path, runs: int) -> int:
    """Copy the flow runs, task runs and logs of a Prefect database until it has `runs` of them."""
    with closing(sqlite3.connect(database)) as opened, opened:
        for table in ("flow_run", "task_run", "log"):
            columns = [row[1] for row in opened.execute(f"PRAGMA table_info({table})")]
            rows = opened.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
            unique = [i for i, name in enumerate(columns) if name in ("id", "idempotency_key", "dynamic_key")]
            copies = []
            for number in range(runs // max(len(rows), 1) if table == "flow_run" else runs):
                for row in rows:
                    copy = list(row)
                    for i in unique:
                        copy[i] = str(uuid.uuid4()) if copy[i] is not None else f"{number}"
                    copies.append(copy)
            marks = ", ".join("?" * len(columns))
            opened.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", copies)
        count: int = opened.execute("SELECT count(*) FROM flow_run").fetchone()[0]
    return count


def measure(directory: Path) -> None:
    """Print the table. The cached pipeline is the reduced demo, and has a Prefect server of its own."""
    small, large = directory / "small", directory / "large"
    cached = tuple(word for word in demo_arguments(small) if word not in ("--store", str(small)))
    mindrail(small, *cached)
    shutil.copytree(small, large)
    fill(large, ARTIFACTS, RUNS)
    runs = multiply_flow_runs(large / ".prefect" / "prefect.db", RUNS)
    print(f"\n{ARTIFACTS} artifacts, {runs} flow runs; processor seconds\n")
    print(f"{'command':<18} {'small':>7} {'large':>7}  ratio")
    for name, arguments in {**COMMANDS, "demo, cached": cached}.items():
        seconds = [min(mindrail(store, *arguments) for _ in range(2)) for store in (small, large)]
        print(f"{name:<18} {seconds[0]:>7.2f} {seconds[1]:>7.2f}  {seconds[1] / seconds[0]:.2f}")


@pytest.mark.benchmark
def test_print_the_times_on_a_large_store(tmp_path: Path) -> None:
    measure(tmp_path)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name))
