"""One response while it is generated: its tokens, how the next is chosen, and why it ended."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelcore.generation.drafts import Drafts
from modelcore.generation.request import Request
from modelcore.generation.sampling import TokenLogprobs, choose, logprobs, penalize, random_stream
from modelcore.generation.stopping import Ending

__all__ = ["RunningSequence"]


class RunningSequence:
    """A prompt and what has been generated for it.

    Args:
        request: the prompt and how it is continued.
        ending: what ends it.

    Attributes:
        new: the generated tokens.
        finish: why it ended; "" while it runs.
        logprobs: of each new token, if they are requested.
        sent: characters of the text that `settled_text` has returned.
    """

    def __init__(self, request: Request, ending: Ending) -> None:
        self.request, self.ending = request, ending
        self.new: list[int] = []
        self.finish = ""
        self.logprobs: list[TokenLogprobs] = []
        self.sent = 0
        self._stream = random_stream(request.sampling.seed, request.task_id, request.sample)
        self._drafts = Drafts(request.ids)
        self._seen = set(request.ids)

    @property
    def length(self) -> int:
        """Tokens of prompt and response."""
        return len(self.request.ids) + len(self.new)

    def guess(self, count: int) -> list[int]:
        """Return up to `count` tokens that may come next."""
        return self._drafts.guess(count) if count else []

    def append(self, logits: NDArray[np.float32], likeliest: int, longest: int) -> list[int]:
        """Choose the next token; set `finish` if it is the last.

        Args:
            logits: [vocabulary] of what follows.
            likeliest: the place of the largest of them, of equals the first.
            longest: tokens that prompt and response may have.

        Returns:
            The token; nothing for one that only ends the response.
        """
        sampling, ends = self.request.sampling, self.ending.end_ids
        token = likeliest
        if not sampling.takes_likeliest(len(self.new)):
            allowed = penalize(logits, sampling, self._seen, len(self.new), ends)
            token = choose(allowed, sampling, self._stream)
        if token in ends:
            self.finish = "eos"
            return []
        self.new.append(token)
        self._seen.add(token)
        self._drafts.append(token)
        if sampling.logprobs is not None:
            self.logprobs.append(logprobs(logits, token, sampling.logprobs))
        if self.ending.stopped(self.new):
            self.finish = "stop"
        elif len(self.new) == sampling.max_new_tokens or self.length == longest:
            self.finish = "length"
        return [token]

    def settled_text(self) -> str:
        """Return the text that is new since the last call and that no later token can change or cut."""
        settled = self.ending.settled(self.new)
        text, self.sent = settled[self.sent :], max(self.sent, len(settled))
        return text
