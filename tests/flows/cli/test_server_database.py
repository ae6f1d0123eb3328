"""A new store's server begins with a prepared database; nothing that is there already is replaced."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flows.cli.server_database import copy_prepared_database, keep_prepared_database


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINDRAIL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "prefect"


def home(tmp_path: Path, name: str, table: str | None = None) -> Path:
    """Return a server's directory, with a database of one table if one is named."""
    directory = tmp_path / name
    directory.mkdir()
    if table is not None:
        with closing(sqlite3.connect(directory / "prefect.db")) as database:
            database.execute(f"CREATE TABLE {table} (id)")
    return directory


def tables(directory: Path) -> list[str]:
    with closing(sqlite3.connect(directory / "prefect.db")) as database:
        return [name for (name,) in database.execute("SELECT name FROM sqlite_master")]


def test_a_store_without_a_database_begins_with_the_prepared_one(tmp_path: Path, cache: Path) -> None:
    first, second = home(tmp_path, "first", "flow_run"), home(tmp_path, "second")
    assert not copy_prepared_database(second)
    keep_prepared_database(first)
    assert copy_prepared_database(second)
    assert tables(second) == ["flow_run"]
    assert len(list(cache.iterdir())) == len(list(second.iterdir())) == 1


def test_a_database_that_a_server_has_open_is_copied_whole(tmp_path: Path) -> None:
    first, second = home(tmp_path, "first", "flow_run"), home(tmp_path, "second")
    with closing(sqlite3.connect(first / "prefect.db")) as server:
        server.execute("PRAGMA journal_mode=WAL")
        server.execute("CREATE TABLE task_run (id)")
        server.commit()
        keep_prepared_database(first)
    assert copy_prepared_database(second)
    assert tables(second) == ["flow_run", "task_run"]


def test_the_first_prepared_database_stays_and_so_does_a_stores_own(tmp_path: Path) -> None:
    for name in ("first", "second"):
        keep_prepared_database(home(tmp_path, name, name))
    assert not copy_prepared_database(tmp_path / "second")
    assert tables(tmp_path / "second") == ["second"]
    assert copy_prepared_database(home(tmp_path, "third"))
    assert tables(tmp_path / "third") == ["first"]


def test_a_prepared_file_that_is_no_database_is_not_used(tmp_path: Path, cache: Path) -> None:
    keep_prepared_database(home(tmp_path, "first", "flow_run"))
    (prepared,) = cache.iterdir()
    prepared.write_bytes(b"no database" * 100)
    empty = home(tmp_path, "second")
    assert not copy_prepared_database(empty)
    assert list(empty.iterdir()) == []


def test_without_a_cache_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINDRAIL_CACHE", "off")
    keep_prepared_database(home(tmp_path, "first", "flow_run"))
    assert not copy_prepared_database(home(tmp_path, "second"))
