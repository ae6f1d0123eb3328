"""Where a run's report is: `<store>/runs/<time>-<name>/`, page and JSON.

They are not artifacts: a report describes a run, and a run that finds every step in the store is a run too.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from modelcore.store.shared_records import RUNS, share_run
from modelcore.store.store import Store

__all__ = ["REPORTS_URL", "write_run"]

REPORTS_URL = "MINDRAIL_REPORTS_URL"
"""Names the address at which `mindrail up` serves the runs of the store; set for the worker's runs."""


def write_run(store: Store, name: str, now: datetime, page: str, record: Mapping[str, Any]) -> Path:
    """Write report.html and run.json of a finished run and return the page's path."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", name)
    runs = store.root / RUNS
    runs.mkdir(parents=True, exist_ok=True)
    # A run that finds every step in the store takes less than a second: the time alone is not unique.
    directory = Path(tempfile.mkdtemp(dir=runs, prefix=f"{now:%Y%m%dT%H%M%S}-", suffix=f"-{plain}"))
    directory.chmod(0o755)
    path = directory / "report.html"
    path.write_text(page, encoding="utf-8")
    (directory / "run.json").write_text(json.dumps(record, indent=1, default=str))
    share_run(store.root, directory)
    return path
