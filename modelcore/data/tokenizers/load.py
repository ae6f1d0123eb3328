"""Detects the kind of vocabulary in a directory and loads it."""

from __future__ import annotations

from pathlib import Path

from modelcore.data.tokenizers.protocol import Tokenizer
from modelcore.errors import MindrailError
from modelcore.store.model_files import TOKENIZER_FILES

__all__ = ["load_tokenizer", "tokenizer_files", "tokenizer_home"]


def load_tokenizer(path: Path) -> Tokenizer:
    """Load the tokenizer of a Hugging Face directory, or the one that a vocabulary file says.

    Of a directory, the first of these that exists is used: `tokenizer.model` (sentencepiece),
    `tokenizer.json`, `vocab.json` with `merges.txt`. Special ids come from the files beside it (`special`).

    Raises:
        MindrailError: the directory contains no vocabulary, or a damaged one.
    """
    file = _vocabulary(path)
    if file.suffix == ".model":
        from modelcore.data.tokenizers.sentencepiece_model import load_tokenizer_model

        return load_tokenizer_model(file)
    from modelcore.data.tokenizers.byte_level import load_tokenizer_json, load_vocab_merges

    if file.name == "vocab.json":
        return load_vocab_merges(file, file.with_name("merges.txt"))
    return load_tokenizer_json(file)


def tokenizer_home(path: Path) -> Path:
    """Return the directory of a tokenizer that is named by its directory or by its vocabulary file."""
    return path.parent if path.is_file() else path


def _vocabulary(path: Path) -> Path:
    """Return the file with the vocabulary."""
    if path.is_file():
        if path.suffix not in (".model", ".json"):
            raise MindrailError("not a tokenizer.model or tokenizer.json", where=path)
        return path
    if not path.is_dir():
        raise MindrailError(
            "no such directory", where=path, fix="give the directory with the tokenizer files, or one of them"
        )
    for name in ("tokenizer.model", "tokenizer.json"):
        if (path / name).is_file():
            return path / name
    if (path / "vocab.json").is_file() and (path / "merges.txt").is_file():
        return path / "vocab.json"
    raise MindrailError(
        "no tokenizer.model, tokenizer.json, or vocab.json with merges.txt",
        where=path,
        fix="copy the model's tokenizer files there",
    )


def tokenizer_files(directory: Path) -> list[Path]:
    """Return the files of `directory` that belong to a tokenizer, its vocabulary first."""
    names = (*TOKENIZER_FILES, "generation_config.json")
    return [directory / name for name in names if (directory / name).is_file()]
