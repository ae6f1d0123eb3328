"""`mindrail chat` in a real terminal: several lines, /system, and Ctrl-C that stops an answer alone."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli.main import command_line
from modelcore.errors import MindrailError
from tests.flows.cli.small_checkpoint import write_small_checkpoint
from tests.modelcore.serving.small_server import CHAT
from tests.paths import ROOT


class Terminal:
    """A program on a pseudo-terminal."""

    def __init__(self, arguments: list[str]) -> None:
        self._end, theirs = pty.openpty()
        environment = os.environ | {"TERM": "dumb"}
        self.program = subprocess.Popen(
            [sys.executable, "-m", "flows.cli.main", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=_own_terminal,
        )
        os.close(theirs)
        self.seen = b""

    def type(self, text: str) -> None:
        self.seen = b""
        os.write(self._end, text.encode())

    def wait_for(self, text: str, *, more: int = 0) -> str:
        """Read until `text` and `more` bytes after it were written."""
        deadline = time.monotonic() + 180
        while text.encode() not in self.seen or len(self.seen.partition(text.encode())[2]) < more:
            assert time.monotonic() < deadline, self.seen
            ready, _, _ = select.select([self._end], [], [], 1)
            if ready:
                try:
                    self.seen += os.read(self._end, 65536)
                except OSError:  # the program has ended
                    break
        assert text.encode() in self.seen, self.seen
        return self.seen.decode(errors="replace")


def _own_terminal() -> None:
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    checkpoint = write_small_checkpoint(tmp_path, context=4096, chat_template=CHAT)
    running = Terminal(
        ["chat", str(checkpoint), "--max-new-tokens", "3000", "--store", str(tmp_path / "store"), "--json"]
    )
    try:
        yield running
    finally:
        running.program.kill()
        running.program.wait()


@pytest.mark.long  # an answer must still run when it is stopped
@pytest.mark.ranks
def test_a_chat_remembers_forgets_and_stops_an_answer(terminal: Terminal) -> None:
    terminal.wait_for("> ")
    terminal.type("/system be brief\n")
    terminal.wait_for("> ")
    terminal.type('"""one\ntwo"""\n')
    terminal.wait_for('two"""', more=200)  # more than the terminal's echo: the answer has begun
    terminal.type("\x03")
    terminal.wait_for("(stopped)\r\n> ")
    terminal.type("/nonsense\n")
    terminal.wait_for("/nonsense is no command")
    terminal.type("half a line\x03")
    terminal.wait_for("(Ctrl-D or /exit ends)")
    terminal.type("/exit\n")
    output = terminal.wait_for('{"model"', more=1 << 30)  # to the end
    said = json.loads(output[output.index('{"model"') :])["messages"]
    assert terminal.program.wait(60) == 0
    assert [message["role"] for message in said] == ["system", "user", "assistant"]
    assert said[0]["content"] == "be brief" and said[1]["content"] == "one\ntwo"
    assert len(said[2]["content"]) > 10


def test_a_base_model_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    checkpoint = write_small_checkpoint(tmp_path)
    done = CliRunner().invoke(command_line, ["chat", str(checkpoint), "--store", str(tmp_path / "store")])
    assert isinstance(done.exception, MindrailError)
    assert str(done.exception).startswith("mindspore: has no chat template: a base model continues texts")
