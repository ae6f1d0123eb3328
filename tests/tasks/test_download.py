"""Training starts from what the user has: every kind of checkpoint becomes the same MindSpore weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from modelcore.checkpoints.convert import convert_checkpoint
from modelcore.checkpoints.reshard import shard_checkpoint
from modelcore.config.checkpoint import Convert, Download
from modelcore.config.reading import parse
from modelcore.config.training import Sharding
from modelcore.errors import MindrailError
from modelcore.store.store import Store
from tasks.convert import convert
from tasks.download import download
from tasks.download_source import download_source
from tasks.join import join
from tasks.layout import cut_of
from tasks.step import Step
from tasks.step_task import finished
from tests.local_runs import write_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("hf"))


@pytest.fixture(scope="module")
def mindspore(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("mindspore") / "whole"
    convert_checkpoint(model, directory, to="mindspore")
    return directory


def section(source: Path | str, **options: object) -> Download:
    return parse({"source": str(source), **options}, Download)


def fetched(store: Store, config: Download) -> Step:
    return finished(download.fn(store, config))


def start(store: Store, config: Download) -> Path:
    """Return the model.ckpt that training begins with."""
    source, shards = fetched(store, config), download_source(config).shards
    if shards is None:
        return finished(convert.fn(store, source, Convert())).path / "model.ckpt"
    return finished(join.fn(store, shards, source, Convert())).path / "model.ckpt"


def test_every_kind_of_checkpoint_gives_the_same_weights(
    model: Path, mindspore: Path, tmp_path: Path
) -> None:
    store, expected = Store(tmp_path / "store"), (mindspore / "model.ckpt").read_bytes()
    alone = tmp_path / "llama_7b.ckpt"
    shutil.copyfile(mindspore / "model.ckpt", alone)
    (tmp_path / "mindformers/rank_0").mkdir(parents=True)
    shutil.copyfile(alone, tmp_path / "mindformers/rank_0/llama_7b.ckpt")
    shards = tmp_path / "output"
    shard_checkpoint(mindspore, shards, cut_of(parse({"model_parallel": 2}, Sharding)))
    for source in (
        section(model),
        section(model.as_uri()),
        section(mindspore),
        section(mindspore / "model.ckpt"),
        section(alone, model=str(model)),
        section(tmp_path / "mindformers", model=str(model)),
        section(shards),
    ):
        assert start(store, source).read_bytes() == expected, source.source


def test_the_model_of_a_file_has_its_tokenizer_beside_the_weights(
    model: Path, mindspore: Path, tmp_path: Path
) -> None:
    alone = Path(shutil.copyfile(mindspore / "model.ckpt", tmp_path / "llama.ckpt"))
    step = fetched(Store(tmp_path / "store"), section(alone, model=str(model)))
    assert {"config.json", "tokenizer.json", "llama.ckpt"} <= {path.name for path in step.path.iterdir()}


def test_a_path_and_its_address_are_one_artifact(model: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    one, other = fetched(store, section(model)), fetched(store, section(model.as_uri()))
    assert (one.path, other.cached) == (other.path, True)


def test_other_weights_of_the_same_name_are_another_artifact(
    model: Path, mindspore: Path, tmp_path: Path
) -> None:
    store, alone = Store(tmp_path / "store"), tmp_path / "llama.ckpt"
    shutil.copyfile(mindspore / "model.ckpt", alone)
    one = fetched(store, section(alone, model=str(model)))
    contents = bytearray(alone.read_bytes())
    contents[-1] ^= 1
    alone.write_bytes(contents)
    assert fetched(store, section(alone, model=str(model))).path != one.path


def test_weights_of_no_known_model_are_refused(mindspore: Path, tmp_path: Path) -> None:
    alone = Path(shutil.copyfile(mindspore / "model.ckpt", tmp_path / "llama.ckpt"))
    with pytest.raises(MindrailError, match=r"llama\.ckpt: has no config\.json beside it.*download\.model"):
        download_source(section(alone))
