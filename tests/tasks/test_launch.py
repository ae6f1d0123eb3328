"""What `launch` does around its ranks, which are functions here; tests/flows/test_killed.py has real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelcore.config.reading import parse
from modelcore.config.runs import Training
from modelcore.errors import StepFailed
from modelcore.store.store import Store
from modelcore.training.finished import finish
from tasks.launch import launch
from tasks.step import Step
from tasks.step_task import finished

CONFIG = parse(
    {"download": {"source": "codellama-7b"}, "preprocess": {"input": "rows.json"}, "train": {"steps": 20}},
    Training,
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Path], None]], Step]:
    """Run the step with a function that gets the output directory in place of the ranks."""
    shards, rows = (Step(name, tmp_path / name, name, True, 0.0, 0, 0.0) for name in ("shard", "preprocess"))

    def launched(ranks: Callable[[Path], None]) -> Step:
        def gang(command: list[str], *, log_dir: Path, **_: Any) -> None:
            ranks(log_dir.parent)

        monkeypatch.setattr("tasks.launch.run_gang", gang)
        return finished(launch.fn(Store(tmp_path / "store"), shards, rows, CONFIG))

    return launched


def save(output: Path) -> None:
    (output / "checkpoints" / "dp1_mp1_pp1" / "step_00000010").mkdir(parents=True)


def write_weights(output: Path) -> None:
    (output / "rank_0").mkdir(exist_ok=True)
    (output / "rank_0" / "checkpoint_0.ckpt").write_bytes(b"weights")


def test_a_rank_that_is_lost_at_the_very_end_costs_no_checkpoint(run: Callable[..., Step]) -> None:
    def lost_at_the_end(output: Path) -> None:
        save(output)
        write_weights(output)
        raise StepFailed("rank 1 died")

    def resumed(output: Path) -> None:
        assert list(output.glob("checkpoints/*/step_00000010"))
        write_weights(output)

    with pytest.raises(StepFailed, match="rank 1 died"):
        run(lost_at_the_end)
    trained = run(resumed)
    assert not (trained.path / "checkpoints").exists()


def test_a_step_that_is_killed_after_its_ranks_have_ended_does_not_train_again(
    run: Callable[..., Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    def then_killed(output: Path) -> None:
        finish(output)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("tasks.launch.finish", then_killed)
        run(write_weights)

    def never(output: Path) -> None:
        raise AssertionError("trained again")

    assert (run(never).path / "rank_0" / "checkpoint_0.ckpt").read_bytes() == b"weights"
