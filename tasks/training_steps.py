"""The steps of a training, by name: what flows pass to reports and to the steps that follow."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.step import Step

__all__ = ["TrainingSteps"]


@dataclass(frozen=True)
class TrainingSteps:
    """From a source to a trained checkpoint.

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
