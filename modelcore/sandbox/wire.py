"""Length-prefixed JSON messages over a descriptor. Knows nothing of what they mean."""

from __future__ import annotations

import json
import os
import select
from collections.abc import Iterable
from typing import Any

__all__ = ["ChannelClosed", "MessageTooLarge", "readable", "receive", "send"]

_encode = json.JSONEncoder(check_circular=False).encode
_decode = json.JSONDecoder().decode
_PREFIX = 4
_CHUNK = 1 << 16


class ChannelClosed(BaseException):
    """The other side is gone, or left in the middle of a message.

    Not an `Exception`, so that no `except Exception` of a benchmark's test takes it for an answer.
    """


class MessageTooLarge(Exception):
    """The other side announced a message beyond the limit; `args[0]` is the size in bytes."""


def send(descriptor: int, message: Any) -> None:
    """Write one message.

    Raises:
        ChannelClosed: nobody reads any more.
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
        MessageTooLarge: the announced size is beyond `limit`; the channel is of no use afterwards.
        ValueError, RecursionError: the bytes are no JSON, or are nested too deeply.
    """
    size = int.from_bytes(_exactly(descriptor, _PREFIX), "big")
    if size > limit:
        raise MessageTooLarge(size)
    return _decode(_exactly(descriptor, size).decode("utf-8", "surrogatepass"))


def readable(descriptors: Iterable[int], seconds: float) -> list[int]:
    """Return those from which something can be read, or nothing ever will; waits up to `seconds` for one."""
    waiting = select.poll()
    for descriptor in descriptors:
        waiting.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in waiting.poll(1000 * seconds)]


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
