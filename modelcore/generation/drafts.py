"""Guesses of a response's next tokens: what followed when its last tokens came before (prompt lookup).

Much of a program repeats its prompt or itself. The model reads the guesses in the same step as the newest
token, and only those that it would have chosen anyway are kept (Saxena 2023; Leviathan et al. 2023): the
response is the same with and without them.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Drafts"]

_LENGTHS = (3, 2)


class Drafts:
    """The tokens of one sequence, and where each run of a few of them came last.

    Args:
        ids: of the prompt.
    """

    def __init__(self, ids: Sequence[int]) -> None:
        self._ids: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}
        for token in ids:
            self.append(token)

    def append(self, token: int) -> None:
        """Add a token. A run of tokens is found once something has followed it."""
        end = len(self._ids)
        for length in _LENGTHS:
            if end >= length:
                self._after[tuple(self._ids[end - length :])] = end
        self._ids.append(token)

    def guess(self, count: int) -> list[int]:
        """Return up to `count` tokens that may follow."""
        for length in _LENGTHS:
            start = self._after.get(tuple(self._ids[-length:]))
            if start is not None:
                return self._ids[start : start + count]
        return []
