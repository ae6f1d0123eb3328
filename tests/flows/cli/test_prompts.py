"""A benchmark's prompts leave as JSON lines and come back as answers that `score` reads by their template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flows.cli.main import command_line
from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.evaluation.templates import TEMPLATES, template
from tests.byte_vocabulary import write_byte_vocabulary

PROBLEMS = [
    {
        "task_id": f"T/{number}",
        "prompt": f'def add{number}(a, b):\n    """Add {number}."""\n',
        "entry_point": f"add{number}",
        "test": f"def check(add):\n    assert add(1, 2) == {3 + number}\n",
    }
    for number in range(2)
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a benchmark of two problems."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "two.jsonl", PROBLEMS)
    return tmp_path


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command_line, [*arguments], catch_exceptions=False)


def fenced(number: int) -> str:
    """Return what an instruction-tuned model writes: prose around the whole function."""
    return f"Sure!\n```python\ndef add{number}(a, b):\n    return a + b + {number}\n```\nDone."


def continued(number: int) -> str:
    """Return what a base model writes: the body, and then something else."""
    return f"    return a + b + {number}\n\n\ndef main():\n    raise SystemExit"


@pytest.mark.parametrize("form", TEMPLATES, ids=lambda form: form.name)
def test_a_line_holds_the_prompt_as_it_is_sent_and_how_to_answer_it(home: Path, form: Any) -> None:
    printed = run("prompts", "--benchmark", "two.jsonl", "--template", form.name).stdout
    (first, second) = map(json.loads, printed.splitlines())
    (problem, _) = load_benchmark("two.jsonl").problems
    assert first == {
        "task_id": "T/0",
        "entry_point": "add0",
        "prompt": form.prompt(problem),
        "template": form.name,
        "template_version": form.version,
        "stops": list(form.stops),
    }
    assert second["task_id"] == "T/1"


@pytest.mark.parametrize(("bos", "first"), [(True, [0]), (False, [])])
def test_with_a_tokenizer_a_line_says_whether_bos_leads_and_holds_the_ids(
    home: Path, bos: bool, first: list[int]
) -> None:
    write_byte_vocabulary(home)
    config = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "add_bos_token": bos}
    (home / "tokenizer_config.json").write_text(json.dumps(config))
    run(
        "prompts",
        "--benchmark",
        "two.jsonl",
        "--template",
        "base",
        "--tokenizer",
        ".",
        "--ids",
        "--output",
        "p",
    )
    (row, _) = rows_of(home / "p")
    assert row["bos"] is bos
    assert row["ids"][: len(first)] == first
    assert len(row["ids"]) == len(first) + len(row["prompt"])  # one token per byte


@pytest.mark.parametrize("form", TEMPLATES, ids=lambda form: form.name)
def test_answers_of_another_engine_come_back_and_are_read_by_the_template_of_their_prompts(
    home: Path, form: Any
) -> None:
    run("prompts", "--benchmark", "two.jsonl", "--template", form.name, "--output", "prompts.jsonl")
    answer = continued if form.extractor == "stops" else fenced
    write(
        home / "answers.jsonl",
        [row | {"response": answer(n)} for n, row in enumerate(rows_of(home / "prompts.jsonl"))],
    )
    scored = json.loads(run("score", "answers.jsonl", "--benchmark", "two.jsonl", "--json").stdout)
    assert scored["pass_at_k"][0]["value"] == 1.0
    (kept, _) = rows_of(home / "answers.jsonl_score" / "answers.jsonl_results.jsonl")
    assert (kept["entry_point"], kept["template"]) == ("add0", form.name)


@pytest.mark.parametrize(
    ("change", "option", "message"),
    [
        (
            {},
            "wizardcoder",
            "line 1: answers template alpaca v1, read as wizardcoder v1; give --template alpaca",
        ),
        ({"template_version": 0}, "alpaca", "line 1: answers template alpaca v0, .*write the prompts again"),
    ],
)
def test_answers_to_another_template_are_not_scored(
    home: Path, change: dict[str, int], option: str, message: str
) -> None:
    named = {"template": "alpaca", "template_version": template("alpaca").version}
    rows = [{"task_id": f"T/{n}", "response": fenced(n)} | named | change for n in range(2)]
    write(home / "answers.jsonl", rows)
    with pytest.raises(MindrailError, match=message):
        run("score", "answers.jsonl", "--benchmark", "two.jsonl", "--template", option)


def test_nothing_is_replaced_and_ids_need_a_tokenizer(home: Path) -> None:
    with pytest.raises(MindrailError, match="there is something here already"):
        run("prompts", "--benchmark", "two.jsonl", "--output", "two.jsonl")
    assert "--ids needs --tokenizer" in run("prompts", "--benchmark", "two.jsonl", "--ids").output
