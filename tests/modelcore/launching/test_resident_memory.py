from __future__ import annotations

import subprocess
import sys

from modelcore.launching.resident_memory import highest_resident_bytes

PROGRAM = """
import os, sys
b"x" * int(sys.argv[2])
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
PRINT = "from modelcore.launching.resident_memory import highest_resident_bytes as h; print(h())"


def test_memory_that_was_given_back_counts():
    before = highest_resident_bytes()
    block = b"x" * before
    del block
    assert before < highest_resident_bytes() < 4 * before


def test_a_program_does_not_count_what_its_process_held_before_it():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, PRINT, str(200 << 20)], capture_output=True, text=True, check=True
    )
    assert 1 << 20 < int(done.stdout) < 200 << 20
