"""Writes and reads MindRecord files of int32 columns without MindSpore.

A file is a pair, `x` and `x.db`; to make both appear at once, write them in a temporary directory and rename
it. The bytes depend on the rows and the file's name only. The format (version 3.0) is that of MindSpore's
FileWriter, whose files the tests compare byte by byte:

- 16 MiB header: u64 length, then JSON that lists the pages and the schema;
- 32 MiB pages. Blob pages contain the rows; raw pages contain 13 constant bytes per row (the number of its
  schema, in msgpack);
- a row in the format of `row`;
- `x.db`: SQLite; table INDEXES has each row's pages and offsets, SHARD_NAME the file's name.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from modelcore.boundary.json_text import parse_json
from modelcore.data.encoding.encode import Int32
from modelcore.data.encoding.rows import Rows
from modelcore.data.mindrecord.row import column_bytes, row_bytes, unpack_row
from modelcore.errors import MindrailError, StepFailed

__all__ = [
    "MindRecordInfo",
    "MindRecordReader",
    "MindRecordWriter",
    "inspect_mindrecord",
    "read_mindrecord",
]

HEADER = 1 << 24
PAGE = 1 << 25
RAW_ROW = (5).to_bytes(8, "little") + b"\x81\xa2id\x00"  # {"id": 0}
TABLE = (
    "CREATE TABLE INDEXES(ROW_ID INT NOT NULL, PAGE_ID_RAW INT NOT NULL, PAGE_OFFSET_RAW INT NOT NULL, "
    "PAGE_OFFSET_RAW_END INT NOT NULL, ROW_GROUP_ID INT NOT NULL, PAGE_ID_BLOB INT NOT NULL, "
    "PAGE_OFFSET_BLOB INT NOT NULL, PAGE_OFFSET_BLOB_END INT NOT NULL, PRIMARY KEY(ROW_ID))"
)
ROW_POSITIONS = (
    "SELECT PAGE_ID_BLOB, PAGE_OFFSET_BLOB, PAGE_OFFSET_BLOB_END FROM INDEXES "
    "WHERE ROW_ID >= ? ORDER BY ROW_ID"
)


@dataclass
class _Page:
    number: int
    kind: str
    kind_number: int
    start_row: int
    end_row: int = 0
    size: int = 0
    groups: list[dict[str, int]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "end_row_id": self.end_row,
            "page_id": self.number,
            "page_size": self.size,
            "page_type": self.kind,
            "page_type_id": self.kind_number,
            "row_group_ids": self.groups,
            "shard_id": 0,
            "start_row_id": self.start_row,
        }


class MindRecordWriter:
    """A context manager that writes rows into a new MindRecord file, complete after the block.

    After an exception, both files are closed but incomplete; the caller removes them.

    Args:
        path: the file; `<path>.db` is written beside it.
        columns: names of the rows' columns, in order.

    Raises:
        MindrailError: a file with that name exists already.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        index_path = Path(f"{path}.db")
        for existing in (path, index_path):
            if existing.exists():
                raise MindrailError("exists already", where=existing, fix="remove it or choose another name")
        self.path = path
        self.rows = 0
        self._columns = tuple(columns)
        self._saved_bytes = 0
        self._pages: list[_Page] = []
        self._file = path.open("xb")
        self._index = sqlite3.connect(index_path)
        # Nothing reads the index before it is complete, so it needs no journal.
        self._index.execute("PRAGMA journal_mode = OFF")
        self._index.execute("PRAGMA synchronous = OFF")
        self._index.execute(TABLE)
        self._index.execute("CREATE TABLE SHARD_NAME(NAME TEXT NOT NULL)")
        self._index.execute("INSERT INTO SHARD_NAME VALUES(?)", (path.name,))
        self._blob = self._new_page("BLOB_DATA", None)
        self._raw = self._new_page("RAW_DATA", None)

    def write(self, rows: Rows) -> None:
        """Append rows.

        Raises:
            StepFailed: the file could not be written.
        """
        if len(rows.input_ids) == 0:
            return
        columns = [column_bytes(array) for array in rows if array is not None]
        positions = []
        pending: list[bytes] = []
        try:
            for parts in zip(*columns, strict=True):
                positions.append(self._add(row_bytes(parts), pending))
            self._flush(pending)
            self._index.executemany("INSERT INTO INDEXES VALUES(?, ?, ?, ?, ?, ?, ?, ?)", positions)
        except (OSError, sqlite3.Error) as error:
            raise self._failed(error) from error
        for array, packed in zip((a for a in rows if a is not None), columns, strict=True):
            self._saved_bytes += array.size * 4 - sum(map(len, packed))

    def _add(self, blob: bytes, pending: list[bytes]) -> tuple[int, ...]:
        """Assign a row its position, keep its bytes for the next flush, and return its row of the index."""
        if len(blob) > PAGE:
            raise MindrailError(f"a row of {len(blob)} bytes; a MindRecord page has {PAGE}", where=self.path)
        if self._blob.size + len(blob) > PAGE:
            self._flush(pending)
            self._blob = self._new_page("BLOB_DATA", self._blob)
            self._raw.groups.append({"id": self._blob.kind_number, "offset": self._raw.size})
        if self._raw.size + len(RAW_ROW) > PAGE:
            self._write_raw()
            self._raw = self._new_page("RAW_DATA", self._raw)
        pending.append(blob)
        raw, begin = self._raw.size, self._blob.size
        self._raw.size += len(RAW_ROW)
        self._blob.size += len(blob)
        self.rows += 1
        self._blob.end_row = self.rows
        group = self._blob.kind_number
        raw_position = (self.rows - 1, self._raw.number, raw, self._raw.size)
        return (*raw_position, group, self._blob.number, begin, self._blob.size)

    def _flush(self, pending: list[bytes]) -> None:
        data = b"".join(pending)
        pending.clear()
        self._file.seek(_offset(self._blob) + self._blob.size - len(data))
        self._file.write(data)

    def _write_raw(self) -> None:
        self._file.seek(_offset(self._raw))
        self._file.write(RAW_ROW * (self._raw.size // len(RAW_ROW)))

    def _new_page(self, kind: str, before: _Page | None) -> _Page:
        blob = kind == "BLOB_DATA"
        page = _Page(
            len(self._pages), kind, before.kind_number + 1 if before else 0, self.rows if blob else 0
        )
        page.groups.append({"id": 0 if blob or not before else self._blob.kind_number, "offset": 0})
        self._pages.append(page)
        return page

    def _header(self) -> bytes:
        schema = {name: {"shape": [-1], "type": "int32"} for name in sorted(self._columns)}
        header = {
            "header_size": HEADER,
            "index_fields": None,
            "page": [page.to_json() for page in self._pages],
            "page_size": PAGE,
            "compression_size": max(0, self._saved_bytes),
            "schema": [{"blob_fields": list(self._columns), "desc": "rows", "schema": schema}],
            "shard_addresses": [self.path.name],
            "shard_id": 0,
            "statistics": None,
            "version": "3.0",
        }
        text = json.dumps(header, separators=(",", ":")).encode()
        return len(text).to_bytes(8, "little") + text

    def __enter__(self) -> MindRecordWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._index.close()
            self._file.close()

    def close(self) -> None:
        """Complete the file; closing it twice is allowed.

        Raises:
            StepFailed: the file could not be written.
        """
        if self._file.closed:
            return
        try:
            with closing(self._index), self._file:
                self._write_raw()
                self._file.seek(0)
                self._file.write(self._header())
                self._index.commit()
        except (OSError, sqlite3.Error) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> StepFailed:
        return StepFailed(
            f"could not be written ({error})", where=self.path, fix="check whether the disk is full"
        )


def _offset(page: _Page) -> int:
    return HEADER + page.number * PAGE


class MindRecordInfo(NamedTuple):
    """The contents of a MindRecord file, from its header and index.

    Attributes:
        rows: number of rows.
        columns: column name to its type in the schema.
    """

    rows: int
    columns: dict[str, str]


def inspect_mindrecord(path: Path) -> MindRecordInfo:
    """Return the number of rows and the columns of a MindRecord file.

    Raises:
        MindrailError: the file or its `.db` is missing or invalid.
    """
    with closing(_open_index(path)) as index:
        ((rows,),) = _query(index, path, "SELECT COUNT(*) FROM INDEXES")
        return MindRecordInfo(rows, _columns(path).types)


def read_mindrecord(path: Path, *, start: int = 0) -> Iterator[dict[str, Int32]]:
    """Yield the rows of a MindRecord file of int32 columns in order, as column name to int32 values.

    Args:
        path: the file; `<path>.db` must be beside it.
        start: number of the first row.

    Raises:
        MindrailError: the file or its `.db` is missing, invalid or damaged, or has columns of other types.
    """
    with closing(_open_index(path)) as index, path.open("rb") as file:
        names = _int32_columns(path)
        for number, position in enumerate(_query(index, path, ROW_POSITIONS, start), start):
            page, begin, end = _checked(position, path, number)
            file.seek(HEADER + page * PAGE + begin)
            yield unpack_row(file.read(end - begin), names, f"{path}, row {number}")


class MindRecordReader:
    """Random access to the rows of a MindRecord file of int32 columns; only their positions are in memory.

    Args:
        path: the file; `<path>.db` must be beside it.

    Raises:
        MindrailError: as `read_mindrecord`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with closing(_open_index(path)) as index:
            self.columns = tuple(_int32_columns(path))
            positions = _query(index, path, ROW_POSITIONS, 0)
            # Directly from the database into 12 bytes per row; Python objects would take many times that.
            checked = (_checked(position, path, number) for number, position in enumerate(positions))
            self._positions = np.fromiter(checked, np.dtype("i4, i4, i4"))
        self._file = path.open("rb")

    def __len__(self) -> int:
        return len(self._positions)

    def read(self, number: int) -> dict[str, Int32]:
        """Return row `number` as column name to int32 values.

        Raises:
            MindrailError: the row is damaged.
        """
        page, begin, end = (int(x) for x in self._positions[number])
        blob = os.pread(self._file.fileno(), end - begin, HEADER + page * PAGE + begin)
        return unpack_row(blob, self.columns, f"{self.path}, row {number}")


def _int32_columns(path: Path) -> Sequence[str]:
    """Return the columns in their order in a row.

    Raises:
        MindrailError: some are not int32.
    """
    columns = _columns(path)
    other = [name for name, kind in columns.types.items() if kind != "int32"]
    if other:
        raise MindrailError(f"columns {other} are not int32", where=path, fix="read it with MindSpore")
    return columns.order


def _open_index(path: Path) -> sqlite3.Connection:
    for part in (path, Path(f"{path}.db")):
        if not part.is_file():
            raise MindrailError(
                "no such file", where=part, fix="a MindRecord is a pair: the file and its .db"
            )
    index = sqlite3.connect(f"{Path(f'{path}.db').absolute().as_uri()}?mode=ro", uri=True)
    # A view of that name could be a query without end.
    if list(_query(index, path, "SELECT type FROM sqlite_master WHERE name = 'INDEXES'")) != [("table",)]:
        index.close()
        raise MindrailError("not the index of a MindRecord (no table INDEXES)", where=f"{path}.db")
    return index


def _query(index: sqlite3.Connection, path: Path, text: str, *values: int) -> Iterator[tuple[Any, ...]]:
    try:
        yield from index.execute(text, values)
    except (sqlite3.Error, ValueError, OverflowError) as error:  # ValueError: a text that is not UTF-8
        raise MindrailError(f"not the index of a MindRecord ({error})", where=f"{path}.db") from error


def _checked(position: tuple[Any, ...], path: Path, number: int) -> tuple[int, int, int]:
    """Return a row's page, begin and end, which are inside a page."""
    if not all(type(value) is int and 0 <= value <= PAGE for value in position) or position[1] > position[2]:
        raise MindrailError(f"row {number} is at {position}, not inside a page", where=f"{path}.db")
    page, begin, end = position
    return page, begin, end


class _Columns(NamedTuple):
    """The columns of a file: each one's type, and their order in a row."""

    types: dict[str, str]
    order: list[str]


def _columns(path: Path) -> _Columns:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        text = file.read(length) if length < HEADER else b""
    try:
        (schema,) = parse_json(text)["schema"]
        types = {name: str(kind["type"]) for name, kind in schema["schema"].items()}
        order = schema["blob_fields"]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise MindrailError("not a MindRecord (its header cannot be read)", where=path) from error
    if not isinstance(order, list) or not all(isinstance(name, str) for name in order) or len(types) > 100:
        raise MindrailError("not a MindRecord (its columns cannot be read)", where=path)
    return _Columns(types, order)
