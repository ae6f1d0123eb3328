"""Converts wikitext's tokens back into plain text, paragraph by paragraph.

Wikitext separates punctuation by spaces and writes number separators as `@,@`; the rules here undo that.
Headings (` = Title = `) are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from modelcore.errors import MindrailError

__all__ = ["detokenise", "mindformers_paragraphs", "paragraphs"]

LARGEST_PARAGRAPH = 16 << 20  # characters
LARGEST_MINDFORMERS_TEXT = 256 << 20  # characters

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


# Penn Treebank's placeholder for numbers. Wikitext does not use it: there N may be, e.g., nitrogen.
MINDFORMERS_ONLY = (" N ", " 1 ")


def detokenise(text: str) -> str:
    """Return `text` with the spaces around wikitext's punctuation removed."""
    for old, new in BEFORE_BRACKETS:
        text = text.replace(old, new)
    for first, last in PAIRS:
        text = _without_inner_space(text, first, last)
    for old, new in AFTER_BRACKETS:
        text = text.replace(old, new)
    return text


def _without_inner_space(text: str, first: str, last: str) -> str:
    """Remove white space inside each pair of brackets or quotation marks, in linear time."""
    # After the last closing mark no pair ends; the search from each opening mark there would run to the end.
    end = text.rfind(last) + 1
    pair = re.compile(f"{re.escape(first)}([^{re.escape(last)}]*){re.escape(last)}")
    return pair.sub(lambda match: f"{first}{match[1].strip()}{last}", text[:end]) + text[end:]


def paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Yield the paragraphs of a wikitext file, detokenised: the lines between blank lines and headings.

    Args:
        lines: the file's lines with their line ends.
    """
    paragraph: list[str] = []
    size = 0
    for line in lines:
        if line.strip() and not _is_heading(line):
            paragraph.append(line)
            size += len(line)
            _check_size(size, LARGEST_PARAGRAPH, "a paragraph", "put blank lines between paragraphs")
        elif paragraph:
            yield detokenise("".join(paragraph)).strip()
            paragraph, size = [], 0
    if paragraph:
        yield detokenise("".join(paragraph)).strip()


def _check_size(size: int, limit: int, what: str, fix: str) -> None:
    if size > limit:
        raise MindrailError(f"{what} of more than {limit >> 20} Mi characters", where="wikitext", fix=fix)


def _is_heading(line: str) -> bool:
    bare = line.strip()
    return len(bare) > 1 and bare.startswith("= ") and bare.endswith(" =")


def mindformers_paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Yield the paragraphs that MindFormers finds: it applies the rules to the whole text, then splits it.

    The whole file is in memory, so its length is limited to LARGEST_MINDFORMERS_TEXT. The rule for quotation
    marks removes blank lines beside them; a heading may thus be joined to the next paragraph, which is then
    dropped with it.

    Raises:
        MindrailError: the file is too long.
    """
    text_lines: list[str] = []
    size = 0
    for line in lines:
        text_lines.append(line)
        size += len(line)
        _check_size(
            size, LARGEST_MINDFORMERS_TEXT, "a file", "use compat: model, which reads paragraph by paragraph"
        )
    text = detokenise("".join(text_lines)).replace(*MINDFORMERS_ONLY)
    for paragraph in text.split("\n\n"):
        bare = paragraph.strip()
        if bare and not bare.startswith("="):
            yield bare
