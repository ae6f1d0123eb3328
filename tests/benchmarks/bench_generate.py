"""Tokens generated per second, greedy, beside transformers on the same small llama.

Run with `python -m pytest -m benchmark -s tests/benchmarks/bench_generate.py` or as a script. Batches of 1
and 16, each three times in turn in one run, after one round that compiles and warms up; the best of each is
taken. What is timed is decoding: prompts of 48 tokens, 64 new tokens each, no stops. Asserts no times.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelcore.demo.config import SmallLlama
from modelcore.demo.random_llama import write_random_llama

PROMPT, NEW, ROUNDS, VOCABULARY = 48, 64, 3, 4096
SIZES = SmallLlama(
    hidden_size=256, num_layers=4, num_heads=8, num_kv_heads=8, intermediate_size=688, max_positions=256
)


def prompts(count: int) -> list[list[int]]:
    generator = np.random.default_rng(1)
    return [generator.integers(3, VOCABULARY, PROMPT).tolist() for _ in range(count)]


def ours(checkpoint: Path, count: int) -> Callable[[], list[list[int]]]:
    import mindspore

    from modelcore.generation.decoder import Decoder
    from modelcore.models.families import read_model

    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    model = Decoder(
        read_model(checkpoint), checkpoint, slots=count, length=PROMPT + NEW, prompts=-(-count // 4)
    )
    asked = prompts(count)

    def run() -> list[list[int]]:
        answers: list[list[int]] = [[] for _ in asked]
        for start in range(0, count, model.prompts):
            slots = list(range(start, min(start + model.prompts, count)))
            for slot, row in zip(slots, model.begin(slots, [asked[slot] for slot in slots]), strict=True):
                answers[slot].append(int(row.argmax()))
        for step in range(NEW - 1):
            last = np.array([answer[-1] for answer in answers], np.int32)
            logits = model.extend(last, np.full(count, PROMPT + step, np.int32))
            for slot, token in enumerate(logits.argmax(axis=1)):
                answers[slot].append(int(token))
        return answers

    return run


def theirs(checkpoint: Path, count: int) -> Callable[[], list[list[int]]]:
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    ids = torch.tensor(prompts(count))
    mask = torch.ones_like(ids)

    def run() -> list[list[int]]:
        with torch.no_grad():
            made = model.generate(
                ids, attention_mask=mask, max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False
            )
        return [row[PROMPT:] for row in made.tolist()]

    return run


def best_rates(runs: dict[str, Callable[[], list[list[int]]]], tokens: int) -> dict[str, float]:
    best = dict.fromkeys(runs, 0.0)
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            best[name] = max(best[name], tokens / (time.perf_counter() - start))
    return best


@pytest.mark.benchmark
def test_tokens_per_second_beside_transformers() -> None:
    pytest.importorskip("transformers")
    from modelcore.checkpoints.convert import convert_checkpoint

    print(f"\n{'batch':>6} {'who':<13} {'tokens/s':>9}")
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "hf"
        source.mkdir()
        write_random_llama(source, SIZES, vocab_size=VOCABULARY, eos_id=0, pad_id=1, seed=3)
        convert_checkpoint(source, Path(directory) / "mindspore", to="mindspore")
        for count in (1, 16):
            runs = {
                "mindrail": ours(Path(directory) / "mindspore", count),
                "transformers": theirs(source, count),
            }
            same = np.mean(np.array(runs["mindrail"]()) == np.array(runs["transformers"]()))
            rates = best_rates(runs, count * NEW)
            for name, rate in rates.items():
                print(f"{count:>6} {name:<13} {rate:>9.1f}")
            ratio = rates["mindrail"] / rates["transformers"]
            print(f"{'':>6} ratio {ratio:.2f}, {same:.0%} of tokens the same")


if __name__ == "__main__":
    test_tokens_per_second_beside_transformers()
