"""Wikitext is detokenised in bounded time and memory."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcore.data.sources import wikitext
from modelcore.data.sources.wikitext import detokenise, mindformers_paragraphs, paragraphs
from modelcore.errors import MindrailError


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("It cost 1 @,@ 000 ( one thousand ) .\n", "It cost 1,000 (one thousand) .\n"),
        ("a well @-@ known 3 @.@ 5 ° angle", "a well-known 3.5°angle"),
        ('the " quick " fox \'s [ 1 ] tail , and { x }', 'the "quick" fox\'s [1] tail, and {x}'),
        ("open ( never closed", "open ( never closed"),
    ],
)
def test_spaces_around_punctuation_are_removed(tokens: str, text: str) -> None:
    assert detokenise(tokens) == text


@given(st.text(st.sampled_from("()\"' \n\tab"), max_size=40))
def test_brackets_and_quotes_lose_their_inner_space_as_with_the_usual_patterns(text: str) -> None:
    usual = text
    for first, last in ("()", '""', "''"):
        pattern = rf"{re.escape(first)}\s*([^{re.escape(last)}]*?)\s*{re.escape(last)}"
        usual = re.sub(pattern, lambda match: f"{match[0][0]}{match[1]}{match[0][-1]}", usual)
    ours = text
    for first, last in ("()", '""', "''"):
        ours = wikitext._without_inner_space(ours, first, last)
    assert ours == usual


@pytest.mark.parametrize("text", ["(" + " " * 200_000, "(" * 200_000, '" ' * 100_000 + "x", "( a" * 100_000])
def test_hostile_brackets_take_no_more_time_than_others(text: str) -> None:
    """With the usual patterns each of these takes hours."""
    assert detokenise(text).replace(" ", "") == text.replace(" ", "")


def test_the_size_of_a_paragraph_and_of_a_whole_file_is_limited(monkeypatch) -> None:
    monkeypatch.setattr(wikitext, "LARGEST_PARAGRAPH", 1000)
    monkeypatch.setattr(wikitext, "LARGEST_MINDFORMERS_TEXT", 1000)
    lines = ["some words\n"] * 50 + [" \n"]
    assert len(list(paragraphs(lines * 3))) == 3
    with pytest.raises(MindrailError, match="a paragraph of more than"):
        list(paragraphs(["some words\n"] * 100))
    with pytest.raises(MindrailError, match="a file of more than .* use compat: model"):
        list(mindformers_paragraphs(lines * 3))


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("the dogs ' tails", "the dogs' tails"),
        ("one : two ; three . Four ! Five ? Six , seven", "one: two; three. Four! Five? Six, seven"),
        ("a @-@ b @,@ c @.@ d", "a-b,c.d"),
        ("( a ) [ b ] { c } \" d \" ' e '", "(a) [b] {c} \"d\" 'e'"),
        ("= = = = a = = = =", "==== a ===="),
        ("= = = b = = =", "=== b ==="),
        ("= = c = =", "== c =="),
        ("20 ° C", "20°C"),
        ("a \n b", "a\nb"),
        ("the fox 's tail", "the fox's tail"),
        ("4 N 5 .", "4 N 5 ."),
    ],
)
def test_each_rule_joins_its_tokens(tokens: str, text: str) -> None:
    assert detokenise(tokens) == text


LINES = [
    " \n",
    " = Foxes = \n",
    " \n",
    " One . \n",
    " Two ! \n",
    " = = Names = = \n",
    " = x is no heading \n",
    " x = \n",
    "=\n",
    " \n",
    "\n",
    " Four N \n",
]


def test_paragraphs_are_between_blank_lines_and_headings() -> None:
    assert list(paragraphs(LINES)) == ["One.\nTwo!", "= x is no heading\nx =\n=", "Four N"]
    assert list(paragraphs([])) == list(paragraphs([" \n", " = a = \n"])) == []


def test_mindformers_paragraphs_are_between_blank_lines_alone() -> None:
    lines = ["One N two . \n", " \n", " = Foxes = \n", " \n", " Three . \n", " Four . \n", "\n", " \n"]
    assert list(mindformers_paragraphs(lines)) == ["One 1 two.", "Three.\nFour."]
    assert list(mindformers_paragraphs([" = Foxes = \n", " swallowed \n"])) == []
    assert list(mindformers_paragraphs([])) == []


@pytest.mark.parametrize(
    ("split", "limit", "refused"),
    [
        (
            paragraphs,
            "LARGEST_PARAGRAPH",
            "wikitext: a paragraph of more than 2 Mi characters; put blank lines between paragraphs",
        ),
        (
            mindformers_paragraphs,
            "LARGEST_MINDFORMERS_TEXT",
            "wikitext: a file of more than 2 Mi characters; "
            "use compat: model, which reads paragraph by paragraph",
        ),
    ],
)
def test_what_is_as_long_as_allowed_is_read(
    split: Callable, limit: str, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wikitext, limit, 2 << 20)
    line = "x" * (1 << 20)
    assert list(split([line, line])) == [line + line]
    with pytest.raises(MindrailError) as error:
        list(split([line, line, "x"]))
    assert str(error.value) == refused


def test_the_limits_are_those_of_real_files() -> None:
    assert (wikitext.LARGEST_PARAGRAPH, wikitext.LARGEST_MINDFORMERS_TEXT) == (16 << 20, 256 << 20)
