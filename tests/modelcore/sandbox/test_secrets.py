"""A completion's process holds nothing of its caller: all of its readable memory is searched."""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from modelcore.errors import MindrailError
from modelcore.sandbox.limits import Limits
from modelcore.sandbox.pool import Pool
from modelcore.sandbox.sample import Sample

TOKENS = (
    "environment",
    "heap",
    "argument",
    "loader",
    "an earlier program",
    "an earlier test",
    "an earlier helper",
    "an earlier answer",
    "its own test",
    "its program",
)


def readable_memory(pid: int) -> Iterator[bytes]:
    """Yield the contents of every readable mapping of a process."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            bounds, rights, *_ = line.split()
            begin, end = (int(bound, 16) for bound in bounds.split("-"))
            if rights.startswith("r") and "[v" not in line:  # vvar and vsyscall cannot be read this way
                memory.seek(begin)
                yield memory.read(end - begin)


def found_in(pid: int, tokens: dict[str, str]) -> set[str]:
    wanted = {name: token.encode() for name, token in tokens.items()}
    return {name for part in readable_memory(pid) for name, token in wanted.items() if token in part}


def completions() -> list[int]:
    """Return the processes of completions: of the running one and of that prefetched for the next sample."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            found += [process.pid] if process.name() == "completion" else []
        except psutil.NoSuchProcess:
            continue
    return found


def searched_while_running(tokens: dict[str, str]) -> set[str]:
    """Return what is in the memory of the completions, once one of them has its program."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        leaked = {name for pid in completions() for name in found_in(pid, tokens)}
        if "its program" in leaked:
            return leaked
    return set()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read the memory of a confined process")
@pytest.mark.parametrize("level", ["namespaces", "landlock"])
def test_nothing_of_the_caller_and_of_other_samples_is_in_its_memory(
    level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = {name: secrets.token_hex(20) for name in TOKENS}
    monkeypatch.setattr(sys, "argv", ["mindrail", tokens["argument"]])
    monkeypatch.setenv("SECRET_TOKEN", tokens["environment"])
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/{tokens['loader']}")
    earlier = Sample(
        f"def f(x):\n    '{tokens['an earlier program']}'\n    return '{tokens['an earlier answer']}'\n",
        f"helper = '{tokens['an earlier helper']}'\n",
        f"def check(f):\n    assert len(f(0)) == 40, '{tokens['an earlier test']}'\n",
        "f",
        "seed",
    )
    sleeping = Sample(
        f"import time\ndef f(x):\n    '{tokens['its program']}'\n    time.sleep(30)\n",
        "",
        f"def check(f):\n    assert f(0) == '{tokens['its own test']}'\n",
        "f",
        "seed",
    )
    try:
        pool = Pool(workers=1, limits=Limits(seconds=2.0), level=level)
    except MindrailError as unavailable:
        pytest.skip(str(unavailable))
    with pool:
        ((_, outcome),) = pool.run([(0, earlier)])
        assert outcome.passed
        running = threading.Thread(target=lambda: list(pool.run([(1, sleeping)])))
        running.start()
        leaked = searched_while_running(tokens)
        running.join()
    assert leaked == {"its program"}
