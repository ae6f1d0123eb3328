"""MindRecord files have the bytes of MindSpore's writer, and are read back."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from modelcore.data.encoding.rows import Rows
from modelcore.data.mindrecord import file as mindrecord
from modelcore.data.mindrecord.file import MindRecordWriter, inspect_mindrecord, read_mindrecord
from modelcore.errors import MindrailError


def some_rows(rows: int, width: int, seed: int = 0) -> Rows:
    generator = np.random.default_rng(seed)
    ids = generator.integers(-70_000, 70_000, (rows, width)).astype(np.int32)
    labels = generator.integers(-130, 130, (rows, width)).astype(np.int32)
    edges = [-(2**31), 2**31 - 1, 127, 128, -128, -129, 32767, 32768, -32768, -32769]
    ids[0, : min(width, len(edges))] = edges[:width]
    # The labels stay within two bytes.
    two = [number for number in edges if -(2**15) <= number < 2**15]
    labels[0, : min(width, len(two))] = two[:width]
    return Rows(ids, labels)


def labels(rows: Rows) -> np.ndarray:
    assert rows.labels is not None
    return rows.labels


def write(path: Path, rows: Rows, batch: int = 100) -> Path:
    columns = ("input_ids", "labels")[: sum(part is not None for part in rows)]
    with MindRecordWriter(path, columns) as writer:
        for at in range(0, len(rows.input_ids), batch):
            writer.write(Rows(*(part[at : at + batch] for part in rows if part is not None)))
    return path


def write_with_mindspore(path: Path, rows: Rows, batch: int) -> Path:
    from mindspore.mindrecord import FileWriter

    path.parent.mkdir(exist_ok=True)
    names = ("input_ids", "labels")[: sum(part is not None for part in rows)]
    writer = FileWriter(str(path), shard_num=1)
    writer.add_schema({name: {"type": "int32", "shape": [-1]} for name in names}, "rows")
    samples = [
        dict(zip(names, row, strict=True)) for row in zip(*(p for p in rows if p is not None), strict=True)
    ]
    for at in range(0, len(samples), batch):
        writer.write_raw_data(samples[at : at + batch])
    writer.commit()
    return path


def index_of(path: Path) -> list[tuple[int, ...]]:
    return sqlite3.connect(f"{path}.db").execute("SELECT * FROM INDEXES ORDER BY ROW_ID").fetchall()


@pytest.mark.parametrize(
    ("rows", "batch"),
    [
        (some_rows(1, 1), 1),
        (some_rows(5, 7), 2),
        (Rows(some_rows(40, 33).input_ids), 40),
        (some_rows(6_000, 1025), 1000),  # a page holds 5,774
    ],
    ids=["one value", "two columns", "one column", "two pages"],
)
def test_the_bytes_are_those_of_mindspore(tmp_path: Path, rows: Rows, batch: int) -> None:
    theirs = write_with_mindspore(tmp_path / "theirs" / "x.mindrecord", rows, batch)
    ours = write(tmp_path / "x.mindrecord", rows, batch=331)
    assert ours.read_bytes() == theirs.read_bytes()
    assert index_of(ours) == index_of(theirs)
    names = "SELECT NAME FROM SHARD_NAME"
    assert sqlite3.connect(f"{ours}.db").execute(names).fetchall() == [("x.mindrecord",)]


def test_raw_pages_that_are_full_are_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mindrecord, "PAGE", 1 << 10)
    rows = some_rows(300, 20)
    found = list(read_mindrecord(write(tmp_path / "x", rows)))
    assert np.array_equal([row["labels"] for row in found], labels(rows))
    raw_pages = {page for _, page, *_ in index_of(tmp_path / "x")}
    assert len(raw_pages) == -(-300 // (1024 // 13))


def test_mind_dataset_reads_it(tmp_path: Path) -> None:
    import mindspore.dataset

    rows = some_rows(9, 17)
    path = write(tmp_path / "x.mindrecord", rows)
    dataset = mindspore.dataset.MindDataset(str(path), columns_list=["input_ids", "labels"], shuffle=False)
    found = list(dataset.create_tuple_iterator(num_epochs=1, output_numpy=True))
    assert np.array_equal([ids for ids, _ in found], rows.input_ids)
    assert np.array_equal([labels for _, labels in found], labels(rows))


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = some_rows(20, 31)
    path = write(tmp_path / "x", rows, batch=7)
    back = list(read_mindrecord(path))
    assert np.array_equal([row["input_ids"] for row in back], rows.input_ids)
    assert np.array_equal([row["labels"] for row in back], labels(rows))
    assert np.array_equal(next(read_mindrecord(path, start=19))["labels"], labels(rows)[19])
    assert inspect_mindrecord(path) == (20, {"input_ids": "int32", "labels": "int32"})


def test_a_file_of_mindspore_is_read(tmp_path: Path) -> None:
    rows = some_rows(20, 31)
    path = write_with_mindspore(tmp_path / "theirs" / "x", rows, 20)
    assert np.array_equal([row["input_ids"] for row in read_mindrecord(path)], rows.input_ids)


def test_equal_rows_give_equal_files(tmp_path: Path) -> None:
    pair = []
    for name, batch in (("a", 3), ("b", 100)):
        (tmp_path / name).mkdir()
        path = write(tmp_path / name / "x", some_rows(50, 9), batch)
        pair.append((path.read_bytes(), Path(f"{path}.db").read_bytes()))
    assert pair[0] == pair[1]


def test_an_existing_file_is_never_written_to(tmp_path: Path) -> None:
    path = write(tmp_path / "x", some_rows(2, 3))
    before = path.read_bytes()
    with pytest.raises(MindrailError, match="exists already"):
        MindRecordWriter(path, ["input_ids"])
    assert path.read_bytes() == before


def test_a_file_without_its_index_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x", some_rows(2, 3))
    Path(f"{path}.db").unlink()
    with pytest.raises(MindrailError, match=r"x\.db: no such file; a MindRecord is a pair"):
        list(read_mindrecord(path))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(b"x" * 99), "not a MindRecord"),
        (lambda path: Path(f"{path}.db").write_bytes(b"x" * 999), "not the index of a MindRecord"),
        (lambda path: path.write_bytes(path.read_bytes()[: (1 << 24) + 5]), "row 0"),
        (lambda path: path.write_bytes(_flipped(path.read_bytes(), (1 << 24) + 8)), "row 0"),
        (lambda path: path.write_bytes(_flipped(path.read_bytes(), (1 << 24) + 20)), "row 0"),
    ],
)
def test_damage_is_detected(tmp_path: Path, damage, message: str) -> None:
    path = write(tmp_path / "x", some_rows(2, 30))
    damage(path)
    with pytest.raises(MindrailError, match=message):
        list(read_mindrecord(path))


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :]
