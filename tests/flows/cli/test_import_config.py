"""MindFormers' YAML becomes ours: the values that have a place here, and a reason for each that has none.

The keys and values are those of the model cards' run_*.yaml: shortened here, and whole in mindformers/.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flows.cli.main import command_line
from modelcore.config.reading import read_config
from modelcore.config.runs import Finetune
from modelcore.errors import MindrailError

CODELLAMA = """
seed: 0
output_dir: './output'
load_checkpoint: ''
auto_trans_ckpt: False
run_mode: 'train'
trainer: {type: CausalLanguageModelingTrainer, model_name: 'codellama_34b'}
runner_config: {epochs: 2, batch_size: 1, sink_mode: True, sink_size: 4}
optimizer: {type: FP32StateAdamWeightDecay, beta1: 0.9, beta2: 0.95, eps: 1.e-8}
lr_schedule: {type: CosineWithWarmUpLR, learning_rate: 1.e-5, lr_end: 0, warmup_ratio: 0.03, total_steps: -1}
train_dataset: &train_dataset
  data_loader: {type: MindDataset, dataset_dir: "rows.mindrecord", shuffle: True}
  repeat: 1
train_dataset_task: {type: CausalLanguageModelDataset, dataset_config: *train_dataset}
parallel: {parallel_mode: 1, full_batch: True, enable_parallel_optimizer: True}
parallel_config:
  {data_parallel: 4, model_parallel: 4, pipeline_stage: 2, micro_batch_num: 96, vocab_emb_dp: True}
recompute_config: {recompute: True, select_recompute: False}
callbacks:
  - type: MFLossMonitor
  - {type: CheckpointMointor, prefix: "codellama_34b", save_checkpoint_steps: 1000, keep_checkpoint_max: 2}
context: {mode: 0, device_target: "Ascend", max_device_memory: "48GB", device_id: 0}
model:
  model_config: {type: LlamaConfig, seq_length: 4096, hidden_size: 8192, compute_dtype: "float16", offset: 0}
