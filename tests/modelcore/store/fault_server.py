"""A real HTTP server with files and, on request, the faults of real ones; speaks the least of a hub's API."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Served:
    """What the server has and what it does wrong.

    Attributes:
        files: path -> contents.
        faults: path -> kinds of fault, one for each request, in order; then it behaves.
        token: demanded of every request, if set.
        requests: (path, headers) of every request.
        redirects: path -> URL.
        hub: owner/name of the repository that the files are, for the hub's API.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    token: str | None = None
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    hub: str | None = None
    url: str = ""

    def ranges(self, path: str) -> list[str | None]:
        """Return the Range header of each request for a file."""
        return [headers.get("Range") for asked, headers in self.requests if asked == path]


@contextmanager
def serving(served: Served) -> Iterator[Served]:
    """Serve on a port of this machine while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(served))
    served.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(served: Served) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(self.path.partition("?")[0]).lstrip("/")
            served.requests.append((path, dict(self.headers)))
            if served.token and self.headers.get("Authorization") != f"Bearer {served.token}":
                return self._status(401)
            if path in served.redirects:
                return self._status(302, {"Location": served.redirects[path]})
            if served.hub and path.startswith("api/models/"):
                return self._api(path)
            if served.hub:
                path = path.removeprefix(f"{served.hub}/resolve/{COMMIT}/")
            if path not in served.files:
                return self._status(404)
            faults = served.faults.get(path, [])
            return self._file(served.files[path], faults.pop(0) if faults else "")

        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def _status(self, code: int, headers: dict[str, str] | None = None) -> None:
            self.send_response(code)
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _file(self, content: bytes, fault: str) -> None:
            if fault.isdigit():
                return self._status(int(fault), {"Retry-After": "7"} if fault == "429" else {})
            etag = f'"{hashlib.sha256(content).hexdigest()}"'
            start = self._start(content, etag, fault)
            if start is not None and start >= len(content):
                return self._status(416, {"Content-Range": f"bytes */{len(content)}"})
            self.send_response(200 if start is None else 206)
            if start is not None:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            body = bytearray(content[start or 0 :])
            self.send_header("ETag", etag)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            return self._body(body, fault)

        def _start(self, content: bytes, etag: str, fault: str) -> int | None:
            match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if match is None or fault == "no-range" or self.headers.get("If-Range", etag) != etag:
                return None
            return int(match[1])

        def _body(self, body: bytearray, fault: str) -> None:
            if fault == "wrong":
                body[len(body) // 2] ^= 1
            if fault in ("cut", "reset"):
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                if fault == "reset":
                    time.sleep(0.2)  # a reset discards what the client has not read yet
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                self.close_connection = True
                return
            self.wfile.write(body)

        def _api(self, path: str) -> None:
            match = re.fullmatch(rf"api/models/{served.hub}(/revision/(.+))?", path)
            if match is None or match[2] not in (None, "main", "v1", COMMIT):
                code = "RepoNotFound" if match is None else "RevisionNotFound"
                self._status(404, {"X-Error-Code": code})
                return
            siblings = [_sibling(name, content) for name, content in served.files.items()]
            answer = json.dumps({"id": served.hub, "sha": COMMIT, "siblings": siblings}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    return Handler


def _sibling(name: str, content: bytes) -> dict[str, object]:
    described: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": "0" * 40}
    if name.endswith((".safetensors", ".bin", ".model")):
        described["lfs"] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            "pointerSize": 134,
        }
    return described
