"""Plain data as tagged JSON: the values that may cross between the tests and a completion.

A value arrives as its plain base type: an `int` subclass that claims to equal everything arrives as the
integer it holds. An object that is not plain data stays where it is and crosses as a numbered `Reference`.
"""

from __future__ import annotations

import builtins
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

__all__ = ["Reference", "pack", "unpack"]

_SMALL = 1 << 63
_DICT_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.items()))
_BUILT_IN_TYPES = {kind: name for name, kind in vars(builtins).items() if isinstance(kind, type)}


class Reference:
    """An object in the other process, known only by its number; equal to nothing but itself."""

    def __init__(self, number: int) -> None:
        self._reference_number = number


def pack(value: Any, refer: Callable[[Any], int]) -> Any:
    """Return `value` as JSON data.

    Args:
        value: anything; plain types and their subclasses are copied, deeply.
        refer: stores an object that is not plain data and returns its number.

    Raises:
        RecursionError: the value contains itself or is nested too deeply.
    """
    kind = type(value)
    if value is None or kind is bool or kind is str or kind is float:
        return value
    if kind is int:
        return value if -_SMALL < value < _SMALL else {"int": hex(value)}
    if kind is list:
        return [pack(item, refer) for item in value]
    if kind is dict:
        return {"dict": [[pack(key, refer), pack(item, refer)] for key, item in value.items()]}
    for base, tag in _COLLECTIONS:
        if isinstance(value, base):
            return {tag: [pack(item, refer) for item in base.__iter__(value)]}
    return _pack_scalar(value, refer)


_COLLECTIONS: tuple[tuple[Any, str], ...] = (
    (tuple, "tuple"),
    (set, "set"),
    (frozenset, "frozenset"),
    (deque, "deque"),
    (list, "list"),
    *((view, "set") for view in _DICT_VIEWS),
)


def _pack_scalar(value: Any, refer: Callable[[Any], int]) -> Any:
    if isinstance(value, dict):
        return {"dict": [[pack(key, refer), pack(item, refer)] for key, item in dict.items(value)]}
    if isinstance(value, int):
        return pack(int.__index__(value), refer)
    if isinstance(value, float):
        return float.__pos__(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, (bytes, bytearray)):
        return {"bytes" if isinstance(value, bytes) else "bytearray": value.hex()}
    if isinstance(value, range):
        return {"range": [pack(part, refer) for part in (value.start, value.stop, value.step)]}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, Fraction):
        return {"fraction": [hex(value.numerator), hex(value.denominator)]}
    if type(value).__module__ == "numpy" and hasattr(value, "dtype") and not hasattr(value, "__len__"):
        return pack(value.item(), refer)
    if isinstance(value, type) and value in _BUILT_IN_TYPES:
        return {"type": _BUILT_IN_TYPES[value]}
    return {"object": value._reference_number if isinstance(value, Reference) else refer(value)}


def unpack(data: Any, resolve: Callable[[int], Any]) -> Any:
    """Return the value that `pack` packed.

    Args:
        data: decoded JSON.
        resolve: returns the object with a given number.

    Raises:
        ValueError, TypeError, KeyError, RecursionError, ArithmeticError: `data` is not the output of `pack`.
    """
    if isinstance(data, list):
        return [unpack(item, resolve) for item in data]
    if not isinstance(data, dict):
        return data
    ((tag, content),) = data.items()
    if tag == "dict":
        return {unpack(key, resolve): unpack(item, resolve) for key, item in content}
    if tag in _BUILDERS:
        return _BUILDERS[tag]([unpack(item, resolve) for item in content])
    if tag == "object":
        return resolve(content)
    return _SCALARS[tag](content)


_BUILDERS: dict[str, Callable[[list[Any]], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "deque": deque,
    "list": list,
    "range": lambda parts: range(*parts),
}
_SCALARS: dict[str, Callable[[Any], Any]] = {
    "int": lambda text: int(text, 16),
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "complex": lambda parts: complex(*parts),
    "decimal": Decimal,
    "type": {name: kind for kind, name in _BUILT_IN_TYPES.items()}.__getitem__,
    "fraction": lambda parts: Fraction(int(parts[0], 16), int(parts[1], 16)),
}
