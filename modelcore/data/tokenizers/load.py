"""Detects the kind of vocabulary in a directory and loads it."""

from __future__ import annotations

from pathlib import Path

from modelcore.data.tokenizers.protocol import Tokenizer
from modelcore.errors import MindrailError
from modelcore.store.model_files import TOKENIZER_FILES

__all__ = ["load_tokenizer", "tokenizer_files"]


def load_tokenizer(directory: Path) -> Tokenizer:
    """Load the tokenizer of a Hugging Face directory.

    The first of these that exists is used: `tokenizer.model` (sentencepiece), `tokenizer.json`, `vocab.json`
    with `merges.txt`. Special ids come from the files beside it (`special`).

    Raises:
        MindrailError: the directory contains no vocabulary, or a damaged one.
    """
    if not directory.is_dir():
        raise MindrailError(
            "no such directory", where=directory, fix="give the directory with the tokenizer files"
        )
    if (directory / "tokenizer.model").is_file():
        from modelcore.data.tokenizers.sentencepiece_model import load_tokenizer_model

        return load_tokenizer_model(directory / "tokenizer.model")
    from modelcore.data.tokenizers.byte_level import load_tokenizer_json, load_vocab_merges

    if (directory / "tokenizer.json").is_file():
        return load_tokenizer_json(directory / "tokenizer.json")
    if (directory / "vocab.json").is_file() and (directory / "merges.txt").is_file():
        return load_vocab_merges(directory / "vocab.json", directory / "merges.txt")
    raise MindrailError(
        "no tokenizer.model, tokenizer.json, or vocab.json with merges.txt",
        where=directory,
        fix="copy the model's tokenizer files there",
    )


def tokenizer_files(directory: Path) -> list[Path]:
    """Return the files of `directory` that belong to a tokenizer, its vocabulary first."""
    names = (*TOKENIZER_FILES, "generation_config.json")
    return [directory / name for name in names if (directory / name).is_file()]
