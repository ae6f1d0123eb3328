"""Reading single fields of a Hugging Face config.json: typed, and refused by key when unusable.

It knows the fields' types, not what they mean; each family's `config.py` does.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from modelcore.errors import MindrailError

__all__ = [
    "dtype_field",
    "flag",
    "integer",
    "optional_integer",
    "positive_number",
    "refuse_other",
    "token_id",
]

_LARGEST = 1 << 31  # ids and sizes are int32 on the device
_DTYPES = ("float32", "float16", "bfloat16")


def integer(raw: Mapping[str, Any], key: str, where: object) -> int:
    """Return the positive integer at `key`; raise MindrailError when it is missing or something else."""
    if key not in raw:
        raise MindrailError(f"has no {key}", where=where, fix="take config.json from the model's repository")
    value = raw[key]
    if type(value) is not int or not 1 <= value < _LARGEST:
        raise MindrailError(f"{key} is {value!r}, not a positive integer below 2^31", where=where)
    return value


def optional_integer(raw: Mapping[str, Any], key: str, default: int, where: object) -> int:
    """Return the positive integer at `key`, or `default` where it is absent or null."""
    return default if raw.get(key) is None else integer(raw, key, where)


def positive_number(raw: Mapping[str, Any], key: str, default: float, where: object) -> float:
    """Return the positive finite number at `key` as a float, or `default` where it is absent or null."""
    value = raw.get(key)
    if value is None:
        return default
    if type(value) not in (int, float) or not math.isfinite(value) or value <= 0:
        raise MindrailError(f"{key} is {value!r}, not a positive number", where=where)
    return float(value)


def flag(raw: Mapping[str, Any], key: str, default: bool, where: object) -> bool:
    """Return the boolean at `key`, or `default` where it is absent."""
    value = raw.get(key, default)
    if type(value) is not bool:
        raise MindrailError(f"{key} is {value!r}, not true or false", where=where)
    return value


def token_id(raw: Mapping[str, Any], key: str, where: object) -> int | None:
    """Return the token id at `key`; None where it is absent or null. -1 is an old spelling of none."""
    value = raw.get(key)
    if value is None or value == -1:
        return None
    if type(value) is not int or not 0 <= value < _LARGEST:
        raise MindrailError(f"{key} is {value!r}, not one token id", where=where)
    return value


def dtype_field(raw: Mapping[str, Any], where: object) -> str:
    """Return the weights' dtype, under transformers 5's key (dtype) or transformers 4's (torch_dtype)."""
    key = "dtype" if raw.get("dtype") is not None else "torch_dtype"
    value = "float32" if raw.get(key) is None else raw[key]
    if value not in _DTYPES:
        raise MindrailError(f"{key} is {value!r}, not one of {', '.join(_DTYPES)}", where=where)
    return str(value)


def refuse_other(
    raw: Mapping[str, Any], key: str, implemented: Collection[object], default: object, where: object
) -> None:
    """Raise MindrailError naming `key` unless its value (or `default`, where absent) is implemented."""
    value = raw.get(key, default)
    if value not in implemented:
        known = " or ".join(sorted(repr(one) for one in implemented))
        raise MindrailError(f"{key} is {value!r}: not implemented, only {known}", where=where)
