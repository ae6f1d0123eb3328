"""Where things are kept between runs that any run can make again: compiled graphs, a prepared database.

`MINDRAIL_CACHE` names another place than ~/.cache/mindrail, or is `off`.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["user_cache"]


def user_cache(name: str) -> Path | None:
    """Return an existing directory for one kind of thing; None if it is off or cannot be written.

    Args:
        name: of the kind.
    """
    chosen = os.environ.get("MINDRAIL_CACHE", "")
    if chosen == "off":
        return None
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = (Path(chosen) if chosen else base / "mindrail") / name
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return directory if os.access(directory, os.W_OK) else None
