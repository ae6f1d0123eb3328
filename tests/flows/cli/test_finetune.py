"""`mindrail finetune` and `mindrail pretrain`, run for real: one family each, weights in both formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from safetensors.numpy import load_file

from flows.cli.main import command_line
from modelcore.errors import MindrailError
from tests.flows.reduced_demo import Demo
from tests.local_runs import Runs, write_model
from tests.tensors import read_tensors

pytestmark = [pytest.mark.ranks, pytest.mark.server]

TRAIN = {"steps": 8, "batch_size": 4, "learning_rate": 1e-2, "warmup_steps": 1}


def mindrail(command: str, config: dict[str, Any], directory: Path) -> dict[str, Any]:
    path = directory / f"{command}.yaml"
    path.write_text(yaml.safe_dump({"store": str(directory / "store"), **config}))
    done = CliRunner().invoke(command_line, [command, str(path), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    (tmp_path / "model").mkdir()
    return Runs(tmp_path, write_model(tmp_path / "model"))


def step_names(result: dict[str, Any]) -> list[str]:
    return [step["name"] for step in result["steps"]]


def losses(result: dict[str, Any]) -> list[float]:
    return [row["loss"] for row in metrics(result)]


def metrics(result: dict[str, Any]) -> list[dict[str, Any]]:
    (launch,) = (Path(step["path"]) for step in result["steps"] if step["name"] == "launch")
    return [json.loads(line) for line in (launch / "metrics.jsonl").read_text().splitlines()]


def test_a_llama_is_fine_tuned_on_instructions(demo: Demo, tmp_path: Path):
    source = demo.path("first-programs")
    config = {
        "download": {"source": f"file://{source}/checkpoint"},
        "preprocess": {"input": str(source / "train.json"), "seq_length": 160, "validation": 0.2},
        "train": {**TRAIN, "validate_every": 3},
    }
    result = mindrail("finetune", config, tmp_path)
    assert step_names(result) == [
        "download",
        "convert",
        "preprocess",
        "shard",
        "launch",
        "merge",
        "export",
    ]
    assert losses(result)[-1] < losses(result)[0]
    assert [row["step"] for row in metrics(result) if "validation_loss" in row] == [3, 6, 8]
    report = Path(result["report"]).read_text()
    for text in ("Training and validation loss", "Learning rate", "peak memory", "samples, every 3 steps"):
        assert text in report
    tuned = read_tensors(Path(result["mindspore"]) / "model.ckpt")["lm_head.weight"]
    exported = load_file(Path(result["hugging_face"]) / "model.safetensors")["lm_head.weight"]
    assert np.array_equal(tuned, exported)


@pytest.mark.long
def test_epochs_train_what_as_many_steps_do(server: None, runs: Runs) -> None:
    directory = runs.directory
    records = [{"instruction": f"add {n}", "output": f"return {n}"} for n in range(10)]
    (directory / "rows.json").write_text(json.dumps(records))
    config = yaml.safe_load(runs.yaml("finetune").read_text())
    epochs = {"epochs": 2, "batch_size": 3, "warmup_ratio": 0.2, "total_steps": -1}
    result = mindrail("finetune", config | {"train": epochs}, directory)
    assert [row["step"] for row in metrics(result)] == [1, 2, 3, 4, 5, 6]
    again = mindrail(
        "finetune", config | {"train": {"steps": 6, "batch_size": 3, "warmup_steps": 1}}, directory
    )
    assert [step["digest"] for step in again["steps"]] == [step["digest"] for step in result["steps"]]
    assert all(step["cached"] for step in again["steps"])


def test_a_share_that_holds_no_row_back_is_told_before_a_rank_starts(demo: Demo, tmp_path: Path):
    source = demo.path("first-programs")
    config = {
        "download": {"source": f"file://{source}/checkpoint"},
        "preprocess": {"input": str(source / "train.json"), "seq_length": 160, "validation": 1e-6},
        "train": TRAIN,
    }
    with pytest.raises(MindrailError, match="preprocess.validation: 1e-06 of the samples is none of them"):
        mindrail("finetune", config, tmp_path)
    assert not list((tmp_path / "store" / "launch").rglob("*.log"))


def test_a_gpt_bigcode_learns_texts_from_random_weights(demo: Demo, tmp_path: Path):
    source = describe_gpt_bigcode(demo.path("first-programs") / "checkpoint", tmp_path / "described")
    texts = tmp_path / "texts.jsonl"
    programs = (f"def add_{i}(a, b):\n    return a + b + {i}\n" for i in range(400))
    texts.write_text("".join(json.dumps({"text": program}) + "\n" for program in programs))
    config = {
        "download": {"source": f"file://{source}"},
        "preprocess": {"input": str(texts), "format": "text", "seq_length": 32},
        "train": TRAIN,
        "random_weights": True,
    }
    result = mindrail("pretrain", config, tmp_path)
    assert step_names(result)[1] == "initialize"
    assert losses(result)[0] == pytest.approx(np.log(640), rel=0.05)
    assert losses(result)[-1] < 0.8 * losses(result)[0]


def describe_gpt_bigcode(tokenizer: Path, directory: Path) -> Path:
    """Write a directory with a tokenizer and the config.json of a small gpt_bigcode, without weights."""
    directory.mkdir()
    for file in tokenizer.glob("*token*.json"):
        (directory / file.name).write_bytes(file.read_bytes())
    config = {
        "model_type": "gpt_bigcode",
        "vocab_size": 640,
        "n_embd": 32,
        "n_inner": 64,
        "n_layer": 2,
        "n_head": 4,
        "n_positions": 64,
        "multi_query": True,
        "activation_function": "gelu_pytorch_tanh",
        "layer_norm_epsilon": 1e-5,
    }
    (directory / "config.json").write_text(json.dumps(config))
    return directory


def test_pretraining_takes_no_instructions(tmp_path: Path):
    config = {
        "download": {"source": "x"},
        "preprocess": {"input": "x", "format": "llama"},
        "train": {"steps": 1},
    }
    with pytest.raises(
        MindrailError, match="preprocess.format is llama, for instructions; texts are wiki or text"
    ):
        mindrail("pretrain", config, tmp_path)
