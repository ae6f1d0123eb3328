"""HTTP connections that end: by a least rate of the bytes, and by a limit on what comes before the file.

Every read has a timeout already; a server that sends one byte before each of them would never end. Here at
least 60 kB arrive in every minute, and headers, interim answers (100 Continue) included, take at most 256
kB; after the last chunk there are at most 100 lines.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
import urllib.request
from typing import Any

__all__ = ["PacedHandler", "PacedHttpsHandler"]

WINDOW_SECONDS = 60.0
LEAST_BYTES = 60_000
"""In every window."""
MOST_HEADER_BYTES = 256 << 10
MOST_TRAILERS = 100
_LONGEST_TRAILER = 1 << 16


class _PacedReader(io.RawIOBase):
    """A socket's bytes, as long as they come fast enough.

    Raises:
        TimeoutError: they come too slowly, or too many come before `limited` is set to False.
    """

    def __init__(self, source: io.RawIOBase) -> None:
        self._source = source
        self._window_began = time.monotonic()
        self._in_window = 0
        self._total = 0
        self.limited = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count: int | None = self._source.readinto(buffer)
        self._count(count or 0)
        return count

    def close(self) -> None:
        self._source.close()
        super().close()

    def _count(self, count: int) -> None:
        self._total += count
        self._in_window += count
        if self.limited and self._total > MOST_HEADER_BYTES:
            raise TimeoutError(f"more than {MOST_HEADER_BYTES} bytes of headers")
        now = time.monotonic()
        if now - self._window_began < WINDOW_SECONDS:
            return
        if self._in_window < LEAST_BYTES and count:
            raise TimeoutError(f"{self._in_window} bytes in {WINDOW_SECONDS:g} s, too slow to ever end")
        self._window_began, self._in_window = now, 0


class _PacedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **keywords: Any) -> None:
        super().__init__(sock, *arguments, **keywords)
        self._paced = _PacedReader(self.fp.detach())
        self.fp = io.BufferedReader(self._paced)

    def begin(self) -> None:
        super().begin()
        self._paced.limited = False

    def _read_and_discard_trailer(self) -> None:
        """Read what follows the last chunk; the library would read it without end."""
        for _ in range(MOST_TRAILERS):
            if self.fp.readline(_LONGEST_TRAILER) in (b"\r\n", b"\n", b""):
                return
        raise http.client.HTTPException(f"more than {MOST_TRAILERS} lines after the last chunk")


class _PacedConnection(http.client.HTTPConnection):
    response_class = _PacedResponse


class _PacedTlsConnection(http.client.HTTPSConnection):
    response_class = _PacedResponse


class PacedHandler(urllib.request.HTTPHandler):
    """Opens http:// with paced connections."""

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Open a request."""
        return self.do_open(_PacedConnection, req)


class PacedHttpsHandler(urllib.request.HTTPSHandler):
    """Opens https:// with paced connections."""

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Open a request."""
        return self.do_open(_PacedTlsConnection, req)
