"""MindFormers' names are explained: what they are called here, or why there is none and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelcore.config.keys import every_key
from modelcore.config.mindformers import MINDFORMERS, explain_name
from modelcore.config.reading import read_config
from modelcore.config.runs import RUNS, Finetune
from modelcore.errors import MindrailError
from tests.local_runs import Runs

KNOWN = {name for schema in RUNS.values() for name, _ in every_key(schema)}


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path, tmp_path)


def refusal(runs: Runs, change: str) -> str:
    path = runs.yaml("finetune")
    with pytest.raises(MindrailError) as refused:
        read_config(path, Finetune, [change])
    return str(refused.value).removeprefix(f"{path}: ")


def test_every_key_that_the_table_names_exists() -> None:
    assert {one.key for one in MINDFORMERS.values() if one.key} <= KNOWN


def test_every_key_without_a_counterpart_has_a_reason() -> None:
    assert [name for name, one in MINDFORMERS.items() if not one.key and not one.note] == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            "train.optimizer_shard=true",
            "train.optimizer_shard: MindFormers' name; here it is parallel.shard_optimizer",
        ),
        ("parallel.enable_parallel_optimizer=true", "here it is parallel.shard_optimizer"),
        ("load_checkpoint=x", "load_checkpoint: MindFormers' name; here it is download.source"),
        ("train_dataset_dir=x", "preprocess.input makes them from instructions or texts)"),
        ("train.lr_end=0", "here it is train.final_rate (a share of learning_rate: lr_end / learning_rate)"),
        (
            "train.gradient_aggregation_group=4",
            "MindFormers' name, without a counterpart here; leave it out: gradients are summed once per step",
        ),
        (
            "runner_config={epochs: 2, batch_size: 1, sink_mode: true}",
            "MindFormers' section; here epochs is train.epochs, batch_size is train.batch_size; "
            "without a counterpart: sink_mode",
        ),
        (
            "callbacks=[{type: CheckpointMonitor, keep_checkpoint_max: 2}]",
            "MindFormers' section; here keep_checkpoint_max is train.keep; without a counterpart: type",
        ),
        (
            "train_dataset={data_loader: {dataset_dir: x}}",
            "train_dataset: MindFormers' section; here data_loader.dataset_dir is preprocess.rows",
        ),
    ],
)
def test_an_unknown_key_of_mindformers_is_answered(runs: Runs, change: str, line: str) -> None:
    assert refusal(runs, change).endswith(line)


def test_a_key_that_means_several_things_there_is_an_unknown_key(runs: Runs) -> None:
    assert "train.type: unknown key; known keys: steps, epochs" in refusal(runs, "train.type=x")


def test_a_section_of_ours_is_not_taken_for_mindformers() -> None:
    assert explain_name("parallel", {"model_parallel": 2}) is None
    assert explain_name("seed", 1) is None


def test_a_yaml_of_mindformers_is_explained_before_its_missing_keys(tmp_path: Path) -> None:
    path = tmp_path / "run_codellama.yaml"
    path.write_text("run_mode: finetune\nparallel_config: {model_parallel: 8}\nuse_parallel: true\n")
    with pytest.raises(
        MindrailError, match="run_mode: MindFormers. name, without .* wrong: .*parallel_config"
    ):
        read_config(path, Finetune)
