"""A score says which model and which training data it is of, as far as the manifests in the store know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelcore.data.preprocess import preprocess
from modelcore.store.store import Store
from tasks.inputs import input_step
from tasks.origin import Origin, origin_of
from tests.byte_vocabulary import write_byte_vocabulary

ADDRESS = "hf://codellama/CodeLlama-7b-hf"


def add(store: Store, step: str, *inputs: str, rows: Path | None = None, **manifest: Any) -> str:
    """Build a step's artifact and return its digest."""

    def fill(directory: Path) -> None:
        (directory / "contents").write_text(f"{step} {inputs} {manifest}")
        if rows is not None:
            preprocess(
                rows, directory / "rows" / "train.mindrecord", tokenizer_dir=rows.parent, seq_length=200
            )

    made = store.build(
        step,
        fill,
        version=1,
        inputs={str(number): digest for number, digest in enumerate(inputs)},
        parameters=manifest.get("parameters", {}),
        recorded=manifest.get("recorded", {}),
    )
    return made.artifact.digest


def origin(store: Store, step: str) -> Origin:
    (artifact,) = (found for found in store.artifacts() if found.manifest.step == step)
    return origin_of(store, input_step(store, str(artifact.path), key="checkpoints"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_a_trained_checkpoint_is_named_by_its_source_and_its_data(store: Store, tmp_path: Path) -> None:
    write_byte_vocabulary(tmp_path)
    records = [{"instruction": f"add {n}", "input": "", "output": "return a + b"} for n in range(3)]
    (tmp_path / "mine.json").write_text(json.dumps(records))
    source = add(store, "download", parameters={"source": ADDRESS}, recorded={"source": "codellama-7b"})
    start = add(store, "convert", source)
    rows = add(store, "preprocess", rows=tmp_path / "mine.json", recorded={"input": "data/mine.json"})
    add(store, "merge", add(store, "launch", add(store, "shard", start), rows))
    assert origin(store, "merge") == Origin(
        f"codellama-7b ({ADDRESS})", "mine.json (3 records, 3 rows, format wizardcoder)"
    )
    assert origin(store, "convert").data == ""


@pytest.mark.parametrize(
    ("manifest", "model"),
    [
        ({"parameters": {"source": ADDRESS}}, f"codellama-7b ({ADDRESS})"),  # of an earlier version
        ({"parameters": {"source": "hf://my/own"}}, "hf://my/own"),
        ({"parameters": {"source": "directory"}, "recorded": {"source": "file:///m"}}, "file:///m"),
    ],
)
def test_a_source_is_named_even_if_it_is_no_shipped_model(
    store: Store, manifest: dict[str, Any], model: str
) -> None:
    add(store, "download", **manifest)
    assert origin(store, "download") == Origin(model, "")


def test_of_a_directory_that_is_no_artifact_only_its_path_is_known(store: Store, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    assert origin_of(store, input_step(store, str(tmp_path / "own"), key="")) == Origin("", "")
    add(store, "convert", recorded={"source": str(tmp_path / "own")})
    assert origin(store, "convert").model == str(tmp_path / "own")
