"""A server on a free port, in a thread, over a model that spells the alphabet and waits where a test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modelcore.config.reading import parse
from modelcore.config.serving import Serving
from modelcore.data.tokenizers import load_tokenizer
from modelcore.data.tokenizers.chat_template import find_chat_template
from modelcore.demo.tokenizer import write_tokenizer
from modelcore.generation.engine import Engine
from modelcore.serving.engine_loop import EngineLoop
from modelcore.serving.served_model import ServedModel
from modelcore.serving.server import HttpThread, bind, url_of
from tests.families import small_model

END = 0
CHAT = (
    "{% for message in messages %}{% if message.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}"
    "[{{ message.role }}]{{ message.content }}{% endfor %}{% if add_generation_prompt %}[a]{% endif %}"
)


class Alphabet:
    """Follows a letter with the next, "z" with the end; each step waits until `gate` is set."""

    def __init__(self, letters: Sequence[int], size: int, *, slots: int, length: int) -> None:
        self.slots, self.prompts, self.length, self.width = slots, slots, length, 1
        self._next = dict(zip(letters, [*letters[1:], END], strict=True))
        self._size = size
        self.gate = threading.Event()
        self.gate.set()
        self.broken = False

    def begin(self, slots: Sequence[int], prompts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        self._wait()
        return np.stack([self._logits(ids[-1]) for ids in prompts])

    def share(self, source: int, slots: Sequence[int]) -> None:
        pass

    def extend(self, tokens: NDArray[np.int32], lengths: NDArray[np.int32]) -> NDArray[np.float32]:
        self._wait()
        return np.stack([[self._logits(int(token)) for token in row] for row in tokens])

    def _wait(self) -> None:
        assert self.gate.wait(60)
        if self.broken:
            raise ZeroDivisionError("a bug")

    def _logits(self, last: int) -> NDArray[np.float32]:
        logits = np.zeros(self._size, np.float32)
        logits[self._next.get(last, END)] = 9
        return logits


@dataclass(frozen=True)
class SmallServer:
    """A running server.

    Attributes:
        url: ends with /v1.
        model: what generates.
        served: the model's name and vocabulary.
        engine: answers.
        http: talks to clients.
        failures: what ended the engine.
    """

    url: str
    model: Alphabet
    served: ServedModel
    engine: EngineLoop
    http: HttpThread
    failures: list[BaseException]


def served_alphabet(directory: Path, *, context: int = 64, chat: bool = True) -> ServedModel:
    """Return a model with a byte-level vocabulary, and with a chat template if `chat`."""
    write_tokenizer(directory, ["x"], vocab_size=258, max_length=64)
    if chat:
        (directory / "chat_template.jinja").write_text(CHAT)
    template = find_chat_template(directory)
    model = small_model("llama", vocab=300, positions=context)
    return ServedModel("alphabet", directory, model, load_tokenizer(directory), template, False, context)


@contextmanager
def running_server(
    directory: Path, *, key: str | None = None, chat: bool = True, context: int = 64, **changes: int
) -> Iterator[SmallServer]:
    """Serve until the context ends; `changes` are of `Serving`."""
    served = served_alphabet(directory, context=context, chat=chat)
    config = parse({"port": 0, "batch_size": 4, "queue": 64, "stop_seconds": 1, **changes}, Serving)
    letters = [served.tokenizer.encode(chr(c))[0] for c in range(ord("a"), ord("z") + 1)]
    model = Alphabet(letters, served.tokenizer.vocab_size, slots=config.batch_size, length=context)

    engine = EngineLoop(
        Engine(model, served.tokenizer, frozenset({END})), capacity=config.batch_size + config.queue
    )
    failures: list[BaseException] = []

    def answer(http: HttpThread) -> None:
        try:
            http.run_engine()
        except ZeroDivisionError as error:
            failures.append(error)
            http.answers.end()

    with bind(config) as listener, HttpThread(engine, served, config, listener, key) as http:
        thread = threading.Thread(target=answer, args=(http,))
        thread.start()
        try:
            yield SmallServer(url_of(listener), model, served, engine, http, failures)
        finally:
            model.gate.set()
            http.end()
            thread.join(60)
