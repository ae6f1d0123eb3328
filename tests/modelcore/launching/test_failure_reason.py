from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modelcore.launching.failure_reason import failure_reason, last_line

NOISE = (
    "[WARNING] DISTRIBUTED(7575,7f34b4e6eb80,python):2026-11-21-01:47:56.698.052 "
    "[mindspore/ccsrc/cluster/meta_server_node.cc:58] Initialize] Begin to Initialize MetaServerNode.\n"
)


def log_of(tmp_path: Path, text: str) -> Path:
    log = tmp_path / "worker_0.log"
    log.write_text(text)
    return log


def test_an_exception_is_reported_with_the_place_where_it_was_raised(tmp_path: Path) -> None:
    program = tmp_path / "train.py"
    program.write_text("def step():\n    raise ValueError('loss is nan')\n\nstep()\n")
    shown = subprocess.run([sys.executable, program], capture_output=True, text=True).stderr
    log = log_of(tmp_path, "step 1\n" + shown + NOISE)
    assert failure_reason(log) == "ValueError: loss is nan (step at train.py:2)"


def test_of_chained_exceptions_the_last_is_reported(tmp_path: Path) -> None:
    code = (
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise RuntimeError('no step') from error\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr
    assert failure_reason(log_of(tmp_path, shown)).startswith(
        "RuntimeError: no step (<module> at <string>:4)"
    )


def test_the_framework_developers_part_of_a_mindspore_exception_is_left_out(tmp_path: Path) -> None:
    text = (
        'Traceback (most recent call last):\n  File "/x/step.py", line 7, in construct\n    y = f(x)\n'
        "RuntimeError: Call rt_api failed\n\n----------\n- C++ Call Stack: (For framework developers)\n"
        "----------\nmindspore/ccsrc/a.cc:73 Run\n"
    )
    assert (
        failure_reason(log_of(tmp_path, text)) == "RuntimeError: Call rt_api failed (construct at step.py:7)"
    )


def test_a_fatal_signal_is_reported_with_the_innermost_calls(tmp_path: Path) -> None:
    code = "import os\ndef collective():\n    os.abort()\ndef step():\n    collective()\nstep()\n"
    shown = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code], capture_output=True, text=True
    ).stderr
    assert failure_reason(log_of(tmp_path, shown)) == (
        "Fatal Python error: Aborted, in "
        "collective at <string>:3 < step at <string>:5 < <module> at <string>:6"
    )


def test_without_an_exception_the_last_lines_are_reported_without_mindspores_own(tmp_path: Path) -> None:
    log = log_of(tmp_path, "one\ntwo\n\nthree\n" + NOISE + "four\n" + NOISE)
    assert failure_reason(log) == "two / three / four"


def test_an_error_that_mindspore_logged_is_reported_without_its_prefix(tmp_path: Path) -> None:
    log = log_of(tmp_path, NOISE + NOISE.replace("WARNING", "ERROR").replace("Begin", "Failed"))
    assert failure_reason(log) == "Failed to Initialize MetaServerNode."


@pytest.mark.parametrize("text", ["", "\n\n", NOISE])
def test_a_process_that_wrote_nothing_is_said_to_have_done_so(tmp_path: Path, text: str) -> None:
    assert failure_reason(log_of(tmp_path, text)) == "it wrote nothing"
    assert last_line(log_of(tmp_path, text)) == "it wrote nothing"


def test_words_are_one_short_printable_line_whatever_the_log_holds(tmp_path: Path) -> None:
    log = tmp_path / "worker_0.log"
    log.write_bytes(b"\x1b[31mred\xff\xfe\x00 " + b"x" * 1_000_000)
    words = failure_reason(log)
    assert words.isprintable()
    assert len(words) <= 400


def test_the_last_line_is_the_one_before_what_mindspore_writes_at_exit(tmp_path: Path) -> None:
    log = log_of(tmp_path, "loading\nplan.json: no key 'steps'\n" + NOISE)
    assert last_line(log) == "plan.json: no key 'steps'"


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    first, rest = "Traceback (most recent call last):\nValueError: too early\n", "step\n" * 20_000
    assert failure_reason(log_of(tmp_path, first + rest)) == "step / step / step"
    assert failure_reason(log_of(tmp_path, first + rest[:50_000])) == "ValueError: too early"


def test_an_exception_without_a_call_is_reported_alone(tmp_path: Path) -> None:
    text = "Traceback (most recent call last):\nmy.Error\n"
    assert failure_reason(log_of(tmp_path, text)) == "my.Error"


def test_a_traceback_without_an_exception_is_not_one(tmp_path: Path) -> None:
    text = "Traceback (most recent call last):\n  ...\n  cut off"
    assert failure_reason(log_of(tmp_path, text)) == "Traceback (most recent call last): / ... / cut off"


FATAL = "Fatal Python error: Segmentation fault"
CALLS = "".join(f'  File "/x/a.py", line {n} in f{n}\n' for n in range(1, 6))


def test_of_the_threads_at_a_fatal_signal_the_current_one_counts(tmp_path: Path) -> None:
    other = 'Thread 0x1 (most recent call first):\n  File "/x/b.py", line 9 in wait\n'
    current = "Current thread 0x2 (most recent call first):\n" + CALLS
    expected = FATAL + ", in f1 at a.py:1 < f2 at a.py:2 < f3 at a.py:3"
    assert failure_reason(log_of(tmp_path, f"{FATAL}\n\n{other}\n{current}")) == expected
    earlier = 'Current thread is what the program wrote itself\n  File "/x/c.py", line 1 in g\n'
    assert failure_reason(log_of(tmp_path, f"{earlier}{FATAL}\n{CALLS}")) == expected


def test_a_fatal_signal_without_a_stack_is_reported_alone(tmp_path: Path) -> None:
    assert failure_reason(log_of(tmp_path, f"{FATAL}\n<no Python frame>\n")) == FATAL


@pytest.mark.parametrize(("length", "shown"), [(399, 399), (400, 400), (401, 400), (5000, 400)])
def test_a_long_line_is_shortened_with_an_ellipsis(tmp_path: Path, length: int, shown: int) -> None:
    reason = failure_reason(log_of(tmp_path, "x" * length))
    assert len(reason) == shown
    assert reason.endswith(" …") == (length > 400)
