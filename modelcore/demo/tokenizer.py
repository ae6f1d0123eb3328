"""Trains the byte-level BPE tokenizer of first programs and writes the files that load it anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

__all__ = ["END", "PAD", "write_tokenizer"]

END, PAD = "<|endoftext|>", "[PAD]"


def write_tokenizer(directory: Path, texts: Iterable[str], *, vocab_size: int, max_length: int) -> Tokenizer:
    """Train on `texts` and write `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`.

    The same texts give the same files, byte for byte. `END` is id 0 and `PAD` id 1.

    Args:
        directory: an existing directory.
        texts: as the model will read them; no token spans two of them.
        vocab_size: most entries of the vocabulary, at least 258 (the bytes and the two special tokens).
        max_length: the model's context in tokens.

    Returns:
        The trained tokenizer; it adds no special tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    (directory / "tokenizer.json").write_text(tokenizer.to_str(pretty=True), encoding="utf-8")
    special = {"bos_token": END, "eos_token": END, "unk_token": END, "pad_token": PAD}
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": max_length,
        **special,
    }
    _write_json(directory / "tokenizer_config.json", config)
    _write_json(directory / "special_tokens_map.json", special)
    return tokenizer


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
