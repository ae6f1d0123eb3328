"""What a person names by its path is an input like any other: told by its contents, or refused by name."""

import pytest

from modelcore.errors import MindrailError
from modelcore.store.store import Store
from tasks.named_input import given


def test_an_artifact_keeps_its_digest(tmp_path):
    built = Store(tmp_path).build(
        "word", lambda directory: (directory / "a").write_text("x"), version=1, inputs={}, parameters={}
    )
    step = given(str(built.artifact.path), key="checkpoint")
    assert (step.digest, step.size) == (built.artifact.digest, 1)


def test_the_same_file_elsewhere_is_the_same_input(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_text("rows")
    assert given(str(tmp_path / "one"), key="data").digest == given(str(tmp_path / "two"), key="data").digest


def test_a_directory_is_another_once_a_file_below_it_changed(tmp_path):
    (tmp_path / "rank_0").mkdir()
    (tmp_path / "rank_0" / "a").write_text("x")
    before = given(str(tmp_path), key="shards")
    assert before.size == 1
    (tmp_path / "rank_0" / "a").write_text("xy")
    assert given(str(tmp_path), key="shards").digest != before.digest


def test_nothing_there_is_an_error_that_names_the_parameter(tmp_path):
    with pytest.raises(MindrailError, match=r"checkpoint: .*gone: there is no such file or directory"):
        given(str(tmp_path / "gone"), key="checkpoint")
