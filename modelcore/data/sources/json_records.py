"""Records out of JSON lists and JSON lines, plain or gzipped, told apart by content, one at a time.

Gives raw objects with their number; what their fields mean is `records`' business. Never writes to its input.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from modelcore.errors import MindrailError

__all__ = ["BadRecord", "RawRecord", "open_source", "raise_bad", "read_records", "read_text"]

SPACE = re.compile(r"[ \t\r\n]*")
NEXT_ITEM = re.compile(r"\}\s{0,30},\s{0,30}[^\s\"]")
LARGEST_RECORD = 16 << 20  # characters; a list item that does not end within that is broken
BLOCK = 1 << 20

BadRecord = Callable[[MindrailError], None]


class RawRecord(NamedTuple):
    """A record as it stands in the file: its number there, counted from 1, and its fields."""

    number: int
    fields: dict[str, Any]


def raise_bad(error: MindrailError) -> None:
    """End at the first bad record."""
    raise error


@contextmanager
def open_source(path: Path) -> Iterator[BinaryIO]:
    """Open `path` read-only, unpacking it if it is gzipped (by its first bytes, whatever its name).

    Raises:
        MindrailError: there is no such file, it is empty, or its gzip stream is damaged.
    """
    if not path.is_file():
        raise MindrailError("no such file", where=path, fix="check the path")
    try:
        opened = path.open("rb")
    except OSError as error:
        raise MindrailError(f"cannot be read ({error.strerror})", where=path) from error
    with opened as file:
        magic = file.read(2)
        if not magic:
            raise MindrailError("the file is empty", where=path)
        file.seek(0)
        try:
            yield cast(BinaryIO, gzip.GzipFile(fileobj=file)) if magic == b"\x1f\x8b" else file
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise MindrailError(f"damaged gzip ({error})", where=path, fix="fetch it again") from error


def read_records(path: Path, *, on_bad: BadRecord = raise_bad) -> Iterator[RawRecord]:
    """Yield the objects of a JSON list or of JSON lines, in order, with their numbers.

    Args:
        path: the file; `[` as the first character that is no white space makes it a list.
        on_bad: called with the error of a record that cannot be used; if it returns, reading goes on after
            it.

    Raises:
        MindrailError: the file is empty or of another kind; or whatever `on_bad` raises.
    """
    with open_source(path) as file:
        buffered: io.BufferedReader = io.BufferedReader(cast(Any, file), BLOCK)
        first = _first_character(buffered, path)
        values = _list_items(buffered, path, on_bad) if first == "[" else _lines(buffered, path, on_bad)
        for number, value in values:
            if isinstance(value, dict):
                yield RawRecord(number, value)
            else:
                on_bad(bad_record(path, number, f"a JSON {_kind(value)} where an object belongs"))


def read_text(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 text file, each with its line end (`\\n` only, as written).

    Raises:
        MindrailError: the file is not there, empty or not UTF-8 (names the line).
    """
    with open_source(path) as file:
        reader = io.BufferedReader(cast(Any, file), BLOCK)
        for number, line in enumerate(iter(lambda: reader.readline(LARGEST_RECORD + 1), b""), 1):
            if len(line) > LARGEST_RECORD:
                raise MindrailError(f"longer than {LARGEST_RECORD >> 20} MiB", where=f"{path}, line {number}")
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise MindrailError(
                    f"not UTF-8 ({error.reason} at byte {error.start} of the line)",
                    where=f"{path}, line {number}",
                ) from error


def bad_record(path: Path, number: int, what: str, *, field: str = "", fix: str = "") -> MindrailError:
    """Return the error of one record: file, record, field, in that order."""
    place = f"{path}, record {number}" + (f", field {field!r}" if field else "")
    return MindrailError(what, where=place, fix=fix)


