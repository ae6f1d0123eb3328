"""Where a run's report lies: `<store>/runs/<time>-<name>/`, page and JSON.

They are not artifacts: a report tells of a run, and a run from the store alone is a run too.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from modelcore.store.store import Store

__all__ = ["write_run"]


def write_run(store: Store, name: str, now: datetime, page: str, record: Mapping[str, Any]) -> Path:
    """Write report.html and run.json of a finished run and return the page's path."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", name)
    directory = store.root / "runs" / f"{now:%Y%m%dT%H%M%S}-{os.getpid()}-{plain}"
    directory.mkdir(parents=True)
    path = directory / "report.html"
    path.write_text(page, encoding="utf-8")
    (directory / "run.json").write_text(json.dumps(record, indent=1, default=str))
    return path
