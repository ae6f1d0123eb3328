"""Checkpoints that are there are scored; what changes nothing for a step does not do it again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flows.cli.main import command_line
from flows.evaluate import Evaluation, evaluate
from modelcore.config.evaluation import Generate, Score
from modelcore.config.runs import Evaluate
from modelcore.errors import MindrailError
from tests.flows.reduced_demo import Demo

pytestmark = [pytest.mark.ranks, pytest.mark.server]


@pytest.fixture(scope="module")
def home(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demo's store, which tests may add to."""
    return Path(shutil.copytree(demo.store, tmp_path_factory.mktemp("evaluate") / "store"))


def config(demo: Demo, home: Path, **changes: Any) -> Evaluate:
    generate: dict[str, Any] = {
        "benchmark": str(demo.path("first-programs") / "benchmark.jsonl"),
        "template": "wizardcoder",
        "max_new_tokens": 24,
    }
    score = changes.pop("score", {})
    generate |= changes.pop("generate", {})
    return Evaluate(store=str(home), generate=Generate(**generate), score=Score(**score), **changes)


def built(evaluation: Evaluation) -> list[str]:
    return [step.name for step in evaluation.steps if not step.cached]


def command(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(command_line, [*arguments, "--json"], catch_exceptions=False)
    return json.loads(done.stdout)


def test_the_newest_trained_checkpoint_is_the_one_the_demo_scored(demo: Demo, home: Path):
    evaluation = evaluate(config(demo, home))
    assert built(evaluation) == []
    assert evaluation.scores[0].checkpoint.digest == demo.digests["merge"]
    assert evaluation.scores[0].run.checkpoint.startswith("merge/")


def test_each_part_is_done_again_only_if_what_it_depends_on_changes(demo: Demo, home: Path):
    assert built(evaluate(config(demo, home, score={"timeout": 2.0}))) == ["score"]
    # alpaca and wizardcoder differ in their prompts, deepseek's stops too: all must ask again
    assert built(evaluate(config(demo, home, generate={"template": "alpaca"}))) == [
        "generate",
        "extract",
        "score",
    ]
    assert built(evaluate(config(demo, home, generate={"template": "alpaca", "batch_size": 3}))) == []


def test_another_extractor_generates_nothing_again(demo: Demo, home: Path, monkeypatch: pytest.MonkeyPatch):
    from dataclasses import replace

    from modelcore.evaluation import templates

    evaluate(config(demo, home))
    changed = tuple(
        replace(form, version=99, extractor="fenced") if form.name == "wizardcoder" else form
        for form in templates.TEMPLATES
    )
    monkeypatch.setattr(templates, "TEMPLATES", changed)
    assert built(evaluate(config(demo, home))) == ["extract", "score"]


def test_several_checkpoints_stand_side_by_side_and_a_hugging_face_one_is_converted(demo: Demo, home: Path):
    start = str(demo.path("download"))
    evaluation = evaluate(config(demo, home, checkpoints=[start, "newest"]))
    assert [scored.checkpoint.digest for scored in evaluation.scores] == [
        demo.digests["convert"],
        demo.digests["merge"],
    ]
    page = evaluation.report.read_text()
    assert page.count('class="problem') == 2 * 8
    assert "McNemar" in page
    assert "Of the 240 training records, 0 share text with 0 benchmark problems." in page


def test_scores_gather_in_the_history_once_each(demo: Demo, home: Path):
    evaluate(config(demo, home, name="mine"))
    before = command("results", "--store", str(home))["results"]
    evaluate(config(demo, home, name="mine"))
    after = command("results", "--store", str(home))["results"]
    assert after == before
    names = [run["name"] for run in after]
    assert {"demo", "demo (before)"} <= set(names)
    assert {run["benchmark"] for run in after} == {"benchmark"}
    compared = command("compare", "demo (before)", "demo", "--store", str(home))
    assert compared["won"] == compared["lost"] == []


def test_the_newest_checkpoint_of_a_directory_is_chosen_when_the_run_starts(
    demo: Demo, home: Path, tmp_path: Path
):
    import os

    for number, name in enumerate(("old", "new")):
        shutil.copytree(demo.path("merge" if name == "new" else "convert"), tmp_path / name)
        os.utime(tmp_path / name / "config.json", (number, number))
        (tmp_path / name / "manifest.json").unlink()
    evaluation = evaluate(config(demo, home, checkpoints=[f"newest:{tmp_path}"]))
    assert evaluation.scores[0].checkpoint.path == tmp_path / "new"


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        ("nowhere", "there is no such file or directory"),
        ("newest:{here}", "holds no checkpoint"),
        ("{launch}", "is a MindSpore checkpoint sharded over 2 ranks; join it first"),
    ],
)
def test_what_is_no_checkpoint_is_refused_by_name(
    demo: Demo, home: Path, tmp_path: Path, checkpoint: str, message: str
):
    checkpoint = checkpoint.format(here=tmp_path, launch=demo.path("launch"))
    with pytest.raises(MindrailError, match=message):
        evaluate(config(demo, home, checkpoints=[checkpoint]))


def test_a_store_without_a_trained_checkpoint_says_so(demo: Demo, tmp_path: Path):
    with pytest.raises(MindrailError, match="no trained checkpoint in the store"):
        evaluate(config(demo, tmp_path))


def test_the_command_prints_scores_and_steps(demo: Demo, home: Path):
    benchmark = str(demo.path("first-programs") / "benchmark.jsonl")
    result = command(
        "evaluate",
        *("newest", "--benchmark", benchmark, "--template", "wizardcoder"),
        *("--set", "generate.max_new_tokens=24", "--store", str(home)),
    )
    assert [step["name"] for step in result["steps"]] == ["generate", "extract", "score"]
    assert result["scores"][0]["pass_at_k"]["1"] == [0.0, 0.0, 0.0]
    assert Path(result["report"]).is_file()
