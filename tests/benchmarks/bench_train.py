"""A training step beside transformers' on torch: same weights, rows, optimizer and cores, in turn.

Each contender is a process of its own that lives as long as the benchmark and takes a few steps whenever it
is told to, while the others wait. `python -m tests.benchmarks.bench_train [rounds] [model]` or
`python -m pytest -m benchmark -s tests/benchmarks/bench_train.py`. With `--one-core` every contender has one
thread and its processor time counts, which other work on the machine disturbs less.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import pytest

from modelcore.config.training import Precision
from tests.benchmarks.machine import machine
from tests.paths import ROOT

VOCABULARY, SEQUENCE, BATCH, STEPS = 4096, 256, 8, 3
CORES = len(os.sched_getaffinity(0))
COMMON = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 2}
MODELS: dict[str, dict[str, Any]] = {
    f"llama {width} x {layers}": COMMON
    | {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": width // 64,
        "num_key_value_heads": width // 64,
        "max_position_embeddings": SEQUENCE,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": False,
    }
    for width, layers, inner in ((256, 4, 688), (512, 8, 1376))
}
MODELS["gpt_bigcode 256 x 4"] = COMMON | {
    "model_type": "gpt_bigcode",
    "architectures": ["GPTBigCodeForCausalLM"],
    "n_embd": 256,
    "n_inner": 1024,
    "n_layer": 4,
    "n_head": 4,
    "n_positions": SEQUENCE,
    "multi_query": True,
    "activation_function": "gelu_pytorch_tanh",
    "attn_pdrop": 0.0,
    "embd_pdrop": 0.0,
    "resid_pdrop": 0.0,
}
CONTENDERS = ("mindrail fp32", "mindrail bf16", "torch fp32", "torch bf16")
RATE, CLIP, DECAY = 1e-4, 1.0, 0.1


def some_batches() -> list[Any]:
    """Return the rows of some steps: int32 [BATCH, SEQUENCE + 1] each."""
    import numpy as np

    draw = np.random.default_rng(0)
    return [draw.integers(0, VOCABULARY, (BATCH, SEQUENCE + 1)).astype(np.int32) for _ in range(8)]


class Ours:
    """Takes steps with `modelcore.training`."""

    def __init__(self, directory: Path, precision: Precision) -> None:
        if precision == "bf16":
            os.environ["ONEDNN_DEFAULT_FPMATH_MODE"] = "BF16"
        import mindspore

        from modelcore.checkpoints.shards import rank_file
        from modelcore.models.fill import fill
        from modelcore.parallel.groups import create_groups
        from modelcore.parallel.mesh import Layout, Mesh
        from modelcore.training.network import build_network
        from modelcore.training.plan import TrainPlan
        from modelcore.training.step import Step
        from modelcore.weights.checkpoint import open_file

        mindspore.set_context(mode=mindspore.GRAPH_MODE)
        plan = TrainPlan(
            model=str(directory / "shards"),
            data="",
            output="",
            seed=1,
            steps=10**6,
            batch_size=BATCH,
            learning_rate=RATE,
            final_rate=1.0,
            weight_decay=DECAY,
            clip_norm=CLIP,
            precision=precision,
        )
        groups = create_groups(Mesh(Layout()), 0)
        self.taker = Step(plan, build_network(plan, groups), groups)
        file = rank_file(directory / "shards", 0)
        fill({p.name: p for p in self.taker.parameters}, open_file(file), file)
        self.batches = [(rows[:, :-1].copy(), rows[:, 1:].copy()) for rows in some_batches()]

    def step(self, number: int) -> float:
        """Take a step and return its loss."""
        return self.taker.run(number, [self.batches[number % len(self.batches)]], 1.0).loss


class Theirs:
    """Takes steps with transformers, torch's AdamW and its clipping."""

    def __init__(self, directory: Path, precision: Precision) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        self.torch, self.bf16 = torch, precision == "bf16"
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        self.model = AutoModelForCausalLM.from_pretrained(directory / "hf", dtype=torch.float32).train()
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        vectors = [p for p in self.model.parameters() if p.ndim == 1]
        groups = [{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.95), eps=1e-8)
        self.batches = [torch.tensor(rows, dtype=torch.long) for rows in some_batches()]

    def step(self, number: int) -> float:
        """Take a step and return its loss."""
        torch, rows = self.torch, self.batches[number % len(self.batches)]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            logits = self.model(rows[:, :-1], use_cache=False).logits
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return float(loss.item())


