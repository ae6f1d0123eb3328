"""Describes a tokenizer and its encoding of a text, for people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelcore.data.tokenizers.load import load_tokenizer, tokenizer_files
from modelcore.errors import MindrailError

__all__ = ["SpecialToken", "Tokenized", "TokenizerFacts", "describe_tokenizer", "read_text", "tokenize"]


@dataclass(frozen=True)
class SpecialToken:
    """A special token; `role` is "bos", "eos", "pad", several of these, or empty."""

    id: int
    token: str
    role: str


@dataclass(frozen=True)
class TokenizerFacts:
    """The properties of a tokenizer.

    Attributes:
        kind: of vocabulary, and its file.
        vocab_size: number of ids, added tokens included.
        bos_id, eos_id, pad_id: None if no file names one.
        special: the special tokens, by ascending id.
    """

    kind: str
    vocab_size: int
    bos_id: int | None
    eos_id: int | None
    pad_id: int | None
    special: tuple[SpecialToken, ...]


@dataclass(frozen=True)
class Tokenized:
    """A text's ids, their vocabulary entries, the decoded text, and whether it equals the original."""

    ids: list[int]
    pieces: list[str]
    decoded: str
    round_trip: bool


def describe_tokenizer(directory: Path) -> TokenizerFacts:
    """Describe the tokenizer in `directory`.

    Raises:
        MindrailError: there is none, or it is damaged.
    """
    tokenizer = load_tokenizer(directory)
    first = tokenizer_files(directory)[0].name
    kind = "sentencepiece" if first == "tokenizer.model" else "byte-level BPE"
    roles = {"bos": tokenizer.bos_id, "eos": tokenizer.eos_id, "pad": tokenizer.pad_id}
    special = tuple(
        SpecialToken(number, piece, " ".join(role for role, token_id in roles.items() if token_id == number))
        for number in sorted(tokenizer.special_ids)
        for piece in tokenizer.pieces([number])
    )
    return TokenizerFacts(
        f"{kind}, {first}",
        tokenizer.vocab_size,
        tokenizer.bos_id,
        tokenizer.eos_id,
        tokenizer.pad_id,
        special,
    )


def tokenize(directory: Path, text: str) -> Tokenized:
    """Encode a text with the tokenizer in `directory` and decode it again.

    Raises:
        MindrailError: there is no tokenizer, or it is damaged.
    """
    tokenizer = load_tokenizer(directory)
    ids = tokenizer.encode(text)
    decoded = tokenizer.decode(ids, skip_special=False)
    return Tokenized(ids, tokenizer.pieces(ids), decoded, round_trip=decoded == text)


def read_text(path: Path) -> str:
    """Return a UTF-8 file's text.

    Raises:
        MindrailError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise MindrailError(f"cannot be read: {error}", where=path) from error
