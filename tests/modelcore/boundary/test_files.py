"""A file is read whole only after its size and kind are known to be sensible."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from modelcore.boundary.files import read_file, read_utf8
from modelcore.errors import MindrailError


def refusal(path: Path) -> str:
    with pytest.raises(MindrailError) as caught:
        read_file(path, 100)
    assert len(str(caught.value)) <= 300
    return str(caught.value)


def test_a_sparse_file_of_100_gb_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with path.open("wb") as file:
        file.truncate(100 << 30)
    assert "107374182400 bytes or more, where such a file has at most 100" in refusal(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "a directory" in refusal(tmp_path)
    assert "no such file" in refusal(tmp_path / "none")
    assert "at most 100" in refusal(Path("/dev/zero"))
    assert "cannot be read (File name too long)" in refusal(tmp_path / ("n" * 100_000))
    assert "cannot be read" in refusal(Path("a\0b"))
    (tmp_path / "loop").symlink_to("loop")
    assert "cannot be read" in refusal(tmp_path / "loop")


def test_a_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"content",))
    writer.start()
    assert read_file(path, 100) == b"content"
    writer.join()


def test_text_is_utf8(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"a\xff")
    with pytest.raises(MindrailError, match="not UTF-8 .* at byte 1"):
        read_utf8(path, 100)
