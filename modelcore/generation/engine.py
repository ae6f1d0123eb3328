"""Generates many responses with few slots: a slot whose response is finished takes the next request.

Requests are submitted and cancelled at any time; each `step` is one call of the model and returns what it
added to the responses. Sequences are begun a few at a time, because beginning one alone costs almost as much
as beginning several; requests with the same prompt share the work of reading it.

A response depends on its request and on nothing else: not on the number of slots, nor on the other requests.

Not here: the model (`decoder.py`), files and journals (`program.py`).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from modelcore.data.tokenizers import Tokenizer
from modelcore.generation.request import Request
from modelcore.generation.sampling import TokenLogprobs, likeliest
from modelcore.generation.sequence import RunningSequence
from modelcore.generation.stopping import Ending

__all__ = ["Addition", "Engine", "Extender", "Finished"]


class Extender(Protocol):
    """What the engine needs of a model; `Decoder` is one.

    Attributes:
        slots: sequences side by side.
        prompts: how many sequences one call begins at most.
        length: tokens a sequence may have.
        width: tokens that one call appends to each sequence, as far as they turn out to be right.
    """

    slots: int
    prompts: int
    length: int
    width: int

    def begin(self, slots: Sequence[int], prompts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Put prompts into distinct slots; return logits [len(prompts), vocabulary] of what follows each."""
        ...

    def share(self, source: int, slots: Sequence[int]) -> None:
        """Put the sequence that was begun in slot `source` into other slots, too."""
        ...

    def extend(self, tokens: NDArray[np.int32], lengths: NDArray[np.int32]) -> NDArray[np.float32]:
        """Append int32 tokens [slots, width] to sequences of `lengths` tokens.

        Returns the logits [slots, width, vocabulary] of what follows each token.
        """
        ...


@dataclass(frozen=True)
class Finished:
    """A response.

    Attributes:
        request: what was requested.
        text: without stop and end tokens.
        finish: "eos", "stop", "length", or "cancelled".
        tokens: how many tokens were generated for it; an end token does not count.
        ids: those tokens; they may reach beyond the stop that cut the text.
        logprobs: of each of `ids`; empty if not requested.
    """

    request: Request
    text: str
    finish: str
    tokens: int
    ids: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprobs, ...] = ()


@dataclass(frozen=True)
class Addition:
    """What one step added to a response.

    Attributes:
        request: whose response it is.
        ids: the new tokens, at least one unless the response is finished.
        text: new text that no later token can change or cut; "" unless the request streams.
        finished: the whole response with its last addition, None before.
        logprobs: of each of `ids`; empty if not requested.
    """

    request: Request
    ids: tuple[int, ...]
    text: str
    finished: Finished | None
    logprobs: tuple[TokenLogprobs, ...] = ()


