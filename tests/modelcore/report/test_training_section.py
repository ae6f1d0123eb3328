"""The training section shows what the job's files contain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modelcore.report.training_section import read_training, training_section

METRICS: list[dict[str, Any]] = [
    {"step": 1, "loss": 6.0, "lr": 1e-3},
    {"step": 2, "loss": 4.0, "lr": 2e-3, "validation_loss": 4.5},
    {"step": 3, "loss": 3.0, "lr": 1e-3},
    {"step": 4, "loss": 2.0, "lr": 0.0, "validation_loss": 4.75},
]
TIMINGS: list[dict[str, Any]] = [
    {"step": 1, "seconds": 9.0, "tokens_per_second": 10.0, "mfu": 0.01},
    {"step": 2, "seconds": 0.5, "tokens_per_second": 1200.0, "mfu": 0.31, "peak_memory_mib": [900, 1000]},
    {"step": 3, "seconds": 0.25, "tokens_per_second": 2400.0, "mfu": 0.4},
    {"step": 4, "seconds": 0.5, "tokens_per_second": 1200.0, "mfu": 0.31, "peak_memory_mib": [950, 1000]},
]


def test_both_losses_are_in_one_plot_and_the_lowest_is_named():
    losses, rates = training_section(METRICS, [], []).figures
    assert losses.title == "Training and validation loss"
    assert "training" in losses.svg and "validation" in losses.svg
    assert "6.000 at the first step, 2.000 at the last" in losses.caption
    assert "4.750 at the last step, lowest 4.500 (step 2)" in losses.caption
    assert "learning rate" in rates.svg


def test_without_validation_rows_validation_is_not_mentioned():
    metrics = [{key: row[key] for key in ("step", "loss", "lr")} for row in METRICS]
    section = training_section(metrics, [], [])
    assert section.figures[0].title == "Training loss"
    assert "validation" not in section.figures[0].svg + section.figures[0].caption.lower()
    assert [name for name, _ in section.headline] == ["training loss", "steps"]


def test_speed_share_of_the_peak_and_memory_follow_the_settings():
    facts = training_section(METRICS, TIMINGS, [("precision", "bf16")]).facts
    assert facts == [
        ("precision", "bf16"),
        ("speed", "1,200 tokens/s with padding, 0.5 s per step (medians)"),
        ("MFU", "31.0 % of train.peak_tflops (median)"),
        ("peak memory per rank", "996 MB, 1.0 GB"),
    ]


def test_a_job_without_its_logs_is_shown_without_speed(tmp_path: Path):
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in METRICS))
    assert read_training(tmp_path, []).facts == []
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/timings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in TIMINGS))
    assert "speed" in dict(read_training(tmp_path, []).facts)
