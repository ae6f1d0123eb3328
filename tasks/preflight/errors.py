"""Errors that name the key of the configuration which leads to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from modelcore.errors import MindrailError

__all__ = ["key_named"]


@contextmanager
def key_named(key: str) -> Iterator[None]:
    """Put a key of the configuration in front of what is raised in the block."""
    try:
        yield
    except MindrailError as error:
        raise type(error)(str(error), where=key) from error
