"""When a response ends, and the text that remains of it."""

from __future__ import annotations

from collections.abc import Sequence

from modelcore.data.tokenizers import Tokenizer

__all__ = ["Ending"]


class Ending:
    """The tokens and texts that end a response.

    Args:
        tokenizer: of the model.
        end_ids: tokens that end it; they are not part of it.
        stops: texts that end it; neither they nor what follows is part of it. One that is a special token
            of the vocabulary ends it as `end_ids` do, since special tokens are not part of the text.
    """

    def __init__(self, tokenizer: Tokenizer, end_ids: frozenset[int], stops: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        ids = (tokenizer.token_id(stop) for stop in stops)
        self.end_ids = end_ids | {id for id in ids if id is not None and id in tokenizer.special_ids}
        self._stops = [stop for stop in stops if stop]
        # A token is at least a byte: a stop that ends in the newest begins at most this many before it.
        self._window = max((len(stop.encode()) for stop in self._stops), default=0) + 4

    def stopped(self, ids: Sequence[int]) -> bool:
        """Return whether a stop ends in the newest token of `ids`."""
        if not self._stops:
            return False
        tail = self._tokenizer.decode(ids[-self._window :], continues=True)
        return any(stop in tail for stop in self._stops)

    def text(self, ids: Sequence[int]) -> str:
        """Return the response's text, up to the first stop in it."""
        text = self._tokenizer.decode(ids, continues=True)
        starts = [text.find(stop) for stop in self._stops]
        return text[: min((start for start in starts if start >= 0), default=len(text))]

    def settled(self, ids: Sequence[int]) -> str:
        """Return the text that later tokens can neither change nor cut.

        Left out are the bytes of an unfinished character, and an end in which a stop may have begun.
        """
        text = self.text(ids).rstrip("\ufffd")
        held = max(
            (
                length
                for stop in self._stops
                for length in range(1, min(len(stop), len(text) + 1))
                if text.endswith(stop[:length])
            ),
            default=0,
        )
        return text[: len(text) - held]
