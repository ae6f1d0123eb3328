"""Encodes prefixes that several texts of a batch share, such as a prompt's fixed text, only once.

The ids are those of the whole texts: if no piece of a vocabulary extends from one word into the next,
byte-pair encoding never merges across the space between two words. The text after such a space, encoded on
its own, gets the space back as the one that sentencepiece puts before every text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import sentencepiece

__all__ = ["encode_with_shared_prefixes", "words_are_separable"]

SPACE = "▁"
# The longest prefixes searched for, in characters; the fixed texts of Vicuna and Alpaca fit in them.
PREFIX_LENGTHS = (256, 128)


def words_are_separable(processor: sentencepiece.SentencePieceProcessor) -> bool:
    """Return whether the vocabulary has byte-pair merges within words only, so that texts can be split."""
    if "".join(processor.encode("a", out_type=str)) != SPACE + "a":
        return False  # no space is put before a text
    numbers = range(processor.get_piece_size())
    pieces = [processor.id_to_piece(i) for i in numbers]
    if any(SPACE in piece.lstrip(SPACE) or " " in piece for piece in pieces):
        return False
    # The scores of a byte-pair vocabulary are the ranks of its merges; those of a unigram one are logarithms.
    return all(processor.get_score(i).is_integer() for i in numbers)


def encode_with_shared_prefixes(
    processor: sentencepiece.SentencePieceProcessor, texts: Sequence[str]
) -> list[list[int]]:
    """Return `processor.encode(texts)`, using all cores, if the vocabulary's `words_are_separable`."""
    cuts = _shared_lengths(texts)
    prefixes = list({text[:cut] for text, cut in zip(texts, cuts, strict=True) if cut})
    prefix_ids = dict(zip(prefixes, processor.encode(prefixes), strict=True))
    rest = processor.encode([text[cut + 1 :] if cut else text for text, cut in zip(texts, cuts, strict=True)])
    return [
        prefix_ids[text[:cut]] + ids if cut else ids for text, cut, ids in zip(texts, cuts, rest, strict=True)
    ]


def _shared_lengths(texts: Sequence[str]) -> list[int]:
    """Return the length of the longest prefix of each text that another text has too; 0 if there is none."""
    cuts = [0] * len(texts)
    for longest in PREFIX_LENGTHS:
        ends = [0 if cut else _last_space(text, longest) for text, cut in zip(texts, cuts, strict=True)]
        counts = Counter(text[:end] for text, end in zip(texts, ends, strict=True) if end)
        for index, end in enumerate(ends):
            if end and counts[texts[index][:end]] > 1:
                cuts[index] = end
    return cuts


def _last_space(text: str, longest: int) -> int:
    """Return the position, below `longest`, of the last space between a word and further text; else 0."""
    end = text.rfind(" ", 1, min(longest, len(text) - 1))
    return end if end > 0 and text[end - 1] not in (" ", SPACE) else 0
