"""Output appears whole or not at all, whenever the process dies, and nothing there is overwritten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modelcore.errors import MindrailError
from modelcore.store.atomic_output import atomic_directory, atomic_files, build_directory
from tests.paths import ROOT

ORIGIN = {"from": 1}


def fill(directory: Path) -> int:
    return (directory / "a").write_text("x")


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def only(name: str) -> Any:
    return lambda other: other == name


@pytest.fixture
def happened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was synced, renamed and linked, in order."""
    events: list[str] = []

    def record(module: Any, name: str, describe: Any) -> None:
        real = getattr(module, name)

        def recorded(*arguments: Any) -> Any:
            events.append(f"{name} {describe(*arguments)}")
            return real(*arguments)

        monkeypatch.setattr(module, name, recorded)

    record(os, "fsync", lambda descriptor: Path(f"/proc/self/fd/{descriptor}").readlink().name)
    record(os, "link", lambda source, destination: destination.name)
    record(Path, "replace", lambda source, destination: destination.name)
    return events


def test_a_directory_appears_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    assert atomic_directory(tmp_path / "deep" / "out", fill, origin=ORIGIN) == 1
    assert names(tmp_path / "deep") == ["out"]
    assert names(tmp_path / "deep" / "out") == ["a"]


def test_contents_are_on_the_disk_before_the_directory_gets_its_name(
    tmp_path: Path, happened: list[str]
) -> None:
    build_directory(tmp_path / "out", tmp_path / "out.partial", fill)
    assert happened == ["fsync a", "fsync out.partial", "replace out", f"fsync {tmp_path.name}"]


def test_what_is_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(MindrailError, match="there is something here already"):
        atomic_directory(tmp_path / "out", fill, origin={})
    (tmp_path / "file").write_text("mine")
    with pytest.raises(MindrailError, match="there is something here already"):
        atomic_directory(tmp_path / "file", fill, origin={})
    assert (tmp_path / "out" / "mine").read_text() == (tmp_path / "file").read_text() == "mine"
    assert names(tmp_path) == ["file", "out"]


def test_an_empty_directory_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    atomic_directory(tmp_path / "out", fill, origin={})
    assert (tmp_path / "out" / "a").read_text() == "x"


def test_a_command_that_died_is_resumed_and_one_with_another_origin_starts_over(tmp_path: Path) -> None:
    def dies(directory: Path) -> None:
        (directory / "half").write_text("1")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        atomic_directory(tmp_path / "out", dies, origin=ORIGIN)
    assert not (tmp_path / "out").exists()
    assert atomic_directory(tmp_path / "other", names, origin=ORIGIN) == []
    assert atomic_directory(tmp_path / "out", names, origin={"from": 2}) == []
    (tmp_path / "out").rmdir()
    assert atomic_directory(tmp_path / "out", names, origin=ORIGIN) == ["half"]


def test_what_an_earlier_version_left_is_resumed(tmp_path: Path) -> None:
    # Its name and the lock beside it are those of version 0.1.
    partial = tmp_path / "out.c5fee4fd29a7.partial"
    partial.mkdir()
    (partial / "half").write_text("1")
    (tmp_path / f".{partial.name}.lock").write_text("")
    assert atomic_directory(tmp_path / "out", names, origin=ORIGIN) == ["half"]
    assert names(tmp_path) == ["out"]


def test_a_command_that_refused_its_input_leaves_nothing(tmp_path: Path) -> None:
    def refuses(directory: Path) -> None:
        raise MindrailError("14 heads do not divide by 8")

    with pytest.raises(MindrailError, match="14 heads"):
        atomic_directory(tmp_path / "out", refuses, origin={})
    assert names(tmp_path) == []


def test_two_commands_at_once_are_one_and_a_refusal(tmp_path: Path) -> None:
    def inner(directory: Path) -> None:
        with pytest.raises(MindrailError, match=r"/out: another command is making this right now"):
            atomic_directory(tmp_path / "out", fill, origin={})

    atomic_directory(tmp_path / "out", inner, origin={})


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MindrailError, match=r"file/out: cannot write here"):
        atomic_directory(tmp_path / "file" / "out", fill, origin={})
    files = atomic_files(tmp_path / "file" / "out", belongs=only("out"))
    with pytest.raises(MindrailError, match=r"file/out: cannot write here"), files:
        pass


KILLED = """
import os, sys
from pathlib import Path
from modelcore.store.atomic_output import atomic_directory
def die(*rest): os.kill(os.getpid(), 9)
def fill(directory):
    (directory / "a").write_text("x")
    (directory / "b").write_text("y")
{point} = die
atomic_directory(Path(sys.argv[1]), fill, origin=dict())
"""


@pytest.mark.parametrize("point", ["Path.write_text", "os.fsync", "Path.replace"])
def test_whenever_a_command_is_killed_there_is_no_output_and_the_next_one_makes_it(
    tmp_path: Path, point: str
) -> None:
    command = [sys.executable, "-c", KILLED.replace("{point}", point), str(tmp_path / "out")]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    atomic_directory(tmp_path / "out", fill, origin={})
    assert (tmp_path / "out" / "a").read_text() == "x"
    assert names(tmp_path) == ["out"]


def test_a_file_appears_when_it_is_whole_and_those_beside_it_stay(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with atomic_files(tmp_path / "x.json", belongs=only("x.json")) as path:
        path.write_text("whole")
        assert not (tmp_path / "x.json").exists()
    assert names(tmp_path) == ["mine", "x.json"]
    assert (tmp_path / "x.json").read_text() == "whole"


def test_files_are_on_the_disk_before_they_appear_and_appear_in_order(
    tmp_path: Path, happened: list[str]
) -> None:
    order = {"a.rows": 1, "a.index": 0}
    with atomic_files(tmp_path / "a.rows", belongs=only("a.rows"), order=order.__getitem__) as path:
        for name in order:
            path.with_name(name).write_text(name)
    assert happened == [
        *("fsync a.index", "fsync a.rows", "link a.index", "link a.rows"),
        f"fsync {tmp_path.name}",
    ]


def test_a_file_that_belongs_to_the_output_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "x.report").write_text("mine")
    files = atomic_files(tmp_path / "x.json", belongs=lambda name: name.startswith("x."))
    with pytest.raises(MindrailError, match=r"/x.report: exists already; remove it or choose"), files:
        raise AssertionError
    assert names(tmp_path) == ["x.report"]


def test_a_file_that_appears_meanwhile_is_not_replaced_and_nothing_is_left(tmp_path: Path) -> None:
    files = atomic_files(tmp_path / "a", belongs=only("a"))
    with pytest.raises(MindrailError, match=r"/b: cannot be put here \(File exists\)"), files as path:
        for name in "abc":
            path.with_name(name).write_text("new")
        (tmp_path / "b").write_text("mine")
    assert names(tmp_path) == ["b"]
    assert (tmp_path / "b").read_text() == "mine"


def test_a_block_that_raises_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_files(tmp_path / "a", belongs=only("a")) as path:
        path.write_text("half")
        raise RuntimeError
    assert names(tmp_path) == []
