"""An input counts by its names and contents, not by where or when it was written; a missing one is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.store.store import Store
from tasks.inputs import check_file, input_step, local_path, model_digest, tokenizer_digest


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def digest(store: Store) -> Callable[[Path], str]:
    return lambda path: input_step(store, str(path), key="data").digest


def test_an_artifact_keeps_its_digest(store: Store) -> None:
    built = store.build(
        "word", lambda directory: (directory / "a").write_text("x"), version=1, inputs={}, parameters={}
    )
    step = input_step(store, str(built.artifact.path), key="checkpoint")
    assert (step.digest, step.size) == (built.artifact.digest, 1)


def test_the_same_file_elsewhere_is_the_same_input(tmp_path: Path, digest: Callable[[Path], str]) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text("rows")
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_a_directory_counts_by_names_and_contents(tmp_path: Path, digest: Callable[[Path], str]) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    for directory in (first, second):
        (directory / "rank_0").mkdir(parents=True)
        (directory / "rank_0" / "a").write_text("x")
    os.utime(second / "rank_0" / "a", (1, 1))
    assert digest(first) == digest(second)
    (second / "rank_0" / "a").write_text("y")
    assert digest(first) != digest(second)
    (second / "rank_0" / "a").write_text("x")
    (second / "rank_0" / "a").rename(second / "rank_0" / "b")
    assert digest(first) != digest(second)


def test_weights_count_in_a_models_digest_where_they_are_wanted(store: Store, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    without = model_digest(store, tmp_path, weights=False)
    assert model_digest(store, tmp_path) == without
    (tmp_path / "model.safetensors").write_text("w")
    assert model_digest(store, tmp_path) != without
    assert model_digest(store, tmp_path, weights=False) == without


def test_rows_depend_on_the_tokenizer_and_not_on_the_weights(store: Store, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    before = tokenizer_digest(store, input_step(store, str(tmp_path), key="x"))
    (tmp_path / "model.safetensors").write_text("w")
    assert tokenizer_digest(store, input_step(store, str(tmp_path), key="x")) == before
    (tmp_path / "tokenizer.json").write_text("[]")
    assert tokenizer_digest(store, input_step(store, str(tmp_path), key="x")) != before


def test_a_missing_input_is_named_with_its_key(store: Store, tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match=r"preprocess\.input: .*nowhere: there is no such file"):
        check_file(str(tmp_path / "nowhere"), key="preprocess.input")
    with pytest.raises(MindrailError, match=r"checkpoint: .*gone: there is no such file or directory"):
        input_step(store, str(tmp_path / "gone"), key="checkpoint")


def test_a_remote_source_has_no_directory_here() -> None:
    assert local_path("hf://owner/name") is None


def test_an_address_may_hold_any_character_of_a_path(tmp_path: Path) -> None:
    odd = tmp_path / "100 %, #1?"
    odd.mkdir()
    assert local_path(odd.as_uri()) == odd
