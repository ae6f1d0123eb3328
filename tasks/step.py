"""A finished step as the next steps and the report see it. No Prefect here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Step", "TrainingSteps"]


@dataclass(frozen=True)
class Step:
    """A step's artifact, or an input from outside the store.

    Attributes:
        name: shown in the report and in the table of steps.
        path: the artifact's directory.
        digest: of its contents.
        cached: whether it was in the store already.
        seconds: duration of this call.
        size: bytes of its files.
        built_in: seconds that building it took.
        inputs: digests of its inputs, by name.
    """

    name: str
    path: Path
    digest: str
    cached: bool
    seconds: float
    size: int
    built_in: float
    inputs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingSteps:
    """The steps from a source to a trained checkpoint.

    Attributes:
        download: the source: config.json, tokenizer and weights.
        start: the checkpoint before training, converted or drawn at random.
        preprocess: the rows.
        shard: `start` as one file per rank.
        launch: what the ranks trained, one file per rank, and the metrics.
        merge: the trained checkpoint, whole.
        export: the same for Hugging Face.
    """

    download: Step
    start: Step
    preprocess: Step
    shard: Step
    launch: Step
    merge: Step
    export: Step
