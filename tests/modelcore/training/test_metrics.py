from __future__ import annotations

from pathlib import Path

from modelcore.training.metrics import loss_line, metrics_journal


def test_lines_after_the_checkpoint_are_dropped(tmp_path: Path):
    path = tmp_path / "metrics.jsonl"
    first = metrics_journal(path, 0)
    for step in (1, 2, 3):
        first.append({"step": step})
    metrics_journal(path, 2).append({"step": 3, "again": True})
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n{"step": 3, "again": true}\n'


def test_a_torn_last_line_is_dropped(tmp_path: Path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2, "lo')
    metrics_journal(path, 5).append({"step": 2})
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_the_loss_line_is_the_one_users_know():
    line = loss_line(
        epoch=(1, 2),
        step=(19, 20),
        loss=2.5,
        milliseconds=123.4,
        rate=1e-5,
        overflow=False,
        loss_scale=1.0,
        global_norm=0.5,
    )
    assert line == (
        "{ Epoch:[  1/  2], step:[   19/   20], loss: 2.500, per_step_time: 123ms, lr: 1e-05, "
        "overflow cond: False, loss_scale: 1, global_norm: 0.5 }"
    )
