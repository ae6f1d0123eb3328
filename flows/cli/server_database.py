"""The database of a command's own Prefect server: a copy of a prepared one instead of all migrations.

A new SQLite database goes through all of Prefect's migrations, which is half of the server's start. The first
server of a Prefect version keeps a copy of its database, before any run is in it, in the user's cache; stores
that have no database yet begin with that copy. Prefect migrates it all the same, as it does any other: a copy
that turns out to be of another version costs time and nothing else.
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path

from modelcore.store.user_cache import user_cache

__all__ = ["copy_prepared_database", "keep_prepared_database"]

_NAME = "prefect.db"


def copy_prepared_database(home: Path) -> bool:
    """Put a prepared database into `home`, Prefect's directory; return whether it had none and has it now."""
    prepared, database = _prepared(), home / _NAME
    if prepared is None or not prepared.is_file() or database.exists():
        return False
    return _copy(prepared, database)


def keep_prepared_database(home: Path) -> None:
    """Keep a copy of the database in `home`, in which there is nothing yet but tables, for other stores."""
    prepared = _prepared()
    if prepared is not None and not prepared.exists():
        _copy(home / _NAME, prepared)


def _prepared() -> Path | None:
    directory = user_cache("prefect")
    return None if directory is None else directory / f"{version('prefect')}.db"


def _copy(source: Path, destination: Path) -> bool:
    """Copy a database, perhaps an open one, that appears whole or not at all; return whether it did."""
    partial = destination.with_name(f"{destination.name}.{uuid.uuid4().hex}.partial")
    try:
        with closing(_open(source)) as of, closing(_create(partial)) as to:
            of.backup(to)
            to.execute("PRAGMA journal_mode=DELETE")  # one file; Prefect makes a write-ahead log again
        os.link(partial, destination)  # fails if another process was first
    except (OSError, sqlite3.Error):
        return False
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
    return True


def _create(file: Path) -> sqlite3.Connection:
    file.touch(mode=0o600)
    return sqlite3.connect(file)


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{file}?mode=ro", uri=True)
