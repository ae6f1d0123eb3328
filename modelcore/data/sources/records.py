"""Reads the fields of a raw record: an Alpaca record, a conversation or a plain text.

Checks every field that it reads; errors name the invalid one. Knows no prompts and no tokens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from modelcore.data.sources.json_records import RawRecord, bad_record

__all__ = ["Dialogue", "Exchange", "Instruction", "read_dialogue", "read_instruction", "read_plain_text"]

HUMAN = frozenset({"human", "user"})
MODEL = frozenset({"gpt", "assistant"})


class Instruction(NamedTuple):
    """An Alpaca record: an instruction, its input (may be empty) and the expected answer."""

    instruction: str
    input: str
    output: str


class Exchange(NamedTuple):
    """A question of a conversation with its answer."""

    question: str
    answer: str


class Dialogue(NamedTuple):
    """A conversation; `system` is its system text, empty if it has none."""

    system: str
    exchanges: list[Exchange]


def read_instruction(record: RawRecord, path: Path) -> Instruction:
    """Read `instruction`, `input` (may be absent or null) and `output`.

    Raises:
        MindrailError: a field is missing, is not text or contains a lone surrogate.
    """
    context = "" if record.fields.get("input") is None else _text(record, path, "input")
    return Instruction(_text(record, path, "instruction"), context, _text(record, path, "output"))


def read_dialogue(record: RawRecord, path: Path) -> Dialogue:
    """Read `conversations`: an optional system turn, then alternating turns of human and gpt.

    "user" and "assistant" are accepted for "human" and "gpt".

    Raises:
        MindrailError: a turn is missing, out of order or not of the form {"from": ..., "value": ...}.
    """
    turns = record.fields.get("conversations")
    if not isinstance(turns, list) or not turns:
        raise bad_record(path, record.number, "not a list of turns", field="conversations")
    messages = [_turn(record, path, index, turn) for index, turn in enumerate(turns)]
    first = 1  # number of the first turn after the system turn
    system = ""
    if messages[0][0] == "system":
        first, system = 2, messages.pop(0)[1]
    for index, (who, _) in enumerate(messages):
        if who not in (MODEL if index % 2 else HUMAN):
            expected = "gpt" if index % 2 else "human"
            raise bad_record(
                path,
                record.number,
                f"turn {first + index} is from {who!r}, expected {expected!r}",
                field="conversations",
            )
    if not messages or len(messages) % 2:
        raise bad_record(path, record.number, "the last question has no answer", field="conversations")
    pairs = zip(messages[::2], messages[1::2], strict=True)
    return Dialogue(system, [Exchange(question, answer) for (_, question), (_, answer) in pairs])


def read_plain_text(record: RawRecord, path: Path) -> str:
    """Read `text`, or `content` if there is no `text`.

    Raises:
        MindrailError: both are missing, or the one read is not text.
    """
    return _text(
        record, path, "text" if "text" in record.fields or "content" not in record.fields else "content"
    )


def _turn(record: RawRecord, path: Path, index: int, turn: Any) -> tuple[str, str]:
    field = f"conversations[{index}]"
    if not isinstance(turn, dict):
        raise bad_record(path, record.number, "a turn must be an object with 'from' and 'value'", field=field)
    inner = RawRecord(record.number, turn)
    return _text(inner, path, "from", shown=f"{field}.from"), _text(
        inner, path, "value", shown=f"{field}.value"
    )


def _text(record: RawRecord, path: Path, field: str, *, shown: str = "") -> str:
    shown = shown or field
    if field not in record.fields:
        raise bad_record(
            path, record.number, "missing", field=shown, fix=f"the record has {sorted(record.fields)}"[:200]
        )
    value = record.fields[field]
    if not isinstance(value, str):
        raise bad_record(path, record.number, f"a {type(value).__name__}, expected text", field=shown)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # In a list, bytes that are not UTF-8 are read as U+DC80 to U+DCFF.
        code = ord(value[error.start])
        what = (
            f"not UTF-8 (byte 0x{code - 0xDC00:02x})"
            if 0xDC80 <= code <= 0xDCFF
            else f"lone surrogate U+{code:04X}"
        )
        raise bad_record(path, record.number, f"{what} at character {error.start}", field=shown) from error
    return value
