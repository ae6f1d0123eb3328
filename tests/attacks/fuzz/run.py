"""`make fuzz`: tries changed inputs on every reader for a time, and prints a table of what happened.

Each reader runs in a process of its own with a limit on memory, each input with one on time. An input that
gets an answer of a new kind is kept in `.fuzz/<reader>/corpus` and changed further, this time and the next;
one that ends in anything but a MindrailError, or takes longer than `SLOWEST` seconds, is kept in
`.fuzz/<reader>/crashes`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from modelcore.errors import LONGEST_LINE, MindrailError
from modelcore.store.journal import Journal, read_journal

from .corpora import kept, workshop
from .mutate import mutated
from .readers import READERS, Reader

SLOWEST = 5
"""Seconds of processor time that an input may take."""

_LONGEST_WAIT = 120

MOST_MEMORY = 2 << 30
_CALLS = 4


@dataclass
class Result:
    """What happened to the inputs of one reader; processor time in s, memory above the start in MB."""

    reader: str
    inputs: int = 0
    refused: int = 0
    kinds: int = 0
    crashes: int = 0
    slowest: float = 0.0
    memory: int = 0


class TooSlow(BaseException):
    """An input took longer than `SLOWEST`; not an `Exception`, so that no reader catches it."""


def main() -> int:
    """Fuzz the readers that were named, or all; return 1 if one of them crashed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("readers", nargs="*", metavar="READER")
    arguments = parser.parse_args()
    chosen = [reader for reader in READERS if not arguments.readers or reader.name in arguments.readers]
    results = [_in_a_process(reader, arguments.seconds) for reader in chosen]
    print("| reader | inputs | refused | kinds of answer | crashes | slowest, s | memory, MB |")
    print("|---|---|---|---|---|---|---|")
    for one in results:
        cells = (
            one.reader,
            one.inputs,
            one.refused,
            one.kinds,
            one.crashes,
            f"{one.slowest:.2f}",
            one.memory,
        )
        print("| " + " | ".join(map(str, cells)) + " |")
    return int(any(one.crashes for one in results))


def _in_a_process(reader: Reader, seconds: float) -> Result:
    place = workshop(reader)
    for name in ("corpus", "crashes"):
        (place / name).mkdir(parents=True, exist_ok=True)
    notes = place / "result.jsonl"
    reader.seeds()  # made once, before memory is measured
    child = os.fork()
    if child == 0:
        _fuzz_and_exit(reader, seconds, place, notes)
    _, status = os.waitpid(child, 0)
    records = read_journal(notes)
    result = Result(**records[-1]) if records else Result(reader.name)
    if status != 0:
        result.crashes += 1
        print(f"{reader.name}: the process ended with status {status}", file=sys.stderr)
    return result


def _fuzz_and_exit(reader: Reader, seconds: float, place: Path, notes: Path) -> NoReturn:
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        result = _fuzz(reader, seconds, place)
        with Journal(notes, []) as journal:
            journal.append(asdict(result))
        os._exit(0)
    except BaseException:  # noqa: BLE001  a mistake of this program, which must not return into its parent's code
        traceback.print_exc()
        os._exit(1)


def _fuzz(reader: Reader, seconds: float, place: Path) -> Result:
    chance = random.Random()
    earlier = [path.read_bytes() for path in sorted((place / "corpus").iterdir())]
    seeds = [*reader.seeds(), *kept(reader), *earlier]
    result, kinds = Result(reader.name), set[str]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.signal(signal.SIGALRM, _too_slow)
    signal.signal(signal.SIGPROF, _too_slow)
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as directory:
        while time.monotonic() < end:
            data = mutated(seeds, chance)
            started = time.process_time()
            kind = _tried(reader, data, Path(directory))
            result.slowest = max(result.slowest, time.process_time() - started)
            result.inputs += 1
            result.refused += kind.startswith("refused")
            if kind not in kinds:
                kinds.add(kind)
                _keep(place / ("crashes" if kind.startswith("crash") else "corpus"), data, kind)
                seeds.append(data)
            result.crashes += kind.startswith("crash")
    result.kinds = len(kinds)
    result.memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    return result


def _tried(reader: Reader, data: bytes, directory: Path) -> str:
    """Return the kind of answer to an input: read, refused by certain lines of code, or a crash at some."""
    signal.setitimer(signal.ITIMER_PROF, SLOWEST)
    signal.alarm(_LONGEST_WAIT)
    try:
        reader.read(data, directory)
    except MindrailError as error:
        line = str(error)
        is_good = len(line) <= LONGEST_LINE and line.isprintable()
        return ("refused" if is_good else f"crash: a line of {len(line)} characters") + _raised_at(error)
    except reader.refusals as error:
        return "refused" + _raised_at(error)
    except (Exception, TooSlow) as error:  # noqa: BLE001  that is what is looked for
        return f"crash: {type(error).__name__}" + _raised_at(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
    return "read"


def _raised_at(error: BaseException) -> str:
    """Return the last calls that led to an error: for a fuzzer, how much of the reader an input has seen."""
    calls = traceback.extract_tb(error.__traceback__)[-_CALLS:]
    cause = f" of {type(error.__cause__).__name__}" if error.__cause__ else ""
    return cause + "".join(f" < {Path(call.filename).name}:{call.lineno}" for call in reversed(calls))


def _too_slow(*_: object) -> NoReturn:
    raise TooSlow


def _keep(directory: Path, data: bytes, kind: str) -> None:
    path = directory / hashlib.sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    if directory.name == "crashes":
        print(f"{kind}: {path}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
