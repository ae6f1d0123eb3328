"""What is evaluated is whole, is of a known family, and reads every prompt; answers can be executed here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelcore.checkpoints.convert import convert_checkpoint
from modelcore.checkpoints.reshard import shard_checkpoint
from modelcore.errors import MindrailError
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut
from tasks.preflight import preflight
from tests.local_runs import CONTEXT, PROBLEM, Runs


def test_a_sharded_checkpoint_is_refused(runs: Runs) -> None:
    whole, shards = runs.directory / "whole", runs.directory / "shards"
    whole.mkdir()
    convert_checkpoint(runs.model, whole, to="mindspore")
    shard_checkpoint(whole, shards, Cut(Layout(1, 2)))
    assert preflight(runs.read("evaluate", f"checkpoints=[{whole}]")) == ()
    with pytest.raises(MindrailError, match="checkpoints: .*sharded over 2 ranks; join it first"):
        preflight(runs.read("evaluate", f"checkpoints=[{shards}]"))


def test_a_shipped_model_is_named_as_in_a_download(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs.directory)
    assert preflight(runs.read("evaluate", "checkpoints=[codellama-7b]")) == ()


@pytest.mark.parametrize("kind", ["pipeline", "evaluate"])
def test_a_prompt_longer_than_the_models_context_is_refused(kind: str, runs: Runs, tmp_path: Path) -> None:
    long = PROBLEM | {"prompt": f"def add(a, b):\n    # {'x' * CONTEXT}\n"}
    (tmp_path / "long.jsonl").write_text(json.dumps(long) + "\n")
    with pytest.raises(MindrailError, match=rf"generate.benchmark: .*T/0: .* context is {CONTEXT}"):
        preflight(runs.read(kind, f"generate.benchmark={tmp_path}/long.jsonl"))


def test_a_machine_without_isolation_is_refused(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelcore.sandbox.pool._candidates", lambda minimum, level: [])
    with pytest.raises(MindrailError, match="score.require_isolation: no isolation good enough"):
        preflight(runs.read("evaluate"))
