"""Memory does not grow with the model: shapes of CodeLlama-34B and 7B, in sources that are mostly holes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modelcore.models.llama.config import LlamaConfig
from modelcore.weights.ckpt_file import ckpt_layout
from modelcore.weights.dtypes import FP16, FP32, DType
from modelcore.weights.file_layout import TensorSpec
from tests.paths import ROOT

PROGRAM = """
import re, sys
from pathlib import Path
from modelcore.checkpoints.reshard import merge_checkpoint, shard_checkpoint
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

before, directory = peak(), Path(sys.argv[1])
shard_checkpoint(directory / "whole", directory / "shards", Cut(Layout(1, 8, 1)))
merge_checkpoint(directory / "shards", directory / "merged")
print(peak() - before)
"""


LLAMA_34B = {"hidden_size": 8192, "intermediate_size": 22016, "num_attention_heads": 64}
CODELLAMA_7B = {
    "vocab_size": 32016,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "num_hidden_layers": 32,
}
MOST = 1536


def sparse_checkpoint(directory: Path, raw: dict[str, Any], dtype: DType, *, states: bool) -> int:
    """Write config.json and a checkpoint whose tensors are holes; return its size in bytes."""
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(raw))
    shapes = LlamaConfig.from_hf(raw, "config.json").parameter_shapes()
    prefixes = ("", "adam_m.", "adam_v.") if states else ("",)
    layout = ckpt_layout(
        [TensorSpec(prefix + name, dtype, shape) for prefix in prefixes for name, shape in shapes.items()]
    )
    with (directory / "model.ckpt").open("wb") as file:
        file.truncate(layout.size)
        for offset, header in layout.headers:
            file.seek(offset)
            file.write(header)
    return layout.size


def mib_above_the_interpreter(directory: Path) -> float:
    """Cut for mp8, put together again; return the memory's peak above what interpreter and imports take."""
    command = [sys.executable, "-c", PROGRAM, str(directory)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(run.stdout)


@pytest.mark.long
def test_cutting_and_merging_tensors_of_720_mb_takes_little_memory(tiny: Any, tmp_path: Path) -> None:
    raw = {**tiny.llama, **LLAMA_34B, "num_key_value_heads": 8, "num_hidden_layers": 1}
    size = sparse_checkpoint(tmp_path / "whole", raw, FP32, states=True)
    above = mib_above_the_interpreter(tmp_path)
    print(f"{above:.0f} MiB above the interpreter and its imports, for {size / 2**20:.0f} MiB")
    assert above < MOST


@pytest.mark.long
def test_cutting_and_merging_all_of_codellama_7b_takes_little_memory(tiny: Any, tmp_path: Path) -> None:
    if shutil.disk_usage(tmp_path).free < 40 << 30:
        pytest.skip("needs 40 GiB of disk")
    size = sparse_checkpoint(tmp_path / "whole", {**tiny.llama, **CODELLAMA_7B}, FP16, states=False)
    above = mib_above_the_interpreter(tmp_path)
    print(f"{above:.0f} MiB above the interpreter and its imports, for {size / 2**20:.0f} MiB")
    merged = (tmp_path / "merged" / "model.ckpt").stat().st_size
    shutil.rmtree(tmp_path / "shards")
    shutil.rmtree(tmp_path / "merged")
    assert merged == size > 2 * 6_738_546_688
    assert above < MOST
