"""Reads records from JSON lists and JSON lines, plain or gzipped, one at a time; detects the format.

Yields raw objects with their number; `records` reads their fields. Never writes to its input.
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

from modelcore.boundary.json_text import BadJson, parse_at, parse_json
from modelcore.errors import MindrailError

__all__ = ["BadRecord", "RawRecord", "open_source", "raise_bad", "read_records", "read_text"]

SPACE = re.compile(r"[ \t\r\n]*")
NEXT_ITEM = re.compile(r"\}\s{0,30},\s{0,30}[^\s\"]")
LARGEST_RECORD = 16 << 20  # characters; a longer list item is considered invalid
BLOCK = 1 << 20

BadRecord = Callable[[MindrailError], None]


class RawRecord(NamedTuple):
    """A record of a file: its number, counted from 1, and its fields."""

    number: int
    fields: dict[str, Any]


def raise_bad(error: MindrailError) -> None:
    """Fail at the first invalid record."""
    raise error


@contextmanager
def open_source(path: Path) -> Iterator[BinaryIO]:
    """Open `path` for reading, decompressed if its first bytes are those of gzip.

    Raises:
        MindrailError: the file is missing or empty, or its gzip stream is damaged.
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
            raise MindrailError(f"damaged gzip ({error})", where=path, fix="download it again") from error


def read_records(path: Path, *, on_bad: BadRecord = raise_bad) -> Iterator[RawRecord]:
    """Yield the objects of a JSON list or of JSON lines, in order, with their numbers.

    Args:
        path: the file; it is a list if its first character other than white space is `[`.
        on_bad: called with the error in an invalid record; if it returns, reading continues after the record.

    Raises:
        MindrailError: the file is empty or of another kind; or raised by `on_bad`.
    """
    with open_source(path) as file:
        buffered: io.BufferedReader = io.BufferedReader(cast(Any, file), BLOCK)
        first = _first_character(buffered, path)
        values = _list_items(buffered, path, on_bad) if first == "[" else _lines(buffered, path, on_bad)
        for number, value in values:
            if isinstance(value, dict):
                yield RawRecord(number, value)
            else:
                on_bad(bad_record(path, number, f"a JSON {_kind(value)}, expected an object"))


def read_text(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 text file, split at `\\n` only, each with its line end.

    Raises:
        MindrailError: the file is missing or empty, or a line is too long or not UTF-8.
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
    """Return the error in one record, which names file, record and field."""
    where = f"{path}, record {number}" + (f", field {field!r}" if field else "")
    return MindrailError(what, where=where, fix=fix)


def _kind(value: object) -> str:
    names = {list: "list", str: "text", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def _first_character(file: io.BufferedReader, path: Path) -> str:
    """Return the first character other than white space, with the file positioned before it."""
    head = file.peek(4)[:4]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in head:
        raise MindrailError("not UTF-8 (looks like UTF-16 or UTF-32)", where=path, fix="save it as UTF-8")
    if head.startswith(b"\xef\xbb\xbf"):
        file.read(3)
    while True:
        block = file.peek(1)
        if not block:
            raise MindrailError("the file contains only white space", where=path)
        stripped = block.lstrip()
        file.read(len(block) - len(stripped))
        if stripped:
            break
    character = stripped[:1].decode("latin-1")
    if character not in "[{":
        raise MindrailError(
            f"starts with {character!r}: neither a JSON list nor JSON lines of objects",
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
                path, number, f"longer than {LARGEST_RECORD >> 20} MiB", fix="write one JSON object per line"
            )
        try:
            yield number, parse_json(line.decode("utf-8"), surrogates=True)
        except UnicodeDecodeError as error:
            on_bad(bad_record(path, number, f"not UTF-8 ({error.reason} at byte {error.start} of the line)"))
        except BadJson as error:
            on_bad(bad_record(path, number, f"invalid JSON ({error})"))


def _list_items(file: io.BufferedReader, path: Path, on_bad: BadRecord) -> Iterator[tuple[int, Any]]:
    # Bytes that are not UTF-8 become lone surrogates here, which `records` refuses in each field.
    text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
    yield from ListScanner(text, path, on_bad).items()


class ListScanner:
    """Reads a JSON list item by item, with one block of text and the current item in memory.

    Args:
        text: the file, at its opening bracket.
        path: named in errors.
        on_bad: called for an item that is not JSON; if it returns, scanning continues at the next `{` after
            a `},`.
    """

    def __init__(self, text: io.TextIOWrapper, path: Path, on_bad: BadRecord) -> None:
        self._file = text
        self._path = path
        self._on_bad = on_bad
        self._text = text.read(BLOCK)
        self._position = 1  # after the bracket
        self._ended = False

    def items(self) -> Iterator[tuple[int, Any]]:
        """Yield each item with its number.

        Raises:
            MindrailError: the list does not end, or text follows its end.
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
                        f"{separator!r}, expected ',' or ']'" if separator else "the list does not end"
                    )
            except ValueError as error:
                self._on_bad(bad_record(self._path, number, f"invalid JSON ({error})"))
                if not self._skip_item():
                    return None
                continue
            self._position += 1
            if separator == "]":
                return self._finish(number)
            self._next_character()

    def _finish(self, number: int) -> None:
        self._position += 1
        if self._next_character():
            raise MindrailError(
                "text after the end of the list",
                where=f"{self._path}, after record {number}",
                fix="check whether two files were joined",
            )

    def _next_character(self) -> str:
        """Skip white space and return the next character, or "" at the end of the file."""
        while True:
            space = SPACE.match(self._text, self._position)
            self._position = space.end() if space else self._position
            if self._position < len(self._text):
                return self._text[self._position]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read another block, and drop the text before the position; return whether there was one."""
        # At least as much as is in memory: parsing an item of n characters takes O(n), not O(n²).
        block = self._file.read(max(BLOCK, len(self._text) - self._position))
        self._text = self._text[self._position :] + block
        self._position = 0
        self._ended = not block
        return bool(block)

    def _item(self) -> Any:
        while True:
            try:
                value, end = parse_at(self._text, self._position)
            except json.JSONDecodeError as error:
                if not self._is_incomplete(error) or not self._more():
                    raise
                continue
            # A number or word at the end of the block may continue in the next.
            if end == len(self._text) and not self._ended and self._more():
                continue
            self._position = end
            return value

    def _is_incomplete(self, error: json.JSONDecodeError) -> bool:
        """Return whether an error is caused by the end of the block rather than by the text."""
        if len(self._text) - self._position > LARGEST_RECORD:
            return False
        near_end = error.pos >= len(self._text) - 16
        return near_end or error.msg.startswith("Unterminated string")

    def _skip_item(self) -> bool:
        """Move to what looks like the next item after an invalid one; return whether there is one."""
        searched = self._position + 1
        while True:
            following = _next_item(self._text, searched)
            if following:
                self._position = following
                return True
            searched = max(1, len(self._text) - self._position - 64)
            if not self._more():
                return False


def _next_item(text: str, begin: int) -> int:
    """Return the position, at or after `begin`, of a value after `}` and a comma; 0 if there is none.

    A string does not count: it would be the next key of an enclosing object.
    """
    match = NEXT_ITEM.search(text, begin)
    return match.end() - 1 if match else 0
