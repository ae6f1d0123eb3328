"""Every run shipped for a published model: valid, and each rank's shapes and memory follow from it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from modelcore.checkpoints.layout import DryRun
from modelcore.config.reading import read_config, read_yaml
from modelcore.config.runs import Pipeline, Predict, Pretrain, Training
from modelcore.models.model import Model
from tasks.layout import cut_of, dry_run_of, model_of_run
from tests.paths import ROOT

CONFIGS = ROOT / "configs"
HF = ROOT / "configs" / "models"
DEVICE = 64 * 10**9

# What the model cards say: data, model and pipeline parallel, micro-batches.
CARDS = {
    "finetune_wizardcoder_15b_8p": (1, 4, 2, 8),
    "pretrain_codellama_34b": (1, 8, 2, 128),
    "finetune_codellama_34b_16p": (1, 8, 2, 128),
    "finetune_codellama_34b_32p": (4, 4, 2, 96),
    "finetune_deepseek_coder_7b_8p": (2, 4, 1, 1),
    "predict_codellama_34b_2p": (1, 2, 1, 1),
    "predict_codellama_34b_4p": (1, 4, 1, 1),
    "predict_codellama_34b_8p": (1, 8, 1, 1),
    "predict_wizardcoder_15b_2p": (1, 2, 1, 1),
}


SCHEMAS: dict[str, type[Training] | type[Predict]] = {
    "finetune": Pipeline,
    "predict": Predict,
    "pretrain": Pretrain,
}


def run_of(name: str) -> Training | Predict:
    return read_config(CONFIGS / f"{name}.yaml", SCHEMAS[name.partition("_")[0]])


def model_of(run: Training | Predict, directory: Path) -> Model:
    """Return the model that the run downloads, by the config.json published at its source."""
    (name,) = [
        path.stem
        for path in (CONFIGS / "models").glob("*.yaml")
        if read_yaml(path)["source"] == run.download.source
    ]
    (directory / "config.json").write_bytes((HF / f"{name}.json").read_bytes())
    return model_of_run(run, directory)


def test_every_run_of_a_card_is_shipped() -> None:
    shipped = {path.stem for path in CONFIGS.glob("*_*.yaml")}
    assert shipped == set(CARDS)


@pytest.mark.parametrize("name", CARDS)
def test_a_run_has_the_layout_of_its_card_and_its_name(name: str) -> None:
    run = run_of(name)
    layout = run.parallel
    assert (
        layout.data_parallel,
        layout.model_parallel,
        layout.pipeline_stage,
        layout.micro_batch_num,
    ) == CARDS[name]
    assert name == run.name
    if name != "pretrain_codellama_34b":  # as the card names it, which has one layout for it
        assert name.endswith(f"_{layout.world_size}p")


@pytest.mark.parametrize("name", ["finetune_codellama_34b_16p", "finetune_codellama_34b_32p"])
def test_codellama_is_trained_with_the_optimizer_of_its_card(name: str) -> None:
    train = read_config(CONFIGS / f"{name}.yaml", Pipeline).train
    assert (train.learning_rate, train.final_rate) == (5e-6, 0)
    assert (train.beta1, train.beta2, train.epsilon) == (0.9, 0.999, 1e-8)
    assert train.steps is not None
    assert train.options(train.steps).warmup_steps == round(0.03 * train.steps)


@pytest.mark.parametrize(
    "name", [name for name in CARDS if name.startswith("finetune") and "deepseek" not in name]
)
def test_embedding_and_head_stay_whole_as_in_the_card(name: str) -> None:
    assert run_of(name).parallel.vocab_emb_dp


def assert_every_element_has_its_place(model: Model, found: DryRun, run: Training | Predict) -> None:
    """A stage's slices make the whole tensors, and the stages the whole model."""
    partition, ways = model.divide(cut_of(run.parallel)), run.parallel.model_parallel
    elements = dict.fromkeys(partition.placements, 0)
    for group in found.groups.tensor[:: run.parallel.data_parallel]:
        for rank in group:
            for name, shape in partition.shapes(rank).items():
                elements[name] += math.prod(shape)
    for name, placement in partition.placements.items():
        copies = len(placement.stages) * (1 if placement.axis is not None else ways)
        assert elements[name] == copies * math.prod(placement.shape), name


@pytest.mark.parametrize("name", CARDS)
def test_every_rank_has_its_shapes_and_fits_a_device_of_64_gb(name: str, tmp_path: Path) -> None:
    run = run_of(name)
    model = model_of(run, tmp_path)
    found = dry_run_of(run, model)
    assert [one.rank for one in found.ranks] == list(range(run.parallel.world_size))
    assert_every_element_has_its_place(model, found, run)
    for one in found.ranks:
        held = model.divide(cut_of(run.parallel)).shapes(one.rank)
        assert one.parameters == sum(map(math.prod, held.values()))
        assert one.memory.total < DEVICE
        assert one.memory.weights >= 2 * one.parameters
    stages = {tuple(one.layers) for one in found.ranks}
    assert sorted(layer for layers in stages for layer in layers) == list(range(model.config.num_layers))


def test_49153_rows_are_kept_whole_with_a_note(tmp_path: Path) -> None:
    run = run_of("finetune_wizardcoder_15b_8p")
    (note,) = dry_run_of(run, model_of(run, tmp_path)).notes
    assert "49153 rows kept whole on every rank (vocab_emb_dp)" in note


def test_the_34b_model_on_32_devices_needs_shared_optimizer_states(tmp_path: Path) -> None:
    changes = ["parallel.shard_optimizer=false"]
    run = read_config(CONFIGS / "finetune_codellama_34b_32p.yaml", Pipeline, changes)
    assert max(one.memory.total for one in dry_run_of(run, model_of(run, tmp_path)).ranks) > DEVICE
