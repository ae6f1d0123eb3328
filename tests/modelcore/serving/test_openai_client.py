"""What OpenAI's own client gets: completions, chats, streams, errors; 32 of them at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.modelcore.serving.small_server import SmallServer, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallServer]:
    with running_server(tmp_path_factory.mktemp("model"), key="secret") as running:
        yield running


@pytest.fixture(scope="module")
def client(server: SmallServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url, api_key="secret", max_retries=0, timeout=60) as client:
        yield client


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_completion_has_its_text_its_end_and_its_tokens(client: openai.OpenAI) -> None:
    done = client.completions.create(model="alphabet", prompt="vw", temperature=0)
    assert [(one.index, one.text, one.finish_reason) for one in done.choices] == [(0, "xyz", "stop")]
    assert done.usage is not None
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (2, 3)
    assert done.model == "alphabet"
    cut = client.completions.create(model="alphabet", prompt="a", max_tokens=4, temperature=0)
    assert [(one.text, one.finish_reason) for one in cut.choices] == [("bcde", "length")]


def test_several_prompts_and_samples_keep_their_order(client: openai.OpenAI) -> None:
    done = client.completions.create(
        model="alphabet", prompt=["w", "bx"], n=2, temperature=0, echo=True, stop=["z"]
    )
    assert [(one.index, one.text) for one in done.choices] == [
        (0, "wxy"),
        (1, "wxy"),
        (2, "bxy"),
        (3, "bxy"),
    ]


def test_token_ids_are_a_prompt(client: openai.OpenAI, server: SmallServer) -> None:
    ids = server.served.tokenizer.encode("vw")
    done = client.completions.create(model="alphabet", prompt=ids, temperature=0, echo=True)
    assert done.choices[0].text == "vwxyz"


def test_logprobs_are_those_of_the_text_that_remains(client: openai.OpenAI) -> None:
    done = client.completions.create(model="alphabet", prompt="t", logprobs=2, temperature=0, stop="wx")
    (one,) = done.choices
    assert one.text == "uv"
    assert one.logprobs is not None
    assert one.logprobs.tokens == ["u", "v"] and one.logprobs.text_offset == [0, 1]
    assert one.logprobs.token_logprobs is not None and one.logprobs.top_logprobs is not None
    assert one.logprobs.token_logprobs[0] == one.logprobs.top_logprobs[0]["u"] < 0


def test_a_chat_reads_the_models_own_template(client: openai.OpenAI) -> None:
    question: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "q"}]},
    ]
    done = client.chat.completions.create(
        model="alphabet", messages=question, temperature=0, logprobs=True, top_logprobs=1
    )
    assert done.usage is not None and done.usage.prompt_tokens == len("[system]s[user]q[a]")
    assert done.choices[0].message.role == "assistant"
    assert done.choices[0].message.content == ""  # "]" is no letter
    assert done.choices[0].finish_reason == "stop"


def test_a_stream_adds_up_to_the_whole_answer(client: openai.OpenAI) -> None:
    pieces = list(
        client.completions.create(
            model="alphabet",
            prompt=["a", "q"],
            temperature=0,
            stop="tu",
            max_tokens=40,
            stream=True,
            logprobs=0,
            stream_options={"include_usage": True},
        )
    )
    texts = {0: "", 1: ""}
    for piece in pieces:
        for one in piece.choices:
            texts[one.index] += one.text
    assert texts == {0: "bcdefghijklmnopqrs", 1: "rs"}
    assert pieces[-1].usage is not None and pieces[-1].usage.completion_tokens > 20
    chat = client.chat.completions.create(
        model="alphabet", messages=[{"role": "user", "content": "q"}], stream=True, temperature=0
    )
    deltas = [piece.choices[0] for piece in chat]
    assert deltas[0].delta.role == "assistant" and deltas[-1].finish_reason == "stop"


def test_32_clients_at_once_get_their_own_answers(server: SmallServer) -> None:
    def ask(number: int) -> str:
        with openai.OpenAI(base_url=server.url, api_key="secret", max_retries=0, timeout=60) as client:
            if number % 2:
                return (
                    client.completions.create(
                        model="alphabet", prompt=chr(97 + number % 20), max_tokens=30, temperature=0
                    )
                    .choices[0]
                    .text
                )
            stream = client.completions.create(
                model="alphabet", prompt=chr(97 + number % 20), max_tokens=30, temperature=0, stream=True
            )
            return "".join(piece.choices[0].text for piece in stream)

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(ask, range(32)))
    letters = "abcdefghijklmnopqrstuvwxyz"
    assert answers == [letters[number % 20 + 1 :] for number in range(32)]


def test_a_seed_repeats_a_sampled_answer(client: openai.OpenAI) -> None:
    def ask(seed: int) -> list[str]:
        done = client.completions.create(model="alphabet", prompt="a", temperature=9, seed=seed, n=2)
        return [one.text for one in done.choices]

    first = ask(1)
    assert ask(1) == first and first[0] != first[1]
    assert ask(2) != first


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_ends_its_answer(
    server: SmallServer, client: openai.OpenAI, stream: bool
) -> None:
    server.model.gate.clear()
    try:
        with pytest.raises(openai.APITimeoutError):
            client.completions.create(model="alphabet", prompt="a", max_tokens=60, stream=stream, timeout=0.2)
        eventually(lambda: not server.http.answers.awaited)
    finally:
        server.model.gate.set()
    eventually(lambda: not (server.engine.running or server.engine.waiting))


def test_wrong_requests_are_openais_errors(server: SmallServer, client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no model 'gpt' here, only 'alphabet'"):
        client.completions.create(model="gpt", prompt="a")
    with pytest.raises(openai.BadRequestError, match="temperature: input should be greater"):
        client.completions.create(model="alphabet", prompt="a", temperature=-1)
    with pytest.raises(openai.BadRequestError, match="64 tokens, of 64 that prompt and answer have together"):
        client.completions.create(model="alphabet", prompt="a" * 64)
    with pytest.raises(openai.BadRequestError, match="frequency_penalty"):
        client.completions.create(model="alphabet", prompt="a", frequency_penalty=1)
    wrong = openai.OpenAI(base_url=server.url, api_key="wrong", max_retries=0)
    with wrong, pytest.raises(openai.AuthenticationError, match="no key, or a wrong one"):
        wrong.models.list()
    assert [model.id for model in client.models.list()] == ["alphabet"]
    assert client.models.retrieve("alphabet").id == "alphabet"


def test_a_base_model_says_that_it_does_not_chat(tmp_path: Path) -> None:
    with (
        running_server(tmp_path, chat=False) as server,
        openai.OpenAI(base_url=server.url, api_key="any", max_retries=0) as client,
        pytest.raises(openai.BadRequestError, match="alphabet: has no chat template: a base model continues"),
    ):
        client.chat.completions.create(model="alphabet", messages=[{"role": "user", "content": "q"}])
