"""What a client may send: the bodies of /v1/completions and /v1/chat/completions.

OpenAI's keys, and `top_k`, `repetition_penalty` and `min_tokens` as other servers have them. What would
change the answer and is not supported here is refused, never ignored: unknown keys, tools, penalties, biases.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from modelcore.config.section import NonNegativeInt, PositiveFloat, PositiveInt, Section
from modelcore.generation.sampling import Sampling

__all__ = ["ChatQuestion", "CompletionQuestion", "Message", "Question"]

MOST_STOPS = 16
_Zero = Annotated[float, Field(ge=0, le=0)]
_Ids = Annotated[list[NonNegativeInt], Field(max_length=1_000_000)]


class StreamOptions(Section):
    """What a stream holds beside the answer."""

    include_usage: bool | None = None


class Question(Section):
    """What both kinds of request have."""

    model: str | None = None
    temperature: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    top_k: Annotated[int, Field(ge=-1)] | None = None
    repetition_penalty: PositiveFloat | None = None
    min_tokens: NonNegativeInt | None = None
    max_tokens: PositiveInt | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    stop: str | Annotated[list[str], Field(max_length=MOST_STOPS)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    presence_penalty: _Zero | None = None
    frequency_penalty: _Zero | None = None
    logit_bias: Annotated[dict[str, Any], Field(max_length=0)] | None = None

    @property
    def samples(self) -> int:
        """How many answers each prompt gets."""
        return self.n or 1

    @property
    def stops(self) -> tuple[str, ...]:
        """The texts that end an answer."""
        texts = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(text for text in texts if text)

    @property
    def includes_usage(self) -> bool:
        """Whether a stream ends with the numbers of tokens."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    def sampling(self, max_new_tokens: int, logprobs: int | None) -> Sampling:
        """Return how tokens are chosen; without a seed each request draws anew.

        Args:
            max_new_tokens: of an answer.
            logprobs: how many of the likeliest tokens are reported with each; None to report nothing.
        """
        return Sampling(
            max_new_tokens=max_new_tokens,
            min_new_tokens=min(self.min_tokens or 0, max_new_tokens),
            temperature=1.0 if self.temperature is None else self.temperature,
            top_k=max(self.top_k or 0, 0),
            top_p=1.0 if self.top_p is None else self.top_p,
            repetition_penalty=self.repetition_penalty or 1.0,
            seed=secrets.randbits(63) if self.seed is None else self.seed,
            logprobs=logprobs,
        )


class CompletionQuestion(Question):
    """A text to continue, or several; each may be a list of token ids instead."""

    prompt: str | list[str] | _Ids | list[_Ids]
    suffix: str | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    best_of: int | None = None

    @model_validator(mode="after")
    def _supported(self) -> CompletionQuestion:
        if self.best_of is not None and self.best_of != self.samples:
            raise ValueError("best_of other than n is not supported")
        if self.echo and self.logprobs is not None:
            raise ValueError("echo together with logprobs is not supported: prompts are not scored")
        if self.suffix is not None and not isinstance(self.prompt, str):
            raise ValueError("a suffix needs one prompt that is a text")
        return self

    @property
    def prompts(self) -> list[str | list[int]]:
        """Every prompt."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        if all(isinstance(part, int) for part in self.prompt):
            return [[part for part in self.prompt if isinstance(part, int)]]
        return [part for part in self.prompt if not isinstance(part, int)]


class TextPart(Section):
    """A part of a message."""

    type: Literal["text"]
    text: str


class Message(Section):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]
    name: str | None = None
    type: Literal["text"] | None = None  # some evaluation clients send it

    def plain(self) -> dict[str, str]:
        """Return it as chat templates know it."""
        content = self.content
        text = content if isinstance(content, str) else "".join(part.text for part in content)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class TextForm(Section):
    """The form of an answer: plain text."""

    type: Literal["text"]


class ChatQuestion(Question):
    """A conversation whose next message the model writes."""

    messages: Annotated[list[Message], Field(min_length=1)]
    max_completion_tokens: PositiveInt | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: TextForm | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    tool_choice: Literal["none"] | None = None

    @model_validator(mode="after")
    def _supported(self) -> ChatQuestion:
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs: true")
        return self
