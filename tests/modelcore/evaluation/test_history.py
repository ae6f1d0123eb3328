from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.evaluation.history import Run, append_run, find_run, list_runs


def run_named(name: str, benchmark: str = "humaneval") -> Run:
    return Run(
        name, "2026-01-01T00:00:00Z", "ckpt", benchmark, {"1": (0.5, 0.4, 0.6)}, "score.json", {"a": 1}
    )


def test_runs_are_listed_in_the_order_they_were_added(tmp_path: Path) -> None:
    history = tmp_path / "deep" / "history.jsonl"
    assert list_runs(history) == []
    append_run(history, run_named("first"))
    append_run(history, run_named("second", "mbpp"))
    assert list_runs(history) == [run_named("first"), run_named("second", "mbpp")]
    assert list_runs(history, benchmark="mbpp") == [run_named("second", "mbpp")]


def test_the_latest_run_of_a_name_is_found(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    for benchmark in ("old", "new"):
        append_run(history, run_named("mine", benchmark))
    assert find_run(history, "mine").benchmark == "new"
    with pytest.raises(MindrailError, match="no run named 'yours'; the last ones are: mine"):
        find_run(history, "yours")


def test_a_line_torn_by_a_crash_costs_only_itself(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    append_run(history, run_named("first"))
    with history.open("a") as file:
        file.write('{"name": "torn", "ti')
    append_run(history, run_named("second"))
    assert [run.name for run in list_runs(history)] == ["first", "second"]


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    program = (
        "import sys; from pathlib import Path; from modelcore.evaluation.history import Run, append_run\n"
        "for i in range(200):\n"
        "    append_run(Path(sys.argv[1]), Run(sys.argv[2], '', '', '', {}, 'x' * 3000))\n"
    )
    root = Path(__file__).resolve().parents[3]
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(history), name], cwd=root) for name in ("a", "b")
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    names = [run.name for run in list_runs(history)]
    assert (names.count("a"), names.count("b")) == (200, 200)
