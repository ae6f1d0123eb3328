from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from modelcore.training.finished import finish, is_finished


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    (tmp_path / "rank_0").mkdir()
    (tmp_path / "checkpoints" / "dp1_mp1_pp1" / "step_00000010").mkdir(parents=True)
    return tmp_path


def test_only_a_finished_job_loses_its_checkpoints(output: Path) -> None:
    assert not is_finished(output)
    finish(output)
    assert is_finished(output)
    assert sorted(path.name for path in output.iterdir()) == ["logs", "rank_0"]


def test_a_removal_that_was_interrupted_is_completed(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Path) -> None:
        (path / "dp1_mp1_pp1" / "step_00000010").rmdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "rmtree", interrupted)
        finish(output)
    assert is_finished(output), "with its last checkpoint gone, it would be trained again"
    finish(output)
    assert not (output / "checkpoints").exists()
