"""A conversation with a model in this process: its history, and answers that stream and can be stopped.

The engine runs in the thread that asks (MindSpore compiles in a process's first thread alone), and is stopped
between two of its steps. Terminals are `flows.cli.chat`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from modelcore.generation.engine import Engine
from modelcore.generation.request import Request
from modelcore.generation.sampling import Sampling
from modelcore.serving.served_model import ServedModel

__all__ = ["Conversation"]


class Conversation:
    """What was said, and who answers.

    Args:
        served: the model; it has a chat template.
        engine: with the model in memory.
        sampling: how tokens are chosen.
        system: text before the conversation; "" for the template's own.

    Attributes:
        messages: what was said, as chat templates know it.
        tokens: of prompt and answer, of the last question.
    """

    def __init__(self, served: ServedModel, engine: Engine, sampling: Sampling, *, system: str = "") -> None:
        self._served, self._engine, self._sampling = served, engine, sampling
        self._system = system
        self.tokens = 0
        self.messages: list[dict[str, str]] = []
        self.reset()

    def reset(self, system: str | None = None) -> None:
        """Forget what was said; with `system`, put another text before the conversation from now on."""
        self._system = self._system if system is None else system
        self.messages = [{"role": "system", "content": self._system}] if self._system else []

    def ask(self, question: str, stopped: Callable[[], bool]) -> Iterator[str]:
        """Yield the answer as it is generated; it is part of the conversation, also if it is stopped.

        Args:
            question: of the user.
            stopped: asked after each step of the engine.

        Raises:
            MindrailError: the conversation does not fit, or the template refuses it; the question is not
                part of it.
        """
        asked = [*self.messages, {"role": "user", "content": question}]
        ids = self._served.chat_ids(asked)
        request = Request(str(len(asked)), 0, ids, self._sampling, stream=True)
        self._engine.submit(request)
        answer = ""
        while self._engine.busy:
            for addition in self._engine.step():
                answer += addition.text
                self.tokens = len(ids) + (addition.finished.tokens if addition.finished else 0)
                if addition.text:
                    yield addition.text
            if stopped():
                self._engine.cancel(request)
        self.messages = [*asked, {"role": "assistant", "content": answer}]
