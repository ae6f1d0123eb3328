"""The one interface every tokenizer here has, and what tells a vocabulary's special ids."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Marked", "Tokenizer", "end_to_end"]


class Marked(NamedTuple):
    """The ids of several texts end to end, and where the mark of each fell.

    Attributes:
        ids: int32, the token ids of all texts, one text after another.
        lengths: int64 [texts], tokens of each; sums to len(ids).
        marks: int64 [texts], tokens of each text that begin before its mark.
    """

    ids: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64]
    marks: npt.NDArray[np.int64]


def end_to_end(
    parts: Sequence[Sequence[int]],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return lists of ids as one int32 array, and the length of each."""
    lengths = np.fromiter(map(len, parts), np.int64, len(parts))
    return np.fromiter(chain.from_iterable(parts), np.int32, int(lengths.sum())), lengths


class Tokenizer(Protocol):
    """Text to ids and back.

    `vocab_size` counts every id the vocabulary can give, added tokens included; `special_ids` are those of
    control tokens, the three roles among them.
    """

    vocab_size: int
    bos_id: int | None
    eos_id: int | None
    pad_id: int | None
    special_ids: frozenset[int]

    def encode(self, text: str, *, bos: bool = False, eos: bool = False, specials: bool = True) -> list[int]:
        """Return the ids of `text`.

        Args:
            text: any text that UTF-8 can hold.
            bos: put the beginning-of-sequence id first.
            eos: put the end-of-sequence id last.
            specials: whether a special token written out in the text (`</s>`) becomes its one id (as
                transformers does) or is read as ordinary characters.

        Raises:
            MindrailError: `bos` or `eos` is asked of a vocabulary that names none.
        """
        ...

    def encode_batch(
        self, texts: Sequence[str], *, bos: bool = False, eos: bool = False, specials: bool = True
    ) -> list[list[int]]:
        """Return `encode` of each text, on all cores."""
        ...

    def encode_marked(self, texts: Sequence[str], marks: Sequence[int], *, specials: bool = True) -> Marked:
        """Encode each text whole, on all cores, and say how many of its tokens begin before its mark.

        Args:
            texts: the texts, without BOS or EOS.
            marks: for each text, a character position in it.
            specials: as in `encode`.
        """
        ...

    def decode(self, ids: Sequence[int], *, skip_special: bool = True, continues: bool = False) -> str:
        """Return the text of `ids`.

        Args:
            ids: token ids, each below `vocab_size`.
            skip_special: leave special tokens out.
            continues: the ids go on from earlier text, so a leading word-space belongs to the text and is
                kept (a sentencepiece vocabulary drops it at a text's beginning).
        """
        ...

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Return each id's entry in the vocabulary, as the vocabulary writes it."""
        ...

    def token_id(self, token: str) -> int | None:
        """Return the id of the one vocabulary entry `token`, or None if there is none."""
        ...