runner_wrapper: {type: MFTrainOneStepCell, use_clip_grad: True}
something_else: 7
"""

WIZARDCODER = """
run_mode: 'finetune'
trainer: {type: CausalLanguageModelingTrainer, model_name: 'wizardcoder'}
runner_config: {epochs: 1, batch_size: 1}
lr_schedule: {type: CosineWithWarmUpLR, learning_rate: 0.000002, lr_end: 0.0000005, warmup_steps: 80}
train_dataset: {data_loader: {dataset_dir: ""}, tokenizer: {max_length: 2048}, batch_size: 1}
parallel_config: {data_parallel: 1, model_parallel: 8, pipeline_stage: 1, micro_batch_num: 1}
parallel: {enable_parallel_optimizer: True}
model: {model_config: {seq_length: 2048, compute_dtype: "float16", pad_token_id: 49152}}
"""


def run(tmp_path: Path, text: str, *arguments: str) -> Result:
    (tmp_path / "run.yaml").write_text(text)
    command = ["import-config", str(tmp_path / "run.yaml"), *arguments]
    return CliRunner().invoke(command_line, command, catch_exceptions=False)


def imported(tmp_path: Path, text: str, *arguments: str) -> tuple[Finetune, dict[str, str]]:
    result: dict[str, Any] = json.loads(run(tmp_path, text, *arguments, "--json").stdout)
    (tmp_path / "ours.yaml").write_text(result["yaml"])
    return read_config(tmp_path / "ours.yaml", Finetune), {
        one["key"]: one["reason"] for one in result["left"]
    }


def test_values_are_where_they_belong_in_our_words(tmp_path: Path) -> None:
    config, _ = imported(tmp_path, CODELLAMA)
    parallel, train = config.parallel, config.train
    assert config.download.source == "codellama-34b" and config.seed == 0
    assert (parallel.data_parallel, parallel.model_parallel, parallel.pipeline_stage) == (4, 4, 2)
    assert (parallel.micro_batch_num, parallel.shard_optimizer, parallel.recompute) == (96, True, True)
    assert (train.epochs, train.learning_rate, train.final_rate, train.warmup_ratio) == (2, 1e-5, 0.0, 0.03)
    assert (train.precision, train.checkpoint_every, train.keep) == ("fp16", 1000, 2)
    assert (config.preprocess.rows, config.preprocess.seq_length) == (["rows.mindrecord"], 4096)
    assert config.launch.device_memory == "48GB"


def test_what_has_no_place_is_listed_with_its_reason(tmp_path: Path) -> None:
    _, left = imported(tmp_path, CODELLAMA)
    assert left["something_else"] == "not a key that is known of MindFormers"
    assert "config.json" in left["model.model_config.hidden_size"]
    assert "no part of a training" in left["output_dir"]
    assert all(left.values())


def test_one_stage_takes_no_micro_batches_and_a_share_of_the_rate_stays(tmp_path: Path) -> None:
    arguments = ("--model", "wizardcoder-15b", "--data", "alpaca.json", "--format", "wizardcoder")
    config, left = imported(tmp_path, WIZARDCODER, *arguments)
    assert config.parallel.model_parallel == 8 and config.parallel.shard_optimizer
    assert config.train.final_rate == pytest.approx(0.25) and config.train.warmup_steps == 80
    assert config.preprocess.input == ["alpaca.json"] and config.preprocess.pad_id is None
    assert "there is one" in left["parallel_config.micro_batch_num"]


def test_a_model_or_data_that_it_does_not_name_must_be_given(tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match="names no model that is known; give its source with --model"):
        run(tmp_path, WIZARDCODER)
    with pytest.raises(MindrailError, match="names no data; give it with --data"):
        run(tmp_path, WIZARDCODER, "--model", "wizardcoder-15b")


FULL = {
    "run_wizardcoder": ("wizardcoder-15b", "wizardcoder", (1, 4, 2)),
    "finetune_codellama_34b_16p": ("codellama-34b", "llama", (1, 8, 2)),
    "run_codellama_34b_910b": ("codellama-34b", "llama", (4, 4, 2)),
    "finetune_deepseek_coder1_5_7b": ("deepseek-coder-7b-v1.5-base", "deepseek", (2, 4, 1)),
}
"""Whole run_*.yaml files of the model cards: the model, the rows, and the layout that they ask for."""


@pytest.mark.parametrize("name", FULL)
def test_a_whole_file_of_a_model_card_is_carried_over_and_planned(
    name: str, tmp_path: Path, rows: Path
) -> None:
    model, row_format, layout = FULL[name]
    text = (Path(__file__).parent / "mindformers" / f"{name}.yaml").read_text()
    config, left = imported(tmp_path, text, "--model", model, "--data", str(rows))
    parallel = config.parallel
    assert (parallel.data_parallel, parallel.model_parallel, parallel.pipeline_stage) == layout
    assert config.preprocess.format == row_format
    assert [key for key, reason in left.items() if "not a key" in reason or "no counterpart" in reason] == []
    planned = CliRunner().invoke(
        command_line, ["plan", str(tmp_path / "ours.yaml"), "--store", str(tmp_path / "store"), "--json"]
    )
    problems = json.loads(planned.stdout)["problems"]
    if name == "finetune_deepseek_coder1_5_7b":  # its card trains on rows longer than the model's context
        assert [problem.partition(";")[0] for problem in problems] == [
            "preprocess.seq_length: 8192 tokens, but the model's context is 4096"
        ]
    else:
        assert problems == []


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Instructions, as the YAMLs' own rows are on another machine."""
    path = tmp_path / "alpaca.json"
    path.write_text(json.dumps([{"instruction": "add", "input": "", "output": "return a + b"}]))
    return path


def test_it_is_written_with_the_origin_of_each_value(tmp_path: Path) -> None:
    output = tmp_path / "finetune.yaml"
    done = run(tmp_path, CODELLAMA, "--output", str(output))
    assert "batch_size: 1" in output.read_text() and "# runner_config.batch_size" in output.read_text()
    assert "not carried over: something_else: 7" in done.stderr
    with pytest.raises(MindrailError, match="is there already"):
        run(tmp_path, CODELLAMA, "--output", str(output))


@pytest.mark.parametrize(
    ("good", "odd"),
    [
        ("trainer: {type: CausalLanguageModelingTrainer, model_name: 'wizardcoder'}", "trainer: [1]"),
        ("learning_rate: 0.000002", "learning_rate: 0"),
        ("learning_rate: 0.000002", "learning_rate: []"),
        ("lr_end: 0.0000005", "lr_end: .inf"),
        ("run_mode: 'finetune'", f"load_checkpoint: {'n' * 10_000}"),
        ("runner_config: {epochs: 1, batch_size: 1}", "runner_config: {epochs: {}, batch_size: [[]]}"),
        ('compute_dtype: "float16"', "compute_dtype: [1]"),
    ],
)
def test_odd_values_are_listed_or_refused(tmp_path: Path, good: str, odd: str) -> None:
    assert good in WIZARDCODER
    try:
        run(tmp_path, WIZARDCODER.replace(good, odd), "--model", "wizardcoder-15b", "--data", "alpaca.json")
    except MindrailError as error:
        assert str(error).startswith(str(tmp_path))
