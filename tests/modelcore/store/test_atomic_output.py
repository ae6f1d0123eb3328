"""A destination that a user names is filled whole or not at all, and nothing there is overwritten."""

import pytest

from modelcore.errors import MindrailError
from modelcore.store.atomic_output import place


def test_the_output_appears_whole_and_nothing_else_is_left(tmp_path):
    assert (
        place(tmp_path / "out", lambda directory: (directory / "a").write_text("x"), origin={"from": 1}) == 1
    )
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "out"]


def test_what_is_there_is_not_touched(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(MindrailError, match="there is something here already"):
        place(tmp_path / "out", lambda directory: (directory / "a").write_text("x"), origin={})
    assert (tmp_path / "out" / "mine").read_text() == "mine"


def test_an_empty_directory_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    place(tmp_path / "out", lambda directory: (directory / "a").write_text("x"), origin={})
    assert (tmp_path / "out" / "a").read_text() == "x"


def test_a_command_that_died_goes_on_and_one_with_another_origin_starts_anew(tmp_path):
    def dies(directory):
        (directory / "half").write_text("1")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        place(tmp_path / "out", dies, origin={"from": 1})
    assert not (tmp_path / "out").exists()
    seen = place(tmp_path / "other", lambda directory: [*directory.iterdir()], origin={"from": 1})
    assert seen == []

    def looks(directory):
        return [path.name for path in directory.iterdir()]

    assert place(tmp_path / "out", looks, origin={"from": 1}) == ["half"]


def test_a_command_that_refused_its_input_leaves_nothing(tmp_path):
    def refuses(directory):
        raise MindrailError("14 heads do not divide by 8")

    with pytest.raises(MindrailError, match="14 heads"):
        place(tmp_path / "out", refuses, origin={})
    assert [*tmp_path.iterdir()] == []


def test_two_commands_at_once_are_one_and_a_refusal(tmp_path):
    def inner(directory):
        with pytest.raises(MindrailError, match="another command is making this"):
            place(tmp_path / "out", lambda _: None, origin={})

    place(tmp_path / "out", inner, origin={})


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MindrailError, match=r"file/out.*cannot write here"):
        place(tmp_path / "file" / "out", lambda _: None, origin={})
