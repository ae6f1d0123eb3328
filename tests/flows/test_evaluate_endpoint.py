"""An evaluation whose answers come from a server: scored, recorded with server and model, not asked twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.evaluate import evaluate
from modelcore.config.reading import parse
from modelcore.config.runs import Evaluate, Pipeline
from modelcore.errors import MindrailError
from tests.modelcore.generation.faulty_endpoint import Faulty, serving

PROBLEM = {
    "task_id": "T/0",
    "prompt": "def f(x):\n",
    "entry_point": "f",
    "test": "def check(f):\n    assert f(1) == 2\n",
}


def config(directory: Path, **generate: object) -> Evaluate:
    (directory / "benchmark.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    values = {
        "store": str(directory / "store"),
        "checkpoints": [],
        "generate": {"benchmark": str(directory / "benchmark.jsonl"), "template": "base", **generate},
    }
    return parse(values, Evaluate)


@pytest.mark.server
def test_a_score_of_an_endpoint_says_who_answered_and_is_kept(
    tmp_path: Path, server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINDRAIL_ENDPOINT_KEY", "very-secret")
    with serving(Faulty(models=("coder",), replies={"def f(x):\n": "    return x + 1\n"})) as faulty:
        first = evaluate(config(tmp_path, endpoint=faulty.url + "/", max_new_tokens=20))
        again = evaluate(config(tmp_path, endpoint=faulty.url, max_new_tokens=20, batch_size=3))
        named = evaluate(config(tmp_path, endpoint=faulty.url, max_new_tokens=20, endpoint_model="other"))
    (scored,) = first.scores
    assert [step.name for step in first.steps] == ["endpoint", "generate", "extract", "score"]
    assert scored.pass_at_1 == 1.0
    assert scored.run.model == "coder"
    assert scored.run.conditions["endpoint"] == faulty.url
    assert scored.run.conditions["decoding"] == "greedy, 20 tokens"
    assert all(step.cached for step in again.steps)
    assert [step.cached for step in named.steps][:2] == [False, False]
    assert [body["model"] for body in faulty.bodies] == ["coder", "other"]
    assert set(faulty.keys) == {"Bearer very-secret"}
    kept = [path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert not any(b"very-secret" in content for content in kept)


@pytest.mark.parametrize(
    ("generate", "message"),
    [
        ({"endpoint": "ftp://x/v1"}, "generate.endpoint: "),
        ({"endpoint": "http://user:word@x/v1"}, "generate.endpoint: "),
        ({"endpoint_model": "m"}, "endpoint_model without endpoint"),
        ({}, "checkpoints is empty: name one, or a generate.endpoint"),
    ],
)
def test_wrong_endpoints_are_one_line(generate: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match=message) as refused:
        config(tmp_path, **generate)
    assert "\n" not in str(refused.value)


def test_a_pipeline_asks_an_endpoint_for_one_model_only() -> None:
    values = {
        "download": {"source": "codellama-7b"},
        "preprocess": {"input": "rows.json"},
        "train": {"steps": 1},
        "generate": {"benchmark": "humaneval", "endpoint": "http://127.0.0.1:8000/v1"},
    }
    with pytest.raises(MindrailError, match="give baseline: false"):
        parse(values, Pipeline)
    assert parse({**values, "baseline": False}, Pipeline).generate.endpoint == "http://127.0.0.1:8000/v1"
