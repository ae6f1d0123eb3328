"""Runs a small sample in one process, to warm up the code that every sample runs, before any is forked.

The interpreter rewrites code that has run a few times into a faster form. Forked processes inherit that
form and do not have to produce it again in memory of their own.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress

from modelcore.sandbox.completion import serve
from modelcore.sandbox.harness import prepare, run_tests
from modelcore.sandbox.plain import pack
from modelcore.sandbox.remote import Completion
from modelcore.sandbox.sample import Sample
from modelcore.sandbox.wire import send

__all__ = ["warm_up"]

_ROUNDS = 12  # the interpreter specialises code after 8
_ANSWER_BYTES = 1 << 16
_VALUES = (1, 2.5, "text", True, [1, "a", [2.5]], (1, "a"), {"a": 1})
_SAMPLE = Sample(
    program="def f(x):\n return x\n",
    helpers="import math\ndef f(x):\n",
    test=f"def check(f):\n for x in {_VALUES!r}:\n  assert f(x) == x\n",
    entry_point="f",
    seed="",
)


def warm_up() -> None:
    """Run the completion's side on requests written beforehand, then the tests on its answers."""
    for _ in range(_ROUNDS):
        prepare(_SAMPLE)
        tests, program = socket.socketpair()
        with tests, program:
            send(tests.fileno(), {"program": _SAMPLE.program, "processors": list(os.sched_getaffinity(0))})
            for value in _VALUES:
                args = [pack(value, id)]
                send(tests.fileno(), {"operation": "call", "args": args, "keywords": {}, "function": "f"})
            program.setblocking(False)
            with suppress(BlockingIOError):  # no more requests
                serve(program.fileno())
            assert run_tests(_SAMPLE, Completion(tests.fileno(), _ANSWER_BYTES)).passed
    del sys.modules["completion"]
