"""`mindrail serve` as a user starts it: transformers' greedy answers, and an end that loses none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from modelcore.data.tokenizers import load_tokenizer
from tests.flows.cli.small_checkpoint import write_small_checkpoint
from tests.paths import ROOT

pytestmark = pytest.mark.ranks

PROMPTS = [f"def f{i}(" + "x, " * (5 * i % 11) for i in range(8)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def server(checkpoint: Path, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    arguments = ["serve", str(checkpoint), "--port", "0", "--batch-size", "4", "--name", "small", "--json"]
    arguments += ["--stop-seconds", "300"]  # a busy machine generates slowly
    with subprocess.Popen(
        [sys.executable, "-m", "flows.cli.main", *arguments, "--store", str(tmp_path / "store")],
        cwd=ROOT,
        env=os.environ | {"MINDRAIL_API_KEY": "secret"},
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        try:
            yield json.loads(running.stdout.readline())["url"], running
        finally:
            running.kill()


def greedy(checkpoint: Path, prompt: str) -> str:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(checkpoint.parent / "hf", dtype=torch.float32)
    tokenizer = load_tokenizer(checkpoint)
    ids = torch.tensor([tokenizer.encode(prompt)])
    found = model.generate(ids, max_new_tokens=12, do_sample=False, eos_token_id=0, pad_token_id=1)
    return tokenizer.decode(found[0, ids.shape[1] :].tolist())


def test_answers_are_transformers_and_sigterm_lets_the_last_one_end(
    server: tuple[str, subprocess.Popen[str]], checkpoint: Path
) -> None:
    url, running = server
    with openai.OpenAI(base_url=url, api_key="secret", timeout=120, max_retries=0) as client:
        done = client.completions.create(model="small", prompt=PROMPTS, max_tokens=12, temperature=0)
        assert [one.text for one in done.choices] == [greedy(checkpoint, prompt) for prompt in PROMPTS]
        stream = client.completions.create(
            model="small", prompt=PROMPTS[0], max_tokens=100, temperature=0, stream=True
        )
        pieces = [next(iter(stream))]
        running.send_signal(signal.SIGTERM)
        pieces += stream
        assert pieces[-1].choices[0].finish_reason in ("length", "stop")
    deadline = threading.Timer(60, running.kill)
    deadline.start()
    assert running.wait() == 0
    deadline.cancel()
