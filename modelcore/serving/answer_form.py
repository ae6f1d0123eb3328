"""Answers in OpenAI's form: whole, and piece by piece, for completions and for chats."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any, Protocol

from modelcore.data.tokenizers import Tokenizer
from modelcore.generation.engine import Addition, Finished
from modelcore.generation.sampling import TokenLogprobs

__all__ = ["AnswerForm", "ChatForm", "CompletionForm", "usage"]

Json = dict[str, Any]

_FINISH = {"eos": "stop", "stop": "stop", "length": "length"}


class AnswerForm(Protocol):
    """How one request's answers are written; a choice is one answer, counted over prompts and samples."""

    def whole(self, answers: Sequence[Finished], counts: Json) -> Json:
        """Return the response with all answers; `counts` is `usage`."""
        ...

    def opening(self, choice: int) -> Json | None:
        """Return the piece before an answer's first, if there is one."""
        ...

    def piece(self, choice: int, addition: Addition) -> Json:
        """Return what one step added."""
        ...

    def last(self, counts: Json) -> Json:
        """Return the piece with the numbers of tokens."""
        ...


def usage(prompt_tokens: int, completion_tokens: int) -> Json:
    """Return the numbers of tokens."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


class _Form:
    kind, piece_kind = "", ""

    def __init__(self, model: str, prefix: str) -> None:
        self._base = {"id": f"{prefix}-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}

    def _answers(self, choices: Sequence[Json], counts: Json) -> Json:
        return {**self._base, "object": self.kind, "choices": list(choices), "usage": counts}

    def _piece(self, *choices: Json) -> Json:
        return {**self._base, "object": self.piece_kind, "choices": list(choices)}

    def last(self, counts: Json) -> Json:
        return self._piece() | {"usage": counts}


class CompletionForm(_Form):
    """Of /v1/completions.

    Args:
        model: its name.
        tokenizer: spells tokens.
        echoes: the text before each choice, "" for none.
        logprobs: whether tokens are reported.
    """

    kind = piece_kind = "text_completion"

    def __init__(self, model: str, tokenizer: Tokenizer, echoes: Sequence[str], *, logprobs: bool) -> None:
        super().__init__(model, "cmpl")
        self._tokenizer, self._echoes, self._logprobs = tokenizer, echoes, logprobs
        self._offsets = [0] * len(echoes)

    def whole(self, answers: Sequence[Finished], counts: Json) -> Json:
        """Return the response with all answers."""
        choices = [
            self._choice(choice, echo + one.text, _within(self._tokenizer, one), one.finish)
            for choice, (echo, one) in enumerate(zip(self._echoes, answers, strict=True))
        ]
        return self._answers(choices, counts)

    def opening(self, choice: int) -> Json | None:
        """Return the echoed prompt."""
        echo = self._echoes[choice]
        return self._piece(self._choice(choice, echo, (), "")) if echo else None

    def piece(self, choice: int, addition: Addition) -> Json:
        """Return what one step added."""
        finish = "" if addition.finished is None else addition.finished.finish
        return self._piece(self._choice(choice, addition.text, addition.logprobs, finish))

    def _choice(self, choice: int, text: str, scores: Sequence[TokenLogprobs], finish: str) -> Json:
        reported = self._scores(choice, scores) if self._logprobs else None
        return {"index": choice, "text": text, "logprobs": reported, "finish_reason": _FINISH.get(finish)}

    def _scores(self, choice: int, scores: Sequence[TokenLogprobs]) -> Json:
        tokens = [_spelled(self._tokenizer, score.token) for score in scores]
        offsets = []
        for token in tokens:
            offsets.append(self._offsets[choice])
            self._offsets[choice] += len(token)
        return {
            "tokens": tokens,
            "token_logprobs": [score.logprob for score in scores],
            "top_logprobs": [
                {_spelled(self._tokenizer, id): value for id, value in score.top} for score in scores
            ],
            "text_offset": offsets,
        }


class ChatForm(_Form):
    """Of /v1/chat/completions.

    Args:
        model: its name.
        tokenizer: spells tokens.
        logprobs: whether tokens are reported.
    """

    kind, piece_kind = "chat.completion", "chat.completion.chunk"

    def __init__(self, model: str, tokenizer: Tokenizer, *, logprobs: bool) -> None:
        super().__init__(model, "chatcmpl")
        self._tokenizer, self._logprobs = tokenizer, logprobs

    def whole(self, answers: Sequence[Finished], counts: Json) -> Json:
        """Return the response with all answers."""
        choices = [
            {
                "index": choice,
                "message": {"role": "assistant", "content": one.text, "refusal": None},
                "logprobs": self._scores(_within(self._tokenizer, one)),
                "finish_reason": _FINISH.get(one.finish),
            }
            for choice, one in enumerate(answers)
        ]
        return self._answers(choices, counts)

    def opening(self, choice: int) -> Json | None:
        """Return the piece that says who speaks."""
        return self._piece(self._delta(choice, {"role": "assistant", "content": ""}, (), ""))

    def piece(self, choice: int, addition: Addition) -> Json:
        """Return what one step added."""
        finish = "" if addition.finished is None else addition.finished.finish
        delta = {"content": addition.text} if addition.text else {}
        return self._piece(self._delta(choice, delta, addition.logprobs, finish))

    def _delta(self, choice: int, delta: Json, scores: Sequence[TokenLogprobs], finish: str) -> Json:
        return {
            "index": choice,
            "delta": delta,
            "logprobs": self._scores(scores),
            "finish_reason": _FINISH.get(finish),
        }

    def _scores(self, scores: Sequence[TokenLogprobs]) -> Json | None:
        if not self._logprobs:
            return None
        content = [
            self._score(score.token, score.logprob)
            | {"top_logprobs": [self._score(id, value) for id, value in score.top]}
            for score in scores
        ]
        return {"content": content, "refusal": None}

    def _score(self, token: int, logprob: float) -> Json:
        text = _spelled(self._tokenizer, token)
        known = None if "\ufffd" in text else list(text.encode())  # a part of a character has no text
        return {"token": text, "logprob": logprob, "bytes": known}


def _spelled(tokenizer: Tokenizer, token: int) -> str:
    return tokenizer.decode([token], skip_special=False, continues=True)


def _within(tokenizer: Tokenizer, answer: Finished) -> Sequence[TokenLogprobs]:
    """Return the tokens up to the end of the text: a stop cuts the text before the last of them."""
    if answer.finish != "stop":
        return answer.logprobs
    for count in range(len(answer.logprobs)):
        if len(tokenizer.decode(answer.ids[:count], continues=True)) >= len(answer.text):
            return answer.logprobs[:count]
    return answer.logprobs
