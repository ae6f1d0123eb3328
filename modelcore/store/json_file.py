"""Reads the JSON files that describe models and hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelcore.boundary.files import read_file
from modelcore.boundary.json_text import BadJson, parse_json
from modelcore.errors import MindrailError

__all__ = ["LARGEST_INDEX", "LARGEST_VOCABULARY", "read_json_object"]

LARGEST_INDEX = 16 << 20
"""Bytes; the index of DeepSeek-V3's 92,000 tensors has 9 million."""

LARGEST_VOCABULARY = 24 << 20
"""Bytes; tokenizer.json of a vocabulary of 256,000 tokens has fewer."""

_LARGEST = 4 << 20


def read_json_object(path: Path, largest: int = _LARGEST) -> dict[str, Any]:
    """Return the JSON object in the file at `path`, which has at most `largest` bytes.

    Raises:
        MindrailError: there is no such file, or it is too large, not JSON or not an object.
    """
    try:
        value = parse_json(read_file(path, largest))
    except BadJson as error:
        raise MindrailError(f"not JSON ({error})", where=path, fix="get the file again") from error
    if not isinstance(value, dict):
        raise MindrailError("not a JSON object", where=path, fix="get the file again")
    return value
