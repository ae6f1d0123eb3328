"""Servers that never end, lie about sizes, change a file half way, or answer something else."""

from __future__ import annotations

import itertools
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modelcore.errors import MindrailError, StepFailed
from modelcore.store import download_file, hub, paced
from modelcore.store.download import download
from modelcore.store.download_http import ServerBusy

_ASKED = re.compile(b"config.json |/api/models/")
NOT_FOUND = b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def answering(answer: Callable[[bytes], Iterator[bytes]]) -> Iterator[str]:
    """Answer requests for config.json or a hub's description with what `answer` yields; 404 to others."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []

    def respond(connection: socket.socket) -> None:
        request = connection.recv(65536)
        with connection:
            for part in answer(request) if _ASKED.search(request) else [NOT_FOUND]:
                try:
                    connection.sendall(part)
                except OSError:
                    return

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            threading.Thread(target=respond, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in connections:
            connection.close()


def always(text: bytes) -> Callable[[bytes], Iterator[bytes]]:
    return lambda request: iter([text])


ENDLESS = {
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, "bytes of headers"),
    "a header": (b"HTTP/1.1 200 x\r\nX: ", b"x" * 4096, "got more than 65536 bytes|bytes of headers"),
    "interim headers": (
        b"",
        b"HTTP/1.1 103 x\r\n" + b"X: " + b"x" * 60_000 + b"\r\n\r\n",
        "answers 103",
    ),
    "a configuration": (b"HTTP/1.1 200 x\r\n\r\n", b" " * (1 << 20), "no end"),
    "lines after the last chunk": (
        b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"X: y\r\n" * 1000,
        "more than 100 lines after the last chunk",
    ),
    "a chunk's extension": (
        b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"x" * 4096,
        "the connection broke",
    ),
}


@pytest.mark.parametrize("attack", ENDLESS)
def test_what_never_ends_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: str) -> None:
    begin, repeated, message = ENDLESS[attack]
    monkeypatch.setattr(download_file, "_LARGEST_SMALL", 4 << 20)
    with (
        answering(lambda request: itertools.chain([begin], itertools.repeat(repeated))) as url,
        pytest.raises(MindrailError, match=message) as caught,
    ):
        download(url, tmp_path)
    assert len(str(caught.value)) <= 290


def test_a_redirects_endless_body_is_not_read(tmp_path: Path) -> None:
    head = b"HTTP/1.1 302 x\r\nLocation: /other\r\n\r\n"
    with (
        answering(lambda request: itertools.chain([head], itertools.repeat(b"x" * 65536))) as url,
        pytest.raises(MindrailError, match="not found"),
    ):
        download(url, tmp_path)


@pytest.mark.parametrize(
    "begin", [b"HTTP/1.1 200 x\r\nContent-Length: 100000\r\n\r\n", b""], ids=["body", "headers"]
)
def test_one_byte_at_a_time_is_too_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    monkeypatch.setattr(paced, "WINDOW_SECONDS", 0.3)
    pause = threading.Event()

    def drip(request: bytes) -> Iterator[bytes]:
        yield begin
        while not pause.wait(0.05):
            yield b"x"

    with answering(drip) as url, pytest.raises(StepFailed, match="too slow to ever end"):
        download(url, tmp_path)
    pause.set()


@pytest.mark.parametrize(
    "target",
    [
        "http://[::1/",
        "http://a..b/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http://x y/",
        "http:///",
        "http://" + "a" * 70 + "/",
        "//",
        "http://\u00b2/",
    ],
)
def test_a_redirect_to_an_address_that_is_none_is_refused(tmp_path: Path, target: str) -> None:
    answer = f"HTTP/1.1 302 x\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
    with answering(always(answer)) as url, pytest.raises(MindrailError, match="config.json"):
        download(url, tmp_path)


@pytest.mark.parametrize(
    "source", ["https://[/", "http://a..b/", "http://x:99999/", "http://x:y/", "hf://a b/c d"]
)
def test_a_source_that_is_no_address_is_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(MindrailError):
        download(source, tmp_path)


@pytest.mark.parametrize("value", ["²", "9" * 5000, "1e400", "Mon, 99 Xxx 99999 99:99:99 GMT", "-5", "\x80"])
def test_a_retry_after_that_is_no_time_is_left_to_the_user(tmp_path: Path, value: str) -> None:
    answer = f"HTTP/1.1 503 x\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n".encode(
        "latin-1", "replace"
    )
    with answering(always(answer)) as url, pytest.raises(ServerBusy) as caught:
        download(url, tmp_path)
    assert caught.value.retry_after is None


@pytest.mark.parametrize("length", [b"9" * 5000, b"\xb2", b"-1", b"1, 2", b"0x10"])
def test_a_length_that_is_no_number_is_refused(tmp_path: Path, length: bytes) -> None:
    answer = b"HTTP/1.1 200 x\r\nContent-Length: " + length + b"\r\n\r\n{}"
    with answering(always(answer)) as url, pytest.raises(MindrailError, match="Content-Length") as caught:
        download(url, tmp_path)
    assert len(str(caught.value)) <= 290


def resumable(tmp_path: Path) -> Path:
    """Leave the first four bytes of a file of ten, of version "v"."""
    (tmp_path / "config.json.partial").write_bytes(b"0123")
    (tmp_path / "config.json.partial.version").write_text('"v"\n10')
    return tmp_path


@pytest.mark.parametrize(
    "headers",
    [
        b'ETag: "w"\r\nContent-Range: bytes 4-9/10\r\n',
        b"Content-Range: bytes 4-9/10\r\n",
        b'ETag: "v"\r\nContent-Range: bytes 4-11/12\r\n',
    ],
    ids=["another ETag", "no ETag", "another size"],
)
def test_a_file_that_changed_between_two_ranges_starts_over(tmp_path: Path, headers: bytes) -> None:
    def answer(request: bytes) -> Iterator[bytes]:
        if b"Range: " in request:
            yield b"HTTP/1.1 206 x\r\n" + headers + b"Content-Length: 6\r\n\r\nxxxxxx"
        else:
            yield b'HTTP/1.1 200 x\r\nETag: "w"\r\nContent-Length: 2\r\n\r\n{}'

    with answering(answer) as url, pytest.raises(MindrailError, match="no weights there"):
        download(url, resumable(tmp_path))
    assert (tmp_path / "config.json").read_bytes() == b"{}"


@pytest.mark.parametrize("version", [b"\xff", b"", b'"v"\n\xc2\xb2', b"x" * (1 << 20)])
def test_a_damaged_note_of_the_version_starts_over(tmp_path: Path, version: bytes) -> None:
    (resumable(tmp_path) / "config.json.partial.version").write_bytes(version)
    answer = b'HTTP/1.1 200 x\r\nETag: "w"\r\nContent-Length: 2\r\n\r\n{}'
    with answering(always(answer)) as url, pytest.raises(MindrailError, match="no weights there"):
        download(url, tmp_path)
    assert (tmp_path / "config.json").read_bytes() == b"{}"


HUB = {
    "a page": b"<html>welcome</html>",
    "nothing": b"",
    "a list": b"[]",
    "a text": b'"model"',
    "half an object": b'{"id": "owner/mo',
    "no commit": b'{"id": "owner/model", "siblings": []}',
    "a commit that is none": b'{"id": "owner/model", "sha": "../..", "siblings": []}',
    "files that are none": b'{"id": "owner/model", "sha": "%b", "siblings": [1]}' % (b"0" * 40),
    "files without names": b'{"id": "owner/model", "sha": "%b", "siblings": [{}]}' % (b"0" * 40),
    "a size of text": b'{"id": "owner/model", "sha": "%b", "siblings": [{"rfilename": "a", "size": "x"}]}'
    % (b"0" * 40),
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("body", HUB.values(), ids=HUB)
def test_a_hub_that_answers_something_else_is_refused(tmp_path: Path, body: bytes) -> None:
    head = b"HTTP/1.1 200 x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with one_answer(head + body) as url, pytest.raises(MindrailError, match="hf://owner/model") as caught:
        download("hf://owner/model", tmp_path, endpoint=url.rstrip("/"))
    assert "not the description of a model" in str(caught.value)


LISTING_HEAD = b"HTTP/1.1 200 x\r\nContent-Type: application/json\r\n\r\n"


def test_a_hubs_description_without_end_is_cut_off(tmp_path: Path) -> None:
    with (
        answering(lambda request: itertools.chain([LISTING_HEAD], itertools.repeat(b" " * (1 << 20)))) as url,
        pytest.raises(MindrailError, match="hf://owner/model: .*more than 16 MiB"),
    ):
        download("hf://owner/model", tmp_path, endpoint=url.rstrip("/"))


def test_a_hubs_description_of_tiny_chunks_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_MOST_BLOCKS", 1000)
    head = b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with (
        answering(lambda request: itertools.chain([head], itertools.repeat(b"1\r\n \r\n" * 99))) as url,
        pytest.raises(MindrailError, match="in more than 1000 pieces"),
    ):
        download("hf://owner/model", tmp_path, endpoint=url.rstrip("/"))


def test_a_hubs_description_that_comes_too_slowly_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paced, "WINDOW_SECONDS", 0.3)
    pause = threading.Event()

    def drip(request: bytes) -> Iterator[bytes]:
        yield LISTING_HEAD
        while not pause.wait(0.05):
            yield b" "

    with answering(drip) as url, pytest.raises(StepFailed, match="too slow to ever end"):
        download("hf://owner/model", tmp_path, endpoint=url.rstrip("/"))
    pause.set()


@contextmanager
def one_answer(answer: bytes) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
