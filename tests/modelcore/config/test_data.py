"""The choices of the row options are those that the code behind them has."""

from __future__ import annotations

from typing import get_args

import pytest

from modelcore.config.data import MINDFORMERS_FORMATS, InstructionFormat, Preprocess, RowFormat
from modelcore.config.reading import parse
from modelcore.data.encoding.compat import MINDFORMERS_DIFFERENCES
from modelcore.data.encoding.formats import FORMATS
from modelcore.data.options import Options
from modelcore.errors import MindrailError


def test_every_instruction_format_has_its_layout() -> None:
    assert get_args(InstructionFormat) == tuple(FORMATS)


def test_mindformers_rows_are_reproduced_for_the_formats_that_the_rule_allows() -> None:
    assert tuple(MINDFORMERS_DIFFERENCES) == MINDFORMERS_FORMATS
    for form in MINDFORMERS_FORMATS:
        assert parse({"format": form, "compat": "mindformers"}, Options).compat == "mindformers"


def test_the_library_takes_what_the_yaml_says_but_the_place_of_the_data() -> None:
    assert Preprocess.model_fields.keys() - Options.model_fields.keys() == {"input", "rows", "cluster"}
    assert "wiki" in get_args(RowFormat)


def test_rows_that_exist_must_name_their_format() -> None:
    with pytest.raises(MindrailError, match="rows are given: say their format"):
        parse({"rows": ["a.mindrecord"]}, Preprocess)
    assert parse({"rows": ["a.mindrecord"], "format": "llama"}, Preprocess).format == "llama"
