"""The result of a training run, as part of a page: losses, learning rate, speed and memory.

Read from the files that a job writes (`modelcore.training.metrics`): metrics.jsonl, and logs/timings.jsonl,
which an artifact may lack. Needs no MindSpore.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modelcore.report.plots import line_plot
from modelcore.report.score_section import Figure
from modelcore.units import format_bytes

__all__ = ["TrainingSection", "read_training", "training_section"]

Lines = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class TrainingSection:
    """Everything the section shows.

    Attributes:
        headline: label and value of the most important figures.
        facts: name and value of settings and measurements.
        figures: plots over the steps.
        attempts: what happened to the job on a cluster, a line each; none for a job on one host.
    """

    headline: Sequence[tuple[str, str]]
    facts: Sequence[tuple[str, str]]
    figures: Sequence[Figure]
    attempts: Sequence[str] = ()


def read_training(
    directory: Path, facts: Sequence[tuple[str, str]], attempts: Sequence[str] = ()
) -> TrainingSection:
    """Return the section on the job that wrote `directory`.

    Args:
        directory: contains metrics.jsonl.
        facts: name and value of each setting to show.
        attempts: what happened to it on a cluster.
    """
    timings = directory / "logs" / "timings.jsonl"
    section = training_section(
        _lines(directory / "metrics.jsonl"), _lines(timings) if timings.is_file() else [], facts
    )
    return replace(section, attempts=attempts)


def training_section(metrics: Lines, timings: Lines, facts: Sequence[tuple[str, str]]) -> TrainingSection:
    """Return the section on a job, from the lines of its two files; `timings` may be empty."""
    return TrainingSection(
        headline=list(_headline(metrics)),
        facts=[*facts, *_measured(timings)],
        figures=[_losses(metrics), _learning_rate(metrics)],
    )


def _headline(metrics: Lines) -> Iterator[tuple[str, str]]:
    validation = _validation_losses(metrics)
    if validation:
        yield "validation loss", f"{validation[-1][1]:.4f}"
    yield "training loss", f"{metrics[-1]['loss']:.4f}"
    yield "steps", f"{metrics[-1]['step']:,}"


def _measured(timings: Lines) -> Iterator[tuple[str, str]]:
    """Yield speed and memory if the job's logs still exist; medians, which compiling does not affect."""
    if not timings:
        return
    seconds = statistics.median(row["seconds"] for row in timings)
    speed = statistics.median(row["tokens_per_second"] for row in timings)
    yield "speed", f"{speed:,.0f} tokens/s with padding, {seconds:.3g} s per step (medians)"
    shares = [row["mfu"] for row in timings if "mfu" in row]
    if shares:
        yield "MFU", f"{100 * statistics.median(shares):.1f} % of train.peak_tflops (median)"
    memory = [row["peak_memory_mib"] for row in timings if "peak_memory_mib" in row]
    if memory:
        most = [max(rank) for rank in zip(*memory, strict=True)]
        sizes = ", ".join(format_bytes(mib * 2**20) for mib in most)
        yield "peak memory per rank" if len(most) > 1 else "peak memory", sizes


def _losses(metrics: Lines) -> Figure:
    steps, loss = [row["step"] for row in metrics], [row["loss"] for row in metrics]
    series = {"training": (steps, loss)}
    caption = (
        f"Mean cross-entropy per token in the loss. Training: {loss[0]:.3f} at the first step, "
        f"{loss[-1]:.3f} at the last."
    )
    validation = _validation_losses(metrics)
    if validation:
        series["validation"] = ([step for step, _ in validation], [value for _, value in validation])
        best_step, best = min(validation, key=lambda point: point[1])
        caption += (
            f" Validation, on all validation rows: {validation[-1][1]:.3f} at the last step, "
            f"lowest {best:.3f} (step {best_step})."
        )
    title = "Training and validation loss" if validation else "Training loss"
    return Figure(title, line_plot(series, x_label="step", y_label="loss"), caption)


def _learning_rate(metrics: Lines) -> Figure:
    series = {"lr": ([row["step"] for row in metrics], [row["lr"] for row in metrics])}
    plot = line_plot(series, x_label="step", y_label="learning rate")
    return Figure("Learning rate", plot, "Linear warm-up, then cosine decay.")


def _validation_losses(metrics: Lines) -> list[tuple[int, float]]:
    return [(row["step"], row["validation_loss"]) for row in metrics if "validation_loss" in row]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
