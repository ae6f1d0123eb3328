"""Files, directories and patterns stand for data files in one order, and for each of them once."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelcore.data.sources.files import named_files
from modelcore.errors import MindrailError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("b.json", "a.jsonl.gz", "c.txt", "README.md", "more/d.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(data: Path, *patterns: str) -> list[str]:
    return [str(path.relative_to(data)) for path in named_files([data / one for one in patterns])]


def test_a_directory_and_a_pattern_are_sorted_and_the_names_keep_their_order(data: Path) -> None:
    assert names(data, ".") == ["a.jsonl.gz", "b.json", "c.txt"]
    assert names(data, "**/*.json") == ["b.json", "more/d.json"]
    assert names(data, "c.txt", "more", "README.md") == ["c.txt", "more/d.json", "README.md"]


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (("nowhere.json",), "nowhere.json: there is no such file"),
        (("*.csv",), "no file matches this pattern"),
        (("b.json", "*.json"), "b.json: is given twice"),
    ],
)
def test_nothing_and_a_file_twice_are_refused(data: Path, patterns: tuple[str, ...], message: str) -> None:
    with pytest.raises(MindrailError, match=message):
        names(data, *patterns)


def test_a_directory_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match="holds no data"):
        named_files([tmp_path])


@pytest.mark.parametrize("name", ["n" * 100_000, "**/" * 2000 + "*", "~no-such-user/x"])
def test_what_can_be_no_name_is_refused(name: str) -> None:
    with pytest.raises(MindrailError, match="no file's name"):
        named_files([name])
