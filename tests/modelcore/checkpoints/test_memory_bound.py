"""Converting needs little memory, however large the model: shown on true shapes.

CodeLlama-7B's are renamed; of WizardCoder-15B, whose largest matrices are transposed, a few layers will do.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modelcore.models.families import model_from_config
from modelcore.weights import outputs
from modelcore.weights.dtypes import BF16
from modelcore.weights.file_layout import TensorSpec
from modelcore.weights.safetensors_file import safetensors_layout
from tests.paths import ROOT

CONFIGS = ROOT / "configs/models"
BOUND = 1_500_000_000

# Its own process, so that the peak is the conversion's; before it, what the interpreter takes by itself.
PROGRAM = """
import json, re, sys, time
from pathlib import Path
from modelcore.checkpoints.convert import convert_checkpoint

def peak():  # ru_maxrss would be the parent's, where that is larger
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

before, start = peak(), time.perf_counter()
report = convert_checkpoint(Path(sys.argv[1]), Path(sys.argv[2]), to=sys.argv[3])
print(json.dumps([len(report.tensors), report.size, peak() - before, time.perf_counter() - start]))
"""


def sparse_checkpoint(directory: Path, config: dict[str, object]) -> Path:
    """Write a config and shards whose tensors are holes: no disk is used, every byte is read."""
    model = model_from_config(config, directory)
    shapes = model.config.parameter_shapes()
    rows = model.family.names.expand(model.config.num_layers, shapes)
    specs = [TensorSpec(row.hf, BF16, row.hf_shape([shapes[part] for part in row.parts])) for row in rows]
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(config))
    weight_map: dict[str, str] = {}
    for number in range(3):
        name = f"model-{number + 1:05d}-of-00003.safetensors"
        part = specs[len(specs) * number // 3 : len(specs) * (number + 1) // 3]
        layout = safetensors_layout(part, {"format": "pt"})
        with (directory / name).open("wb") as file:
            file.write(layout.headers[0][1])
            file.truncate(layout.size)
        weight_map |= {spec.name: name for spec in part}
    (directory / outputs.INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return directory


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("name", "changes", "tensors", "parameters"),
    [
        ("codellama-7b", {}, {"mindspore": 291, "hf": 291}, 6_738_546_688),
        ("wizardcoder-15b", {"n_layer": 4}, {"mindspore": 68, "hf": 52}, 1_868_852_224),
    ],
)
def test_a_model_converts_there_and_back_within_the_bound(
    tmp_path: Path, name: str, changes: dict[str, int], tensors: dict[str, int], parameters: int
) -> None:
    if shutil.disk_usage(tmp_path).free < 4.5 * parameters + 5e9:
        pytest.skip("the disk has no room for two copies of the model")
    config = json.loads((CONFIGS / f"{name}.json").read_text())
    source = sparse_checkpoint(tmp_path / "hf", config | changes)
    for place, target, to in ((source, "ms", "mindspore"), (tmp_path / "ms", "back", "hf")):
        command = [sys.executable, "-c", PROGRAM, str(place), str(tmp_path / target), to]
        output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
        count, size, peak, seconds = json.loads(output)
        print(f"to {to}: {seconds:.0f} s, {size / seconds / 1e9:.2f} GB/s, {peak / 1e6:.0f} MB more memory")
        assert (count, size) == (tensors[to], 2 * parameters)
        assert peak < BOUND
    shutil.rmtree(tmp_path)
