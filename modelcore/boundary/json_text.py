"""Parses JSON that someone else wrote, with limits on depth, memory and numbers; one exception for failures.

What is refused beyond RFC 8259's grammar: NaN and Infinity, numbers beyond a float or of more than 100
digits, nesting deeper than 50, text that would take more than 200 MB as Python objects, and lone
surrogates. Which fields there must be is the caller's.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

__all__ = ["BadJson", "outside_strings", "parse_at", "parse_json"]

DEEPEST = 50
MOST_DIGITS = 100  # transformers writes model_max_length with 31
MOST_MEMORY = 200 << 20
_BYTES_OF = {
    "{": 232,
    "[": 64,
    ",": 128,
}  # CPython's objects, rounded up: a dict, a list, a key with its value
_SMALL = 1 << 18  # characters of which no objects take much memory
_BLOCK = 1 << 20
_SURROGATE = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")


class BadJson(ValueError):
    """These bytes are not JSON within the limits; the message says where and why."""


def parse_json(
    data: bytes | str,
    *,
    pairs: Callable[[list[tuple[str, Any]]], dict[str, Any]] | None = None,
    surrogates: bool = False,
) -> Any:
    """Return the value of a JSON text.

    Args:
        data: the text; bytes are UTF-8, with or without a byte order mark.
        pairs: makes each object's dictionary, as json's `object_pairs_hook`.
        surrogates: whether lone surrogates are returned rather than refused.

    Raises:
        BadJson: it is not JSON, or beyond a limit.
    """
    text = data if isinstance(data, str) else _text(data)
    _check_memory(text)
    try:
        value = (_DECODER if pairs is None else _decoder(pairs)).decode(text)
    except RecursionError as error:
        raise BadJson(f"nested deeper than {DEEPEST}") from error
    except BadJson:
        raise
    except ValueError as error:
        raise BadJson(str(error)) from error
    _check_depth(text, 0, len(text), value)
    if not surrogates and _SURROGATE.search(text):
        _check_texts(value)
    return value


def parse_at(text: str, begin: int) -> tuple[Any, int]:
    """Return the value that begins at `begin` of a longer text, and the position of its end.

    Lone surrogates are returned. What follows the value counts towards its memory, too.

    Raises:
        BadJson: it is beyond a limit.
        json.JSONDecodeError: it is not JSON, or does not end in this text.
    """
    if len(text) - begin > _BLOCK:
        _check_memory(text[begin:])
    try:
        value, end = _DECODER.raw_decode(text, begin)
    except RecursionError as error:
        raise BadJson(f"nested deeper than {DEEPEST}") from error
    _check_depth(text, begin, end, value)
    return value, end


def outside_strings(text: str, weights: Mapping[str, int], enough: int) -> int:
    """Return what a JSON text's marks weigh outside its strings, or too much as soon as it is over `enough`.

    A block of the text at a time: a pattern for a string would take 100 bytes for each of its characters.

    Args:
        text: JSON, or what should be; marks after the first that is none may be taken for parts of strings.
        weights: of single characters.
        enough: a sum that need not be exact.
    """
    if (at_most := _weight(text, weights)) <= enough:
        return at_most
    total = begin = inside = 0
    while begin < len(text) and total <= enough:
        end = begin + _BLOCK
        while text[end - 1 : end] == "\\":  # an escape stays in one block
            end += 1
        block = text[begin:end].replace("\\\\", "").replace('\\"', "")
        parts = block.split('"')
        total += _weight("".join(parts[inside::2]), weights)
        inside = (inside + len(parts) - 1) % 2
        begin = end
    return total


def _weight(text: str, weights: Mapping[str, int]) -> int:
    return sum(text.count(mark) * size for mark, size in weights.items())


def _check_depth(text: str, begin: int, end: int, value: Any) -> None:
    """Refuse a value that is nested too deeply; one with few brackets in its text cannot be."""
    if text.count("[", begin, end) + text.count("{", begin, end) <= DEEPEST:
        return
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, (dict, list))]
        if not level:
            return
    raise BadJson(f"nested deeper than {DEEPEST}")


def _check_texts(value: Any) -> None:
    """Refuse lone surrogates in texts."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise BadJson("a text has half a surrogate pair, which is no character") from error


def _inside(value: Any) -> Iterator[Any]:
    return iter(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadJson(f"not UTF-8: {error.reason} at byte {error.start}") from error


def _check_memory(text: str) -> None:
    """Refuse a text whose objects would not fit: counted, before anything is made of it."""
    if len(text) > _SMALL and outside_strings(text, _BYTES_OF, MOST_MEMORY) > MOST_MEMORY:
        raise BadJson(f"too many values: they would take more than {MOST_MEMORY >> 20} MiB")


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise BadJson(f"a number of {len(text)} digits; at most {MOST_DIGITS} are read")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise BadJson(f"{text} is beyond the range of numbers")
    return number


def _constant(text: str) -> NoReturn:
    raise BadJson(f"{text} is not JSON")


def _decoder(pairs: Callable[[list[tuple[str, Any]]], dict[str, Any]] | None = None) -> json.JSONDecoder:
    """Return a decoder that refuses numbers out of range."""
    return json.JSONDecoder(
        object_pairs_hook=pairs, parse_int=_whole, parse_float=_finite, parse_constant=_constant
    )


_DECODER = _decoder()
