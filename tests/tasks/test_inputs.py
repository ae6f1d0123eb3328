"""An input is told by its contents, not by where it lies; one that is missing is named with its key."""

import pytest

from modelcore.errors import MindrailError
from tasks.inputs import local_directory, local_file, resolve, tree_digest


def test_the_same_file_elsewhere_is_the_same_input(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("rows")
    two.write_text("rows")
    assert local_file(str(one), key="preprocess.input")[1] == local_file(str(two), key="preprocess.input")[1]


def test_a_missing_input_is_named_with_its_key(tmp_path):
    with pytest.raises(MindrailError, match=r"preprocess\.input: .*nowhere: there is no such file"):
        local_file(str(tmp_path / "nowhere"), key="preprocess.input")
    with pytest.raises(MindrailError, match=r"download\.source: .*there is no such directory"):
        local_directory(f"file://{tmp_path}/nowhere", key="download.source")


def test_a_remote_source_has_no_directory_here():
    assert local_directory("hf://owner/name", key="download.source") is None


def test_a_place_without_the_demo_is_taken_as_it_is():
    assert resolve("data/{first_programs}.json", None) == "data/{first_programs}.json"


def test_a_changed_directory_has_another_digest(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    before = tree_digest(tmp_path)
    assert tree_digest(tmp_path) == before
    (tmp_path / "config.json").write_text("{ }")
    assert tree_digest(tmp_path) != before
