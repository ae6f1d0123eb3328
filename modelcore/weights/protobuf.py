"""Protobuf's wire format, as far as checkpoint files need it: varints, length-delimited fields, skipping.

Format: protobuf.dev, "Encoding". Reads from anything that can be indexed by bytes (an mmap), so a field of
gigabytes is found without being read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["BYTES", "VARINT", "Buffer", "Damaged", "Field", "fields", "length_prefix", "varint"]

Buffer = bytes | memoryview

VARINT, _FIXED64, BYTES, _FIXED32 = 0, 1, 2, 5


class Damaged(Exception):
    """These bytes are not protobuf; the message says at which offset and why."""


@dataclass(frozen=True)
class Field:
    """One field: its number, its wire type, the value of a varint, and where its bytes are."""

    number: int
    wire: int
    value: int
    start: int
    stop: int


def varint(value: int) -> bytes:
    """Encode a whole number; negative ones as 64-bit two's complement."""
    value &= (1 << 64) - 1
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def length_prefix(number: int, length: int) -> bytes:
    """Return the bytes that precede a length-delimited field's content."""
    return varint(number << 3 | BYTES) + varint(length)


def fields(buffer: Buffer, start: int, stop: int) -> Iterator[Field]:
    """Yield the fields of the message in buffer[start:stop].

    Raises:
        Damaged: it does not parse, or a field reaches beyond `stop`.
    """
    at = start
    while at < stop:
        key, at = _read_varint(buffer, at, stop)
        number, wire = key >> 3, key & 7
        value = 0
        if wire == VARINT:
            begin = at
            value, at = _read_varint(buffer, at, stop)
        else:
            length, begin = _length(buffer, wire, at, stop)
            at = begin + length
            if at > stop:
                raise Damaged(f"field {number} at byte {begin} takes {length} bytes, {stop - begin} are left")
        if number == 0:
            raise Damaged(f"no field at byte {begin}")
        yield Field(number, wire, value, begin, at)


def _length(buffer: Buffer, wire: int, at: int, stop: int) -> tuple[int, int]:
    """Return (length, where the bytes start) of a field that is not a varint."""
    if wire == BYTES:
        return _read_varint(buffer, at, stop)
    if wire in (_FIXED32, _FIXED64):
        return (4 if wire == _FIXED32 else 8), at
    raise Damaged(f"unknown wire type {wire} at byte {at}")


def _read_varint(buffer: Buffer, at: int, stop: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= stop:
            raise Damaged(f"cut off at byte {at}")
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise Damaged(f"a number of more than 10 bytes at byte {at}")
