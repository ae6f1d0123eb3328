"""Where a run works, as far as this machine knows it before the first step; and errors that name the key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modelcore.errors import MindrailError

__all__ = ["Place", "named"]


@dataclass(frozen=True)
class Place:
    """What checks look at beside the configuration.

    Attributes:
        store: directory that will hold the artifacts; need not exist yet.
        model: directory with the model's config.json and tokenizer; None if the source is elsewhere.
    """

    store: Path
    model: Path | None


@contextmanager
def named(key: str) -> Iterator[None]:
    """Put a key of the configuration in front of what is raised in the block."""
    try:
        yield
    except MindrailError as error:
        raise type(error)(str(error), where=key) from error
