"""An error a user sees is one line that can be printed, whatever is in it."""

import pytest

from modelcore.errors import MindrailError, StepFailed, one_line


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
