"""A JSON object is read from its file, and anything else is refused by the file's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.store.json_file import read_json_object


@pytest.mark.parametrize(
    "content", [b'{"a": "\xc3\xbc"}', b'\xef\xbb\xbf{"a": "\xc3\xbc"}', b'{"a": "\\u00fc"}']
)
def test_an_object_is_read_whatever_its_encoding(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    assert read_json_object(tmp_path / "a.json") == {"a": "ü"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not JSON \(Expecting value"),
        (b"{", "not JSON"),
        (b'{"a": "\xff"}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
    ],
)
def test_anything_else_is_refused_by_the_name_of_the_file(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(MindrailError, match=f"/a.json: {message}.*; get the file again"):
        read_json_object(tmp_path / "a.json")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match=r"/a.json: no such file$"):
        read_json_object(tmp_path / "a.json")
