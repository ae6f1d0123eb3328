"""A checkpoint with its score: the three steps between them, and the score's line in the history."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelcore.config.evaluation import Generate, Score
from modelcore.evaluation.history import HISTORY, Run, append_run, run_of
from modelcore.evaluation.report import ScoreReport, read_report
from modelcore.store.manifest import Manifest
from modelcore.store.store import Store
from tasks.contamination import Contamination, contamination_of
from tasks.extract import extract
from tasks.generate import generate
from tasks.score import score
from tasks.step import Step
from tasks.step_recorder import StepRecorder

__all__ = ["Scored", "score_checkpoint"]


@dataclass(frozen=True)
class Scored:
    """A checkpoint that was scored.

    Attributes:
        name: in the history and on the report.
        checkpoint: what answered.
        score: the artifact with score.json and the results.
        report: what score.json says.
        run: the line in the history.
        benchmark: what `load_benchmark` takes.
        contamination: of its training data, where known.
    """

    name: str
    checkpoint: Step
    score: Step
    report: ScoreReport
    run: Run
    benchmark: str
    contamination: Contamination | None

    @property
    def pass_at_1(self) -> float:
        """The share of right answers, averaged over problems, whatever k was asked for."""
        problems = self.report.problems
        return sum(problem.correct / problem.samples for problem in problems) / len(problems)


def score_checkpoint(
    store: Store,
    checkpoint: Step,
    asked: Generate,
    config: Score,
    *,
    seed: int,
    name: str,
    recorder: StepRecorder,
    suffix: str = "",
) -> Scored:
    """Generate, extract, score, and add the score to the store's history.

    Args:
        store: where artifacts and history lie.
        checkpoint: a whole MindSpore checkpoint.
        asked: benchmark, template and decoding.
        config: limits, isolation and k.
        seed: of sampled answers.
        name: what to call it.
        recorder: gets every step.
        suffix: of the steps' labels.
    """
    responses = recorder.record(generate(store, checkpoint, asked, seed, label=f"generate{suffix}"))
    samples = recorder.record(extract(store, responses, asked, label=f"extract{suffix}"))
    scored = recorder.record(score(store, samples, asked, config, label=f"score{suffix}"))
    known = contamination_of(store, checkpoint, asked.benchmark)
    report = read_report(scored.path / "score.json")
    run = _run(store, checkpoint, scored, report, asked, name, known)
    append_run(store.root / HISTORY, run)
    return Scored(name, checkpoint, scored, report, run, asked.benchmark, known)


def _run(
    store: Store,
    checkpoint: Step,
    scored: Step,
    report: ScoreReport,
    asked: Generate,
    name: str,
    known: Contamination | None,
) -> Run:
    manifest = Manifest.read(scored.path)
    assert manifest is not None  # it was built, or found and looked at, a moment ago
    way = "greedy" if asked.temperature == 0 else f"temperature {asked.temperature}, top_p {asked.top_p}"
    limits = report.conditions.limits
    conditions = {
        "decoding": f"{way}, {asked.max_new_tokens} tokens",
        "samples": asked.samples,
        "limits": f"{limits.seconds:g} s, {limits.memory >> 20} MiB",
        "contamination": None if known is None else known.figure,
        "checkpoint_digest": checkpoint.digest,
    }
    return run_of(
        report,
        scored.path / "score.json",
        name=name,
        time=manifest.created,
        checkpoint=_shown(checkpoint.path, store.root),
        conditions=conditions,
    )


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
