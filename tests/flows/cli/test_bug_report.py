"""A command that ends by a bug says so in one line and leaves the traceback in a file."""

from __future__ import annotations

import errno
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from flows.cli import command
from flows.cli.main import command_line


@click.command()
def broken() -> None:
    raise KeyError("a\nb" * 100_000)


@click.command()
def unnamed() -> None:
    raise OSError(errno.ENAMETOOLONG, "File name too long", "n" * 100_000)


def ended(monkeypatch: pytest.MonkeyPatch, ran: click.Command) -> int:
    monkeypatch.setattr(command, "command_line", ran)
    monkeypatch.setattr(sys, "argv", ["mindrail"])
    with pytest.raises(SystemExit) as caught:
        command.main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_a_bug_is_one_line_and_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert ended(monkeypatch, broken) == 1
    line = capsys.readouterr().err
    (report,) = tmp_path.iterdir()
    assert (
        line == f"mindrail: a bug in mindrail (KeyError); the report is in {report}; please send it to us\n"
    )
    assert "Traceback" in report.read_text() and "raise KeyError" in report.read_text()


def test_a_bug_whose_report_cannot_be_written_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    assert ended(monkeypatch, broken) == 1
    printed = capsys.readouterr().err
    assert "raise KeyError" in printed
    assert printed.splitlines()[-1].startswith("mindrail: a bug in mindrail (KeyError); its report could not")


def test_a_path_that_the_system_does_not_take_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, unnamed) == 2
    line = capsys.readouterr().err
    assert line.endswith("nnn: File name too long\n") and len(line) <= 301


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, one in group.commands.items():
        if isinstance(one, click.Group):
            yield from leaves(one, (*path, name))
        else:
            yield (*path, name), one


LEAVES = tuple(leaves(command_line))


@pytest.mark.parametrize(("path", "leaf"), LEAVES, ids=[" ".join(path) for path, _ in LEAVES])
def test_every_command_ends_with_one_line(
    path: tuple[str, ...],
    leaf: click.Command,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    def failing(context: click.Context) -> None:
        raise RecursionError("a bug\x1b[2J\n" * 1000)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(leaf, "invoke", failing)
    monkeypatch.setattr(leaf, "parse_args", lambda context, arguments: [])
    monkeypatch.setattr(sys, "argv", ["mindrail", *path])
    with pytest.raises(SystemExit) as caught:
        command.main()
    printed = capsys.readouterr()
    assert caught.value.code == 1 and printed.out == ""
    assert printed.err.startswith("mindrail: a bug in mindrail (RecursionError); the report is in ")
    assert len(printed.err.splitlines()) == 1 and len(printed.err) <= 301
    assert "Traceback" in next(tmp_path.iterdir()).read_text()
