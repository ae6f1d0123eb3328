"""What each path of the server answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST

from modelcore.config.serving import Serving
from modelcore.errors import MindrailError
from modelcore.generation.request import Request
from modelcore.serving.answer_form import AnswerForm, ChatForm, CompletionForm, usage
from modelcore.serving.answers import Answers
from modelcore.serving.api_error import ApiError
from modelcore.serving.delivery import all_finished, events, first_of, unless_left
from modelcore.serving.questions import ChatQuestion, CompletionQuestion, Question
from modelcore.serving.request_body import read_question
from modelcore.serving.served_model import ServedModel

__all__ = ["Paths"]

Asked = TypeVar("Asked", bound=Question)

_COMPLETION_TOKENS = 16  # if a completion does not say how many, as OpenAI's


class Paths:
    """The handlers of one server.

    Args:
        served: the model.
        answers: who answers.
        config: limits.
    """

    def __init__(self, served: ServedModel, answers: Answers, config: Serving) -> None:
        self._served, self._answers, self._config = served, answers, config

    async def health(self) -> Response:
        """Say whether requests are answered."""
        alive = self._answers.engine.alive
        return JSONResponse({"status": "ok" if alive else "ended"}, 200 if alive else 503)

    async def metrics(self) -> Response:
        """Return all counters, in Prometheus' text format."""
        return Response(self._answers.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    async def models(self) -> dict[str, Any]:
        """List the one model."""
        return {"object": "list", "data": [self._card()]}

    async def model(self, name: str) -> dict[str, Any]:
        """Describe the model."""
        self._check_name(name)
        return self._card()

    async def completions(self, http: HttpRequest) -> Response:
        """Continue texts, or fill in a gap."""
        question = await self._question(http, CompletionQuestion)
        prompts = [await self._ids(self._served.prompt_ids, one, question.suffix) for one in question.prompts]
        requests = self._requests(
            question, prompts, question.max_tokens or _COMPLETION_TOKENS, question.logprobs
        )
        form = CompletionForm(
            self._served.name,
            self._served.tokenizer,
            self._echoes(question),
            logprobs=question.logprobs is not None,
        )
        return await self._answer(http, question, requests, form)

    async def chat(self, http: HttpRequest) -> Response:
        """Write the next message of a conversation."""
        question = await self._question(http, ChatQuestion)
        ids = await self._ids(self._served.chat_ids, [message.plain() for message in question.messages])
        most = question.max_completion_tokens or question.max_tokens or self._served.context
        logprobs = (question.top_logprobs or 0) if question.logprobs else None
        requests = self._requests(question, [ids], most, logprobs)
        form = ChatForm(self._served.name, self._served.tokenizer, logprobs=bool(question.logprobs))
        return await self._answer(http, question, requests, form)

    def _card(self) -> dict[str, Any]:
        served = self._served
        return {
            "id": served.name,
            "object": "model",
            "created": served.created,
            "owned_by": "mindrail",
            "max_model_len": served.context,
        }

    def _check_name(self, name: str) -> None:
        if name != self._served.name:
            message = f"no model {name!r} here, only {self._served.name!r}"
            raise ApiError(404, message, code="model_not_found")

    async def _question(self, http: HttpRequest, schema: type[Asked]) -> Asked:
        config = self._config
        question = await read_question(
            http, schema, largest=config.body_mb << 20, seconds=config.client_seconds
        )
        if question.model is not None:
            self._check_name(question.model)
        return question

    async def _ids(self, encode: Callable[..., list[int]], *arguments: Any) -> list[int]:
        try:
            return await asyncio.to_thread(encode, *arguments)
        except MindrailError as error:
            raise ApiError(400, str(error)) from error

    def _echoes(self, question: CompletionQuestion) -> list[str]:
        """Return the text before each answer."""
        decode = self._served.tokenizer.decode
        texts = [
            "" if not question.echo else prompt if isinstance(prompt, str) else decode(prompt)
            for prompt in question.prompts
        ]
        return [text for text in texts for _ in range(question.samples)]

    def _requests(
        self, question: Question, prompts: Sequence[list[int]], most: int, logprobs: int | None
    ) -> list[Request]:
        if len(prompts) * question.samples > self._answers.engine.capacity:
            capacity = self._answers.engine.capacity
            raise ApiError(400, f"asks for more answers than may run and wait here ({capacity})")
        sampling = question.sampling(min(most, self._served.context), logprobs)
        return [
            Request(str(number), sample, ids, sampling, question.stops, stream=bool(question.stream))
            for number, ids in enumerate(prompts)
            for sample in range(question.samples)
        ]

    async def _answer(
        self, http: HttpRequest, question: Question, requests: Sequence[Request], form: AnswerForm
    ) -> Response:
        additions = self._answers.generate(requests)
        prompt_tokens = sum(len(request.ids) for request in requests[:: question.samples])
        if question.stream:
            first = await unless_left(http, first_of(additions))
            counted = prompt_tokens if question.includes_usage else None
            return StreamingResponse(
                events(first, additions, requests, form, counted),
                media_type="text/event-stream",
                headers={"Cache-Control": "no-cache"},
            )
        finished = await unless_left(http, all_finished(additions))
        ordered = [finished[request] for request in requests]
        return JSONResponse(form.whole(ordered, usage(prompt_tokens, sum(one.tokens for one in ordered))))
