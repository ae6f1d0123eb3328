from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys
from modelcore.launching.rank_exit import exit_rank
atexit.register(print, "taken down")
print("written")
exit_rank(int(sys.argv[1]))
"""


def run(code: int, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("code", [0, 2])
def test_a_supervised_rank_leaves_with_its_code_and_output_and_takes_nothing_down(code: int):
    ended = run(code, MINDRAIL_PROGRESS="progress.json")
    assert (ended.returncode, ended.stdout) == (code, "written\n")


@pytest.mark.parametrize("code", [0, 2])
def test_a_rank_without_a_supervisor_ends_as_any_program_does(code: int):
    ended = run(code)
    assert (ended.returncode, ended.stdout) == (code, "written\ntaken down\n")
