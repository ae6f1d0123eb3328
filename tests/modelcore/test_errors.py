"""An error a user sees is one line that can be printed, whatever is in it."""

import pytest

from modelcore.errors import MindrailError, StepFailed, escaped_lines, one_line


def test_an_error_says_where_what_and_what_to_do():
    error = MindrailError("14 layers, 12 in config.json", where="model.ckpt", fix="check the config")
    assert str(error) == "model.ckpt: 14 layers, 12 in config.json; check the config"
    assert str(MindrailError("no rows")) == "no rows"


@pytest.mark.parametrize("text", ["two\nlines", "bell \x07", "escape \x1b[31m", "lone \ud800", "nul \0"])
def test_what_cannot_be_printed_is_escaped(text):
    line = one_line(text)
    line.encode("utf-8")
    assert line.isprintable()


def test_bad_input_and_failed_work_have_exit_codes_of_their_own():
    assert (MindrailError("x").exit_code, StepFailed("x").exit_code) == (2, 1)


def test_a_line_has_at_most_300_characters_and_keeps_file_place_and_key() -> None:
    path = "/tmp/" + "a" * 100_000 + "/model.safetensors"
    error = MindrailError(
        f"{'n' * 10**7} is not in the header",
        where=f"{path}: layers.0.{'w' * 5000}.weight",
        fix="get it again",
    )
    line = str(error)
    assert len(line) <= 290
    assert "/model.safetensors: layers.0." in line
    assert line.endswith(".weight: " + line.partition(".weight: ")[2])
    assert line.endswith("is not in the header; get it again")


def test_many_short_words_lose_the_middle() -> None:
    line = str(
        MindrailError("unknown key", where="run.yaml: a.b", fix="known keys: " + ", ".join(["key"] * 999))
    )
    assert len(line) == 290
    assert line.startswith("run.yaml: a.b: unknown key; known keys: key, ")


@pytest.mark.parametrize("text", ["\x1b[31m", "\u202e", "\ud800", "\x00", "\n", "\u2028", "\x9b"])
def test_what_a_terminal_would_act_on_is_escaped(text: str) -> None:
    line = one_line(f"a{text}b" * 100)
    assert line.isprintable()
    assert len(line) <= 290


def test_a_table_cell_may_be_shorter() -> None:
    assert one_line("x" * 50, 11) == "xxxxx…xxxxx"


def test_a_text_for_a_page_keeps_its_lines_and_spaces() -> None:
    assert escaped_lines("a\tb\n\u3000c\x1b[2J\u202ed") == "a\tb\n\u3000c\\x1b[2J\\u202ed"
