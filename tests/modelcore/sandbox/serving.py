"""A completion that serves in a thread of the test, without isolation."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from modelcore.sandbox.completion import serve
from modelcore.sandbox.remote import Completion
from modelcore.sandbox.wire import ChannelClosed

__all__ = ["serving"]


@contextmanager
def serving() -> Iterator[Completion]:
    """Yield the trusted end of the channel to a completion that waits for its program."""
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=_serve_until_closed, args=(theirs.fileno(),))
    thread.start()
    try:
        yield Completion(ours.fileno(), answer_bytes=1 << 20)
    finally:
        ours.close()
        thread.join()
        theirs.close()
        sys.modules.pop("completion", None)


def _serve_until_closed(channel: int) -> None:
    with suppress(ChannelClosed):
        serve(channel)
