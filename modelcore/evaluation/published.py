"""Published HumanEval scores, with their conditions, for comparison. None of them was measured here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Published", "published_scores"]

_FILE = Path(__file__).with_name("published.json")


@dataclass(frozen=True)
class Published:
    """One published pass@1 on HumanEval, in per cent."""

    model: str
    percent: float
    conditions: str
    source: str


def published_scores(model: str = "") -> list[Published]:
    """Return the published scores of the models whose name contains `model`, ignoring case."""
    rows = json.loads(_FILE.read_text(encoding="ascii"))
    scores = [Published(row["model"], row["pass@1"], row["conditions"], row["source"]) for row in rows]
    return [score for score in scores if model.lower() in score.model.lower()]
