"""The interface of all tokenizers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Marked", "Tokenizer", "concatenated"]


class Marked(NamedTuple):
    """The concatenated ids of several texts, each of which has a mark: a position in the text.

    Attributes:
        ids: int32 [tokens], the token ids of all texts, one text after another.
        lengths: int64 [texts], tokens per text; sums to len(ids).
        marks: int64 [texts], number of tokens of each text that begin before its mark.
    """

    ids: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64]
    marks: npt.NDArray[np.int64]


def concatenated(
    parts: Sequence[Sequence[int]],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return lists of ids as one int32 array, and the int64 length of each list."""
    lengths = np.fromiter(map(len, parts), np.int64, len(parts))
    return np.fromiter(chain.from_iterable(parts), np.int32, int(lengths.sum())), lengths


class Tokenizer(Protocol):
    """Converts text to ids and back.

    Attributes:
        vocab_size: number of ids, added tokens included.
        bos_id, eos_id, pad_id: None if the vocabulary has no such token.
        unk_id: stands for characters that the vocabulary has no piece for; None if it has one for every byte.
        special_ids: ids of control tokens, including the three above.
    """

    vocab_size: int
    bos_id: int | None
    eos_id: int | None
    pad_id: int | None
    unk_id: int | None
    special_ids: frozenset[int]

    def encode(self, text: str, *, bos: bool = False, eos: bool = False, specials: bool = True) -> list[int]:
        """Return the ids of `text`.

        Args:
            text: any text that UTF-8 can encode.
            bos: put the beginning-of-sequence id first.
            eos: put the end-of-sequence id last.
            specials: whether a special token written out in the text (`</s>`) becomes its id, as in
                transformers, or is read as ordinary characters.

        Raises:
            MindrailError: the vocabulary has no such token.
        """
        ...

    def encode_batch(
        self, texts: Sequence[str], *, bos: bool = False, eos: bool = False, specials: bool = True
    ) -> list[list[int]]:
        """Return `encode` of each text, using all cores."""
        ...

    def encode_marked(self, texts: Sequence[str], marks: Sequence[int], *, specials: bool = True) -> Marked:
        """Encode each text as a whole, using all cores, and count its tokens that begin before its mark.

        Args:
            texts: the texts, without BOS or EOS.
            marks: for each text, a character position in it.
            specials: as in `encode`.
        """
        ...

    def decode(self, ids: Sequence[int], *, skip_special: bool = True, continues: bool = False) -> str:
        """Return the text of `ids`.

        Args:
            ids: token ids; one that the vocabulary does not have, as a model with more rows may generate,
                adds no text.
            skip_special: omit special tokens.
            continues: the ids continue earlier text, so a leading space is kept (a sentencepiece vocabulary
                drops it at the start of a text).
        """
        ...

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Return the vocabulary entry of each id."""
        ...

    def token_id(self, token: str) -> int | None:
        """Return the id of the vocabulary entry `token`, or None if there is none."""
        ...
