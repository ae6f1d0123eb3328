"""Wikitext's tokens back to plain text, paragraph by paragraph.

Wikitext separates punctuation by spaces and writes number separators as `@,@`; the rules here undo that.
Headings (` = Title = `) are left out, as pretraining rows have no use for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from modelcore.errors import MindrailError

__all__ = ["detokenise", "paragraphs", "peer_paragraphs"]

LARGEST_PARAGRAPH = 16 << 20  # characters
LARGEST_PEER_TEXT = 256 << 20  # characters

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
PAIRS = (("(", ")"), ("[", "]"), ("{", "}"), ('"', '"'), ("'", "'"))
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
    for first, last in PAIRS:
        text = _tightened(text, first, last)
    for old, new in AFTER_BRACKETS:
        text = text.replace(old, new)
    return text


def _tightened(text: str, first: str, last: str) -> str:
    """Take the white space off the inner sides of each pair, in time that grows with the text's length."""
    # Behind the last closing one no pair ends: an opening one there would be looked for in vain to the end.
    end = text.rfind(last) + 1
    pair = re.compile(f"{re.escape(first)}([^{re.escape(last)}]*){re.escape(last)}")
    return pair.sub(lambda match: f"{first}{match[1].strip()}{last}", text[:end]) + text[end:]


def paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Yield the paragraphs of a wikitext file: lines between blank lines and headings, put back together.

    Args:
        lines: the file's lines with their ends.
    """
    gathered: list[str] = []
    size = 0
    for line in lines:
        if line.strip() and not _is_heading(line):
            gathered.append(line)
            size += len(line)
            _bound(size, LARGEST_PARAGRAPH, "a paragraph", "put blank lines between paragraphs")
        elif gathered:
            yield detokenise("".join(gathered)).strip()
            gathered, size = [], 0
    if gathered:
        yield detokenise("".join(gathered)).strip()


def _bound(size: int, limit: int, what: str, fix: str) -> None:
    if size > limit:
        raise MindrailError(f"{what} of more than {limit >> 20} Mi characters", where="wikitext", fix=fix)


def _is_heading(line: str) -> bool:
    bare = line.strip()
    return len(bare) > 1 and bare.startswith("= ") and bare.endswith(" =")


def peer_paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Yield the paragraphs as MindFormers finds them: rules over the whole text, split at blank lines after.

    Holds the whole file, which must therefore be no longer than LARGEST_PEER_TEXT. Its quote rule takes blank
    lines beside a quotation mark away, so that a heading may run into the next paragraph, which is then
    dropped with it.

    Raises:
        MindrailError: the file is longer.
    """
    gathered: list[str] = []
    size = 0
    for line in lines:
        gathered.append(line)
        size += len(line)
        _bound(size, LARGEST_PEER_TEXT, "a file", "use compat: model, which reads by paragraphs")
    text = detokenise("".join(gathered)).replace(*PEER_ONLY)
    for paragraph in text.split("\n\n"):
        bare = paragraph.strip()
        if bare and not bare.startswith("="):
            yield bare
