"""A command that ends by a bug says so in one line and leaves the traceback in a file."""

from __future__ import annotations

import errno
import sys
import tempfile
from pathlib import Path

import click
import pytest

from flows.cli import command


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
