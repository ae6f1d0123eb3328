"""Changes bytes as a careless or hostile writer would: flips, cuts, doubles, splices, puts in what hurts."""

from __future__ import annotations

import random
from collections.abc import Sequence

__all__ = ["mutated"]

_NASTY = (
    *(b"\x00", b"\xff", b"\x80", b"\xed\xa0\x80", b"\n", b"\\ud800", b"\x1b[2J", b"\xe2\x80\xae"),
    *(b"-1", b"0", b"1e400", b"NaN", b"9" * 400, b"0.5", b"18446744073709551616", "²".encode()),
    *(b"null", b"true", b'""', b"[]", b"{}", b"[" * 200, b'{"a":' * 100, b"]", b"}", b",", b":", b'"'),
    *(b"!!int x", b"&a ", b"*a", b"<<: *a", b"? ", b"- ", b"|", b"%YAML 9.9\n"),
    *(b"\xff" * 8, b"\x80" * 10, b"\x08\x01", b"\x12\x00", b"}", b"u", b"R", b"\x85", b"(", b"."),
    *(b"../x", b"/etc/passwd", b"A" * 5000),
)


def mutated(seeds: Sequence[bytes], chance: random.Random, longest: int = 1 << 20) -> bytes:
    """Return one of the seeds with one to eight changes, at most `longest` bytes."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 1, 2, 4, 8))):
        data = _changed(data, seeds, chance)
    return bytes(data[:longest])


def _changed(data: bytearray, seeds: Sequence[bytes], chance: random.Random) -> bytearray:
    at = chance.randrange(len(data) + 1)
    end = min(len(data), at + chance.choice((1, 1, 2, 4, 16, 256)))
    match chance.randrange(8):
        case 0 if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            data[at:end] = chance.randbytes(end - at)
        case 2:
            del data[at:end]
        case 3:
            return data[:at]
        case 4:
            data[at:at] = data[at:end] * chance.choice((1, 2, 50))
        case 5:
            other = chance.choice(seeds)
            begin = chance.randrange(len(other) + 1)
            data[at:end] = other[begin : begin + chance.randrange(64)]
        case 6:
            data[at:end] = chance.choice(_NASTY)
        case _:
            data[at:at] = chance.choice(_NASTY)
    return data