class Engine:
    """Turns requests into responses.

    `submit` and `cancel` may be called from any thread, `step` and `run` from one.

    Args:
        model: with its slots.
        tokenizer: of the model.
        end_ids: tokens that end every response; they are not part of it.

    Example:
        >>> engine.submit(Request("greeting", 0, ids, Sampling(max_new_tokens=8)))
        >>> while engine.busy:
        ...     for addition in engine.step():
        ...         print(addition.text, end="")
    """

    def __init__(self, model: Extender, tokenizer: Tokenizer, end_ids: frozenset[int]) -> None:
        self._model, self._tokenizer, self._end_ids = model, tokenizer, end_ids
        self._waiting: deque[Request] = deque()
        self._running: dict[int, RunningSequence] = {}
        self._cancelled: set[Request] = set()
        self._lock = threading.Lock()
        self.generated = 0

    @property
    def busy(self) -> bool:
        """Whether any request waits or runs."""
        return bool(self._waiting or self._running)

    @property
    def waiting(self) -> int:
        """How many requests have no slot yet."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many requests have a slot."""
        return len(self._running)

    def submit(self, request: Request) -> None:
        """Let a request take the next free slot; requests begin in the order they are submitted."""
        with self._lock:
            self._waiting.append(request)

    def cancel(self, request: Request) -> None:
        """Let the next step end a request; one that is finished is left as it is."""
        with self._lock:
            self._cancelled.add(request)

    def run(self, requests: Iterable[Request]) -> Iterator[list[Finished]]:
        """Yield after each call of the model the responses that it finished, often none; not in order."""
        for request in requests:
            self.submit(request)
        while self.busy:
            yield [one.finished for one in self.step() if one.finished is not None]

    def step(self) -> list[Addition]:
        """Call the model once, to begin waiting requests or to extend all running ones.

        Returns:
            What it added, and the requests that were cancelled before.
        """
        ended = self._end_cancelled()
        free = [slot for slot in range(self._model.slots) if slot not in self._running]
        group = self._next_group(free)
        if group:
            added = self._begin(free, group)
        elif self._running:
            added = self._extend()
        else:
            added = []
        return ended + [self._addition(slot, ids) for slot, ids in added]

    def _end_cancelled(self) -> list[Addition]:
        with self._lock:
            cancelled, self._cancelled = self._cancelled, set()
            gone = [request for request in self._waiting if request in cancelled]
            if gone:
                self._waiting = deque(request for request in self._waiting if request not in cancelled)
        ended = [Addition(request, (), "", Finished(request, "", "cancelled", 0)) for request in gone]
        for slot, sequence in list(self._running.items()):
            if sequence.request in cancelled:
                sequence.finish = "cancelled"
                ended.append(self._addition(slot, []))
        return ended

    def _next_group(self, free: Sequence[int]) -> list[Request]:
        """Take the requests to begin now: one call's prompts, with further samples of the last of them."""
        with self._lock:
            if not self._waiting or len(free) < min(self._model.prompts, len(self._waiting)):
                return []
            group: list[Request] = []
            distinct = 0
            while self._waiting and len(group) < len(free):
                same = bool(group) and self._waiting[0].ids == group[-1].ids
                if not same and distinct == self._model.prompts:
                    break
                distinct += not same
                group.append(self._waiting.popleft())
            return group

    def _begin(self, free: Sequence[int], group: Sequence[Request]) -> list[tuple[int, list[int]]]:
        firsts = [i for i in range(len(group)) if i == 0 or group[i].ids != group[i - 1].ids]
        logits = self._model.begin([free[i] for i in firsts], [group[i].ids for i in firsts])
        first_choices = likeliest(logits).tolist()
        added: list[tuple[int, list[int]]] = []
        for row, first in enumerate(firsts):
            end = firsts[row + 1] if row + 1 < len(firsts) else len(group)
            if end > first + 1:
                self._model.share(free[first], free[first + 1 : end])
            for i in range(first, end):
                ending = Ending(self._tokenizer, self._end_ids | group[i].stop_ids, group[i].stops)
                self._running[free[i]] = RunningSequence(group[i], ending)
                ids = self._append(self._running[free[i]], logits[row], first_choices[row])
                added.append((free[i], ids))
        return added

    def _extend(self) -> list[tuple[int, list[int]]]:
        shape = self._model.slots, self._model.width
        tokens, lengths = np.zeros(shape, np.int32), np.zeros(shape[0], np.int32)
        for slot, sequence in self._running.items():
            proposed = [sequence.new[-1], *sequence.guess(shape[1] - 1)]
            tokens[slot, : len(proposed)], lengths[slot] = proposed, sequence.length - 1
        logits = self._model.extend(tokens, lengths)
        choices = likeliest(logits).tolist()
        added = []
        for slot, sequence in self._running.items():
            ids = self._append(sequence, logits[slot, 0], choices[slot][0])
            for column in range(1, shape[1]):
                # The model has read a guess: what it says of the next token counts if the guess was right.
                if sequence.finish or not ids or ids[-1] != tokens[slot, column]:
                    break
                ids += self._append(sequence, logits[slot, column], choices[slot][column])
            added.append((slot, ids))
        return added

    def _append(self, sequence: RunningSequence, logits: NDArray[np.float32], choice: int) -> list[int]:
        self.generated += 1
        return sequence.append(logits, choice, self._model.length)

    def _addition(self, slot: int, ids: Sequence[int]) -> Addition:
        sequence = self._running[slot]
        request = sequence.request
        scores = tuple(sequence.logprobs[-len(ids) :]) if ids else ()
        if not sequence.finish:
            text = sequence.settled_text() if request.stream else ""
            return Addition(request, tuple(ids), text, None, scores)
        del self._running[slot]
        text = sequence.ending.text(sequence.new)
        finished = Finished(
            request, text, sequence.finish, len(sequence.new), tuple(sequence.new), tuple(sequence.logprobs)
        )
        added = text[sequence.sent :] if request.stream else ""
        return Addition(request, tuple(ids), added, finished, scores)
