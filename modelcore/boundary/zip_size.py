"""Finds how large a zip archive's directory is before anything is made of it.

Format (PKWARE APPNOTE 4.3.14-4.3.16): the end record has the directory's size, or 2^32 - 1 where the zip64
end record, which a locator of 20 bytes before it points to, has it. Python's zipfile makes an object of
every entry of a directory of any size.
"""

from __future__ import annotations

from pathlib import Path

from modelcore.errors import MindrailError

__all__ = ["check_directory"]

_END, _LOCATOR, _END64 = b"PK\5\6", b"PK\6\7", b"PK\6\6"
_END_SIZE, _LOCATOR_SIZE, _END64_SIZE = 22, 20, 56
_LONGEST_COMMENT = 1 << 16


def check_directory(path: Path, largest: int) -> None:
    """Refuse a zip archive whose directory takes more than `largest` bytes.

    Args:
        path: the archive; what is no archive at all is left to zipfile.
        largest: bytes; an entry takes 46 and its name.

    Raises:
        MindrailError: the directory is larger.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = max(0, size - _LONGEST_COMMENT - _END_SIZE - _LOCATOR_SIZE)
        file.seek(start)
        tail = file.read(size - start)
        at = tail.rfind(_END)
        if at < 0:
            return
        directory = _number(tail, at + 12, 4)
        locator = at - _LOCATOR_SIZE
        if locator >= 0 and tail.startswith(_LOCATOR, locator):
            file.seek(min(_number(tail, locator + 8, 8), size))
            record = file.read(_END64_SIZE)
            if record.startswith(_END64):
                directory = _number(record, 40, 8)
    if directory > largest:
        what = f"an archive whose directory takes {directory} bytes; at most {largest} are read"
        raise MindrailError(what, where=path)


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
