"""What every reader of weights checks: files come from anywhere, and every number in them may be wrong."""

from __future__ import annotations

from typing import Any, NoReturn

from modelcore.errors import MindrailError

__all__ = ["MOST_DIMENSIONS", "MOST_TENSORS", "are_naturals", "refuse"]

MOST_DIMENSIONS = 32
"""More axes than any tensor of a model has."""

MOST_TENSORS = 50_000
"""More tensors than any file of a model has: DeepSeek-V3 has 92,000 in its 163 files together."""

_LARGEST = 1 << 63


def are_naturals(value: Any, kind: type[list[Any]] | type[tuple[Any, ...]]) -> bool:
    """Whether `value` is a `kind` of whole numbers that could be the lengths of axes, or offsets."""
    if not isinstance(value, kind) or len(value) > MOST_DIMENSIONS:
        return False
    return all(type(item) is int and 0 <= item < _LARGEST for item in value)


def refuse(where: object, what: str, *, fix: str = "get the file again") -> NoReturn:
    """Raise the MindrailError of a file that is not sound."""
    raise MindrailError(what, where=where, fix=fix)
