"""YAML from anywhere is values within limits or one BadYaml that names the line."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcore.boundary.yaml_text import LARGEST_YAML, BadYaml, parse_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdef", "bcdefg", strict=True)
)

REFUSED = {
    "a key that is a list": ("? [a]\n: 1", "not text"),
    "a key that is a mapping": ("? {a: 1}\n: 1", "not text"),
    "a key that is a number": ("1: a", "the key 1 is not text: put it in quotes"),
    "a key that is null": ("~: a", "not text"),
    "binary": ("a: !!binary aaaa", "the tag !!binary"),
    "a tag that does not fit": ("a: !!int abc", "the tag !!int"),
    "a tag that runs code": ("!!python/object/apply:os.system [ls]", "the tag"),
    "a tag of its own": ("a: !mine 1", "the tag !mine"),
    "5,000 digits": (f"a: {'9' * 5000}", "a number of 5000 digits"),
    "a number beyond a float": ("a: 1e400", "beyond the range"),
    "an anchor in itself": ("a: &a [*a]", "contains itself"),
    "a merge with itself": ("a: &a\n  <<: *a", "contains itself"),
    "an anchor bomb": (BOMB, "aliases repeat more than 300"),
    "nested lists": ("[" * 10_000, "nested deeper than 50"),
    "nested mappings": ("{a: " * 10_000, "nested deeper than 50"),
    "nested blocks": ("\n".join(" " * depth + "a:" for depth in range(99)), "nested deeper than 50"),
    "many values": ("{" + "a," * 20_000 + "}", "more than 10000 values"),
    "a long text": ("#" * (LARGEST_YAML + 1), "characters"),
    "an escape that is no character": ('a: "\\U00110000"', "chr()"),
    "half a surrogate pair": ('a: "\\ud800"', "half a surrogate pair"),
    "a null character": ('a: "x\\0y"', "a null character"),
    "a control character": ("a: \0", "unacceptable character"),
    "an unknown alias": ("a: *b", "undefined alias"),
    "two documents": ("a: 1\n---\nb: 2", "another document"),
    "a key twice": ("a: 1\na: 2", "the key 'a' is there twice"),
}


@pytest.mark.parametrize(("text", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_no_configuration_needs_is_refused(text: str, problem: str) -> None:
    with pytest.raises(BadYaml) as caught:
        parse_yaml(text)
    assert problem in str(caught.value)


def test_the_line_is_known() -> None:
    with pytest.raises(BadYaml) as caught:
        parse_yaml("a: 1\nb: !!int x\n")
    assert caught.value.line == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2020-99-99", "2020-99-99"),
        ("2020-01-01", "2020-01-01"),
        ("yes", "yes"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("0o7", "0o7"),
        ("010", 10),
        ("-5", -5),
        ("1e-4", 1e-4),
        (".5", 0.5),
        ("True", True),
        ("~", None),
        ("", None),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("'1'", "1"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert parse_yaml(f"a: {text}") == {"a": value}


def test_aliases_and_merges_of_ordinary_size_work() -> None:
    assert parse_yaml("a: &a {x: 1}\nb:\n  <<: *a\n  y: 2\nc: *a") == {
        "a": {"x": 1},
        "b": {"x": 1, "y": 2},
        "c": {"x": 1},
    }


PIECES = [
    "a",
    ": ",
    "- ",
    "\n",
    "  ",
    "&a ",
    "*a",
    "!!int ",
    "[",
    "]",
    "{",
    "}",
    "'",
    '"',
    "\\",
    "|",
    ">",
    "? ",
    "<<",
    "%",
    "#",
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=30).map("".join))
def test_any_text_is_values_or_refused(text: str) -> None:
    with contextlib.suppress(BadYaml):
        keys_are_text(parse_yaml(text))


def keys_are_text(value: Any) -> None:
    if isinstance(value, dict):
        assert all(type(key) is str for key in value)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        keys_are_text(inner)
