"""Reads the small JSON files that describe models and hosts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modelcore.errors import MindrailError

__all__ = ["read_json_object"]


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in the file at `path`.

    Raises:
        MindrailError: there is no such file, or it is not JSON or not an object.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise MindrailError("no such file", where=path) from error
    except (ValueError, RecursionError) as error:
        raise MindrailError(f"not JSON ({error})", where=path, fix="get the file again") from error
    if not isinstance(value, dict):
        raise MindrailError("not a JSON object", where=path, fix="get the file again")
    return value
