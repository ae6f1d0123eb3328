"""A server in OpenAI's form that misbehaves as a test says: one fault per request, then it answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Faulty:
    """What the server does and was asked.

    Attributes:
        url: ends with /v1.
        script: statuses, or "html", "cut", "redirect", "nothing", "list", "silent"; taken from the front.
        bodies: of the requests that were answered, in order.
        keys: the Authorization headers of all requests.
        models: the names that it lists.
        replies: what it answers to a prompt, where that is not made from the prompt.
        refuse_after: answered requests after which it answers 500 alone.
    """

    url: str = ""
    script: list[int | str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    models: tuple[str, ...] = ("m",)
    replies: dict[str, str] = field(default_factory=dict)
    refuse_after: int | None = None
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serving(faulty: Faulty) -> Iterator[Faulty]:
    """Serve on a free port while the context lasts."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self._handle({"data": [{"id": name} for name in faulty.models]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked = body["messages"][0]["content"] if "messages" in body else body["prompt"]
            text = faulty.replies.get(asked, f"answer to {asked}")
            message = {"message": {"content": text}} if "messages" in body else {"text": text}
            answer = {"choices": [{**message, "finish_reason": "stop"}], "usage": {"completion_tokens": 3}}
            self._handle(answer, body)

        def _handle(self, answer: dict[str, Any], body: dict[str, Any] | None = None) -> None:
            with lock:
                faulty.keys.append(self.headers.get("Authorization"))
                fault = faulty.script.pop(0) if faulty.script else 200
                limit = faulty.refuse_after
                if limit is not None and len(faulty.bodies) >= limit:
                    fault = 500
                if fault == 200 and body is not None:
                    faulty.bodies.append(body)
            self._send(fault, json.dumps(answer).encode())

        def _send(self, fault: int | str, content: bytes) -> None:
            if fault == "silent":
                faulty.released.wait(60)
            status = 302 if fault == "redirect" else fault if isinstance(fault, int) else 200
            content = {"html": b"<html>hello</html>", "nothing": b"{}", "list": b"[]"}.get(
                str(fault), content
            )
            if status >= 400:
                content = json.dumps({"error": {"message": "it is\nwrong"}}).encode()
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "0")
            if fault == "redirect":
                self.send_header("Location", "http://elsewhere.example/v1")
            self.send_header("Content-Length", str(len(content) + 10 * (fault == "cut")))
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = fault == "cut"

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        faulty.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        try:
            yield faulty
        finally:
            faulty.released.set()
            server.shutdown()
            thread.join()
