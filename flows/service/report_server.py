"""Serves a store's reports to browsers: read-only, nothing outside the store, nothing that begins with a dot.

`python -m flows.service.report_server STORE --host HOST --port PORT`. With
PREFECT_SERVER_API_AUTH_STRING set, it wants the same user and password as Prefect's server.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import os
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["ReportHandler", "serve"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:"


class ReportHandler(SimpleHTTPRequestHandler):
    """Answers GET and HEAD with files and listings of one directory."""

    def __init__(self, *arguments: Any, root: Path, auth: str, **named: Any) -> None:
        self._root, self._auth = root.resolve(), auth
        super().__init__(*arguments, directory=str(self._root), **named)

    def send_head(self) -> BytesIO | BinaryIO | None:
        """Refuse what is not to be shown, else answer as usual."""
        if self._auth and not self._is_allowed():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="mindrail"')
            self.end_headers()
            return None
        if not self._is_shown():
            self.send_error(404)
            return None
        return super().send_head()

    def end_headers(self) -> None:
        """Let no script run, whatever a model has written."""
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def _is_shown(self) -> bool:
        try:
            path = Path(self.translate_path(self.path)).resolve()
        except ValueError:  # no path at all, such as one with a null byte
            return False
        return path.is_relative_to(self._root) and not _is_hidden(path.relative_to(self._root))

    def _is_allowed(self) -> bool:
        expected = "Basic " + base64.b64encode(self._auth.encode()).decode()
        return hmac.compare_digest(expected.encode(), self.headers.get("Authorization", "").encode())


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def serve(store: Path, host: str, port: int, auth: str) -> None:
    """Serve until the process is ended."""
    with ThreadingHTTPServer((host, port), partial(ReportHandler, root=store, auth=auth)) as server:
        server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("store", type=Path)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    serve(given.store, given.host, given.port, os.environ.get("PREFECT_SERVER_API_AUTH_STRING", ""))
