"""Wikitext's tokens back to plain text, paragraph by paragraph.

Wikitext separates punctuation by spaces and writes number separators as `@,@`; the rules here undo that.
Headings (` = Title = `) are left out, as pretraining rows have no use for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ["detokenise", "paragraphs", "peer_paragraphs"]

# The usual rules for this data set, in the order in which MindFormers applies them.
BEFORE_BRACKETS = (
    ("s '", "s'"),
    (" @-@ ", "-"),
    (" @,@ ", ","),
    (" @.@ ", "."),
    (" : ", ": "),
    (" ; ", "; "),
    (" . ", ". "),
    (" ! ", "! "),
    (" ? ", "? "),
    (" , ", ", "),
)
PAIRS = tuple(
    re.compile(rf"{first}\s*([^{last}]*?)\s*{last}")
    for first, last in ((r"\(", r"\)"), (r"\[", r"\]"), (r"\{", r"\}"), ('"', '"'), ("'", "'"))
)
AFTER_BRACKETS = (
    ("= = = =", "===="),
    ("= = =", "==="),
    ("= =", "=="),
    (" ° ", "°"),
    (" \n", "\n"),
    ("\n ", "\n"),
    (" 's", "'s"),
)


# Penn Treebank's placeholder for numbers; wikitext has none, and a nitrogen atom is no 1.
PEER_ONLY = (" N ", " 1 ")


def detokenise(text: str) -> str:
    """Return `text` with wikitext's separated punctuation put back together."""
    for old, new in BEFORE_BRACKETS:
        text = text.replace(old, new)
    for pair in PAIRS:
        text = pair.sub(lambda match: f"{match[0][0]}{match[1]}{match[0][-1]}", text)
    for old, new in AFTER_BRACKETS:
        text = text.replace(old, new)
    return text


def paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Yield the paragraphs of a wikitext file: lines between blank lines and headings, put back together.

    Args:
        lines: the file's lines with their ends.
    """
    gathered: list[str] = []
    for line in lines:
        if line.strip() and not _is_heading(line):
            gathered.append(line)
        elif gathered:
            yield detokenise("".join(gathered)).strip()
            gathered = []
    if gathered:
        yield detokenise("".join(gathered)).strip()


def _is_heading(line: str) -> bool:
    bare = line.strip()
    return len(bare) > 1 and bare.startswith("= ") and bare.endswith(" =")


def peer_paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Yield the paragraphs as MindFormers finds them: rules over the whole text, split at blank lines after.

    Holds the whole file. Its quote rule takes blank lines beside a quotation mark away, so that a heading
    may run into the next paragraph, which is then dropped with it.
    """
    text = detokenise("".join(lines)).replace(*PEER_ONLY)
    for paragraph in text.split("\n\n"):
        bare = paragraph.strip()
        if bare and not bare.startswith("="):
            yield bare
