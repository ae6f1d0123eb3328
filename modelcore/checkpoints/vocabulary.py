"""Checks a model's vocabulary, special ids and embedding rows against each other."""

from __future__ import annotations

from pathlib import Path

from modelcore.models.config import ModelConfig
from modelcore.store.model_files import VOCABULARIES

__all__ = ["check_vocabulary"]


def check_vocabulary(directory: Path, config: ModelConfig) -> list[str]:
    """Compare the tokenizer in `directory`, where there is one, with the model's embedding rows.

    Returns:
        What a user should know, each one line: special ids and tokens that have no row (published models
        have such: using one would read beyond the embedding), special ids on which tokenizer and
        config.json disagree.

    Raises:
        MindrailError: the tokenizer is damaged.
    """
    rows = config.vocab_size
    warnings = [
        f"{kind}_token_id is {token} in config.json, the embedding has {rows} rows: it cannot be used"
        for kind in ("bos", "eos", "pad")
        if (token := getattr(config, f"{kind}_id")) is not None and token >= rows
    ]
    if not any((directory / name).is_file() for name in VOCABULARIES):
        return warnings
    from modelcore.data.tokenizers import load_tokenizer

    tokenizer = load_tokenizer(directory)
    if tokenizer.vocab_size > rows:
        warnings.append(
            f"the tokenizer has {tokenizer.vocab_size} tokens, the embedding {rows} rows: "
            f"ids from {rows} on cannot be used"
        )
    for key in ("bos", "eos"):
        ours, theirs = getattr(config, f"{key}_id"), getattr(tokenizer, f"{key}_id")
        if None not in (ours, theirs) and ours != theirs:
            warnings.append(f"{key} is {ours} in config.json, {theirs} in the tokenizer")
    return warnings
