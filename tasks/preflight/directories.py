"""The directories that checks look at, beside the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Directories"]


@dataclass(frozen=True)
class Directories:
    """What is on this machine before the first step.

    Attributes:
        store: will hold the artifacts; need not exist yet.
        model: holds the model's config.json and tokenizer; None if the source is elsewhere.
    """

    store: Path
    model: Path | None
