"""The one interface every tokenizer here has, and what tells a vocabulary's special ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

__all__ = ["Marked", "Tokenizer"]


class Marked(NamedTuple):
    """The ids of a text and where its marks fell.

    Attributes:
        ids: token ids of the whole text.
        marks: for each character position asked for, the index of the first token that begins at or after it.
    """

    ids: list[int]
    marks: list[int]


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

    def encode_marked(
        self, texts: Sequence[str], marks: Sequence[Sequence[int]], *, specials: bool = True
    ) -> list[Marked]:
        """Encode each text whole, and say which token comes first at or after each of its marks.

        Args:
            texts: the texts, without BOS or EOS.
            marks: for each text, ascending character positions in it.
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
