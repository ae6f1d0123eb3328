"""Processor time until work begins: a temporary Prefect server, and a training's first step.

The server with a database that is migrated from nothing beside one that is copied; the training's program
with graphs to compile beside kept ones. Each pair runs in one go, one after the other. Processor time counts:
the clock also shows what else the machine does. `python -m tests.benchmarks.bench_start` or
`python -m pytest -m benchmark -s tests/benchmarks/bench_start.py`.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from flows.cli.server_database import copy_prepared_database, keep_prepared_database
from flows.cli.temporary_server import QUIET, _command, _free_port, _settings
from modelcore.data.encoding.rows import Rows
from modelcore.data.mindrecord.file import MindRecordWriter
from modelcore.training.plan import TrainPlan
from tests.benchmarks.bench_train import MODELS, SEQUENCE, VOCABULARY, prepare
from tests.benchmarks.machine import machine
from tests.paths import ROOT

MODEL = "llama 256 x 4"


def spent() -> float:
    """Return the processor time of this process's ended children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def server(home: Path) -> float:
    """Start a server in `home`, end it when it answers, and return its processor time until then."""
    port = _free_port()
    before = spent()
    with subprocess.Popen(
        _command(port), env=os.environ | QUIET | _settings(home, port), stderr=subprocess.DEVNULL
    ) as running:
        while running.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
        keep_prepared_database(home)
        running.kill()
    return spent() - before


def training(plan: TrainPlan) -> float:
    """Take the steps of a plan in a process of its own and return its processor time."""
    file = Path(f"{plan.output}.json")
    plan.write(file)
    before = spent()
    command = [sys.executable, "-m", "modelcore.training.rank", str(file)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return spent() - before


def plan_in(directory: Path, output: str) -> TrainPlan:
    """Return a plan of one step of a small llama; its files are written if they are not there."""
    rows = directory / "rows.mindrecord"
    if not rows.exists():
        prepare(MODELS[MODEL], directory)
        ids = np.random.default_rng(0).integers(0, VOCABULARY, (8, SEQUENCE + 1)).astype(np.int32)
        with MindRecordWriter(rows, ("input_ids",)) as writer:
            writer.write(Rows(ids))
    return TrainPlan(
        model=str(directory / "shards"),
        data=str(rows),
        output=str(directory / output),
        seed=1,
        steps=1,
        batch_size=1,
        learning_rate=1e-4,
    )


def show(name: str, first: float, then: float) -> None:
    """Print one row."""
    print(f"{name:44}{first:8.1f}{then:8.1f}{first / then:8.2f}x", flush=True)


def main() -> None:
    """Print the table."""
    print(machine())
    print(f"{'seconds of processor time':44}{'first':>8}{'then':>8}{'ratio':>9}")
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        directory = Path(name)
        patch.setenv("MINDRAIL_CACHE", str(directory / "cache"))
        new, copied = directory / "new", directory / "copied"
        new.mkdir()
        copied.mkdir()
        first = server(new)
        copy_prepared_database(copied)
        show("Prefect server, database migrated / copied", first, server(copied))
        first = training(plan_in(directory, "first"))
        then = training(plan_in(directory, "then"))
        show(f"training of one step, {MODEL}, compiled / kept", first, then)


@pytest.mark.benchmark
def test_print_the_table() -> None:
    main()


if __name__ == "__main__":
    main()
