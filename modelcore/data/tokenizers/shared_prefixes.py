"""Beginnings that many texts of a batch share, such as a prompt's frame, encoded once for all of them.

The ids are those of the whole texts. In a vocabulary none of whose pieces reaches from a word into the next,
byte-pair encoding never merges across the space between two words; and what stands behind such a space has,
encoded by itself, that space as the one that sentencepiece puts in front of every text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import sentencepiece

__all__ = ["encode_sharing", "words_are_apart"]

SPACE = "▁"
# Characters within which beginnings are looked for, the longest first: behind Vicuna's and Alpaca's frames
# a record's own text begins after the longest.
REACHES = (256, 128)


def words_are_apart(processor: sentencepiece.SentencePieceProcessor) -> bool:
    """Return whether texts may be encoded in parts behind spaces: byte-pair merges, and only within words."""
    if "".join(processor.encode("a", out_type=str)) != SPACE + "a":
        return False  # no space is put in front of a text
    numbers = range(processor.get_piece_size())
    pieces = [processor.id_to_piece(i) for i in numbers]
    if any(SPACE in piece.lstrip(SPACE) or " " in piece for piece in pieces):
        return False
    # The scores of a byte-pair vocabulary are the order of its merges; a unigram one has logarithms.
    return all(processor.get_score(i).is_integer() for i in numbers)


def encode_sharing(processor: sentencepiece.SentencePieceProcessor, texts: Sequence[str]) -> list[list[int]]:
    """Return `processor.encode(texts)`, on all cores, for a vocabulary whose `words_are_apart`."""
    cuts = _shared(texts)
    heads = list({text[:cut] for text, cut in zip(texts, cuts, strict=True) if cut})
    known = dict(zip(heads, processor.encode(heads), strict=True))
    rest = processor.encode([text[cut + 1 :] if cut else text for text, cut in zip(texts, cuts, strict=True)])
    return [known[text[:cut]] + ids if cut else ids for text, cut, ids in zip(texts, cuts, rest, strict=True)]


def _shared(texts: Sequence[str]) -> list[int]:
    """Return for each text where the longest beginning ends that another has too; 0 for none."""
    cuts = [0] * len(texts)
    for reach in REACHES:
        ends = [0 if cut else _last_gap(text, reach) for text, cut in zip(texts, cuts, strict=True)]
        counts = Counter(text[:end] for text, end in zip(texts, ends, strict=True) if end)
        for index, end in enumerate(ends):
            if end and counts[texts[index][:end]] > 1:
                cuts[index] = end
    return cuts


def _last_gap(text: str, reach: int) -> int:
    """Return where within `reach` the last space is, if a word is before it and more behind; else 0."""
    end = text.rfind(" ", 1, min(reach, len(text) - 1))
    return end if end > 0 and text[end - 1] not in (" ", SPACE) else 0
