"""A checkpoint with its score: the three steps between them, and the score's line in the history."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelcore.config.evaluation import Generate, Score
from modelcore.data.tokenizers.bos import begins_with_bos
from modelcore.evaluation.history import HISTORY, Run, append_run, read_history, run_of
from modelcore.evaluation.report import ScoreReport, read_report
from modelcore.store.manifest import Manifest
from modelcore.store.store import Store
from tasks.ancestry import line_of, row_format_of
from tasks.best_score import report_best_score
from tasks.contamination import Contamination, contamination_of
from tasks.extract import extract
from tasks.generate import generate
from tasks.log import warn
from tasks.origin import origin_of
from tasks.score import score
from tasks.step import Step
from tasks.step_recorder import StepRecorder
from tasks.templates import prompt_mismatch

__all__ = ["Scored", "decoding_in_words", "score_checkpoint"]


@dataclass(frozen=True)
class Scored:
    """A checkpoint that was scored.

    Attributes:
        name: in the history and on the report.
        checkpoint: what generated the responses.
        score: the artifact with score.json and the results.
        report: the content of score.json.
        run: the line in the history.
        benchmark: a name or file for `load_benchmark`.
        contamination: of its training data, where known.
        warning: that it was asked unlike the rows it was trained on; None where it was not, as far as known.
    """

    name: str
    checkpoint: Step
    score: Step
    report: ScoreReport
    run: Run
    benchmark: str
    contamination: Contamination | None
    warning: str | None = None

    @property
    def template(self) -> str:
        """The name of the prompt template."""
        template = self.report.conditions.template
        assert template is not None  # responses are extracted with one
        return template.name

    @property
    def pass_at_1(self) -> float:
        """The share of correct samples, averaged over problems, whatever k was configured."""
        problems = self.report.problems
        return sum(problem.correct / problem.samples for problem in problems) / len(problems)


def score_checkpoint(
    store: Store,
    checkpoint: Step,
    generation: Generate,
    scoring: Score,
    *,
    seed: int,
    name: str,
    recorder: StepRecorder,
    suffix: str = "",
) -> Scored:
    """Generate, extract, score, and add the score to the store's history.

    Args:
        store: holds artifacts and history.
        checkpoint: a whole MindSpore checkpoint.
        generation: benchmark, template and decoding.
        scoring: limits, isolation and k.
        seed: of sampled responses.
        name: in the history and on the report.
        recorder: gets every step.
        suffix: of the steps' labels.
    """
    responses = recorder.record(generate(store, checkpoint, generation, seed, label=f"generate{suffix}"))
    samples = recorder.record(extract(store, responses, generation, label=f"extract{suffix}"))
    results = recorder.record(score(store, samples, generation, scoring, label=f"score{suffix}"))
    contamination = contamination_of(store, checkpoint, generation.benchmark)
    report = read_report(results.path / "score.json")
    manifest = Manifest.read(results.path)
    assert manifest is not None  # the step was built or validated just now
    origin = origin_of(store, checkpoint)
    run = run_of(
        report,
        results.path / "score.json",
        name=name,
        time=manifest.created,
        checkpoint=_place(checkpoint.path, store.root),
        conditions=_conditions(checkpoint, report, generation, contamination),
        model=origin.model,
        data=origin.data,
    )
    earlier = read_history(store.root / HISTORY).of(run.benchmark, run.benchmark_digest)
    if append_run(store.root / HISTORY, run):
        report_best_score(run, earlier)
    rows = row_format_of(line_of(store, checkpoint.path))
    warning = None if rows is None else prompt_mismatch(generation.template_name, rows)
    if warning is not None:
        warn(f"{name}: {warning}")
    return Scored(name, checkpoint, results, report, run, generation.benchmark, contamination, warning)


def decoding_in_words(config: Generate, checkpoint: Step) -> str:
    """Return how tokens were chosen, and whether prompts began with BOS."""
    way = "greedy" if config.temperature == 0 else f"temperature {config.temperature}, top_p {config.top_p}"
    return f"{way}, BOS first" if begins_with_bos(checkpoint.path) else way


def _conditions(
    checkpoint: Step, report: ScoreReport, generation: Generate, contamination: Contamination | None
) -> dict[str, str | int | None]:
    limits = report.conditions.limits
    return {
        "decoding": f"{decoding_in_words(generation, checkpoint)}, {generation.max_new_tokens} tokens",
        **({} if generation.endpoint is None else {"endpoint": generation.endpoint.rstrip("/")}),
        "samples": generation.samples,
        "limits": f"{limits.seconds:g} s, {limits.memory >> 20} MiB",
        "contamination": None if contamination is None else contamination.figure,
        "checkpoint_digest": checkpoint.digest,
    }


def _place(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
