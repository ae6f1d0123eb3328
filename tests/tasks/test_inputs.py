"""An input is told by its contents, not by where it lies; one that is missing is named with its key."""

import os

import pytest

from modelcore.errors import MindrailError
from tasks.inputs import directory_digest, local_directory, local_file, model_digest


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


def test_an_address_may_hold_any_character_of_a_path(tmp_path):
    odd = tmp_path / "100 %, #1?"
    odd.mkdir()
    assert local_directory(odd.as_uri(), key="download.source") == odd


def test_a_directory_is_told_by_names_and_contents_not_by_path_or_time(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "rank_0").mkdir(parents=True)
        (tmp_path / name / "rank_0" / "a").write_text("x")
    first, second = tmp_path / "one", tmp_path / "two"
    os.utime(second / "rank_0" / "a", (1, 1))
    assert directory_digest(first) == directory_digest(second)
    (second / "rank_0" / "a").write_text("y")
    assert directory_digest(first) != directory_digest(second)
    (second / "rank_0" / "a").write_text("x")
    (second / "rank_0" / "a").rename(second / "rank_0" / "b")
    assert directory_digest(first) != directory_digest(second)


def test_weights_count_in_a_models_digest_where_they_are_wanted(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    without = model_digest(tmp_path, weights=False)
    assert model_digest(tmp_path) == without
    (tmp_path / "model.safetensors").write_text("w")
    assert model_digest(tmp_path) != without
    assert model_digest(tmp_path, weights=False) == without
