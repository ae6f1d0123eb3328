"""The two errors that a user may see, and what each means for exit codes and retries.

A bug is neither: its own exception is raised; the command writes its traceback into a file and names that.
"""

from __future__ import annotations

import unicodedata

__all__ = ["LONGEST_LINE", "MindrailError", "StepFailed", "escaped", "escaped_lines", "one_line"]

LONGEST_LINE = 290
"""Characters of an error; with the command's name before it, 300 are printed."""

_READ = 10_000  # characters of a text of any length that are looked at
_WORDS = 100  # of a text of any length that may be cut one by one
_SHORTEST_WORD = 24  # shorter pieces of words are not understood
_CUT = "…"


class MindrailError(Exception):
    """Bad input: something that the user provided is wrong, and running again will not help.

    Args:
        what: what is wrong, in a few words, with the value found and the value expected.
        where: the file, key, tensor or record it was found in; printed first.
        fix: what to do about it; printed last.

    The line has at most `LONGEST_LINE` printable characters: names and values from files may be of any
    length.

    Example:
        >>> str(MindrailError("14 layers, 12 in config.json", where="model.ckpt", fix="check the config"))
        'model.ckpt: 14 layers, 12 in config.json; check the config'
    """

    exit_code = 2

    def __init__(self, what: str, *, where: object = "", fix: str = "") -> None:
        place, remedy = str(where), fix
        separators = 2 * bool(place) + 2 * bool(remedy)
        place, what, remedy = _fitted([place, what, remedy], LONGEST_LINE - separators)
        super().__init__(f"{place}: " * bool(place) + what + f"; {remedy}" * bool(remedy))


class StepFailed(MindrailError):
    """The input was good but the work failed: a rank died, a server did not answer, a disk was full.

    A retry is worthwhile: the step resumes where it was.
    """

    exit_code = 1


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Return `text` on one line of at most `longest` characters, safe to print.

    Control characters, lone surrogates and what changes the direction of text are escaped. Where it is too
    long, the longest words lose their middle: a path keeps its file, a message its sense. Every message,
    table and page prints text from outside through this function.
    """
    (line,) = _fitted([text], longest)
    return line


def escaped(text: str) -> str:
    """Return `text` with what a terminal would act on escaped; the middle of more than 10,000 is left out."""
    if len(text) > _READ:  # a name of many MB is not escaped whole
        words = (_without_middle(word, _READ // 10) for word in text.split(" ", _WORDS))
        text = _without_middle(" ".join(words), _READ)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def escaped_lines(text: str) -> str:
    """Return a text of any length for a page or a terminal; its line ends, tabs and spaces stay."""
    if text.isprintable():
        return text
    return "".join(c if _is_shown(c) else c.encode("unicode_escape").decode("ascii") for c in text)


def _is_shown(c: str) -> bool:
    return c.isprintable() or c in "\n\t" or unicodedata.category(c) == "Zs"


def _fitted(parts: list[str], room: int) -> list[str]:
    """Return the parts escaped and together at most `room` characters; the longest are shortened."""
    lines = [escaped(part) for part in parts]
    cap = _cap([len(line) for line in lines], room)
    return [_shortened(line, cap) for line in lines]


def _shortened(line: str, longest: int) -> str:
    """Cut the middle out of the longest words, or of the line where its words are many rather than long."""
    if len(line) <= longest:
        return line
    words = line.split(" ")
    cap = _cap([len(word) for word in words], longest - len(words) + 1)
    if cap < _SHORTEST_WORD:
        return _without_middle(line, longest)
    return " ".join(_without_middle(word, cap) for word in words)


def _without_middle(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    head = (longest - len(_CUT)) // 2
    tail = longest - len(_CUT) - head
    return text[:head] + _CUT + text[len(text) - tail :]


def _cap(lengths: list[int], room: int) -> int:
    """Return the length that each of some texts may have, so that all fit in `room`."""
    for shorter, length in enumerate(sorted(lengths)):
        remaining = len(lengths) - shorter
        if length * remaining > room:
            return room // remaining
        room -= length
    return max(lengths, default=0)
