"""Serves a model on a socket until SIGTERM or Ctrl-C: running answers get some time to end.

The address is taken before the model is loaded, so that one in use is known at once. A client that does not
read what is sent to it is dropped by the kernel (TCP_USER_TIMEOUT); one that does not send what it announced,
by `request_body`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from modelcore.config.serving import Serving
from modelcore.errors import MindrailError
from modelcore.serving.answers import Answers
from modelcore.serving.app import create_app
from modelcore.serving.engine_loop import EngineLoop
from modelcore.serving.served_model import ServedModel

__all__ = ["KEY", "HttpThread", "bind", "check_key", "serve", "url_of"]

KEY = "MINDRAIL_API_KEY"
"""The environment variable with the key that clients send."""

_CONNECTIONS = 1024  # open at the same time; further ones get 503


def check_key(host: str) -> str | None:
    """Return the key of the environment, None without one.

    Raises:
        MindrailError: there is none, and others than this machine could connect.
    """
    key = os.environ.get(KEY, "").strip() or None
    if key is None and not _is_loopback(host):
        fix = f"set {KEY}, or leave out --host"
        raise MindrailError(
            "anyone who reaches it could use the model without a key", where=f"--host {host}", fix=fix
        )
    return key


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bind(config: Serving) -> socket.socket:
    """Return a socket on the configured address.

    Raises:
        MindrailError: the port is in use, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, config.client_seconds * 1000)
        listener.bind((config.host, config.port))
        listener.listen(_CONNECTIONS)  # else another could take the port as well while the model is loaded
    except OSError as error:
        listener.close()
        reason = str(error.strerror or error).lower()
        raise MindrailError(
            reason, where=f"{config.host}:{config.port}", fix="choose another --port"
        ) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the address for clients."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


def serve(
    served: ServedModel,
    config: Serving,
    listener: socket.socket,
    *,
    key: str | None,
    ready: Callable[[], None],
) -> None:
    """Load the model and answer until SIGTERM or Ctrl-C; for a process's first thread.

    Args:
        served: the model.
        config: limits.
        listener: of `bind`; closed at the end.
        key: of `check_key`.
        ready: called when the model is loaded.

    Raises:
        MindrailError: the model does not fit into memory, or the weights are not its own.
    """
    with listener:
        engine = EngineLoop(served.load(config), capacity=config.batch_size + config.queue)
        with HttpThread(engine, served, config, listener, key) as http, _on_signals(http.end):
            ready()
            http.run_engine()


class HttpThread:
    """Talks to clients in a thread while the context lasts; the thread that enters it calls `run_engine`.

    Args:
        engine: answers.
        served: the model.
        config: limits.
        listener: of `bind`.
        key: of `check_key`.
    """

    def __init__(
        self,
        engine: EngineLoop,
        served: ServedModel,
        config: Serving,
        listener: socket.socket,
        key: str | None,
    ) -> None:
        self._engine, self._served, self._config = engine, served, config
        self._listener, self._key = listener, key
        self._began = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._attend()), name="http")

    def __enter__(self) -> HttpThread:
        self._thread.start()
        self._began.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.answers.end()
        self.end()
        self._thread.join()

    def run_engine(self) -> None:
        """Answer until clients are served no more; a bug in the engine ends both."""
        self._engine.run(self.answers.deliver)

    def end(self) -> None:
        """Take no more clients and let running answers end; the second call does not wait for them."""
        self._server.force_exit = self._server.should_exit
        self._server.should_exit = True

    async def _attend(self) -> None:
        config = self._config
        self.answers = Answers(self._engine, slots=config.batch_size)
        self._server = uvicorn.Server(
            uvicorn.Config(
                create_app(self._served, self.answers, config, self._key),
                log_config=None,
                access_log=False,
                lifespan="off",
                limit_concurrency=_CONNECTIONS,
                timeout_graceful_shutdown=config.stop_seconds,
                server_header=False,
            )
        )
        self._began.set()
        try:
            await self._server.serve(sockets=[self._listener])
        finally:
            self._engine.stop()


@contextmanager
def _on_signals(call: Callable[[], None]) -> Iterator[None]:
    """Call something on SIGTERM and Ctrl-C; neither interrupts what runs."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, lambda *_: call())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
