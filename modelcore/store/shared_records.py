"""What a store holds beside artifacts, for all hosts that use its bucket: finished runs and the history.

Without a bucket there is nothing to do: they are in the store's directory. In the bucket a run is its files
below `runs/`, and each line of the history an object of its own, as nothing can be appended to an object.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelcore.store.durable import replace_contents
from modelcore.store.journal import append_once
from modelcore.store.location import remote_of
from modelcore.store.manifest import as_plain

__all__ = ["RUNS", "fetch_lines", "fetch_runs", "share_line", "share_run"]

RUNS = "runs"
"""The directory of a store that holds a directory for each finished run."""

_LINES = "lines"


def share_run(root: Path, run: Path) -> None:
    """Copy a finished run's directory to the bucket, the record that names it last."""
    remote = remote_of(root)
    if remote is not None:
        files = (path for path in run.iterdir() if path.is_file())
        for path in sorted(files, key=lambda path: path.suffix == ".json"):
            remote.upload(path, f"{RUNS}/{run.name}/{path.name}")


def fetch_runs(root: Path) -> None:
    """Copy the runs that other hosts have finished from the bucket, unless they are here already."""
    remote = remote_of(root)
    if remote is None:
        return
    for name in sorted(remote.sizes(RUNS), key=lambda name: name.endswith(".json")):
        path = root / RUNS / Path(name).parent.name / Path(name).name
        if not path.exists() and (contents := remote.read(name)) is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_contents(path, contents)


def share_line(path: Path, record: Mapping[str, Any]) -> None:
    """Copy a line that was added to a file of the store, such as the history, to the bucket."""
    remote = remote_of(path.parent)
    if remote is not None:
        text = json.dumps(as_plain(record), sort_keys=True).encode()
        name = f"{_LINES}/{path.name}/{hashlib.sha256(text).hexdigest()[:20]}.json"
        remote.write(name, text)


def fetch_lines(path: Path) -> None:
    """Add the lines that other hosts have added to a file of the store, unless they are here already."""
    remote = remote_of(path.parent)
    if remote is None:
        return
    found = remote.read_all(list(remote.sizes(f"{_LINES}/{path.name}")))
    for record in sorted(map(json.loads, found.values()), key=lambda record: str(record.get("time"))):
        append_once(path, record, is_same=record.__eq__)
