"""A model's own chat template: the text in which it was trained to read a conversation.

It is Jinja, in `chat_template.jinja` or in tokenizer_config.json, and is rendered as transformers renders it:
in a sandbox, with the special tokens' texts and `raise_exception`. Tools and documents are not supported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from modelcore.boundary.files import read_utf8
from modelcore.data.tokenizers.load import tokenizer_home
from modelcore.data.tokenizers.special import read_special_tokens
from modelcore.errors import MindrailError
from modelcore.store.json_file import read_json_object

__all__ = ["ChatTemplate", "find_chat_template"]

_LARGEST = 1 << 20  # bytes; the longest published ones have 20 kB
_FILE = "chat_template.jinja"

Message = Mapping[str, str]
"""`role` (system, user or assistant) and `content`."""


class ChatTemplate:
    """Renders a conversation as the text that a model reads.

    Args:
        source: the template, in Jinja.
        tokens: texts of the special tokens, by role: `bos_token`, `eos_token`, `pad_token`.
        where: the file to name in errors.
    """

    def __init__(self, source: str, tokens: Mapping[str, str], where: Path) -> None:
        self._source, self._tokens, self._where = source, tokens, where

    @cached_property
    def _template(self) -> Any:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        try:
            return environment.from_string(self._source)
        except TemplateError as error:
            fix = "correct it, or remove it"
            raise MindrailError(
                f"the chat template is not Jinja ({error})", where=self._where, fix=fix
            ) from error

    def render(self, messages: Sequence[Message]) -> str:
        """Return the text up to where the assistant's next answer begins; it spells out BOS itself.

        Raises:
            MindrailError: the template refuses the conversation, as many do unless user and assistant
                alternate, or is wrong.
        """
        try:
            text: str = self._template.render(
                messages=[dict(message) for message in messages], add_generation_prompt=True, **self._tokens
            )
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise MindrailError(
                f"the model's chat template refuses this: {error}", where="messages"
            ) from error
        return text


def find_chat_template(path: Path) -> ChatTemplate | None:
    """Return the chat template beside a tokenizer; None if it has none, as a base model's.

    Raises:
        MindrailError: a file cannot be read, or holds something else.
    """
    directory = tokenizer_home(path)
    tokens = {f"{role}_token": text for role, text in read_special_tokens(directory).named.items()}
    if (directory / _FILE).is_file():
        return ChatTemplate(read_utf8(directory / _FILE, _LARGEST), tokens, directory / _FILE)
    config = directory / "tokenizer_config.json"
    source = read_json_object(config).get("chat_template") if config.is_file() else None
    if isinstance(source, list):  # several by name, as {"name": …, "template": …}
        named = [one for one in source if isinstance(one, dict) and one.get("name") == "default"]
        source = named[0].get("template") if named else None
    if source is None:
        return None
    if not isinstance(source, str):
        raise MindrailError("chat_template is no text", where=config)
    return ChatTemplate(source, tokens, config)


def _refuse(message: str) -> None:
    raise TemplateError(message)


def _to_json(value: Any, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, **options)
