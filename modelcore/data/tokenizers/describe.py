"""What a tokenizer is, and what it makes of a text, for a person to look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelcore.data.tokenizers.load import load_tokenizer, tokenizer_files
from modelcore.errors import MindrailError

__all__ = ["SpecialToken", "Tokenized", "TokenizerFacts", "describe_tokenizer", "read_text", "tokenize"]


@dataclass(frozen=True)
class SpecialToken:
    """One special token; `role` is bos, eos, pad, several of them, or empty."""

    id: int
    token: str
    role: str


@dataclass(frozen=True)
class TokenizerFacts:
    """What a tokenizer is.

    Attributes:
        kind: of vocabulary, with the file it is read from.
        vocab_size: ids it can give, added tokens included.
        bos_id, eos_id, pad_id: None where no file names one.
        special: the special tokens by id.
    """

    kind: str
    vocab_size: int
    bos_id: int | None
    eos_id: int | None
    pad_id: int | None
    special: tuple[SpecialToken, ...]


@dataclass(frozen=True)
class Tokenized:
    """A text's ids, their entries in the vocabulary, and what they decode to."""

    ids: list[int]
    pieces: list[str]
    decoded: str
    round_trip: bool


def describe_tokenizer(directory: Path) -> TokenizerFacts:
    """Describe the tokenizer in `directory`.

    Raises:
        MindrailError: there is none, or a damaged one.
    """
    tokenizer = load_tokenizer(directory)
    first = tokenizer_files(directory)[0].name
    kind = "sentencepiece" if first == "tokenizer.model" else "byte-level BPE"
    roles = {"bos": tokenizer.bos_id, "eos": tokenizer.eos_id, "pad": tokenizer.pad_id}
    special = tuple(
        SpecialToken(number, piece, " ".join(role for role, one in roles.items() if one == number))
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
        MindrailError: there is no tokenizer, or a damaged one.
    """
    tokenizer = load_tokenizer(directory)
    ids = tokenizer.encode(text)
    back = tokenizer.decode(ids, skip_special=False)
    return Tokenized(ids, tokenizer.pieces(ids), back, back == text)


def read_text(path: Path) -> str:
    """Return a UTF-8 file's text.

    Raises:
        MindrailError: it cannot be read as that.
    """
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise MindrailError(f"cannot be read: {error}", where=path) from error
