"""Records that were appended are read back, whenever the process is killed and whatever a crash cut."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from modelcore.errors import StepFailed
from modelcore.store.journal import Journal, append_once, read_journal, read_lines
from tests.paths import ROOT

RECORDS: list[Any] = [{"sample": 0, "text": "a\nb"}, [1, "passed", ""], {"text": "\ud800é", "loss": 1e-05}]
SUBJECT = {"fingerprint": "this run"}


def write(path: Path, records: list[Any], subject: Any = SUBJECT) -> None:
    with Journal(path, read_journal(path, subject), subject=subject) as journal:
        for record in records:
            journal.append(record)


def test_records_are_read_back_in_order_and_a_journal_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    assert read_journal(path, SUBJECT) == []
    write(path, RECORDS[:2])
    write(path, RECORDS[2:])
    assert read_journal(path, SUBJECT) == RECORDS


def test_the_file_is_one_json_line_per_record_after_the_subject(tmp_path: Path) -> None:
    write(tmp_path / "with", [[1, "x"]])
    write(tmp_path / "without", [{"step": 1}], subject=None)
    assert (tmp_path / "with").read_bytes() == b'{"fingerprint": "this run"}\n[1, "x"]\n'
    assert (tmp_path / "without").read_bytes() == b'{"step": 1}\n'
    assert read_journal(tmp_path / "without") == [{"step": 1}]


@pytest.mark.parametrize("other", [{"fingerprint": "another"}, "this run", {}])
def test_records_about_another_subject_do_not_count_and_are_dropped(tmp_path: Path, other: Any) -> None:
    path = tmp_path / "journal"
    write(path, RECORDS, subject=other)
    assert read_journal(path, SUBJECT) == []
    write(path, [])
    assert read_lines(path).records == [SUBJECT]


def test_wherever_the_file_is_cut_the_records_before_are_read_and_the_rest_can_be_appended(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal"
    write(path, RECORDS)
    whole = path.read_bytes()
    ends = [at for at, byte in enumerate(whole) if byte == ord("\n")]
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        complete = sum(length >= end for end in ends[1:]) if length >= ends[0] else 0
        assert read_journal(path, SUBJECT) == RECORDS[:complete], length
        write(path, RECORDS[complete:])
        assert path.read_bytes() == whole, length


@pytest.mark.parametrize("line", [b"\0\0\0\0", b'{"a": 1', b"\xff\xfe", b"[" * 100_000, b"   "])
def test_a_line_that_is_not_json_costs_only_itself(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "journal"
    write(path, RECORDS)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:2], line, *lines[2:], b""]))
    assert read_journal(path, SUBJECT) == RECORDS
    assert read_lines(path).unreadable == bool(line.strip())


APPEND = """
import sys
from pathlib import Path
from modelcore.store.journal import Journal, read_journal
path, size = Path(sys.argv[1]), int(sys.argv[2])
records = read_journal(path, "numbers")
with Journal(path, records, subject="numbers") as journal:
    print("open", flush=True)
    for number in range(len(records), 10**9):
        journal.append([number, str(number) * (size // len(str(number)))])
"""


@pytest.mark.parametrize("size", [20, 3_000_000])
def test_a_process_killed_at_any_moment_loses_at_most_the_record_it_was_writing(
    tmp_path: Path, size: int
) -> None:
    path, complete = tmp_path / "journal", 0
    for kill_after in (0, size // 2, size + 1, 3 * size, 4 * size + size // 2):
        command = [sys.executable, "-c", APPEND, str(path), str(size)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as child:
            assert child.stdout is not None and child.stdout.readline() == b"open\n"
            begun = path.stat().st_size
            while path.stat().st_size < begun + kill_after:
                assert child.poll() is None
            os.kill(child.pid, signal.SIGKILL)
        records = read_journal(path, "numbers")
        assert len(records) >= complete
        assert [record[0] for record in records] == [*range(len(records))]
        assert read_lines(path).unreadable <= 1
        complete = len(records)
    assert complete >= 4


@pytest.mark.parametrize("step", ["Path.write_bytes", "os.fsync", "Path.replace"])
def test_a_process_killed_while_it_reopens_a_journal_loses_no_record(tmp_path: Path, step: str) -> None:
    path = tmp_path / "journal"
    write(path, RECORDS)
    program = (
        "import os, sys; from pathlib import Path; from modelcore.store.journal import Journal\n"
        "def die(*rest, **more): os.kill(os.getpid(), 9)\n"
        f"{step} = die\n"
        "Journal(Path(sys.argv[1]), [], subject='another')"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(path)], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert read_journal(path, SUBJECT) == RECORDS


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_record_that_finds_no_room_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, [], subject=SUBJECT) as journal:
        journal.append([1])
        before = path.read_bytes()
        with at_most(len(before) + 10), pytest.raises(StepFailed, match="journal: the disk is full"):
            journal.append(["x" * 100])
        assert path.read_bytes() == before
        journal.append([2])
    assert read_journal(path, SUBJECT) == [[1], [2]]


def test_what_was_synced_is_sent_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    with Journal(tmp_path / "journal", []) as journal:
        monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
        journal.append([1])
        assert synced == []
        journal.sync()
    assert synced == [4]


def test_a_shared_file_gets_a_record_once(tmp_path: Path) -> None:
    path = tmp_path / "history"
    assert append_once(path, {"id": "a"}, is_same=lambda row: row["id"] == "a")
    assert append_once(path, {"id": "b"}, is_same=lambda row: row["id"] == "b")
    assert not append_once(path, {"id": "a", "new": 1}, is_same=lambda row: row["id"] == "a")
    assert path.read_text() == '{"id": "a"}\n{"id": "b"}\n'


def test_a_cut_line_of_a_shared_file_is_ended_and_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_bytes(b'{"id": "a"}\n{"id": "b", "ti')
    append_once(path, {"id": "c"}, is_same=lambda row: False)
    assert path.read_bytes() == b'{"id": "a"}\n{"id": "b", "ti\n{"id": "c"}\n'
    assert read_lines(path) == ([{"id": "a"}, {"id": "c"}], 1)


def test_a_last_record_without_a_newline_counts(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_bytes(b'{"id": "a"}')
    assert not append_once(path, {"id": "a"}, is_same=lambda row: row["id"] == "a")
    assert read_lines(path) == ([{"id": "a"}], 0)


def test_a_shared_record_is_on_the_disk_when_the_call_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, bytes]] = []

    def fsync(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        synced.append((name, (tmp_path / "history").read_bytes()))

    monkeypatch.setattr(os, "fsync", fsync)
    append_once(tmp_path / "history", {"id": "a"}, is_same=lambda row: False)
    line = json.dumps({"id": "a"}).encode() + b"\n"
    assert synced == [("history", line), (tmp_path.name, line)]


def test_a_long_file_is_put_aside_and_continues_with_its_newer_half(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    for number in range(100):
        append_once(path, {"number": number}, is_same=lambda record: False, rotate_at=900)
    numbers = [record["number"] for record in read_lines(path).records]
    aside = [record["number"] for record in read_lines(tmp_path / "history.1.jsonl").records]
    assert numbers == list(range(numbers[0], 100)) and path.stat().st_size <= 1_000
    assert aside[-1] >= numbers[0] - 1 and aside == sorted(set(aside))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["history.1.jsonl", "history.jsonl"]
