"""What a step exports, and what of it is part of its key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelcore.config.evaluation import Generate
from modelcore.store.store import Store
from tasks.environment import exported, key_of_environment
from tasks.generate import RESPONSES, generate
from tasks.step import Step
from tasks.step_task import finished
from tests.local_runs import PROBLEM


def test_a_key_is_unchanged_by_variables_that_change_no_number() -> None:
    assert key_of_environment({}) == {}
    assert key_of_environment({"ASCEND_RT_VISIBLE_DEVICES": "4,5"}) == {}
    assert key_of_environment({"MS_X": "1", "GLOG_v": "3"}) == {"environment": {"MS_X": "1"}}


def test_a_set_that_is_left_out_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    assert exported("launch", "deepseek-coder", {"A": "1"}, ascend=False) == {"A": "1"}
    assert "launch: the variables of deepseek-coder are for Ascend" in capsys.readouterr().err
    both = {"MS_DEV_RUNTIME_CONF": "inline:false", "A": "1"}
    assert exported("launch", "deepseek-coder", {"A": "1"}, ascend=True) == both
    assert capsys.readouterr().err == ""


def test_a_generations_variables_are_exported_recorded_and_keyed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def note(command: list[str], *, environment: dict[str, str], **_: object) -> None:
        """Stand for the program: write what it would find in its environment."""
        plan = json.loads(Path(command[-1]).read_text())
        Path(plan["output"]).write_text(json.dumps(environment))

    monkeypatch.setattr("tasks.generate.run_program", note)
    (tmp_path / "problems.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    checkpoint = Step("merge", tmp_path, "digest", True, 0.0, 0, 0.0)
    keys = set[str]()
    for number, variables in enumerate(({}, {"GLOG_v": "3"}, {"GLOG_v": "2", "MS_X": "1"})):
        config = Generate(benchmark=str(tmp_path / "problems.jsonl"), environment=variables)
        store = Store(tmp_path / f"store{number}")
        made = finished(generate.fn(store, checkpoint, config, 1))
        (artifact,) = store.artifacts()
        assert artifact.manifest.recorded["environment"] == variables
        assert json.loads((made.path / RESPONSES).read_text()) == variables
        keys.add(artifact.manifest.key)
    assert len(keys) == 2  # GLOG_v changes no number, MS_X may
