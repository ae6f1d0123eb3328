"""The record of one scoring: what was scored, under which conditions, with which outcome. Draws nothing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modelcore.errors import MindrailError
from modelcore.evaluation.passk import PassAtK

__all__ = ["FORM", "ProblemScore", "ScoreReport", "read_report", "write_report"]

FORM = 1
"""The version of score.json."""


@dataclass(frozen=True)
class ProblemScore:
    """One row of the per-problem table; `verdicts` and `reasons` are in the order of the samples."""

    task_id: str
    samples: int
    correct: int
    verdicts: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class ScoreReport:
    """A score with everything it depends on.

    Args:
        benchmark: name, digest and number of problems.
        samples: number of samples and digest of their content.
        template: name, version and extractor of the prompt template, or None.
        standalone: whether completions ran without the prompt in front.
        limits: of each sample (`Limits` as a mapping).
        isolation: the level reached.
        python: version of the interpreter and of each package that completions could import.
        missing: tasks without samples; their problems count for nothing. Empty unless that was allowed.
        pass_at_k: the scores.
        verdicts: how many samples got each verdict.
        problems: the per-problem table, in the benchmark's order.
    """

    benchmark: dict[str, Any]
    samples: dict[str, Any]
    template: dict[str, Any] | None
    standalone: bool
    limits: dict[str, Any]
    isolation: str
    python: dict[str, str]
    missing: tuple[str, ...]
    pass_at_k: tuple[PassAtK, ...]
    verdicts: dict[str, int]
    problems: tuple[ProblemScore, ...]

    def passed(self, k: int = 1) -> PassAtK | None:
        """Return pass@k if it was computed."""
        return next((score for score in self.pass_at_k if score.k == k), None)


def write_report(report: ScoreReport, path: Path) -> None:
    """Write score.json: the same report gives the same bytes."""
    path.write_text(
        json.dumps({"form": FORM, **asdict(report)}, indent=1, sort_keys=True) + "\n", encoding="ascii"
    )


def read_report(path: Path) -> ScoreReport:
    """Read score.json.

    Raises:
        MindrailError: there is none, or it is not of this form.
    """
    try:
        content = json.loads(path.read_bytes())
        if content.pop("form") != FORM:
            raise MindrailError(f"not of form {FORM}", where=path, fix="score the samples again")
        lists = {
            "missing": tuple(content["missing"]),
            "pass_at_k": tuple(PassAtK(**row) for row in content["pass_at_k"]),
            "problems": tuple(_problem(row) for row in content["problems"]),
        }
        return ScoreReport(**{**content, **lists})
    except FileNotFoundError as error:
        raise MindrailError("no such file", where=path, fix="score the samples first") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MindrailError(f"not a score.json ({error})", where=path) from error


def _problem(row: dict[str, Any]) -> ProblemScore:
    return ProblemScore(**{**row, "verdicts": tuple(row["verdicts"]), "reasons": tuple(row["reasons"])})
