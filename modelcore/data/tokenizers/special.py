"""Reads the special tokens from the files beside a vocabulary.

These are `added_tokens.json`, `special_tokens_map.json`, `tokenizer_config.json` and
`generation_config.json`, as Hugging Face writes them. Nothing is guessed: a role that no file names is None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelcore.errors import MindrailError
from modelcore.store.json_file import read_json_object

__all__ = ["MOST_IDS", "SpecialIds", "SpecialTokens", "read_special_tokens", "resolve"]

ROLES = ("bos", "eos", "pad")

MOST_IDS = 1 << 22
"""More tokens than any vocabulary has."""

_MOST_SPECIAL = 4096
_ID = re.compile("[0-9]{1,9}")


@dataclass
class SpecialTokens:
    """Special tokens as named by the files, not yet looked up in a vocabulary.

    Attributes:
        named: role ("bos", "eos", "pad") to the token's text.
        ids: role to id, from generation_config.json; used for roles missing in `named`.
        added: text to id of tokens added to the vocabulary.
        special: texts of all tokens declared special, in order.
        sources: role to the file that names it.
        no_bos: whether tokenizer_config.json says that there is no BOS (`"bos_token": null`); Qwen2's
            generation_config.json names one nevertheless.
    """

    named: dict[str, str] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    added: dict[str, int] = field(default_factory=dict)
    special: list[str] = field(default_factory=list)
    sources: dict[str, Path] = field(default_factory=dict)
    no_bos: bool = False

    def declare(self, text: str) -> None:
        """Declare `text` a special token."""
        if len(self.special) <= _MOST_SPECIAL and text not in self.special:
            self.special.append(text)


@dataclass(frozen=True)
class SpecialIds:
    """The ids of the three roles in one vocabulary."""

    bos: int | None = None
    eos: int | None = None
    pad: int | None = None


def read_special_tokens(directory: Path) -> SpecialTokens:
    """Read the special tokens from the files in `directory`.

    Raises:
        MindrailError: a file is not JSON, or an entry does not have the type that Hugging Face writes.
    """
    tokens = SpecialTokens()
    _read_added(directory / "added_tokens.json", tokens)
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        _read_names(directory / name, tokens)
    _read_generation(directory / "generation_config.json", tokens)
    for found, what in ((tokens.added, "added"), (tokens.special, "special")):
        if len(found) > _MOST_SPECIAL:
            raise MindrailError(
                f"{len(found)} {what} tokens; at most {_MOST_SPECIAL} are read", where=directory
            )
    return tokens


def resolve(
    tokens: SpecialTokens, token_id: Callable[[str], int | None], defaults: Mapping[str, int | None]
) -> SpecialIds:
    """Return the ids of the named tokens; `defaults` are the vocabulary's own, for roles that no file names.

    Raises:
        MindrailError: a named token is not in the vocabulary.
    """
    ids: dict[str, int | None] = {}
    for role in ROLES:
        text = tokens.named.get(role)
        ids[role] = tokens.ids.get(role, defaults.get(role)) if text is None else token_id(text)
        if text is not None and ids[role] is None:
            raise MindrailError(
                f"{role}_token {text!r} is not in the vocabulary",
                where=tokens.sources[role],
                fix="use tokenizer files of the same model",
            )
    if tokens.no_bos and "bos" not in tokens.named:
        ids["bos"] = None
    return SpecialIds(**ids)


def _read_added(path: Path, tokens: SpecialTokens) -> None:
    if not path.is_file():
        return
    for text, number in read_json_object(path).items():
        _add(tokens, text, number, path)


def _add(tokens: SpecialTokens, text: str, number: object, path: Path) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < MOST_IDS:
        raise MindrailError(f"id {number!r} of {text!r} is not a whole number below {MOST_IDS}", where=path)
    if tokens.added.setdefault(text, number) != number:
        raise MindrailError(f"{text!r} is id {number} here and {tokens.added[text]} elsewhere", where=path)


def _read_names(path: Path, tokens: SpecialTokens) -> None:
    if not path.is_file():
        return
    config = read_json_object(path)
    tokens.no_bos |= config.get("bos_token", "") is None
    for role in ROLES:
        text = _content(config.get(f"{role}_token"), path, f"{role}_token")
        if text is not None:
            tokens.named[role] = text
            tokens.sources[role] = path
            tokens.declare(text)
    for entry in _additional(config, path):
        tokens.declare(entry)
    decoder = config.get("added_tokens_decoder", {})
    if not isinstance(decoder, dict):
        raise MindrailError("added_tokens_decoder is not an object", where=path)
    for number, entry in decoder.items():
        text = _content(entry, path, "added_tokens_decoder")
        if not isinstance(entry, dict) or text is None or not _ID.fullmatch(number):
            raise MindrailError(f"added_tokens_decoder entry {number!r} has no id or no content", where=path)
        _add(tokens, text, int(number), path)
        if entry.get("special"):
            tokens.declare(text)


def _additional(config: Mapping[str, Any], path: Path) -> list[str]:
    entries = config.get("additional_special_tokens") or []
    if not isinstance(entries, list):
        raise MindrailError("additional_special_tokens is not a list", where=path)
    texts = (_content(entry, path, "additional_special_tokens") for entry in entries)
    return [text for text in texts if text is not None]


def _content(entry: object, path: Path, key: str) -> str | None:
    text = entry.get("content") if isinstance(entry, dict) else entry
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        raise MindrailError(f"{key} is {text!r}, expected text", where=path)
    return text


def _read_generation(path: Path, tokens: SpecialTokens) -> None:
    if not path.is_file():
        return
    config = read_json_object(path)
    for role in ROLES:
        value = config.get(f"{role}_token_id")
        # There may be several end-of-text ids; the first is the model's own.
        number = value[0] if isinstance(value, list) and value else value
        if number is None or number == [] or (isinstance(number, int) and number < 0):
            continue
        if isinstance(number, bool) or not isinstance(number, int) or number >= MOST_IDS:
            raise MindrailError(f"{role}_token_id is {value!r}, expected an id", where=path)
        tokens.ids[role] = number
