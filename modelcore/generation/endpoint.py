"""Asks an OpenAI-compatible server for single answers: MindIE-Service, vLLM, `transformers serve`, our own.

A server that is busy (429, 5xx), does not answer or breaks off is asked again, after the time that it says.
One that is no such server, or refuses the request, is an error at once. Redirects are not followed, because
the key is for one server. Concurrency and journals are in `endpoint_answers.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any

import httpx

from modelcore.boundary.json_text import BadJson, parse_json
from modelcore.errors import MindrailError, StepFailed
from modelcore.store.download_http import ServerBusy, answer_error

__all__ = ["Endpoint", "EndpointClient", "Reply"]

_ATTEMPTS = 6
_FIRST_WAIT = 1.0  # seconds, where the server does not say; doubled each time
_LONGEST_WAIT = 120.0  # seconds between two attempts
_LARGEST = 16 << 20  # bytes of an answer
_MOST_NAMED = 5  # models, in an error


@dataclass(frozen=True)
class Endpoint:
    """A model on a server.

    Attributes:
        url: ends before /completions, as http://127.0.0.1:8000/v1.
        model: its name there.
        chat: whether prompts are sent as messages, which the server puts into the model's own template.
    """

    url: str
    model: str
    chat: bool = False


@dataclass(frozen=True)
class Reply:
    """What a server answered: the text, why it ended (OpenAI's word), and how many tokens it counted."""

    text: str
    finish: str
    tokens: int


class EndpointClient:
    """Connections to one server; its methods may be called from any thread. A context manager.

    Args:
        url: as of `Endpoint`.
        key: sent as bearer token; None for none.
        timeout: seconds that an answer may take.
    """

    def __init__(self, url: str, *, key: str | None, timeout: float) -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._url, self._timeout = url.rstrip("/"), timeout
        limits = httpx.Limits(max_connections=None)
        self._http = httpx.Client(headers=headers, timeout=timeout, follow_redirects=False, limits=limits)
        self.ended = Event()

    def __enter__(self) -> EndpointClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def model(self, wanted: str | None) -> str:
        """Return the name of the model to ask: the one that is wanted, or the only one of the server.

        Raises:
            MindrailError: it serves several, or is no such server.
            StepFailed: it does not answer.
        """
        if wanted is not None:
            return wanted
        answer = self._with_retries(lambda: self._send("GET", "/models", None))
        rows = answer.get("data")
        names = [row.get("id") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        texts = [name for name in names if isinstance(name, str)]
        if len(texts) == 1:
            return texts[0]
        some = ", ".join(texts[:_MOST_NAMED]) or "none that it names"
        fix = "name one with generate.endpoint_model"
        raise MindrailError(f"serves {len(texts)} models ({some})", where=f"{self._url}/models", fix=fix)

    def ask(self, path: str, body: dict[str, Any]) -> Reply:
        """Return the answer to one request.

        Args:
            path: `/completions` or `/chat/completions`.
            body: of the request.

        Raises:
            MindrailError: the server refuses the request, or is no such server.
            StepFailed: it does not answer, or stays busy.
        """
        return _reply(self._with_retries(lambda: self._send("POST", path, body)), f"{self._url}{path}")

    def _with_retries(self, send: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        for attempt in range(_ATTEMPTS):
            try:
                return send()
            except StepFailed as error:
                asked = error.retry_after if isinstance(error, ServerBusy) else None
                seconds = _FIRST_WAIT * 2**attempt if asked is None else asked
                if attempt == _ATTEMPTS - 1 or seconds > _LONGEST_WAIT or self.ended.wait(seconds):
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        where = f"{self._url}{path}"
        deadline = time.monotonic() + self._timeout
        try:
            with self._http.stream(method, where, json=body) as response:
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > _LARGEST:
                        raise MindrailError(f"answers with more than {_LARGEST >> 20} MiB", where=where)
                    if time.monotonic() > deadline:
                        raise httpx.ReadTimeout("too slow")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
            raise MindrailError(
                f"is no address ({error})", where=where, fix="correct generate.endpoint"
            ) from error
        except httpx.TimeoutException as error:
            raise StepFailed(f"no answer within {self._timeout:g} s", where=where, fix=_RESUMES) from error
        except httpx.TransportError as error:
            raise StepFailed(f"no answer ({error})", where=where, fix=_RESUMES) from error
        if response.status_code != 200:
            raise _refusal(response, bytes(content), where)
        return _object(bytes(content), where)


_RESUMES = "check the address and the server; answers so far are kept"


def _object(content: bytes, where: str) -> dict[str, Any]:
    try:
        value = parse_json(content)
    except BadJson as error:
        kind = "HTML" if content.lstrip()[:1] == b"<" else f"no JSON ({error})"
        fix = "give the address of an OpenAI-compatible server, ending in /v1"
        raise MindrailError(f"answers with {kind}", where=where, fix=fix) from error
    if not isinstance(value, dict):
        raise MindrailError("answers with no JSON object", where=where)
    return value


def _refusal(response: httpx.Response, content: bytes, where: str) -> MindrailError:
    """Return the error for another status than 200, with what the server says of a bad request."""
    error = answer_error(response.status_code, response.headers, where)
    if isinstance(error, StepFailed) or response.status_code in (401, 403):
        return error
    if response.is_redirect:
        fix = "give the address that it leads to"
        return MindrailError(f"redirects to {response.headers.get('location')}", where=where, fix=fix)
    said = ""
    try:
        value = _object(content, where)
        inner = value.get("error", value)
        said = (
            str(inner.get("message") or inner.get("detail") or "") if isinstance(inner, dict) else str(inner)
        )
    except MindrailError:  # the status says enough
        pass
    return MindrailError(f"the server answers {response.status_code}" + f": {said}" * bool(said), where=where)


def _reply(answer: dict[str, Any], where: str) -> Reply:
    choices = answer.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else choice.get("text")
    if not isinstance(text, str):
        fix = "is it an OpenAI-compatible server?"
        raise MindrailError("the answer has no text under choices", where=where, fix=fix)
    counts = answer.get("usage")
    tokens = counts.get("completion_tokens") if isinstance(counts, dict) else None
    finish = choice.get("finish_reason")
    return Reply(text, finish if isinstance(finish, str) else "", tokens if isinstance(tokens, int) else 0)
