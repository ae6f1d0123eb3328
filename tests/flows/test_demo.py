"""The whole pipeline at a reduced size: real ranks, real MindRecord, real execution of completions."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import mindspore
import numpy as np
import pytest

from flows.demo import DEMO
from modelcore.config.reading import read_config
from modelcore.demo.config import Demo as DemoConfig
from modelcore.evaluation.history import HISTORY, read_history
from modelcore.generation.decoder import Decoder
from modelcore.models.families import read_model
from tasks.planned_steps import step_names
from tests.flows.reduced_demo import Demo, rerun_demo

pytestmark = [pytest.mark.ranks, pytest.mark.server]

PIPELINE = [
    "first-programs",
    "download",
    "convert",
    "preprocess",
    "shard",
    "launch",
    "merge",
    "export",
    "generate (before)",
    "extract (before)",
    "score (before)",
    "generate",
    "extract",
    "score",
]


def test_every_step_of_the_pipeline_was_built_and_pass_at_1_is_reported(demo: Demo):
    assert [step["name"] for step in demo.result["steps"]] == PIPELINE
    assert not any(step["cached"] for step in demo.result["steps"])
    assert demo.result["pass_at_1"]["before"] == 0
    after = json.loads((artifact(demo, "score") / "score.json").read_text())
    passed = sum(problem["correct"] for problem in after["problems"])
    assert demo.result["pass_at_1"]["after"] == passed / len(after["problems"])


def test_the_dashboard_counts_the_steps_that_the_pipeline_has() -> None:
    assert step_names(read_config(DEMO, DemoConfig)) == PIPELINE


def test_two_ranks_trained_and_the_loss_fell(demo: Demo):
    trained = artifact(demo, "launch")
    assert sorted(path.name for path in trained.glob("rank_*")) == ["rank_0", "rank_1"]
    losses = [json.loads(line)["loss"] for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert len(losses) == 12
    assert losses[-1] < losses[0]


def test_the_exported_model_gives_transformers_the_logits_of_the_trained_weights(demo: Demo):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    trained = artifact(demo, "merge")
    tokens = [5, 6, 7, 8, 42, 3, 600]
    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    ours = Decoder(read_model(trained), trained, slots=1, length=64, prompts=1)
    logits = [ours.begin([0], [tokens[:length]])[0] for length in (1, 4, len(tokens))]
    start, exported = (
        transformers.AutoModelForCausalLM.from_pretrained(artifact(demo, step), dtype=torch.float32)
        for step in ("download", "export")
    )
    with torch.no_grad():
        before, after = (model(torch.tensor([tokens])).logits[0].numpy() for model in (start, exported))
    np.testing.assert_allclose(logits, after[[0, 3, -1]], atol=1e-5)
    assert np.abs(after - before).max() > 1e-3  # or training would have changed nothing


def test_a_second_run_does_every_step_from_the_store_with_the_same_score(demo: Demo):
    again = rerun_demo(demo.store)
    assert all(step["cached"] for step in again.result["steps"])
    assert again.digests == demo.digests
    assert again.result["pass_at_1"] == demo.result["pass_at_1"]


@pytest.mark.parametrize("step", ["preprocess", "merge"])
def test_a_deleted_artifact_alone_is_rebuilt_as_it_was(demo: Demo, step: str):
    shutil.rmtree(artifact(demo, step))
    again = rerun_demo(demo.store)
    assert [done["name"] for done in again.result["steps"] if not done["cached"]] == [step]
    assert again.digests == demo.digests


def test_a_damaged_artifact_alone_is_rebuilt_as_it_was(demo: Demo):
    weights = artifact(demo, "convert") / "model.ckpt"
    raw = bytearray(weights.read_bytes())
    raw[len(raw) // 2] ^= 1
    weights.chmod(0o600)
    weights.write_bytes(raw)
    again = rerun_demo(demo.store)
    assert [done["name"] for done in again.result["steps"] if not done["cached"]] == ["convert"]
    assert again.digests == demo.digests


def test_another_scoring_limit_scores_again_and_nothing_else(demo: Demo):
    again = rerun_demo(demo.store, "score.timeout=2.5")
    built = [step["name"] for step in again.result["steps"] if not step["cached"]]
    assert built == ["score (before)", "score"]


def test_another_template_before_training_asks_again_and_is_said_wherever_the_score_is(demo: Demo):
    again = rerun_demo(demo.store, "baseline_template=alpaca")
    built = [step["name"] for step in again.result["steps"] if not step["cached"]]
    assert built == ["generate (before)", "extract (before)", "score (before)"]
    assert again.result["templates"] == {"before": "alpaca", "after": "wizardcoder"}
    prompts = [artifact(again, f"generate{when}") / "prompts.jsonl" for when in (" (before)", "")]
    before, after = (json.loads(path.read_text().splitlines()[0])["prompt"] for path in prompts)
    assert before != after
    latest = read_history(demo.store / HISTORY).runs[-1]
    assert (latest.name, latest.conditions["template"]) == ("demo (before)", "alpaca v1")
    page = Path(again.result["report"]).read_text()
    assert "pass@1 before training (template alpaca)" in page
    assert "demo (before) was asked with template alpaca, demo with wizardcoder" in page
    run = json.loads(Path(again.result["report"]).with_name("run.json").read_text())
    assert run["templates"] == {"after": "wizardcoder", "before": "alpaca"}


def test_the_report_is_one_self_contained_file_with_every_step(demo: Demo):
    page = Path(demo.result["report"]).read_text()
    for step in demo.result["steps"]:
        assert step["name"] in page
        assert step["digest"] in page
    assert page.count("<svg") >= 1
    for outside in ("<script", "<link", "<img", "<iframe", "@import", "url(http"):
        assert outside not in page
    links = re.findall(r'(?:src|href)="([^#"][^"]*)"', page)
    assert links  # to the artifacts beside it in the store, which keep their place when the store is moved
    assert all((Path(demo.result["report"]).parent / link).exists() for link in links)


def artifact(demo: Demo, step: str) -> Path:
    (path,) = (Path(done["path"]) for done in demo.result["steps"] if done["name"] == step)
    return path
