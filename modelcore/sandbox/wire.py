"""Length-prefixed JSON messages over a descriptor: four bytes, big-endian, then that many bytes of JSON."""

from __future__ import annotations

import json
import os
import select
from collections.abc import Iterable
from typing import Any

from modelcore.boundary.json_text import outside_strings

__all__ = ["MOST_VALUES", "ChannelClosed", "MessageTooLarge", "readable", "receive", "send"]

_encode = json.JSONEncoder(check_circular=False).encode
_decode = json.JSONDecoder().decode
_PREFIX = 4
_CHUNK = 1 << 16
_EACH_VALUE = dict.fromkeys(",[{", 1)
MOST_VALUES = 500_000
"""In a message; 15 MB of empty lists would take 400 MB and seconds."""


class ChannelClosed(BaseException):
    """The other side closed the channel, possibly in the middle of a message.

    Not an `Exception`, so that no `except Exception` in a benchmark's test catches it.
    """


class MessageTooLarge(Exception):
    """The other side announced a message above the limit; `args[0]` is its size in bytes."""


def send(descriptor: int, message: Any) -> None:
    """Write one message.

    Raises:
        ChannelClosed: the other side no longer reads.
    """
    body = _encode(message).encode("ascii")
    data = memoryview(len(body).to_bytes(_PREFIX, "big") + body)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except (BrokenPipeError, ConnectionResetError) as gone:
        raise ChannelClosed from gone


def receive(descriptor: int, limit: int) -> Any:
    """Read one message of at most `limit` bytes.

    Raises:
        ChannelClosed: end of file.
        MessageTooLarge: the announced size is above `limit`; the channel cannot be used afterwards.
        ValueError, RecursionError: the bytes are not JSON, nested too deeply, or more than `MOST_VALUES`.
    """
    size = int.from_bytes(_exactly(descriptor, _PREFIX), "big")
    if size > limit:
        raise MessageTooLarge(size)
    body = _exactly(descriptor, size)
    text = body.decode("utf-8", "surrogatepass")
    if size > MOST_VALUES and outside_strings(text, _EACH_VALUE, MOST_VALUES) > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES} values")
    return _decode(text)


def readable(descriptors: Iterable[int], seconds: float) -> list[int]:
    """Return the descriptors that have data or are closed; waits up to `seconds` for the first."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll(1000 * seconds)]


def _exactly(descriptor: int, size: int) -> bytes:
    parts = []
    while size:
        try:
            part = os.read(descriptor, min(size, _CHUNK))
        except ConnectionResetError as gone:
            raise ChannelClosed from gone
        if not part:
            raise ChannelClosed
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