def serve(name: str, directory: Path) -> None:
    """Take STEPS steps for every line read; answer each with a line of [seconds, loss] pairs."""
    library, precision = name.split()
    contender: Any = {"mindrail": Ours, "torch": Theirs}[library](directory, cast(Precision, precision))
    clock = time.process_time if os.environ["OMP_NUM_THREADS"] == "1" else time.perf_counter
    number = 0
    for _ in sys.stdin:
        taken = []
        for _ in range(STEPS):
            start = clock()
            loss = contender.step(number)
            taken.append((clock() - start, loss))
            number += 1
        print(json.dumps(taken), flush=True)


class Contender:
    """The other end of `serve`."""

    def __init__(self, name: str, directory: Path, threads: int) -> None:
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": str(threads),
            "HF_HUB_OFFLINE": "1",
            "GLOG_v": "3",
        }
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", name, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("BENCH_VERBOSE") else subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self.seconds: list[float] = []
        self.losses: list[float] = []

    def take_steps(self, *, counted: bool) -> None:
        """Take some steps now; those not counted warm up."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        while not (line := self.process.stdout.readline()).startswith("[["):
            assert line, "it has died; BENCH_VERBOSE=1 shows why"
        for seconds, loss in json.loads(line):
            self.losses.append(loss)
            if counted:
                self.seconds.append(seconds)

    def end(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def prepare(raw: dict[str, Any], directory: Path) -> int:
    """Write a model with random weights for both; return the number of its parameters."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from modelcore.checkpoints.convert import convert_checkpoint
    from modelcore.checkpoints.reshard import shard_checkpoint
    from modelcore.parallel.mesh import Layout
    from modelcore.parallel.partition import Cut

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**raw), dtype=torch.float32)
    model.save_pretrained(directory / "hf")
    convert_checkpoint(directory / "hf", directory / "whole", to="mindspore")
    shard_checkpoint(directory / "whole", directory / "shards", Cut(Layout()))
    return sum(parameter.numel() for parameter in model.parameters())


def compare(name: str, directory: Path, rounds: int, threads: int) -> None:
    """Print one model's table; of one thread, processor time."""
    parameters = prepare(MODELS[name], directory)
    runs = {contender: Contender(contender, directory, threads) for contender in CONTENDERS}
    for counted in [False, *[True] * rounds]:
        for run in runs.values():
            run.take_steps(counted=counted)
    for run in runs.values():
        run.end()
    print(
        f"\n{name}, {parameters / 1e6:.1f} M parameters, {BATCH} rows of {SEQUENCE} tokens, {threads} threads"
    )
    print(
        f"{'':16}{'ms, median':>12}{'least':>8}{'tokens/s':>10}"
        f"{'first loss':>12}{'last loss':>11}{'of torch':>10}"
    )
    for contender, run in runs.items():
        middle = statistics.median(run.seconds)
        rival = runs["torch " + contender.split()[1]]
        print(
            f"{contender:16}{middle * 1000:12.0f}{min(run.seconds) * 1000:8.0f}"
            f"{BATCH * SEQUENCE / middle:10.0f}{run.losses[0]:12.5f}{run.losses[-1]:11.5f}"
            f"{statistics.median(rival.seconds) / middle:9.2f}x"
        )


def main(rounds: int = 8, only: str = "", threads: int = CORES) -> None:
    """Print the tables."""
    print(machine())
    for name in MODELS:
        if only in name:
            with tempfile.TemporaryDirectory() as directory:
                compare(name, Path(directory), rounds, threads)


@pytest.mark.benchmark
def test_print_the_tables() -> None:
    main()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], Path(sys.argv[3]))
    else:
        given = [argument for argument in sys.argv[1:] if argument != "--one-core"]
        rounds = int(given[0]) if given else 8
        main(rounds, "".join(given[1:2]), 1 if "--one-core" in sys.argv else CORES)
