"""Output that is there whole or not at all, whenever the process dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from modelcore.data.mindrecord.output import atomic_rows
from modelcore.errors import MindrailError
from tests.paths import ROOT

FILES = ("x.mindrecord", "x.mindrecord.db", "x.report.json", "x.validation.mindrecord")

KILLED_AT = """
import os, signal, sys
from pathlib import Path
from modelcore.data.mindrecord.output import atomic_rows
link, left = os.link, int(sys.argv[2])
def counted(*paths):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    link(*paths)
os.link = counted
with atomic_rows(Path(sys.argv[1])) as path:
    for name in sys.argv[3:]:
        path.with_name(name).write_text("first")
"""


def make(destination: Path, text: str) -> None:
    with atomic_rows(destination) as path:
        for name in FILES:
            path.with_name(name).write_text(text)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_all_files_appear_and_nothing_else(tmp_path: Path) -> None:
    make(tmp_path / "deep" / "x.mindrecord", "a")
    assert names(tmp_path / "deep") == sorted(FILES)


@pytest.mark.parametrize("placed", range(len(FILES)))
def test_a_run_that_was_killed_while_placing_is_undone_by_the_next(tmp_path: Path, placed: int) -> None:
    out = tmp_path / "x.mindrecord"
    command = [sys.executable, "-c", KILLED_AT, str(out), str(placed), *FILES]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    there = set(names(tmp_path))
    # A MindRecord that can be seen has its index.
    assert "x.mindrecord" not in there or "x.mindrecord.db" in there
    make(out, "second")
    assert names(tmp_path) == sorted(FILES)
    assert {(tmp_path / name).read_text() for name in FILES} == {"second"}


def test_a_run_that_was_killed_when_all_was_placed_has_made_its_output(tmp_path: Path) -> None:
    out = tmp_path / "x.mindrecord"
    make(out, "first")
    remains = tmp_path / ".x.mindrecord.partial"
    remains.mkdir()
    for name in FILES:
        os.link(tmp_path / name, remains / name)
    with pytest.raises(MindrailError, match="exists already"):
        make(out, "second")
    assert names(tmp_path) == sorted(FILES)
    assert out.read_text() == "first"


def test_two_at_once_do_not_mix(tmp_path: Path) -> None:
    out = tmp_path / "x.mindrecord"
    with atomic_rows(out) as path:
        path.write_text("mine")
        with pytest.raises(MindrailError, match="another command is making this right now"), atomic_rows(out):
            pass
    assert out.read_text() == "mine"
    assert names(tmp_path) == ["x.mindrecord"]
