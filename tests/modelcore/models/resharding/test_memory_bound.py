"""Memory does not grow with the model: shapes of CodeLlama-34B in fp32, in a source that is mostly holes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modelcore.models.llama.config import LlamaConfig
from modelcore.weights.ckpt_file import ckpt_layout
from modelcore.weights.dtypes import FP32
from modelcore.weights.layout import TensorSpec

PROGRAM = """
import re, sys
from pathlib import Path
from modelcore.models.resharding import merge_checkpoint, shard_checkpoint
from modelcore.parallel.mesh import Layout

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

before, directory = peak(), Path(sys.argv[1])
shard_checkpoint(directory / "whole", directory / "shards", layout=Layout(1, 8, 1))
merge_checkpoint(directory / "shards", directory / "merged")
print(peak() - before)
"""


@pytest.mark.long
def test_cutting_and_merging_tensors_of_720_mb_takes_little_memory(tiny: Any, tmp_path: Path) -> None:
    raw = {
        **tiny.llama,
        "hidden_size": 8192,
        "intermediate_size": 22016,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "num_hidden_layers": 1,
    }
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "config.json").write_text(json.dumps(raw))
    shapes = LlamaConfig.from_hf(raw, "config.json").parameter_shapes()
    layout = ckpt_layout([TensorSpec(name, FP32, shape) for name, shape in shapes.items()])
    with (tmp_path / "whole" / "model.ckpt").open("wb") as file:
        file.truncate(layout.size)
        for offset, header in layout.headers:
            file.seek(offset)
            file.write(header)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    run = subprocess.run(command, cwd=Path(__file__).parents[4], capture_output=True, text=True, check=True)
    above = float(run.stdout)
    print(f"{above:.0f} MiB above the interpreter and its imports, for {layout.size / 2**20:.0f} MiB")
    assert above < 1536
