"""What a record's fields mean, and what is said of one that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelcore.data.sources.json_records import RawRecord
from modelcore.data.sources.records import (
    Dialogue,
    Exchange,
    Instruction,
    read_dialogue,
    read_instruction,
    read_plain_text,
)
from modelcore.errors import MindrailError

SOURCE = Path("data.json")


def record(**fields: Any) -> RawRecord:
    return RawRecord(5, fields)


def turn(who: Any, value: Any) -> dict[str, Any]:
    return {"from": who, "value": value}


def conversation(*turns: Any) -> RawRecord:
    return record(conversations=list(turns))


@pytest.mark.parametrize("fields", [{}, {"input": None}, {"input": ""}])
def test_an_instruction_may_have_no_input(fields: dict[str, Any]) -> None:
    assert read_instruction(record(instruction="a", output="b", **fields), SOURCE) == Instruction(
        "a", "", "b"
    )


def test_an_instruction_has_three_texts() -> None:
    found = read_instruction(record(instruction="a", input="b", output="", id=7), SOURCE)
    assert found == Instruction("a", "b", "")


def test_turns_alternate_between_human_and_model_by_either_name() -> None:
    found = read_dialogue(
        conversation(turn("human", "a"), turn("gpt", "b"), turn("user", "c"), turn("assistant", "")), SOURCE
    )
    assert found == Dialogue("", [Exchange("a", "b"), Exchange("c", "")])


def test_a_system_turn_may_come_first() -> None:
    found = read_dialogue(conversation(turn("system", "s"), turn("human", "a"), turn("gpt", "b")), SOURCE)
    assert found == Dialogue("s", [Exchange("a", "b")])


def test_a_text_stands_under_text_or_else_under_content() -> None:
    assert read_plain_text(record(text="a", content="b"), SOURCE) == "a"
    assert read_plain_text(record(content="b", title="c"), SOURCE) == "b"


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"output": "b"}, "field 'instruction': missing; the record has ['output']"),
        ({"instruction": "a", "input": 1, "output": "b"}, "field 'input': a int, expected text"),
        ({"instruction": None, "output": "b"}, "field 'instruction': a NoneType, expected text"),
        ({"instruction": "a", "output": ["b"]}, "field 'output': a list, expected text"),
        ({"instruction": "a", "output": "x\ud800"}, "field 'output': lone surrogate U+D800 at character 1"),
        ({"instruction": "a", "output": "\udc7f"}, "field 'output': lone surrogate U+DC7F at character 0"),
        ({"instruction": "a", "output": "xy\udc80"}, "field 'output': not UTF-8 (byte 0x80) at character 2"),
        ({"instruction": "a", "output": "\udcff"}, "field 'output': not UTF-8 (byte 0xff) at character 0"),
        ({"instruction": "a", "output": "\udd00"}, "field 'output': lone surrogate U+DD00 at character 0"),
    ],
)
def test_a_field_that_is_no_text_is_named(fields: dict[str, Any], line: str) -> None:
    with pytest.raises(MindrailError) as refused:
        read_instruction(record(**fields), SOURCE)
    assert str(refused.value) == f"data.json, record 5, {line}"


def test_the_fields_that_are_there_are_listed_only_as_far_as_a_line_goes() -> None:
    with pytest.raises(MindrailError) as refused:
        read_instruction(record(**{f"field{number}": "" for number in range(100)}), SOURCE)
    found = str(refused.value).partition("missing; ")[2]
    assert found.startswith("the record has ['field0', 'field1', ") and len(found) == 200


def test_a_record_without_any_text_is_refused() -> None:
    with pytest.raises(MindrailError) as refused:
        read_plain_text(record(title="c"), SOURCE)
    assert str(refused.value) == "data.json, record 5, field 'text': missing; the record has ['title']"


WHOLE = "field 'conversations'"


@pytest.mark.parametrize(
    ("turns", "line"),
    [
        (None, f"{WHOLE}: not a list of turns"),
        ({"from": "human"}, f"{WHOLE}: not a list of turns"),
        ([], f"{WHOLE}: not a list of turns"),
        ([turn("system", "s")], f"{WHOLE}: the last question has no answer"),
        ([turn("human", "a")], f"{WHOLE}: the last question has no answer"),
        ([turn("gpt", "a"), turn("gpt", "b")], f"{WHOLE}: turn 1 is from 'gpt', expected 'human'"),
        ([turn("human", "a"), turn("user", "b")], f"{WHOLE}: turn 2 is from 'user', expected 'gpt'"),
        (
            [turn("system", "s"), turn("human", "a"), turn("human", "b")],
            f"{WHOLE}: turn 3 is from 'human', expected 'gpt'",
        ),
        (
            [turn("human", "a"), turn("gpt", "b"), turn("system", "s"), turn("gpt", "b")],
            f"{WHOLE}: turn 3 is from 'system', expected 'human'",
        ),
        (
            [turn("human", "a"), "b"],
            "field 'conversations[1]': a turn must be an object with 'from' and 'value'",
        ),
        ([{"value": "a"}], "field 'conversations[0].from': missing; the record has ['value']"),
        ([turn("human", 3)], "field 'conversations[0].value': a int, expected text"),
    ],
)
def test_turns_that_are_no_conversation_are_refused(turns: Any, line: str) -> None:
    with pytest.raises(MindrailError) as refused:
        read_dialogue(record(conversations=turns), SOURCE)
    assert str(refused.value) == f"data.json, record 5, {line}"
