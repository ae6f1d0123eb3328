"""A path says what training starts from by the names in it; what could mean two things is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelcore.checkpoints.local_source import LocalSource, local_source
from modelcore.errors import MindrailError


def files(directory: Path, *names: str) -> Path:
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).touch()
    return directory


def test_a_directory_as_published_is_taken_as_it_is(tmp_path: Path) -> None:
    model = files(tmp_path, "config.json", "model.safetensors", "pytorch_model.bin", "left_over.ckpt")
    assert local_source(model) == LocalSource(model, description=model)


@pytest.mark.parametrize("name", ["model.ckpt", "wizardcoder_15B.ckpt"])
def test_a_ckpt_may_have_any_name(tmp_path: Path, name: str) -> None:
    model = files(tmp_path, "config.json", name)
    assert local_source(model) == LocalSource(model, weights=model / name, description=model)
    assert local_source(model / name) == LocalSource(model / name, weights=model / name, description=model)


def test_a_whole_checkpoint_may_lie_in_rank_0_as_mindformers_wants_it(tmp_path: Path) -> None:
    model = files(tmp_path, "rank_0/wizardcoder_15B.ckpt", "config.json")
    weights = model / "rank_0/wizardcoder_15B.ckpt"
    assert local_source(model) == LocalSource(model, weights=weights, description=model)


def test_shards_are_a_directory_of_ranks_with_strategies_beside_them_or_in_it(tmp_path: Path) -> None:
    ours = files(tmp_path / "ours", "config.json", "rank_0/checkpoint_0.ckpt", "strategy/s_rank_0.ckpt")
    theirs = files(tmp_path / "theirs", "checkpoint/rank_0/a-1_2.ckpt", "strategy/s_rank_0.ckpt")
    assert local_source(ours) == LocalSource(ours, shards=ours, description=ours)
    assert local_source(theirs) == LocalSource(theirs, shards=theirs)
    assert local_source(theirs / "checkpoint") == LocalSource(
        theirs / "checkpoint", shards=theirs / "checkpoint"
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a.ckpt", "b.ckpt"), r"holds a\.ckpt and b\.ckpt; give the file that is meant"),
        (("rank_0/a.ckpt", "rank_1/b.ckpt"), "no strategy/ with their strategy files"),
        (("rank_0/a.ckpt", "rank_0/b.ckpt"), "no strategy/ with their strategy files"),
    ],
)
def test_what_could_mean_two_things_is_refused(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(MindrailError, match=message):
        local_source(files(tmp_path, *names))


def test_what_holds_no_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match="not a file of weights"):
        local_source(files(tmp_path, "notes.md") / "notes.md")
    with pytest.raises(MindrailError, match="there is no such file or directory"):
        local_source(tmp_path / "nowhere")
