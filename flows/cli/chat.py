"""The command that talks with a checkpoint in the terminal: `chat`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.command import as_json, command_line, emit, store_option
from flows.cli.ready_checkpoint import name_of, ready_checkpoint
from flows.cli.section_options import option_of, section_options
from modelcore.config.evaluation import Decoding
from modelcore.config.serving import Loading
from modelcore.errors import MindrailError, escaped_lines

if TYPE_CHECKING:
    from modelcore.serving.conversation import Conversation

__all__ = ["chat"]

_HELP = """/reset          forget what was said
/system TEXT    begin anew with another system text
/help           this list
/exit, Ctrl-D   end
Several lines: put \"\"\" before the first and after the last. Ctrl-C stops an answer."""
_QUOTES = '"""'
_SAMPLING = ("max_new_tokens", "temperature", "top_p", "top_k", "repetition_penalty")


@command_line.command()
@click.argument("checkpoint")
@click.option("--system", default="", help="Text before the conversation; the template's own if not given.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Seed of sampled answers.")
@section_options(Decoding, "decoding", leave_out=set(Decoding.model_fields) - set(_SAMPLING))
@option_of(Loading, "context")
@option_of(Loading, "precision")
@store_option
@as_json
def chat(
    checkpoint: str,
    system: str,
    seed: int,
    decoding: Decoding,
    context: int,
    precision: str,
    store: Path | None,
    as_json: bool,
) -> None:
    """Talk with CHECKPOINT, as its own chat template puts it.

    CHECKPOINT is named as for `serve` and must be an instruct model. Answers stream; Ctrl-C stops an answer,
    Ctrl-D ends the chat, /help lists the rest. With --json, what was said is printed at the end.
    """
    os.environ.setdefault("GLOG_v", "3")  # MindSpore's warnings are not about the user's input
    from modelcore.generation.sampling import Sampling
    from modelcore.serving.conversation import Conversation
    from modelcore.serving.served_model import ServedModel

    loading = Loading(batch_size=1, context=context, precision=precision)  # type: ignore[arg-type]
    directory = ready_checkpoint(checkpoint, "store" if store is None else str(store))
    served = ServedModel.read(directory, name_of(checkpoint), context=context)
    served.chat_ids([{"role": "user", "content": "?"}])  # refuses a base model before it is loaded
    sampling = Sampling(seed=seed, **{name: getattr(decoding, name) for name in _SAMPLING})
    conversation = Conversation(served, served.load(loading), sampling, system=system)
    click.echo(f"{served.name}, {served.context} tokens; /help lists commands", err=True)
    _talk(conversation)
    if as_json:
        emit({"model": served.name, "messages": conversation.messages}, as_json, lambda _: None)


def _talk(conversation: Conversation) -> None:
    with suppress(ImportError):
        import readline  # noqa: F401  input() then has a history and an editable line
    while (question := _question()) is not None:
        word, _, rest = question.partition(" ")
        if word == "/exit":
            return
        if word == "/help":
            click.echo(_HELP, err=True)
        elif word == "/reset":
            conversation.reset()
        elif word == "/system":
            conversation.reset(rest.strip())
        elif word.startswith("/") and word[1:].isalpha() and "\n" not in question:
            click.echo(f"{word} is no command; /help lists them", err=True)
        elif question.strip():
            _answer(conversation, question)


def _question() -> str | None:
    """Return what the user typed; None at the end of input. Ctrl-C begins the line anew."""
    try:
        return _typed()
    except KeyboardInterrupt:
        click.echo("\n(Ctrl-D or /exit ends)", err=True)
        return ""
    except EOFError:
        click.echo("", err=True)
        return None


def _typed() -> str:
    line = _line("> ")
    if not line.startswith(_QUOTES):
        return line
    lines = [line.removeprefix(_QUOTES)]
    while not lines[-1].rstrip().endswith(_QUOTES):
        lines.append(_line("… "))
    lines[-1] = lines[-1].rstrip().removesuffix(_QUOTES)
    return "\n".join(lines).strip("\n")


def _line(prompt: str) -> str:
    text = input(prompt if sys.stdin.isatty() else "")
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # half a character, pasted


def _answer(conversation: Conversation, question: str) -> None:
    with _interrupts() as interrupts:
        try:
            for text in conversation.ask(question, lambda: bool(interrupts)):
                click.echo(escaped_lines(text), nl=False)
        except MindrailError as error:
            click.echo(f"{error}; /reset begins anew", err=True, nl=False)
        click.echo(" (stopped)" if interrupts else "")


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Collect Ctrl-C instead of raising it: the engine's step ends first.

    While MindSpore computes, it takes Ctrl-C itself and sends this process SIGTERM, which is collected, too.
    """
    pressed: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda number, _: pressed.append(number)) for number in numbers]
    try:
        yield pressed
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
