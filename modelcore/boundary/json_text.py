"""Parses JSON that someone else wrote, with limits on depth, memory and numbers; one exception for failures.

What is refused beyond RFC 8259's grammar: NaN and Infinity, numbers beyond a float or of more than 100
digits, nesting deeper than 50, text that would take more than 200 MB as Python objects, and lone
surrogates. Which fields there must be is the caller's.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

__all__ = ["BadJson", "check_value", "decoder", "parse_json"]

DEEPEST = 50
MOST_DIGITS = 100  # transformers writes model_max_length with 31
MOST_MEMORY = 200 << 20
_BYTES_OF = {
    "{": 232,
    "[": 64,
    ",": 128,
}  # CPython's objects, rounded up: a dict, a list, a key with its value
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
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
        value = decoder(pairs).decode(text)
    except RecursionError as error:
        raise BadJson(f"nested deeper than {DEEPEST}") from error
    except BadJson:
        raise
    except ValueError as error:
        raise BadJson(str(error)) from error
    check_value(value, surrogates=surrogates or not _SURROGATE.search(text))
    return value


def decoder(
    pairs: Callable[[list[tuple[str, Any]]], dict[str, Any]] | None = None,
) -> json.JSONDecoder:
    """Return a decoder that refuses numbers out of range; the depth of its values is for `check_value`."""
    return json.JSONDecoder(
        object_pairs_hook=pairs, parse_int=_whole, parse_float=_finite, parse_constant=_constant
    )


def check_value(value: Any, *, surrogates: bool = False) -> None:
    """Check a decoded value's depth and, unless `surrogates` are allowed, its texts.

    Raises:
        BadJson: it is nested too deeply, or a text cannot be encoded.
    """
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, (dict, list))]
        if not level:
            break
    else:
        raise BadJson(f"nested deeper than {DEEPEST}")
    if not surrogates:
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
    if _memory(text) > MOST_MEMORY and _memory(_STRING.sub("", text)) > MOST_MEMORY:
        raise BadJson(f"too many values: they would take more than {MOST_MEMORY >> 20} MiB")


def _memory(text: str) -> int:
    return sum(text.count(mark) * size for mark, size in _BYTES_OF.items())


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
