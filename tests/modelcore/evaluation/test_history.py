from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.evaluation.history import Run, append_run, find_run, read_history
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
