"""JSON from anywhere is a value within limits or one BadJson."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcore.boundary.json_text import BadJson, outside_strings, parse_at, parse_json

REFUSED = {
    "half a text": (b'{"a"', "Expecting"),
    "not UTF-8": (b'"\xff"', "not UTF-8"),
    "NaN": (b"[NaN]", "NaN is not JSON"),
    "Infinity": (b"-Infinity", "-Infinity is not JSON"),
    "a number beyond a float": (b"1e400", "beyond the range"),
    "5,000 digits": (b"1" * 5000, "a number of 5000 digits"),
    "deep lists": (b"[" * 100_000, "nested deeper than 50"),
    "deep lists that end": (b"[" * 60 + b"]" * 60, "nested deeper than 50"),
    "deep objects": (b'{"a":' * 60 + b"1" + b"}" * 60, "nested deeper than 50"),
    "many objects": (b"[" + b"{}," * 2_000_000 + b"{}]", "too many values"),
    "half a surrogate pair": (b'{"a": "\\ud800"}', "half a surrogate pair"),
    "half a surrogate pair in a key": (b'{"\\uDC00": 1}', "half a surrogate pair"),
}


@pytest.mark.parametrize(("data", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_json_or_beyond_a_limit_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(BadJson) as caught:
        parse_json(data)
    assert problem in str(caught.value)


def test_what_published_files_have_is_read() -> None:
    assert parse_json(b'\xef\xbb\xbf{"model_max_length": 1000000000000000019884624838656}') == {
        "model_max_length": 1000000000000000019884624838656
    }
    assert parse_json('"\\ud83d\\ude00"') == "😀"


def test_commas_and_brackets_inside_texts_are_no_values() -> None:
    text = ",{[" * 700_000
    assert parse_json(json.dumps([text, 'quoted " and \\'])) == [text, 'quoted " and \\']


def test_marks_are_counted_outside_texts_wherever_blocks_end(monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps([',"[', "\\", {'"{': "é\\\\"}, ["x" * 9, ",,"], '😀"'], ensure_ascii=False)
    marks = dict.fromkeys(",[{", 1)
    for block in range(1, 40):
        monkeypatch.setattr("modelcore.boundary.json_text._BLOCK", block)
        assert outside_strings(text, marks, 0) > 0
        assert outside_strings(text, marks, 8) == 8  # exact when it is close: 5 commas, 2 lists, an object


def test_a_value_is_read_out_of_a_longer_text() -> None:
    assert parse_at('[{"a": 1.5}, 2]', 1) == ({"a": 1.5}, 11)
    with pytest.raises(json.JSONDecodeError):
        parse_at('[{"a', 1)
    for text in ("NaN", "1e999", "[" * 51 + "]" * 51, "[" * 100_000, "[" + "{}," * 2_000_000 + "1]"):
        with pytest.raises(BadJson):
            parse_at(text, 0)


def test_surrogates_are_kept_on_request() -> None:
    assert parse_json('"\\ud800"', surrogates=True) == "\ud800"


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=40) | st.text(alphabet='{}[]",:0123456789eE+-.\\u ntf', max_size=40).map(str.encode)
)
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    try:
        value = parse_json(data)
    except BadJson:
        return
    assert parse_json(json.dumps(value)) == value
