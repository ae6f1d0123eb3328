"""Answers of a server: retried where that helps, one line where it does not, and none of them lost."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from modelcore.config.evaluation import Decoding
from modelcore.config.reading import parse
from modelcore.errors import MindrailError, StepFailed
from modelcore.generation import endpoint as module
from modelcore.generation.endpoint import Endpoint, EndpointClient
from modelcore.generation.endpoint_answers import answer_prompts
from modelcore.generation.plan import Prompt
from tests.modelcore.generation.faulty_endpoint import Faulty, serving
from tests.modelcore.serving.small_server import running_server

PROMPTS = [Prompt(f"T/{i}", f"prompt {i}") for i in range(6)]


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two attempts nothing is waited for."""
    monkeypatch.setattr(module, "_ATTEMPTS", 3)
    monkeypatch.setattr(module, "_FIRST_WAIT", 0.0)


def answers(
    faulty: Faulty, output: Path, *, chat: bool = False, key: str | None = None, **changes: Any
) -> list[Any]:
    decoding = parse({"batch_size": 2, "max_new_tokens": 9, **changes}, Decoding)
    with EndpointClient(faulty.url, key=key, timeout=20) as client:
        asked = Endpoint(faulty.url, "m", chat)
        answer_prompts(client, asked, PROMPTS, decoding, output, stops=["4"], seed=1)
    return [json.loads(line) for line in output.read_text().splitlines()]


def test_every_prompt_has_its_answer_in_order_cut_at_its_stop(tmp_path: Path) -> None:
    with serving(Faulty()) as faulty:
        rows = answers(faulty, tmp_path / "responses.jsonl", key="secret")
    assert [row["task_id"] for row in rows] == [f"T/{i}" for i in range(6)]
    assert rows[0] == {"task_id": "T/0", "sample": 0, "response": "answer to prompt 0", "finish": "eos"}
    assert (rows[4]["response"], rows[4]["finish"]) == ("answer to prompt ", "stop")
    assert set(faulty.keys) == {"Bearer secret"}
    assert faulty.bodies[0].keys() == {"model", "max_tokens", "temperature", "prompt", "stop"}


def test_only_what_is_configured_is_sent(tmp_path: Path) -> None:
    with serving(Faulty()) as faulty:
        answers(
            faulty,
            tmp_path / "responses.jsonl",
            chat=True,
            samples=2,
            temperature=0.5,
            top_p=0.9,
            top_k=3,
            min_new_tokens=2,
        )
    seeds = {body["seed"] for body in faulty.bodies}
    assert len(faulty.bodies) == len(seeds) == 12
    body = faulty.bodies[0]
    assert body["messages"][0]["role"] == "user"
    assert (body["temperature"], body["top_p"], body["top_k"], body["min_tokens"]) == (0.5, 0.9, 3, 2)


@pytest.mark.parametrize("fault", [429, 500, 503, "cut"])
def test_what_may_pass_is_asked_again(fault: int | str, tmp_path: Path) -> None:
    with serving(Faulty(script=[fault, fault])) as faulty:
        assert len(answers(faulty, tmp_path / "responses.jsonl")) == 6
    assert len(faulty.bodies) == 6


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("html", "answers with HTML; give the address of an OpenAI-compatible server, ending in /v1"),
        ("nothing", "the answer has no text under choices; is it an OpenAI-compatible server?"),
        ("list", "answers with no JSON object"),
        ("redirect", "redirects to http://elsewhere.example/v1; give the address that it leads to"),
        (400, r"the server answers 400: it is\nwrong"),
        (401, "the server answers 401: no access; give a token that has access"),
        (404, r"the server answers 404: it is\nwrong"),
    ],
)
def test_what_will_not_pass_is_one_line(fault: int | str, message: str, tmp_path: Path) -> None:
    with serving(Faulty(script=[fault] * 9)) as faulty, pytest.raises(MindrailError) as refused:
        answers(faulty, tmp_path / "responses.jsonl")
    assert not isinstance(refused.value, StepFailed)
    assert str(refused.value) == f"{faulty.url}/completions: {message}"


def test_a_server_that_goes_away_loses_no_answer(tmp_path: Path) -> None:
    output = tmp_path / "responses.jsonl"
    with serving(Faulty(refuse_after=3)) as faulty:
        with pytest.raises(StepFailed, match="the server answers 500"):
            answers(faulty, output)
        assert not output.exists() and len(faulty.bodies) == 3
        faulty.refuse_after = None
        rows = answers(faulty, output)
    assert len(rows) == 6 and len(faulty.bodies) == 6
    assert not output.with_name("responses.jsonl.journal").exists()


def test_nobody_there_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(StepFailed, match=f"{url}/completions: no answer .*; check the address"):
            answers(Faulty(url), tmp_path / "responses.jsonl")


def test_a_server_that_is_silent_is_left_in_time(tmp_path: Path) -> None:
    with (
        serving(Faulty(script=["silent"] * 9)) as faulty,
        EndpointClient(faulty.url, key=None, timeout=0.1) as client,
        pytest.raises(StepFailed, match="no answer within 0.1 s"),
    ):
        client.model(None)


def test_the_only_model_is_asked_and_of_several_one_must_be_named() -> None:
    with serving(Faulty()) as faulty, EndpointClient(faulty.url, key=None, timeout=20) as client:
        assert client.model(None) == "m"
        faulty.models = ("a", "b")
        assert client.model("b") == "b"
        with pytest.raises(
            MindrailError, match=r"serves 2 models \(a, b\); name one with generate.endpoint_model"
        ):
            client.model(None)


def test_our_own_server_answers(tmp_path: Path) -> None:
    with (
        running_server(tmp_path, key="k") as server,
        EndpointClient(server.url, key="k", timeout=60) as client,
    ):
        asked = Endpoint(server.url, client.model(None))
        output = tmp_path / "responses.jsonl"
        decoding = parse({"batch_size": 3, "max_new_tokens": 40}, Decoding)
        rows = [Prompt("a", "a"), Prompt("x", "x")]
        answer_prompts(client, asked, rows, decoding, output, stops=["qr"], seed=1)
        texts = [json.loads(line)["response"] for line in output.read_text().splitlines()]
    assert asked.model == "alphabet"
    assert texts == ["bcdefghijklmnop", "yz"]
