"""Servers made to deceive: nothing is written elsewhere, no token leaks, nothing goes on for ever."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modelcore.errors import MindrailError, StepFailed
from modelcore.store.download import download
from tests.modelcore.store import fault_server


@contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """Answer requests for config.json with these bytes, one after the other; 404 to all others."""
    listener = socket.create_server(("127.0.0.1", 0))
    left = list(answers)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                request = connection.recv(65536)
                wanted = left and b"/config.json " in request
                connection.sendall(left.pop(0) if wanted else b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.parametrize(
    "shard", ["../stolen", "/tmp/stolen", "a/../../stolen", "..", "c:stolen", "a\\..\\stolen"]
)
def test_an_index_cannot_write_outside_the_destination(tmp_path: Path, shard: str) -> None:
    index = json.dumps({"weight_map": {"a": shard}}).encode()
    files = {"config.json": b"{}", "model.safetensors.index.json": index, shard: b"evil"}
    with (
        fault_server.serving(fault_server.Served(files=files)) as served,
        pytest.raises(MindrailError, match="outside the index's directory"),
    ):
        download(served.url, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"])
def test_a_redirect_away_from_the_web_is_not_followed(tmp_path: Path, target: str) -> None:
    served = fault_server.Served(files={}, redirects={"config.json": target})
    with fault_server.serving(served), pytest.raises(MindrailError, match=r"not followed|answers 302"):
        download(served.url, tmp_path)


def test_redirects_in_a_circle_end(tmp_path: Path) -> None:
    served = fault_server.Served()
    with fault_server.serving(served):
        served.redirects["config.json"] = served.url + "config.json"
        with pytest.raises(MindrailError, match="config.json"):
            download(served.url, tmp_path)
    assert len(served.requests) < 30


def test_a_token_is_not_given_to_another_port(tmp_path: Path) -> None:
    with fault_server.serving(fault_server.Served(files={"config.json": b"{}"})) as thief:
        front = fault_server.Served(token="secret", redirects={"config.json": thief.url + "config.json"})
        with fault_server.serving(front), pytest.raises(MindrailError):
            download(front.url, tmp_path, token="secret")
    assert thief.requests and all("Authorization" not in headers for _, headers in thief.requests)


def test_a_length_beyond_the_disk_is_refused(tmp_path: Path) -> None:
    with (
        answering(b"HTTP/1.1 200 x\r\nContent-Length: 4611686018427387904\r\n\r\n") as url,
        pytest.raises(StepFailed, match="GB are free"),
    ):
        download(url, tmp_path)
    assert not any(path.stat().st_size for path in tmp_path.iterdir())


def test_fewer_bytes_than_promised_are_not_a_file(tmp_path: Path) -> None:
    with (
        answering(b"HTTP/1.1 200 x\r\nContent-Length: 10\r\n\r\n{}") as url,
        pytest.raises(StepFailed, match="cut off after 2 of 10"),
    ):
        download(url, tmp_path)
    assert not (tmp_path / "config.json").exists()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"not http at all\r\n\r\n", "no answer"),
        (b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "the connection broke"),
        (b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab", "the connection broke"),
        (b"HTTP/1.1 200 x\r\n" + b"X: y\r\n" * 200, r"no answer \(got more than 100 headers\)"),
        (b"", "no answer"),
    ],
    ids=["no http", "half a chunk", "a chunk without length", "hundreds of headers", "nothing"],
)
def test_an_answer_that_breaks_http_is_worth_another_try(tmp_path: Path, answer: bytes, message: str) -> None:
    with answering(answer) as url, pytest.raises(StepFailed, match=f"config.json: {message}"):
        download(url, tmp_path)
    assert not (tmp_path / "config.json").exists()


def test_a_compressed_answer_is_refused(tmp_path: Path) -> None:
    bomb = b"HTTP/1.1 200 x\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nxxxx"
    with answering(bomb) as url, pytest.raises(MindrailError, match="compresses"):
        download(url, tmp_path)


@pytest.mark.parametrize(
    ("content_range", "message"),
    [
        (b"bytes 0-9/10", "requested from byte 4, the server sends from 0"),
        (b"bytes x-y/z", "Content-Range 'bytes x-y/z' is not understood"),
        (b"", "Content-Range '' is not understood"),
        (b"bytes 7-9/10", "requested from byte 4, the server sends from 7"),
    ],
)
def test_a_range_other_than_asked_for_is_not_appended(
    tmp_path: Path, content_range: bytes, message: str
) -> None:
    (tmp_path / "config.json.partial").write_bytes(b"0123")
    (tmp_path / "config.json.partial.version").write_text('"v"')
    answer = b"HTTP/1.1 206 x\r\nContent-Range: " + content_range + b"\r\nContent-Length: 6\r\n\r\n456789"
    with answering(answer) as url, pytest.raises(MindrailError, match=message):
        download(url, tmp_path)
    assert (tmp_path / "config.json.partial").read_bytes() == b"0123"


@pytest.mark.parametrize("sums", [b"\xff\xfe", b"zz  config.json\n", b"../x\n", b"a" * 100_000])
def test_sums_that_are_none_are_refused(tmp_path: Path, sums: bytes) -> None:
    served = fault_server.Served(files={"config.json": b"{}", "SHA256SUMS": sums})
    with fault_server.serving(served), pytest.raises(MindrailError, match="not a line of sha256sum"):
        download(served.url, tmp_path)


def test_sums_of_files_elsewhere_write_nothing_there(tmp_path: Path) -> None:
    line = f"{hashlib.sha256(b'evil').hexdigest()}  ../stolen\n".encode()
    files = {"config.json": b"{}", "SHA256SUMS": line, "../stolen": b"evil", "model.safetensors": b"x"}
    with fault_server.serving(fault_server.Served(files=files)) as served:
        download(served.url, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_hub_cannot_name_files_outside(tmp_path: Path) -> None:
    index = json.dumps({"weight_map": {"a": "../stolen"}}).encode()
    files = {"config.json": b"{}", "model.safetensors.index.json": index, "../stolen": b"evil"}
    with (
        fault_server.serving(fault_server.Served(files=files, hub="owner/model")) as served,
        pytest.raises(MindrailError, match="outside the index's directory"),
    ):
        download("hf://owner/model", tmp_path / "out", endpoint=served.url.rstrip("/"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
