"""Data sets are fetched with their digests; an archive cannot write elsewhere, or without end."""

from __future__ import annotations

import hashlib
import io
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.store import data_sets
from modelcore.store.data_sets import DATA_SETS, DataSet, data_set, fetch_data
from tests.modelcore.store import fault_server

ROWS = b'[{"instruction": "add", "output": "1"}]\n'


@pytest.fixture
def server() -> Iterator[fault_server.Served]:
    with fault_server.serving(fault_server.Served(files={"rows.json": ROWS})) as served:
        yield served


def archive(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in entries:
            made.writestr(name, content)
    return buffer.getvalue()


def at(server: fault_server.Served, name: str, sha256: str = "") -> DataSet:
    return DataSet(server.url + name, sha256)


def test_a_files_digest_is_compared_or_else_returned(server: fault_server.Served, tmp_path: Path) -> None:
    digest = hashlib.sha256(ROWS).hexdigest()
    unknown = fetch_data(at(server, "rows.json"), tmp_path / "a")
    assert (unknown.files[0].read_bytes(), unknown.sha256, unknown.checked) == (ROWS, digest, False)
    assert fetch_data(at(server, "rows.json", digest), tmp_path / "b").checked
    assert fetch_data(at(server, "rows.json"), tmp_path / "c", sha256=digest.upper()).checked


def test_another_digest_is_refused_and_nothing_is_left(server: fault_server.Served, tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match="its sha256 is .*, expected 0000"):
        fetch_data(at(server, "rows.json", "0" * 64), tmp_path)
    assert not [*tmp_path.iterdir()]
    with pytest.raises(MindrailError, match="its sha256 should be 0000.*, not 1111"):
        fetch_data(at(server, "rows.json", "0" * 64), tmp_path, sha256="1" * 64)


def test_what_is_not_there_is_named(server: fault_server.Served, tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match=r"nowhere\.json: not found"):
        fetch_data(at(server, "nowhere.json"), tmp_path)


def test_wikitexts_archive_is_unpacked_without_its_directory(
    server: fault_server.Served, tmp_path: Path
) -> None:
    server.files["wikitext-2-v1.zip"] = archive(
        ("wikitext-2/", b""),
        ("wikitext-2/wiki.test.tokens", b" = A = \n"),
        ("wikitext-2/wiki.train.tokens", b" = B = \n"),
    )
    fetched = fetch_data(at(server, "wikitext-2-v1.zip"), tmp_path)
    assert [path.name for path in fetched.files] == ["wiki.test.tokens", "wiki.train.tokens"]
    assert sorted(tmp_path.iterdir()) == sorted(fetched.files)
    assert fetched.files[1].read_bytes() == b" = B = \n"


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([("../evil.json", b"x")], "leads out of the directory"),
        ([("/etc/evil.json", b"x")], "leads out of the directory"),
        ([("a/../../evil.json", b"x")], "leads out of the directory"),
        ([("a\\..\\evil.json", b"x")], "leads out of the directory"),
        ([(link("a.json"), b"/etc/passwd")], "is a link"),
        ([("a/x.json", b"1"), ("b/x.json", b"2")], "holds a/x.json and b/x.json"),
        ([], "an archive without files"),
    ],
)
def test_a_hostile_archive_is_refused_and_writes_nothing(
    server: fault_server.Served,
    tmp_path: Path,
    entries: list[tuple[str | zipfile.ZipInfo, bytes]],
    message: str,
) -> None:
    server.files["data.zip"] = archive(*entries)
    with pytest.raises(MindrailError, match=message):
        fetch_data(at(server, "data.zip"), tmp_path / "data")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["data.zip"]


def test_an_archive_cannot_unpack_without_end(
    server: fault_server.Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_sets, "LARGEST_ARCHIVE", 1 << 20)
    server.files["bomb.zip"] = archive(("a.json", bytes(3 << 20)))
    with pytest.raises(MindrailError, match=r"a\.json: unpacks to more than"):
        fetch_data(at(server, "bomb.zip"), tmp_path)


def test_a_damaged_archive_is_named(server: fault_server.Served, tmp_path: Path) -> None:
    server.files["data.zip"] = archive(("a.json", bytes(1000)))[:-40]
    with pytest.raises(MindrailError, match=r"data\.zip: not a sound zip archive"):
        fetch_data(at(server, "data.zip"), tmp_path)


def test_a_name_stands_for_a_data_set_and_an_address_for_itself() -> None:
    assert data_set("mbpp") is DATA_SETS["mbpp"]
    assert data_set("https://host/my/data.jsonl") == DataSet("https://host/my/data.jsonl")
    page = data_set("https://github.com/sahil280114/codealpaca/blob/master/data/code_alpaca_20k.json")
    assert page is not None and page.address == DATA_SETS["code-alpaca-20k"].address
    assert data_set("hf://owner/name") is data_set("https://host/model/") is data_set("mbp") is None


def test_an_address_with_a_query_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match="not the plain address of a file"):
        fetch_data(DataSet("https://host/data.json?token=1"), tmp_path)


def test_every_published_data_set_has_a_file_and_a_digest_or_none() -> None:
    for name, data in DATA_SETS.items():
        assert data.name.endswith(data_sets.SUFFIXES), name
        assert len(data.sha256) == (0 if name == "code-alpaca-20k" else 64), name
        assert replace(data, sha256=data.sha256.lower()) == data
