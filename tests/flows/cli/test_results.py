"""Scores gather where `results` lists them, and two of them are told apart by name, id or path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli.main import command_line
from modelcore.errors import MindrailError
from modelcore.sandbox.isolation import LEVELS

TESTS = "def check(f):\n    assert f(1) == 2\n"
RIGHT, WRONG = "    return x + 1\n", "    return x\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a benchmark of eight problems, two files of samples, and their scores."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "tiny.jsonl", [problem(number) for number in range(8)])
    for name, right in (("before", range(2)), ("after", range(8))):
        rows = [
            {"task_id": f"T/{number}", "completion": RIGHT if number in right else WRONG}
            for number in range(8)
        ]
        write(tmp_path / f"{name}.jsonl", rows)
        run("score", f"{name}.jsonl", "--benchmark", "tiny.jsonl", "--name", name)
    return tmp_path


def problem(number: int) -> dict[str, str]:
    prompt = f"def f{number}(x):\n"
    return {"task_id": f"T/{number}", "prompt": prompt, "entry_point": f"f{number}", "test": TESTS}


def write(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def run(*arguments: str) -> str:
    done = CliRunner().invoke(command_line, [*arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_scores_of_the_command_are_listed_with_interval_and_conditions(home: Path):
    (before, after) = json.loads(run("results", "--json"))["results"]
    assert (before["name"], after["name"]) == ("before", "after")
    assert before["pass_at_k"]["1"][0] == 0.25
    assert after["pass_at_k"]["1"] == [1.0, 1.0, 1.0]
    assert before["conditions"]["isolation"] in LEVELS
    told = run("results", "--benchmark", "tiny")
    assert told.count("95 %") == 2
    assert "no scores yet" in run("results", "--benchmark", "another")


def test_two_scores_are_compared_by_name_by_id_and_by_path(home: Path):
    ids = [row["id"] for row in json.loads(run("results", "--json"))["results"]]
    for first, second in (("before", "after"), ids, ("before.jsonl_score", "after.jsonl_score/score.json")):
        compared = json.loads(run("compare", first, second, "--json"))
        assert compared["won"] == [f"T/{number}" for number in range(2, 8)]
        assert compared["p_value"] == pytest.approx(2 * 0.5**6)
    assert "unlikely to be chance" in run("compare", "before", "after")
    assert "may well be chance" in run("compare", "before", "before")


def test_different_templates_are_named_because_the_difference_is_theirs_too(home: Path):
    rows = [{"task_id": f"T/{number}", "response": RIGHT} for number in range(8)]
    write(home / "raw.jsonl", rows)
    for template in ("base", "base-mbpp"):
        options = ("--benchmark", "tiny.jsonl", "--name", template, "--output", template)
        run("score", "raw.jsonl", "--template", template, *options)
    assert json.loads(run("compare", "base", "base-mbpp", "--json"))["templates"] == [
        "base v1",
        "base-mbpp v1",
    ]
    assert "asked with template base v1 and base-mbpp v1" in run("compare", "base", "base-mbpp")
    assert "asked with template none and base v1" in run("compare", "before", "base")
    assert "template" not in run("compare", "before", "after")


def test_scores_of_different_benchmarks_are_not_compared(home: Path):
    write(home / "other.jsonl", [problem(number) for number in range(2)])
    write(home / "two.jsonl", [{"task_id": f"T/{number}", "completion": RIGHT} for number in range(2)])
    run("score", "two.jsonl", "--benchmark", "other.jsonl", "--name", "other")
    with pytest.raises(MindrailError, match="benchmark tiny against other"):
        run("compare", "before", "other")


def test_lines_that_cannot_be_read_are_counted_and_cost_no_other(home: Path):
    with (home / "store" / "history.jsonl").open("a") as file:
        file.write('{"torn')
    found = json.loads(run("results", "--json"))
    assert (len(found["results"]), found["unreadable"]) == (2, 1)


def test_a_score_of_another_engines_answers_names_its_model(home: Path):
    write(home / "third.jsonl", [{"task_id": f"T/{n}", "completion": RIGHT} for n in range(8)])
    run("score", "third.jsonl", "--benchmark", "tiny.jsonl", "--model", "WizardCoder-33B by vLLM")
    assert "\n  WizardCoder-33B by vLLM\n" in run("results")
