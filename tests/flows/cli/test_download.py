"""`mindrail download` of data: into a directory with its digest, or as the file that is named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flows.cli.main import command_line
from tests.modelcore.store import fault_server
from tests.modelcore.store.test_data_sets import ROWS, archive

DIGEST = hashlib.sha256(ROWS).hexdigest()


@pytest.fixture
def server() -> Iterator[fault_server.Served]:
    files = {"rows.json": ROWS, "w.zip": archive(("w/a.tokens", b"a"), ("w/b.tokens", b"b"))}
    with fault_server.serving(fault_server.Served(files=files)) as served:
        yield served


def download(*arguments: object) -> Result:
    return CliRunner().invoke(command_line, ["download", *map(str, arguments)])


def test_own_data_is_fetched_to_the_file_that_is_named(server: fault_server.Served, tmp_path: Path) -> None:
    done = download(f"{server.url}rows.json", tmp_path / "mine.json")
    assert (tmp_path / "mine.json").read_bytes() == ROWS
    assert DIGEST in done.output and "nothing was compared" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]


def test_a_directory_gets_the_digest_beside_the_data(server: fault_server.Served, tmp_path: Path) -> None:
    done = download(f"{server.url}rows.json", tmp_path / "data", "--sha256", DIGEST, "--json")
    result = json.loads(done.stdout)
    assert (result["files"], result["checked"], result["sha256"]) == (["rows.json"], True, DIGEST)
    assert (tmp_path / "data/SHA256SUMS").read_text() == f"{DIGEST}  rows.json\n"


def test_one_file_of_an_archive_may_be_named(server: fault_server.Served, tmp_path: Path) -> None:
    download(f"{server.url}w.zip", tmp_path / "b.tokens")
    assert (tmp_path / "b.tokens").read_bytes() == b"b"
    refused = download(f"{server.url}w.zip", tmp_path / "c.tokens")
    assert "is none of a.tokens, b.tokens" in str(refused.exception)


def test_a_digest_is_for_data(tmp_path: Path) -> None:
    refused = download("hf://owner/name", tmp_path / "x", "--sha256", DIGEST)
    assert refused.exit_code == 2
    assert "--sha256 is for a data file" in refused.output
