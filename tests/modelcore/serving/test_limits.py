"""What a server refuses, and that it stays up: bad JSON, large bodies, full queues, slow clients, bugs."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from modelcore.config.serving import Serving
from modelcore.errors import MindrailError
from modelcore.serving.server import bind, check_key
from tests.modelcore.serving.small_server import SmallServer, running_server

QUESTION = {"model": "alphabet", "prompt": "w", "temperature": 0}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallServer]:
    with running_server(
        tmp_path_factory.mktemp("model"), key="k", body_mb=1, batch_size=2, queue=2
    ) as running:
        yield running


@pytest.fixture
def client(server: SmallServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": "Bearer k"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=60, trust_env=False) as client:
        yield client


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def address_of(server: SmallServer) -> tuple[str, int]:
    address = urlsplit(server.url)
    assert address.hostname is not None and address.port is not None
    return address.hostname, address.port


def answers_still(client: httpx.Client) -> bool:
    answer = client.post("/completions", json=QUESTION)
    return answer.status_code == 200 and answer.json()["choices"][0]["text"] == "xyz"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "the body is not JSON"),
        (b"[]", "the body is not a JSON object"),
        (b'{"prompt": NaN}', "NaN is not JSON"),
        (b'{"prompt": "\\ud800"}', "half a surrogate pair"),
        (b"[" * 100_000, "nested"),
        (b"\xff", "not UTF-8"),
        (b"", "the body is not JSON"),
        (b"{}", "prompt: this key is required"),
        (b'{"prompt": 5}', "prompt"),
        (b'{"prompt": []}', "the prompt is empty"),
        (b'{"prompt": ""}', "the prompt is empty"),
        (b'{"prompt": [99999]}', "token 99999 of the prompt is outside"),
        (b'{"prompt": "a", "max_tokens": 0}', "max_tokens"),
        (b'{"prompt": "a", "temprature": 1}', "temprature: unknown key; did you mean temperature?"),
        (b'{"prompt": "a", "echo": true, "logprobs": 1}', "prompts are not scored"),
        (b'{"prompt": "a", "suffix": "b"}', "no tokens for prefix and suffix"),
        (b'{"prompt": "a", "n": 5}', "more answers than may run and wait here (4)"),
    ],
)
def test_a_wrong_body_is_one_line(body: bytes, message: str, client: httpx.Client) -> None:
    answer = client.post("/completions", content=body)
    assert answer.status_code == 400
    line = answer.json()["error"]["message"]
    assert message in line and "\n" not in line and len(line) < 300


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("tools", [{"type": "function"}], "tools"),
        ("messages", [], "messages"),
        ("messages", [{"role": "tool", "content": ""}], "messages.0.role"),
        ("messages", [{"role": "user", "content": [{"type": "image_url"}]}], "messages.0.content"),
        ("top_logprobs", 1, "top_logprobs needs logprobs: true"),
        ("response_format", {"type": "json_object"}, "response_format"),
    ],
)
def test_what_a_chat_cannot_do_is_refused(
    key: str, value: object, message: str, client: httpx.Client
) -> None:
    question = {"messages": [{"role": "user", "content": "q"}], key: value}
    answer = client.post("/chat/completions", json=question)
    assert answer.status_code == 400 and message in answer.json()["error"]["message"]


def test_other_paths_and_methods_are_errors_in_the_same_form(client: httpx.Client) -> None:
    assert client.get("/completions").status_code == 405
    assert client.get("/embeddings").json()["error"]["message"] == "GET /v1/embeddings: Not Found"


def test_a_body_that_is_too_large_is_413_and_the_server_stays(client: httpx.Client) -> None:
    answer = client.post("/completions", json=QUESTION | {"prompt": "x" * (3 << 20)})
    assert answer.status_code == 413
    assert answer.json()["error"]["message"] == "the request has more than 1 MiB"
    assert answers_still(client)


def test_without_the_key_only_health_answers(client: httpx.Client, server: SmallServer) -> None:
    for path in ("/v1/models", "/metrics"):
        assert (
            httpx.get(server.url.removesuffix("/v1") + path, timeout=60, trust_env=False).status_code == 401
        )
    health = httpx.get(server.url.removesuffix("/v1") + "/health", timeout=60, trust_env=False)
    assert (health.status_code, health.json()) == (200, {"status": "ok"})


def test_a_full_queue_is_429_with_retry_after(client: httpx.Client, server: SmallServer) -> None:
    server.model.gate.clear()
    try:
        with ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(answers_still, client) for _ in range(4)]
            eventually(lambda: server.http.answers.awaited == 4)
            for stream in (False, True):
                refused = client.post("/completions", json=QUESTION | {"stream": stream})
                assert refused.status_code == 429
                assert int(refused.headers["Retry-After"]) >= 1
                assert refused.json()["error"]["type"] == "rate_limit_error"
            server.model.gate.set()
            assert all(one.result() for one in waiting)
    finally:
        server.model.gate.set()


def test_metrics_are_prometheus_text(client: httpx.Client, server: SmallServer) -> None:
    def value(name: str) -> float:
        text = client.get(server.url.removesuffix("/v1") + "/metrics").text
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
        return float(found[1]) if found else 0.0

    tokens, done = value("mindrail_generated_tokens_total"), value('mindrail_answers_total{finish="eos"}')
    good = value('mindrail_requests_total{path="/v1/completions",status="200"}')
    assert answers_still(client)
    assert value("mindrail_generated_tokens_total") == tokens + 3
    assert value('mindrail_answers_total{finish="eos"}') == done + 1
    assert value('mindrail_requests_total{path="/v1/completions",status="200"}') == good + 1
    assert value("mindrail_running") == 0 and value("mindrail_slots") == 2


def test_a_client_that_does_not_send_its_body_gets_408(tmp_path: Path) -> None:
    with running_server(tmp_path, client_seconds=1) as server:
        with socket.create_connection(address_of(server), timeout=60) as slow:
            slow.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
            assert slow.recv(1000).startswith(b"HTTP/1.1 408")
        health = httpx.get(server.url.removesuffix("/v1") + "/health", timeout=60, trust_env=False)
        assert health.status_code == 200


def test_a_bug_in_the_engine_ends_answers_with_a_status(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        server.model.broken = True
        answer = httpx.post(f"{server.url}/completions", json=QUESTION, timeout=60, trust_env=False)
        assert answer.status_code == 503
        health = httpx.get(server.url.removesuffix("/v1") + "/health", timeout=60, trust_env=False)
        assert health.status_code == 503
        assert isinstance(server.failures[0], ZeroDivisionError)


@pytest.mark.long
def test_a_client_that_never_reads_is_dropped(tmp_path: Path) -> None:
    with running_server(tmp_path, context=60_000, client_seconds=2) as server:
        server.model._next[server.served.tokenizer.encode("z")[0]] = server.served.tokenizer.encode("a")[0]
        body = json.dumps(QUESTION | {"max_tokens": 59_000, "stream": True, "n": 4}).encode()
        with socket.socket() as mute:
            mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            mute.connect(address_of(server))
            mute.sendall(
                b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
                % (len(body), body)
            )
            eventually(lambda: server.engine.running == 4)
            eventually(lambda: not server.http.answers.awaited)
            eventually(lambda: not server.engine.running)


def test_a_port_in_use_is_one_line() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(MindrailError, match=rf"127.0.0.1:{port}: address already in use; choose another"):
            bind(Serving(port=port))


def test_only_this_machine_is_served_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINDRAIL_API_KEY", raising=False)
    assert check_key("127.0.0.1") is None and check_key("::1") is None and check_key("localhost") is None
    with pytest.raises(MindrailError, match="--host 0.0.0.0: anyone who reaches it could use the model"):
        check_key("0.0.0.0")
    monkeypatch.setenv("MINDRAIL_API_KEY", "secret")
    assert check_key("0.0.0.0") == "secret"
