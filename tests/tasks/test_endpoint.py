"""`transformers serve` answers for a checkpoint: greedy answers are those of our own engine."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from modelcore.config.evaluation import Generate
from modelcore.config.reading import parse
from modelcore.store.store import Store
from tasks.endpoint import endpoint
from tasks.generate import RESPONSES, generate
from tasks.inputs import input_step
from tasks.step_task import finished
from tests.flows.cli.small_checkpoint import write_small_checkpoint

pytestmark = pytest.mark.long

PROBLEMS = [
    {
        "task_id": f"T/{i}",
        "prompt": f"def f{i}(" + "x, " * (5 * i % 11),
        "entry_point": f"f{i}",
        "test": f"def check(f{i}):\n    pass\n",
    }
    for i in range(6)
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def transformers_serve(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log"
    program = [sys.executable, "-m", "transformers.cli.transformers", "serve"]
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*program, *options],
            stdout=output,
            stderr=output,
            env=os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": ""},
        ) as running,
    ):
        deadline = time.monotonic() + 180
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False)
                break
            except httpx.TransportError:
                assert running.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
        running.kill()


def test_greedy_answers_of_transformers_serve_are_ours(
    checkpoint: Path, transformers_serve: str, tmp_path: Path
) -> None:
    benchmark = tmp_path / "benchmark.jsonl"
    benchmark.write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    store = Store(tmp_path / "store")
    asked = {"benchmark": str(benchmark), "template": "base", "max_new_tokens": 16}
    ours = finished(
        generate.fn(store, input_step(store, str(checkpoint), key="x"), parse(asked, Generate), 1)
    )
    served = shutil.copytree(checkpoint.parent / "hf", tmp_path / "served")
    theirs_config = parse(
        {**asked, "endpoint": transformers_serve, "endpoint_model": str(served), "batch_size": 2}, Generate
    )
    who = finished(endpoint.fn(store, theirs_config))
    theirs = finished(generate.fn(store, who, theirs_config, 1))

    def texts(path: Path) -> list[str]:
        return [json.loads(line)["response"] for line in (path / RESPONSES).read_text().splitlines()]

    assert len(texts(ours.path)) == 6
    assert texts(theirs.path) == texts(ours.path)
