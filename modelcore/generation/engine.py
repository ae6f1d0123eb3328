"""Generates many responses with few slots: a slot whose response is finished takes the next prompt.

Sequences are begun a few at a time, because beginning one alone costs almost as much as beginning several.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from modelcore.generation.sampling import choose, random_stream
from modelcore.generation.stopping import Ending

__all__ = ["Drawing", "Engine", "Extender", "Finished", "Request"]


class Extender(Protocol):
    """What the engine needs of a model; `Decoder` is one."""

    slots: int
    prompts: int
    length: int

    def begin(self, slots: Sequence[int], prompts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Put prompts into distinct slots; return logits [len(prompts), vocabulary] of what follows each."""
        ...

    def extend(self, tokens: NDArray[np.int32], lengths: NDArray[np.int32]) -> NDArray[np.float32]:
        """Append a token to every slot; return logits [slots, vocabulary] of what follows."""
        ...


@dataclass(frozen=True)
class Request:
    """One response to generate: `sample` number of the prompt `ids` of problem `task_id`."""

    task_id: str
    sample: int
    ids: Sequence[int]


@dataclass(frozen=True)
class Drawing:
    """How tokens are drawn, and how many at most."""

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Finished:
    """A response: its text, why it ended ("eos", "stop", "length"), how many tokens were generated for it."""

    request: Request
    text: str
    finish: str
    tokens: int


@dataclass
class _Sequence:
    request: Request
    stream: np.random.Generator
    new: list[int] = field(default_factory=list)
    finish: str = ""

    @property
    def length(self) -> int:
        return len(self.request.ids) + len(self.new)


class Engine:
    """Turns requests into responses.

    Args:
        model: with its slots.
        ending: what ends a response.
        drawing: how tokens are drawn.
    """

    def __init__(self, model: Extender, ending: Ending, drawing: Drawing) -> None:
        self._model, self._ending, self._drawing = model, ending, drawing
        self._running: dict[int, _Sequence] = {}
        self.generated = 0

    def run(self, requests: Iterable[Request]) -> Iterator[list[Finished]]:
        """Yield after each call of the model the responses that it finished, often none; not in order."""
        waiting = deque(requests)
        while waiting or self._running:
            free = [slot for slot in range(self._model.slots) if slot not in self._running]
            group = min(self._model.prompts, len(waiting))
            if waiting and len(free) >= group:
                self._begin(free[:group], [waiting.popleft() for _ in range(group)])
            else:
                self._extend()
            yield self._finished()

    def _begin(self, slots: Sequence[int], requests: Sequence[Request]) -> None:
        logits = self._model.begin(slots, [request.ids for request in requests])
        for slot, request, row in zip(slots, requests, logits, strict=True):
            stream = random_stream(self._drawing.seed, request.task_id, request.sample)
            self._running[slot] = _Sequence(request, stream)
            self._append(self._running[slot], row)

    def _extend(self) -> None:
        tokens, lengths = np.zeros(self._model.slots, np.int32), np.zeros(self._model.slots, np.int32)
        for slot, sequence in self._running.items():
            tokens[slot], lengths[slot] = sequence.new[-1], sequence.length - 1
        logits = self._model.extend(tokens, lengths)
        for slot, sequence in self._running.items():
            self._append(sequence, logits[slot])

    def _append(self, sequence: _Sequence, logits: NDArray[np.float32]) -> None:
        """Draw the sequence's next token, and note why it is finished if it is."""
        drawing = self._drawing
        token = choose(logits, drawing.temperature, drawing.top_p, sequence.stream)
        self.generated += 1
        if token in self._ending.end_ids:
            sequence.finish = "eos"
            return
        sequence.new.append(token)
        if self._ending.stopped(sequence.new):
            sequence.finish = "stop"
        elif len(sequence.new) == drawing.max_new_tokens or sequence.length == self._model.length:
            sequence.finish = "length"

    def _finished(self) -> list[Finished]:
        done = [slot for slot, sequence in self._running.items() if sequence.finish]
        return [self._result(self._running.pop(slot)) for slot in done]

    def _result(self, sequence: _Sequence) -> Finished:
        text = self._ending.text(sequence.new)
        return Finished(sequence.request, text, sequence.finish, len(sequence.new))