def _kind(value: object) -> str:
    names = {list: "list", str: "text", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def _first_character(file: io.BufferedReader, path: Path) -> str:
    """Return the first character that is no white space, leaving the file before it."""
    head = file.peek(4)[:4]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in head:
        raise MindrailError("not UTF-8 (looks like UTF-16 or UTF-32)", where=path, fix="save it as UTF-8")
    if head.startswith(b"\xef\xbb\xbf"):
        file.read(3)
    while True:
        block = file.peek(1)
        if not block:
            raise MindrailError("the file holds nothing but white space", where=path)
        stripped = block.lstrip()
        file.read(len(block) - len(stripped))
        if stripped:
            break
    character = stripped[:1].decode("latin-1")
    if character not in "[{":
        raise MindrailError(
            f"begins with {character!r}: neither a JSON list nor JSON lines of objects",
            where=path,
            fix="give a .json list, .jsonl, or either gzipped",
        )
    return character


def _lines(file: io.BufferedReader, path: Path, on_bad: BadRecord) -> Iterator[tuple[int, Any]]:
    number = 0
    while line := file.readline(LARGEST_RECORD + 1):
        if not line.strip():
            continue
        number += 1
        if len(line) > LARGEST_RECORD:
            raise bad_record(
                path, number, f"longer than {LARGEST_RECORD >> 20} MiB", fix="is it one JSON a line?"
            )
        try:
            yield number, json.loads(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            on_bad(bad_record(path, number, f"not UTF-8 ({error.reason} at byte {error.start} of the line)"))
        except (ValueError, RecursionError) as error:
            on_bad(bad_record(path, number, f"broken JSON ({error})"))


def _list_items(file: io.BufferedReader, path: Path, on_bad: BadRecord) -> Iterator[tuple[int, Any]]:
    # Bytes that are not UTF-8 become lone surrogates here, which `records` refuses field by field.
    text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
    yield from ListScanner(text, path, on_bad).items()


class ListScanner:
    """Walks a JSON list item by item, holding one block of text and the item at hand.

    Args:
        text: the file, at its opening bracket.
        path: named in errors.
        on_bad: called for an item that is no JSON; if it returns, scanning goes on at the next `{` after a
            `},`.
    """

    def __init__(self, text: io.TextIOWrapper, path: Path, on_bad: BadRecord) -> None:
        self._file = text
        self._path = path
        self._on_bad = on_bad
        self._decoder = json.JSONDecoder()
        self._text = text.read(BLOCK)
        self._at = 1  # past the bracket
        self._ended = False

    def items(self) -> Iterator[tuple[int, Any]]:
        """Yield each item with its number.

        Raises:
            MindrailError: the list does not end, or something follows its end.
        """
        number = 0
        if self._next_character() == "]":
            return self._finish(number)
        while True:
            number += 1
            try:
                yield number, self._item()
                separator = self._next_character()
                if separator not in (",", "]"):
                    raise ValueError(
                        f"{separator!r} where ',' or ']' belongs" if separator else "the list does not end"
                    )
            except (ValueError, RecursionError) as error:
                self._on_bad(bad_record(self._path, number, f"broken JSON ({error})"))
                if not self._resume():
                    return None
                continue
            self._at += 1
            if separator == "]":
                return self._finish(number)
            self._next_character()

    def _finish(self, number: int) -> None:
        self._at += 1
        if self._next_character():
            raise MindrailError(
                "text after the end of the list",
                where=f"{self._path}, after record {number}",
                fix="is it two files?",
            )

    def _next_character(self) -> str:
        """Skip white space and return the character it ends at, or "" at the end of the file."""
        while True:
            space = SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read another block, forgetting what lies behind; return whether there was one."""
        # As much again as is held already: an item of n characters costs O(n) to parse, not O(n²).
        block = self._file.read(max(BLOCK, len(self._text) - self._at))
        self._text = self._text[self._at :] + block
        self._at = 0
        self._ended = not block
        return bool(block)

    def _item(self) -> Any:
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._cut_short(error) or not self._more():
                    raise
                continue
            # A number or word that ends with the block may go on in the next.
            if end == len(self._text) and not self._ended and self._more():
                continue
            self._at = end
            return value

    def _cut_short(self, error: json.JSONDecodeError) -> bool:
        """Return whether an error is due to the block's end rather than to the text."""
        if len(self._text) - self._at > LARGEST_RECORD:
            return False
        near_end = error.pos >= len(self._text) - 16
        return near_end or error.msg.startswith("Unterminated string")

    def _resume(self) -> bool:
        """Move to what looks like the next item after a broken one; return whether there is any."""
        searched = self._at + 1
        while True:
            found = _next_item(self._text, searched)
            if found:
                self._at = found
                return True
            searched = max(1, len(self._text) - self._at - 64)
            if not self._more():
                return False


def _next_item(text: str, begin: int) -> int:
    """Return where a value that is no text follows a `}` and a comma, at or after `begin`; 0 if nowhere.

    A text there would be the next key of an object around.
    """
    found = NEXT_ITEM.search(text, begin)
    return found.end() - 1 if found else 0
