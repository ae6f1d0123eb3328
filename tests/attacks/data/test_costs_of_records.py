"""Lines of JSON that are made to cost memory: what is refused takes little, however it is written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

PROGRAM = """
import sys
from pathlib import Path
from modelcore.data.sources.json_records import read_records
from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.evaluation.history import read_history
from modelcore.generation.plan import read_prompts
readers = {
    "records": lambda path: sum(1 for _ in read_records(path)),
    "benchmark": load_benchmark,
    "history": read_history,
    "prompts": read_prompts,
}
def highest():  # ru_maxrss has that of the process before exec, too
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
before = highest()
try:
    print(readers[sys.argv[1]](Path(sys.argv[2])), "read")
except MindrailError as error:
    print(error)
print(highest() - before >> 10)
"""
FIFTEEN = 15 << 20
EXPENSIVE = {
    "empty lists": ("[" + "[]," * (FIFTEEN // 3) + "[]]", "too many values"),
    "empty objects beside an emoji": ('["😀"' + ",{}" * (FIFTEEN // 3) + "]", "too many values"),
    "commas in a text": (f'"{"," * FIFTEEN}"', "1 read"),
    "escapes": ('"' + '[\\\\\\"' * (FIFTEEN // 5) + '"', "1 read"),
    "short texts": ("[" + '"",' * (FIFTEEN // 3) + '""]', "too many values"),
    "texts without end": (',"' * (FIFTEEN // 2), "invalid JSON"),
}


def reading(reader: str, source: Path) -> tuple[str, int]:
    """Return what a fresh interpreter printed that read a file, and the MB that it took."""
    command = [sys.executable, "-c", PROGRAM, reader, str(source)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    printed, megabytes = done.stdout.splitlines()
    return printed, int(megabytes)


@pytest.mark.parametrize("form", ['{{"text": {}}}\n', '[{{"text": {}}}]'], ids=["line", "list"])
@pytest.mark.parametrize("attack", EXPENSIVE)
def test_a_record_of_15_mb_takes_little_memory(tmp_path: Path, attack: str, form: str) -> None:
    value, outcome = EXPENSIVE[attack]
    source = tmp_path / "s"
    source.write_text(form.format(value), encoding="utf-8")
    printed, megabytes = reading("records", source)
    assert outcome in printed and megabytes < 300


@pytest.mark.parametrize(
    ("reader", "outcome"),
    [("benchmark", "no problems"), ("history", "History(runs=()"), ("prompts", "holds no prompts")],
)
def test_45_mb_of_empty_lines_take_little_memory(tmp_path: Path, reader: str, outcome: str) -> None:
    source = tmp_path / "s.jsonl"
    source.write_bytes(b"\n" * (45 << 20))
    printed, megabytes = reading(reader, source)
    assert outcome in printed and megabytes < 300


def test_a_line_of_a_history_takes_little_memory(tmp_path: Path) -> None:
    source = tmp_path / "history.jsonl"
    source.write_text("[" + "[]," * (FIFTEEN // 3) + "[]]\n")
    printed, megabytes = reading("history", source)
    assert "unreadable=1" in printed and megabytes < 300
