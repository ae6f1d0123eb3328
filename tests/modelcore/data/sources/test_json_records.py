"""Records are read from lists and lines, detected by content; errors name file and record."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcore.data.sources import json_records as sources
from modelcore.data.sources.json_records import read_records, read_text
from modelcore.errors import MindrailError
from tests.paths import ROOT

RECORDS = [{"a": 1, "b": "x y"}, {"a": "é🙂", "c": [{"d": "}, {"}]}, {"n": -1.5e3, "t": True, "z": None}]


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(path: Path) -> list[dict]:
    return [record.fields for record in read_records(path)]


def skipped(path: Path) -> tuple[list[int], list[str]]:
    errors: list[MindrailError] = []
    numbers = [record.number for record in read_records(path, on_bad=errors.append)]
    return numbers, [str(error).removeprefix(f"{path}, ") for error in errors]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", ["list", "indented", "lines", "crlf", "blank lines", "bom"])
def test_every_format_gives_the_same_records(tmp_path: Path, form: str, packed: bool) -> None:
    lines = [json.dumps(record, ensure_ascii=form == "crlf") for record in RECORDS]
    text = {
        "list": json.dumps(RECORDS),
        "indented": "\n " + json.dumps(RECORDS, indent=4) + "\n\n",
        "lines": "\n".join(lines),
        "crlf": "\r\n".join(lines) + "\r\n",
        "blank lines": "\n\n" + "\n \n".join(lines) + "\n",
        "bom": "\ufeff" + json.dumps(RECORDS),
    }[form].encode()
    path = write(tmp_path / "source.txt", gzip.compress(text) if packed else text)
    assert read(path) == RECORDS


def test_records_are_numbered_from_one(tmp_path: Path) -> None:
    path = write(tmp_path / "s", json.dumps(RECORDS))
    assert [record.number for record in read_records(path)] == [1, 2, 3]


@settings(max_examples=60)
@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=5),
            st.recursive(
                st.none()
                | st.booleans()
                | st.integers()
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.text(max_size=9),
                lambda inner: (
                    st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
                ),
                max_leaves=6,
            ),
            max_size=4,
        ),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 40),
    st.booleans(),
)
def test_a_list_reads_the_same_wherever_its_blocks_end(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict], block: int, plain: bool
) -> None:
    path = tmp_path_factory.mktemp("blocks") / "s.json"
    write(path, json.dumps(records, ensure_ascii=not plain, indent=1 if plain else None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "BLOCK", block)
        assert read(path) == records


def test_reading_does_not_change_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "s.json", json.dumps(RECORDS))
    path.chmod(0o444)
    before = path.stat()
    read(path)
    assert (path.read_text(), path.stat().st_mtime_ns) == (json.dumps(RECORDS), before.st_mtime_ns)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b" \n\t ", "contains only white space"),
        (b"hello", "starts with 'h': neither a JSON list nor JSON lines"),
        ("[]".encode("utf-16"), "looks like UTF-16"),
        (b"\x1f\x8b\x08\x00broken", "damaged gzip"),
        (gzip.compress(json.dumps(RECORDS).encode() * 50)[:-20], "damaged gzip"),
        (b'[{"a": 1}, {"a": 2}', "record 2: invalid JSON (the list does not end)"),
        (b'[{"a": 1}, {"a": 2]', "record 2: invalid JSON"),
        (b'[{"a": 1} {"a": 2}]', "record 1: invalid JSON ('{', expected ',' or ']')"),
        (b'[{"a": 1},]', "record 2: invalid JSON"),
        (b'[{"a": 1}, 7]', "record 2: a JSON number, expected an object"),
        (b'[{"a": 1}, [{}]]', "record 2: a JSON list, expected an object"),
        (b'[{"a": 1}, null]', "record 2: a JSON null, expected an object"),
        (b'[{"a": 1}] [2]', "after record 1: text after the end of the list"),
        (b'{"a": 1}\n{"a": \n', "record 2: invalid JSON"),
        (b'{"a": 1}\n"x"\n', "record 2: a JSON text, expected an object"),
        (b'{"a": 1}\n{"a": "\xff"}\n', "record 2: not UTF-8 (invalid start byte at byte 7 of the line)"),
        (b'{"a": ' + b"[" * 100_000, "record 1: invalid JSON (nested deeper than 50"),
        (b'[{"a": ' + b"9" * 5000 + b"}]", "record 1: invalid JSON (a number of 5000 digits"),
    ],
)
def test_an_error_names_file_and_record(tmp_path: Path, content: bytes, message: str) -> None:
    path = write(tmp_path / "s", content)
    with pytest.raises(MindrailError) as caught:
        read(path)
    assert str(caught.value).startswith(str(path)) and message in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match="no such file"):
        read(tmp_path / "nowhere.json")


def test_bad_lines_are_skipped_and_the_rest_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "s", b'{"a": 1}\n{"a"\n7\n{"a": "\xff"}\n{"a": 5}\n')
    numbers, errors = skipped(path)
    assert numbers == [1, 5]
    assert [error[:8] for error in errors] == ["record 2", "record 3", "record 4"]


def test_reading_a_list_continues_after_an_invalid_item(tmp_path: Path) -> None:
    path = write(tmp_path / "s", '[{"a": 1}, {"a" 2}, 7, {"a": 3}, {"a": "x", }, {"a": 4}]')
    numbers, errors = skipped(path)
    assert [record.fields["a"] for record in read_records(path, on_bad=lambda error: None)] == [1, 3, 4]
    assert len(errors) == 3 and len(numbers) == 3


def test_a_list_item_that_never_ends_is_refused_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "BLOCK", 1 << 10)
    monkeypatch.setattr(sources, "LARGEST_RECORD", 1 << 14)
    path = write(tmp_path / "s", '[{"a": 1}, {"a": "' + "x" * (1 << 20))
    with pytest.raises(MindrailError, match="record 2: invalid JSON"):
        read(path)
    path = write(tmp_path / "lines", '{"a": 1}\n{"a": "' + "x" * (1 << 20))
    with pytest.raises(MindrailError, match="record 2: longer than"):
        read(path)


def test_text_is_read_line_by_line(tmp_path: Path) -> None:
    assert list(read_text(write(tmp_path / "t", "\ufeffa\n\nb é"))) == ["a\n", "\n", "b é"]
    with pytest.raises(MindrailError, match="line 2: not UTF-8"):
        list(read_text(write(tmp_path / "u", b"a\n\xe9\n")))


@pytest.mark.long
def test_a_two_gigabyte_list_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """About a minute: 2 GB of records, read in a separate process whose peak memory is measured."""
    import subprocess
    import sys

    path = tmp_path / "big.json"
    block = ",".join(
        json.dumps({"instruction": "x" * 200, "input": "", "output": f"{i}"}) for i in range(4000)
    )
    with path.open("w") as file:
        file.write("[" + block)
        while file.tell() < 2 << 30:
            file.write("," + block)
        file.write("]")
    # ru_maxrss would be this process's, where that is larger.
    program = (
        "import re, sys; from pathlib import Path\n"
        "from modelcore.data.sources.json_records import read_records\n"
        "print(sum(1 for _ in read_records(Path(sys.argv[1]))), "
        "re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    records, peak_kb = map(int, done.stdout.split())
    assert records > 8_000_000 and peak_kb < 200 << 10
