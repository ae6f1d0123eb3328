"""A model as a server knows it: its name, its tokenizer, its chat template, and its requests' tokens."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from modelcore.config.serving import Loading
from modelcore.data.tokenizers import Tokenizer, load_tokenizer
from modelcore.data.tokenizers.bos import begins_with_bos
from modelcore.data.tokenizers.chat_template import ChatTemplate, Message, find_chat_template
from modelcore.errors import MindrailError
from modelcore.generation.engine import Engine
from modelcore.generation.plan import Prompt
from modelcore.generation.program import end_ids, load_decoder
from modelcore.generation.prompt_ids import check_prompt, encode_all
from modelcore.models.families import read_model
from modelcore.models.model import Model

__all__ = ["ServedModel"]


@dataclass(frozen=True)
class ServedModel:
    """One checkpoint, of which only config.json and tokenizer have been read.

    Attributes:
        name: in requests.
        checkpoint: a whole MindSpore directory.
        model: its sizes.
        tokenizer: its vocabulary.
        template: how it reads a conversation; None for a base model.
        bos: whether its prompts begin with BOS.
        context: tokens that prompt and answer have together at most.
        created: when it was loaded, in seconds since 1970.
    """

    name: str
    checkpoint: Path
    model: Model
    tokenizer: Tokenizer
    template: ChatTemplate | None
    bos: bool
    context: int
    created: int = field(default_factory=lambda: int(time.time()))

    @staticmethod
    def read(checkpoint: Path, name: str, *, context: int) -> ServedModel:
        """Read what a checkpoint says of itself.

        Raises:
            MindrailError: it has no config.json or no tokenizer, or of a model that is not implemented.
        """
        model = read_model(checkpoint)
        return ServedModel(
            name,
            checkpoint,
            model,
            load_tokenizer(checkpoint),
            find_chat_template(checkpoint),
            begins_with_bos(checkpoint),
            min(context, model.config.max_positions),
        )

    def load(self, loading: Loading) -> Engine:
        """Return the engine, with the weights in memory.

        Raises:
            MindrailError: they do not fit, or are not the model's.
        """
        decoder = load_decoder(
            self.model, self.checkpoint, loading.precision, slots=loading.batch_size, length=self.context
        )
        return Engine(decoder, self.tokenizer, end_ids(self.tokenizer, self.model))

    def prompt_ids(self, prompt: str | Sequence[int], suffix: str | None = None) -> list[int]:
        """Return the tokens of a text to continue, or of a gap to fill in; ids are only checked.

        Raises:
            MindrailError: there is no room for an answer, or the model does not know a token.
        """
        if isinstance(prompt, str):
            (ids,) = encode_all(self.tokenizer, [Prompt("prompt", prompt, suffix)], bos=self.bos)
        else:
            ids = list(prompt)
        return self._checked(ids, "prompt")

    def chat_ids(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens of a conversation.

        Raises:
            MindrailError: the model has no chat template, its template refuses the conversation, or there is
                no room for an answer.
        """
        if self.template is None:
            raise MindrailError(
                "has no chat template: a base model continues texts and was not trained to chat",
                where=self.name,
                fix="use completions (/v1/completions, mindrail predict), or an instruct model",
            )
        return self._checked(self.tokenizer.encode(self.template.render(messages)), "messages")

    def _checked(self, ids: list[int], where: str) -> list[int]:
        if len(ids) >= self.context:
            raise MindrailError(
                f"{len(ids)} tokens, of {self.context} that prompt and answer have together",
                where=where,
                fix="shorten it",
            )
        check_prompt(ids, self.model, where=where)
        return ids
