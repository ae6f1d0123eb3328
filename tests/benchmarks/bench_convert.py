"""How fast a checkpoint converts, beside the same machine's file copy, and in how much memory.

Both are measured until the bytes are on the disk; the copies stand between the conversions.

Prints a table; asserts no times. The checkpoint has CodeLlama-7B's true widths (`--layers 32`: the whole of
it, 13.5 GB; three times that is needed on disk) and random bits for weights. Run as a script or with
`pytest -m benchmark -s`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean

import numpy as np
import pytest

from modelcore.models.families import model_from_config
from modelcore.store.durable import sync_tree
from modelcore.weights.dtypes import BF16
from modelcore.weights.outputs import hf_outputs, write_outputs
from modelcore.weights.tensors import CHUNK, DerivedTensor

CODELLAMA_7B = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 32016,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "max_position_embeddings": 16384,
    "rms_norm_eps": 1e-5,
    "rope_theta": 1000000,
    "hidden_act": "silu",
    "torch_dtype": "bfloat16",
}
WIZARDCODER_15B = {
    "model_type": "gpt_bigcode",
    "architectures": ["GPTBigCodeForCausalLM"],
    "vocab_size": 49153,
    "n_embd": 6144,
    "n_inner": 24576,
    "n_layer": 40,
    "n_head": 48,
    "n_positions": 8192,
    "multi_query": True,
    "activation_function": "gelu_pytorch_tanh",
    "torch_dtype": "float16",
}
SMALL = CODELLAMA_7B | {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "vocab_size": 128,
}

# A child of its own, so that its peak resident memory is the conversion's.
_CHILD = """
import json, re, resource, sys, time
from functools import partial
from pathlib import Path
from modelcore.checkpoints.convert import convert_checkpoint

def peak():  # ru_maxrss would be the parent's, where that is larger
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

before, memory = resource.getrusage(resource.RUSAGE_SELF), peak()
start = time.perf_counter()
report = convert_checkpoint(Path(sys.argv[1]), Path(sys.argv[2]), to=sys.argv[3], dtype=sys.argv[4])
seconds = time.perf_counter() - start
after = resource.getrusage(resource.RUSAGE_SELF)
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps([seconds, cpu, report.size, len(report.tensors), memory, peak()]))
"""


def make_checkpoint(directory: Path, config: dict[str, object], layers: int) -> None:
    """Write a Hugging Face checkpoint of this config with so many layers, its weights random finite bits."""
    key = "num_hidden_layers" if "num_hidden_layers" in config else "n_layer"
    model = model_from_config(config | {key: layers}, "bench")
    shapes = model.config.parameter_shapes()
    rows = model.family.names.expand(layers, shapes)
    # Exponents below 0x3f80: no NaN, no infinity, as in real weights.
    bits = np.random.default_rng(0).integers(0, 1 << 16, CHUNK // 2, dtype=np.uint16) & np.uint16(0xBF7F)

    def produce(count: int):
        for at in range(0, count, bits.size):
            yield bits[: min(bits.size, count - at)]

    tensors = {}
    for row in rows:
        shape = row.hf_shape([shapes[part] for part in row.parts])
        count = int(np.prod(shape))
        tensors[row.hf] = DerivedTensor(BF16, shape, partial(produce, count))
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps(config | {key: layers}))
    write_outputs(directory, hf_outputs(tensors), tensors, origin="bench", wrote=lambda count: None)


@dataclass(frozen=True)
class Copy:
    """Seconds until a copy of all files was made, and until it was on the disk, as a conversion is."""

    made: float
    on_disk: float


def copy(source: Path, target: Path) -> Copy:
    """Copy every file, as `cp -r` and `sync` would, and remove the copy."""
    start = time.perf_counter()
    shutil.copytree(source, target)
    made = time.perf_counter() - start
    sync_tree(target)
    on_disk = time.perf_counter() - start
    shutil.rmtree(target)
    return Copy(made, on_disk)


@dataclass(frozen=True)
class Conversion:
    """One measurement: wall and CPU seconds, bytes and tensors written, resident KiB before and at most."""

    seconds: float
    cpu: float
    size: int
    tensors: int
    before: int
    peak: int

    def line(self) -> str:
        return (
            f"{self.seconds:7.2f} s ({self.cpu:6.2f} of CPU)  {self.size / self.seconds / 1e9:5.2f} GB/s"
            f"  {self.tensors / self.seconds:7.0f} tensors/s"
            f"  peak {self.peak / 1024:5.0f} MB, {(self.peak - self.before) / 1024:+5.0f} above the start"
        )


def convert(source: Path, target: Path, to: str, dtype: str = "keep") -> Conversion:
    """Convert in a child."""
    command = [sys.executable, "-c", _CHILD, str(source), str(target), to, dtype]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Conversion(*json.loads(output.splitlines()[-1]))


def measure(scratch: Path, name: str, config: dict[str, object], layers: int) -> None:
    """Make, copy, convert there and back, and print a line for each."""
    hf, mindspore, back = scratch / "hf", scratch / "mindspore", scratch / "back"
    make_checkpoint(hf, config, layers)
    size = sum(path.stat().st_size for path in hf.iterdir())
    copies = [copy(hf, back)]
    print(f"\n{name}, {layers} layers, {size / 1e9:.2f} GB")
    for source, target, to, dtype in (
        (hf, mindspore, "mindspore", "keep"),
        (mindspore, back, "hf", "keep"),
        (hf, back, "mindspore", "fp16"),
        (hf, back, "mindspore", "fp32"),
    ):
        if dtype == "fp32" and size > 8e9:
            continue
        done = convert(source, target, to, dtype)
        scratch_copy = scratch / "copy"
        copies.append(copy(hf, scratch_copy))
        share = mean(one.on_disk for one in copies[-2:]) / size / (done.seconds / done.size)
        print(f"  to {to:9} {dtype:4}  {done.line()}  {share:.2f} of the copies before and after", flush=True)
        if target == back:
            shutil.rmtree(back)
    for words, seconds in (
        ("made", [one.made for one in copies]),
        ("on the disk", [one.on_disk for one in copies]),
    ):
        print(f"  file copies, {words}: {', '.join(f'{size / one / 1e9:.2f}' for one in seconds)} GB/s")


@pytest.mark.benchmark
@pytest.mark.timeout(1800)
def test_bench_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        measure(tmp_path / "llama", "CodeLlama-7B's widths", CODELLAMA_7B, 8)
        shutil.rmtree(tmp_path / "llama")
        measure(tmp_path / "bigcode", "WizardCoder-15B's widths", WIZARDCODER_15B, 4)
        shutil.rmtree(tmp_path / "bigcode")
        measure(tmp_path / "small", "many small tensors", SMALL, 400)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=8, help="of CodeLlama-7B's 32")
    parser.add_argument("--scratch", type=Path, help="where to make the files (by default the system's)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as directory:
        measure(Path(directory) / "llama", "CodeLlama-7B's widths", CODELLAMA_7B, arguments.layers)
        shutil.rmtree(Path(directory) / "llama")
        measure(Path(directory) / "bigcode", "WizardCoder-15B's widths", WIZARDCODER_15B, 4)
        shutil.rmtree(Path(directory) / "bigcode")
        measure(Path(directory) / "small", "many small tensors", SMALL, 400)
