from __future__ import annotations

import pytest

from modelcore.sandbox import verdicts
from modelcore.sandbox.verdicts import VERDICTS, Outcome, outcome


def test_the_verdicts_are_those_of_the_output_format() -> None:
    assert VERDICTS == (
        "passed", "failed", "error", "timed out", "out of memory", "killed", "did not compile"
    )  # fmt: skip


def test_only_the_verdict_passed_passes() -> None:
    assert [verdict for verdict in VERDICTS if Outcome(verdict).passed] == ["passed"]


def test_the_result_is_the_verdict_with_its_reason() -> None:
    assert Outcome(verdicts.KILLED, "by signal 9").result == "killed: by signal 9"
    assert Outcome(verdicts.TIMED_OUT).result == "timed out"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("two\nlines\x1b[2J", r"two\nlines\x1b[2J"),
        ("<object object at 0x7f12ab34cd56> again 0xABCDEF", "<object object at 0x…> again 0x…"),
        ("0x12345 is short and a0x123456 is a name", "0x12345 is short and a0x123456 is a name"),
        ("", ""),
        ("y" * 199 + "\n", "y" * 199 + "\\"),
    ],
)
def test_a_reason_is_one_printable_line_without_addresses(reason: str, expected: str) -> None:
    assert outcome(verdicts.ERROR, reason) == Outcome("error", expected)


def test_a_reason_has_at_most_200_characters_however_long_its_source() -> None:
    assert outcome(verdicts.ERROR, "x" * 10**7).reason == "x" * 200
    assert len(outcome(verdicts.ERROR, "0x123456789 " * 100).reason) == 200
