"""In which types a trained checkpoint is written: ranks train in float32, whatever the source has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelcore.config.checkpoint import Dtype
from modelcore.config.runs import Training
from modelcore.models.families import read_model

__all__ = ["TrainedTypes", "trained_types"]

_SHORT: dict[str, Dtype] = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}


@dataclass(frozen=True)
class TrainedTypes:
    """Types of the merged and of the exported weights; `keep` where the step before wrote them so already."""

    merge: Dtype
    export: Dtype


def trained_types(config: Training, start: Path) -> TrainedTypes:
    """Return the types to write.

    Args:
        config: the run.
        start: directory of the checkpoint before training, whose config.json states its type.

    Raises:
        MindrailError: there is no config.json of a model that is implemented here.
    """
    source = _SHORT[read_model(start).config.dtype]
    merged: Dtype = source if config.merge.dtype == "source" else config.merge.dtype
    exported: Dtype = source if config.export.dtype == "source" else config.export.dtype
    return TrainedTypes("keep" if merged == "fp32" else merged, "keep" if exported == merged else exported)
