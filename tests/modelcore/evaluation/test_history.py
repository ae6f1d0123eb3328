from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.evaluation.conditions import BenchmarkRecord, Conditions, SamplesRecord, TemplateRecord
from modelcore.evaluation.history import HISTORY, Run, append_run, find_run, read_history, run_of
from modelcore.evaluation.passk import PassAtK
from modelcore.evaluation.report import ScoreReport
from modelcore.sandbox.limits import Limits
from tests.paths import ROOT


def run_named(name: str, benchmark: str = "humaneval", id: str = "") -> Run:
    scores = {"1": (0.5, 0.4, 0.6)}
    return Run(
        id or f"id-{name}",
        name,
        "2026-01-01T00:00:00Z",
        "ckpt",
        benchmark,
        "d",
        scores,
        "score.json",
        {"a": 1},
    )


def test_runs_are_listed_in_the_order_they_were_added(tmp_path: Path) -> None:
    history = tmp_path / "deep" / "history.jsonl"
    assert read_history(history).runs == ()
    assert append_run(history, run_named("first"))
    assert append_run(history, run_named("second", "mbpp"))
    found = read_history(history)
    assert found.runs == (run_named("first"), run_named("second", "mbpp"))
    assert found.of("mbpp") == [run_named("second", "mbpp")]
    assert found.of("mbpp", digest="another file") == []


def test_the_same_score_is_not_added_again(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    assert append_run(history, run_named("nightly", id="abcdef"))
    assert not append_run(history, run_named("by hand", id="abcdef"))
    assert [run.name for run in read_history(history).runs] == ["nightly"]


def test_a_run_is_found_by_id_by_a_unique_prefix_of_it_and_by_name(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    for id, benchmark in (("aaaa1111", "old"), ("aaaa2222", "new")):
        append_run(history, run_named("mine", benchmark, id))
    assert find_run(history, "aaaa1111").benchmark == "old"
    assert find_run(history, "aaaa1").benchmark == "old"
    assert find_run(history, "mine").benchmark == "new"
    with pytest.raises(MindrailError, match="no run 'aaaa'"):  # a prefix of two ids
        find_run(history, "aaaa")
    with pytest.raises(MindrailError, match=r"no run 'yours'; the latest are aaaa2222 \(mine\)"):
        find_run(history, "yours")


@pytest.mark.parametrize(
    "line", ['{"name": "cut", "ti', '{"name": 1}', '{"pass_at_k": {"1": 5}}', "[]", "\0"]
)
def test_a_cut_line_is_skipped_and_counted(tmp_path: Path, line: str) -> None:
    history = tmp_path / "history.jsonl"
    append_run(history, run_named("first"))
    with history.open("a") as file:
        file.write(line)
    append_run(history, run_named("second"))
    found = read_history(history)
    assert [run.name for run in found.runs] == ["first", "second"]
    assert found.unreadable == 1


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    program = (
        "import sys; from pathlib import Path; from modelcore.evaluation.history import Run, append_run\n"
        "for i in range(60):\n"
        "    run = Run(f'{sys.argv[2]}{i}', sys.argv[2], '', '', '', '', {}, 'x' * 3000)\n"
        "    append_run(Path(sys.argv[1]), run)\n"
    )
    root = ROOT
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(history), name], cwd=root) for name in ("a", "b")
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    names = [run.name for run in read_history(history).runs]
    assert (names.count("a"), names.count("b")) == (60, 60)


def report(template: TemplateRecord | None) -> ScoreReport:
    conditions = Conditions(
        benchmark=BenchmarkRecord("tiny", "d1", 2),
        samples=SamplesRecord(1, "s1"),
        template=template,
        standalone=False,
        limits=Limits(),
        isolation="landlock",
        python={},
    )
    scores = (PassAtK(1, 0.5, 0.4, 0.6), PassAtK(10, 0.75, 0.5, 1.0))
    return ScoreReport(conditions, ("T/1", "T/2"), scores, {}, ())


def test_the_run_of_a_report_has_its_scores_and_conditions(tmp_path: Path) -> None:
    path = tmp_path / "score.json"
    path.write_bytes(b"{}")
    run = run_of(
        report(TemplateRecord("alpaca", 3, "fenced")),
        path,
        name="nightly",
        time="2026-01-01T00:00:00+00:00",
        checkpoint="ckpt",
        conditions={"decoding": "greedy", "isolation": "overridden"},
    )
    assert run == Run(
        id=hashlib.sha256(b"ckpt\0{}").hexdigest()[:10],
        name="nightly",
        time="2026-01-01T00:00:00+00:00",
        checkpoint="ckpt",
        benchmark="tiny",
        benchmark_digest="d1",
        pass_at_k={"1": (0.5, 0.4, 0.6), "10": (0.75, 0.5, 1.0)},
        report=str(path),
        conditions={"template": "alpaca v3", "isolation": "overridden", "missing": 2, "decoding": "greedy"},
    )


def test_a_run_without_a_template_or_further_conditions_has_none(tmp_path: Path) -> None:
    path = tmp_path / "score.json"
    path.write_bytes(b"{}")
    run = run_of(report(None), path, name="n", time="t", checkpoint="c")
    assert run.conditions == {"template": None, "isolation": "landlock", "missing": 2}


def test_a_line_of_the_history_is_the_run_as_json(tmp_path: Path) -> None:
    assert HISTORY == "history.jsonl"
    append_run(tmp_path / HISTORY, run_named("first"))
    (line,) = (tmp_path / HISTORY).read_text().splitlines()
    assert json.loads(line) == {
        "id": "id-first",
        "name": "first",
        "time": "2026-01-01T00:00:00Z",
        "checkpoint": "ckpt",
        "benchmark": "humaneval",
        "benchmark_digest": "d",
        "pass_at_k": {"1": [0.5, 0.4, 0.6]},
        "report": "score.json",
        "conditions": {"a": 1},
        "model": "",
        "data": "",
    }


def test_a_prefix_of_three_characters_is_not_an_id(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    append_run(history, run_named("mine", id="abcdef"))
    assert find_run(history, "abcd").id == "abcdef"
    with pytest.raises(MindrailError, match="no run 'abc'"):
        find_run(history, "abc")


def test_a_run_that_is_not_found_is_refused_with_the_latest_five(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    with pytest.raises(MindrailError) as error:
        find_run(history, "mine")
    assert str(error.value) == f"{history}: no run 'mine': the history is empty"
    for number in range(7):
        append_run(history, run_named(f"n{number}", id=f"id{number}"))
    with pytest.raises(MindrailError) as error:
        find_run(history, "mine")
    assert str(error.value) == (
        f"{history}: no run 'mine'; the latest are id6 (n6), id5 (n5), id4 (n4), id3 (n3), id2 (n2)"
    )


def test_a_line_from_before_models_were_recorded_is_read(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    append_run(history, run_named("new"))
    row = json.loads(history.read_text())
    del row["model"], row["data"]
    history.write_text(json.dumps(row) + "\n")
    assert read_history(history).runs == (run_named("new"),)
