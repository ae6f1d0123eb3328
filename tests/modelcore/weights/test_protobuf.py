"""Protobuf's wire format, as its documentation ("Encoding") describes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcore.weights.protobuf import BYTES, VARINT, Damaged, Field, fields, length_prefix, varint


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, b"\x00"),
        (1, b"\x01"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (150, b"\x96\x01"),  # the documentation's example
        (1 << 63, b"\x80" * 9 + b"\x01"),
        (-1, b"\xff" * 9 + b"\x01"),
        (-2, b"\xfe" + b"\xff" * 8 + b"\x01"),
    ],
)
def test_numbers_are_encoded_as_documented(value: int, encoded: bytes) -> None:
    assert varint(value) == encoded


@given(st.integers(0, (1 << 64) - 1), st.integers(1, 1 << 20))
def test_a_number_is_read_as_it_was_written(value: int, number: int) -> None:
    message = varint(number << 3 | VARINT) + varint(value)
    assert list(fields(message, 0, len(message))) == [
        Field(number, VARINT, value, len(varint(number << 3)), len(message))
    ]


def test_bytes_are_found_by_their_prefix_and_not_read() -> None:
    assert length_prefix(2, 7) == b"\x12\x07"  # the documentation's example: field 2, "testing"
    message = b"before" + length_prefix(2, 7) + b"testing" + length_prefix(300, 0) + b"after"
    first, second = fields(memoryview(message), 6, len(message) - 5)
    assert (first.number, first.wire, first.value) == (2, BYTES, 0)
    assert message[first.start : first.stop] == b"testing"
    assert (second.number, second.start, second.stop) == (300, len(message) - 5, len(message) - 5)


def test_fields_of_fixed_width_are_skipped() -> None:
    message = bytes([1 << 3 | 1]) + bytes(8) + bytes([2 << 3 | 5]) + bytes(4) + b"\x18\x01"
    assert [(f.number, f.wire, f.value, f.start, f.stop) for f in fields(message, 0, len(message))] == [
        (1, 1, 0, 1, 9),
        (2, 5, 0, 10, 14),
        (3, VARINT, 1, 15, 16),
    ]


def test_an_empty_message_has_no_fields() -> None:
    assert list(fields(b"", 0, 0)) == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"\x08", "cut off at byte 1"),
        (b"\x08\x80", "cut off at byte 2"),
        (b"\x80", "cut off at byte 1"),
        (b"\x12\x03ab", "field 2 at byte 2 takes 3 bytes, 2 are left"),
        (b"\x09" + bytes(7), "field 1 at byte 1 takes 8 bytes, 7 are left"),
        (b"\x0d" + bytes(3), "field 1 at byte 1 takes 4 bytes, 3 are left"),
        (b"\x00\x01", "no field at byte 1"),
        (b"\x0b", "unknown wire type 3 at byte 1"),
        (b"\x08" + b"\x80" * 10 + b"\x01", "a number of more than 10 bytes at byte 11"),
    ],
)
def test_what_is_not_protobuf_is_refused_with_its_offset(message: bytes, reason: str) -> None:
    with pytest.raises(Damaged, match=f"^{reason}$"):
        list(fields(message, 0, len(message)))


def test_a_number_of_ten_bytes_is_read() -> None:
    message = b"\x08" + b"\xff" * 9 + b"\x01"
    assert next(fields(message, 0, len(message))).value == (1 << 64) - 1


def test_a_field_does_not_reach_beyond_the_part_that_is_read() -> None:
    message = b"\x12\x02ab"
    assert len(list(fields(message, 0, 4))) == 1
    with pytest.raises(Damaged, match="takes 2 bytes, 1 are left"):
        list(fields(message, 0, 3))
