"""A pipeline asks its model as it was published before training, and as its rows ask after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelcore.config.evaluation import Generate
from modelcore.config.reading import parse
from modelcore.config.runs import Evaluate, Pipeline
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.store.store import Store
from tasks.templates import baseline_generation, own_generation, prompt_mismatch, template_notes
from tests.local_runs import PROBLEM
from tests.modelcore.evaluation.small_mbpp import ROWS


def pipeline(source: str = "codellama-34b", rows: str = "codellama-instruct", **keys: Any) -> Pipeline:
    generate = {"benchmark": "humaneval", **keys.pop("generate", {})}
    values = {
        "download": {"source": source},
        "preprocess": {"input": "rows.json", "format": rows},
        "train": {"steps": 1},
        "generate": generate,
        **keys,
    }
    return parse(values, Pipeline)


@pytest.mark.parametrize(
    ("rows", "template"),
    [
        ("wizardcoder", "wizardcoder"),
        ("llama", "llama"),
        ("codellama-instruct", "codellama-instruct"),
        ("deepseek", "deepseek"),
        ("chatml", "qwen-instruct"),
        ("wiki", "base"),
        ("text", "base"),
    ],
)
def test_the_template_after_training_is_that_of_the_rows(rows: str, template: str) -> None:
    config = pipeline(rows=rows)
    assert config.generate.template == template
    assert prompt_mismatch(template, rows) is None
    assert template_notes(pipeline(rows=rows, baseline=False)) == ()


def test_a_template_that_is_given_stays(tmp_path: Path) -> None:
    assert pipeline(generate={"template": "alpaca"}).generate.template == "alpaca"
    assert parse({}, Evaluate).generate.template_name == "base"


@pytest.mark.parametrize(
    ("source", "template"),
    [
        ("codellama-34b", "base"),
        ("hf://codellama/CodeLlama-34b-hf", "base"),
        ("codellama-7b-instruct", "codellama-instruct"),
        ("hf://deepseek-ai/deepseek-coder-7b-instruct-v1.5", "deepseek-instruct"),
        ("wizardcoder-15b", "wizardcoder"),
        ("file:///somewhere/else", "codellama-instruct"),
        ("hf://owner/another", "codellama-instruct"),
    ],
)
def test_before_training_a_model_is_asked_as_it_was_published(source: str, template: str) -> None:
    config = pipeline(source)
    found = baseline_generation(config)
    assert found.template == template
    assert found == config.generate.model_copy(update={"template": template})


def test_the_baselines_own_template_goes_first() -> None:
    assert baseline_generation(pipeline(baseline_template="alpaca")).template == "alpaca"


def test_a_base_model_is_asked_mbpp_with_the_stops_for_it(tmp_path: Path) -> None:
    rows = tmp_path / "mbpp.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    assert load_benchmark(rows).problems[0].task_id.startswith("MBPP/")
    assert baseline_generation(pipeline(generate={"benchmark": str(rows)})).template == "base-mbpp"
    (tmp_path / "own.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    own = pipeline(generate={"benchmark": str(tmp_path / "own.jsonl")})
    assert baseline_generation(own).template == "base"


@pytest.mark.parametrize("template", ["base-stripped", "base-mbpp"])
def test_a_base_model_that_stays_one_is_asked_alike_before_and_after(template: str) -> None:
    config = pipeline(rows="text", generate={"template": template})
    assert baseline_generation(config).template == template
    assert template_notes(config) == ()


def test_a_template_that_does_not_fit_the_rows_is_named_with_the_one_that_does() -> None:
    config = pipeline(rows="deepseek", generate={"template": "deepseek-instruct"}, baseline=False)
    line = (
        "template deepseek-instruct does not ask as the deepseek rows that the model is trained on; "
        "template deepseek does"
    )
    assert prompt_mismatch("deepseek-instruct", "deepseek") == line
    assert template_notes(config) == (f"generate.template: {line}",)
    assert prompt_mismatch("base", "a format of another version") is None


def test_different_templates_before_and_after_are_named() -> None:
    line = "scored with template base before training, and with codellama-instruct after it"
    assert template_notes(pipeline()) == (line,)
    assert template_notes(pipeline(baseline=False)) == ()
    assert template_notes(pipeline(baseline_template="codellama-instruct")) == ()


def artifact(store: Store, step: str, *inputs: str, **parameters: str) -> tuple[Path, str]:
    """Build a step's artifact, and return its directory and digest."""
    made = store.build(
        step,
        lambda directory: (directory / "contents").write_text(f"{step} {parameters}"),
        version=1,
        inputs={str(number): digest for number, digest in enumerate(inputs)},
        parameters=parameters,
    ).artifact
    return made.path, made.digest


def test_an_evaluation_asks_each_checkpoint_as_it_was_trained(tmp_path: Path) -> None:
    store, generate = Store(tmp_path / "store"), Generate(benchmark="humaneval")
    _, source = artifact(store, "download", source="hf://codellama/CodeLlama-7b-Instruct-hf")
    start, converted = artifact(store, "convert", source)
    _, rows = artifact(store, "preprocess", format="deepseek")
    trained, _ = artifact(store, "merge", converted, rows)
    unknown, _ = artifact(store, "convert", artifact(store, "download", source="hf://owner/name")[1])
    (tmp_path / "plain").mkdir()
    places = {"trained": trained, "start": start, "unknown": unknown, "plain": tmp_path / "plain"}
    templates = {name: own_generation(generate, store, path).template for name, path in places.items()}
    assert templates == {
        "trained": "deepseek",
        "start": "codellama-instruct",
        "unknown": "base",
        "plain": "base",
    }
    chosen = Generate(benchmark="humaneval", template="alpaca")
    assert all(own_generation(chosen, store, path) == chosen for path in places.values())
