"""Sharding 1 -> 8 and merging 8 -> 1: GB/s and memory, beside transform_checkpoints and a plain file copy.

Each is run in a process of its own, in turn, on the same files; `python tests/benchmarks/bench_reshard.py
[GB] [repetitions]` or `python -m pytest -m benchmark -s tests/benchmarks/bench_reshard.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

CONFIG = {
    "model_type": "llama",
    "vocab_size": 32000,
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "hidden_act": "silu",
}
LAYER_BYTES = 2 * (2 * 2048**2 + 2 * 2048 * 512 + 3 * 2048 * 5632)

PROGRAMS = {
    "plain copy 1 -> 1": "shutil.copyfile(d / 'whole/model.ckpt', out / 'model.ckpt')",
    "mindrail 1 -> 8": "shard_checkpoint(d / 'whole', out, Cut(Layout(1, 8, 1)))",
    "mindrail 8 -> 1": "merge_checkpoint(d / 'shards', out)",
    "mindrail dp2 mp2 pp2 from mp8": "reshard_checkpoint(d / 'shards', out, Cut(Layout(2, 2, 2)))",
    "transform_checkpoints 1 -> 8": "transform(f'{d}/ranks', f'{out}', 'c', None, f'{d}/mp8')",
    "transform_checkpoints 8 -> 1": "transform(f'{d}/shards', f'{out}', 'c', f'{d}/mp8')",
}
PROGRAM = """
import json, re, shutil, sys, time
from pathlib import Path
from typing import Any
{imports}
d, out = Path(sys.argv[1]), Path(sys.argv[2])
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
before = peak()
start = time.perf_counter()
{statement}
seconds = time.perf_counter() - start
print(json.dumps([seconds, peak() - before]))
"""
THEIRS = "from mindspore import transform_checkpoints as transform"
OURS = """
from modelcore.checkpoints.reshard import merge_checkpoint, reshard_checkpoint, shard_checkpoint
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut
"""


def prepare(directory: Path, gigabytes: float) -> int:
    """Write a llama of about this size in fp16 and its shards for 8 ranks; return its bytes."""
    import numpy as np

    from modelcore.checkpoints.reshard import shard_checkpoint
    from modelcore.models.llama.config import LlamaConfig
    from modelcore.parallel.mesh import Layout
    from modelcore.parallel.partition import Cut
    from modelcore.weights.ckpt_file import ckpt_layout
    from modelcore.weights.dtypes import FP16
    from modelcore.weights.file_layout import TensorSpec
    from modelcore.weights.tensors import from_array
    from modelcore.weights.write_file import journal_path, write_file

    raw = {**CONFIG, "num_hidden_layers": max(2, round(gigabytes * 1e9 / LAYER_BYTES) // 2 * 2)}
    whole = directory / "whole"
    whole.mkdir()
    (whole / "config.json").write_text(json.dumps(raw))
    random = np.random.default_rng(0)
    shapes = LlamaConfig.from_hf(raw, whole).parameter_shapes()
    tensors = {
        n: from_array(random.integers(0, 2**14, s, np.uint16).view(np.float16)) for n, s in shapes.items()
    }
    path = whole / "model.ckpt"
    write_file(path, ckpt_layout([TensorSpec(n, FP16, s) for n, s in shapes.items()]), tensors)
    journal_path(path).unlink()
    shard_checkpoint(whole, directory / "shards", Cut(Layout(1, 8, 1)))
    (directory / "ranks" / "rank_0").mkdir(parents=True)
    os.link(path, directory / "ranks" / "rank_0" / "model.ckpt")
    merge = "import mindspore, sys; mindspore.merge_pipeline_strategys(*sys.argv[1:])"
    arguments = [str(directory / "shards" / "strategy"), str(directory / "mp8")]
    subprocess.run([sys.executable, "-c", merge, *arguments], check=True)
    return path.stat().st_size


def measure(name: str, directory: Path) -> tuple[float, float] | None:
    """Run one program once; return seconds and MiB of peak memory above what its imports took.

    None if it fails: MindSpore refuses to load where little memory is free, be it only for the page cache.
    """
    out = directory / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    os.sync()
    imports = OURS if name.startswith("mindrail") else THEIRS if "transform" in name else ""
    text = PROGRAM.format(imports=imports, statement=PROGRAMS[name])
    command = [sys.executable, "-c", text, str(directory), str(out)]
    run = subprocess.run(command, capture_output=True, text=True)
    shutil.rmtree(out)
    if run.returncode:
        print(f"{name} failed: {run.stderr.strip().splitlines()[-1]}")
        return None
    seconds, grown = json.loads(run.stdout.splitlines()[-1])
    return seconds, grown


def main(gigabytes: float = 1.0, repetitions: int = 3) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIRECTORY")) as name:
        directory = Path(name)
        size = prepare(directory, gigabytes)
        runs: dict[str, list[tuple[float, float]]] = {program: [] for program in PROGRAMS}
        for _ in range(repetitions):
            for program, results in runs.items():
                if result := measure(program, directory):
                    results.append(result)
        print(f"\n{size / 1e9:.2f} GB fp16, {repetitions} runs each, alternating; GB of checkpoint a second")
        print(f"{'':32}{'median GB/s':>12}{'best':>8}{'worst':>8}{'MiB above start':>18}")
        for program, results in runs.items():
            if not results:
                continue
            rates = [size / 1e9 / seconds for seconds, _ in results]
            memory = max(grown for _, grown in results)
            print(
                f"{program:32}{statistics.median(rates):12.2f}{max(rates):8.2f}{min(rates):8.2f}{memory:18.0f}"
            )


@pytest.mark.benchmark
def test_print_the_table() -> None:
    main()


if __name__ == "__main__":
    arguments: list[Any] = [*map(float, sys.argv[1:2]), *map(int, sys.argv[2:3])]
    main(*arguments)
