"""What is evaluated is whole, is of a known family, and reads every prompt; answers can be executed here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelcore.checkpoints.convert import convert_checkpoint
from modelcore.checkpoints.reshard import shard_checkpoint
from modelcore.config.reading import read_config
from modelcore.config.runs import Evaluate
from modelcore.errors import MindrailError
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut
from tasks.preflight import preflight
from tests.local_runs import CONTEXT, PROBLEM, Runs
from tests.paths import ROOT


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


def test_a_prompt_that_may_be_cut_is_noted_and_not_refused(runs: Runs, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    convert_checkpoint(runs.model, whole, to="mindspore")
    long = PROBLEM | {"prompt": f"def add(a, b):\n    # {'x' * CONTEXT}\n"}
    (tmp_path / "long.jsonl").write_text(
        json.dumps(PROBLEM | {"task_id": "T/1"}) + "\n" + json.dumps(long) + "\n"
    )
    notes = preflight(
        runs.read(
            "evaluate",
            f"checkpoints=[{whole}]",
            f"generate.benchmark={tmp_path}/long.jsonl",
            "generate.long_prompts=cut",
        )
    )
    assert any("1 of 2 prompts fill the model's context" in note for note in notes)


def test_the_shipped_evaluation_reads_humaneval_into_a_small_context(runs: Runs, tmp_path: Path) -> None:
    """The nightly evaluation of a store that holds the demo's model alone, whose context is short."""
    whole = tmp_path / "whole"
    whole.mkdir()
    convert_checkpoint(runs.model, whole, to="mindspore")
    shipped = read_config(
        ROOT / "configs" / "evaluate.yaml", Evaluate, [f"checkpoints=[{whole}]", f"store={tmp_path}/store"]
    )
    assert any("of 164 prompts fill the model's context" in note for note in preflight(shipped))


def test_a_machine_without_isolation_is_refused(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelcore.sandbox.pool._candidates", lambda minimum, level: [])
    with pytest.raises(MindrailError, match="score.require_isolation: no isolation good enough"):
        preflight(runs.read("evaluate"))
