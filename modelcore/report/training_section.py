"""What a training did, as part of a page: losses and learning rate as plots, precision, speed and memory.

Read from what a job leaves (`modelcore.training.metrics`): metrics.jsonl, and logs/timings.jsonl, which an
artifact may be without. No MindSpore.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcore.report.plots import line_plot
from modelcore.report.score_section import Figure
from modelcore.report.words import bytes_in_words

__all__ = ["TrainingSection", "read_training", "training_section"]

Lines = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class TrainingSection:
    """Everything the section shows.

    Attributes:
        headline: label and value of the figures that matter most.
        facts: name and value of how it was trained and how fast it went.
        figures: plots over the steps.
    """

    headline: Sequence[tuple[str, str]]
    facts: Sequence[tuple[str, str]]
    figures: Sequence[Figure]


def read_training(directory: Path, facts: Sequence[tuple[str, str]]) -> TrainingSection:
    """Return the section on the job that left `directory`.

    Args:
        directory: with metrics.jsonl.
        facts: name and value of what the job was asked to do.
    """
    timings = directory / "logs" / "timings.jsonl"
    return training_section(
        _lines(directory / "metrics.jsonl"), _lines(timings) if timings.is_file() else [], facts
    )


def training_section(metrics: Lines, timings: Lines, facts: Sequence[tuple[str, str]]) -> TrainingSection:
    """Return the section of a job's lines; `timings` may be empty."""
    return TrainingSection(
        headline=list(_headline(metrics)),
        facts=[*facts, *_measured(timings)],
        figures=[_losses(metrics), _rates(metrics)],
    )


def _headline(metrics: Lines) -> Iterator[tuple[str, str]]:
    held_out = _held_out(metrics)
    if held_out:
        yield "validation loss", f"{held_out[-1][1]:.4f}"
    yield "training loss", f"{metrics[-1]['loss']:.4f}"
    yield "steps", f"{metrics[-1]['step']:,}"


def _measured(timings: Lines) -> Iterator[tuple[str, str]]:
    """Tell speed and memory, where the job's logs are still there; the median is not moved by compiling."""
    if not timings:
        return
    seconds = statistics.median(row["seconds"] for row in timings)
    speed = statistics.median(row["tokens_per_second"] for row in timings)
    yield "speed", f"{speed:,.0f} tokens/s, {seconds:.3g} s a step (medians; padding counts)"
    shares = [row["mfu"] for row in timings if "mfu" in row]
    if shares:
        yield (
            "MFU",
            f"{100 * statistics.median(shares):.1f} % of the peak given as train.peak_tflops (median)",
        )
    memory = [row["peak_memory_mib"] for row in timings if "peak_memory_mib" in row]
    if memory:
        most = [max(rank) for rank in zip(*memory, strict=True)]
        told = ", ".join(bytes_in_words(mib * 2**20) for mib in most)
        yield "peak memory", f"{told} ({'each rank' if len(most) > 1 else 'the one rank'} at most)"


def _losses(metrics: Lines) -> Figure:
    at, loss = [row["step"] for row in metrics], [row["loss"] for row in metrics]
    series = {"training": (at, loss)}
    caption = f"Mean cross-entropy of the trained tokens: {loss[0]:.3f} at first, {loss[-1]:.3f} at last."
    held_out = _held_out(metrics)
    if held_out:
        series["validation"] = ([step for step, _ in held_out], [value for _, value in held_out])
        step, best = min(held_out, key=lambda one: one[1])
        caption += (
            f" Of all rows held back: {held_out[-1][1]:.3f} at last, {best:.3f} at its lowest (step {step})."
        )
    title = "Training and validation loss" if held_out else "Training loss"
    return Figure(title, line_plot(series, x_label="step", y_label="loss"), caption)


def _rates(metrics: Lines) -> Figure:
    series = {"lr": ([row["step"] for row in metrics], [row["lr"] for row in metrics])}
    plot = line_plot(series, x_label="step", y_label="learning rate")
    return Figure("Learning rate", plot, "Linear warm-up, then a cosine.")


def _held_out(metrics: Lines) -> list[tuple[int, float]]:
    return [(row["step"], row["validation_loss"]) for row in metrics if "validation_loss" in row]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
