"""The names of a model's files, in one place: weights, configuration, tokenizer.

Says nothing of their contents; those are for `weights`, `models` and `data.tokenizers`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = [
    "COMPANIONS",
    "HF_WEIGHTS",
    "INDEX_SUFFIX",
    "TOKENIZER_FILES",
    "VOCABULARIES",
    "WEIGHT_SUFFIXES",
    "copy_companions",
]

WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pth", ".pt", ".ckpt")
"""Of files with weights."""

INDEX_SUFFIX = ".index.json"
"""What the name of a sharded checkpoint's index adds to that of the file it stands for."""

HF_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""A Hugging Face checkpoint's file by preference: many repositories hold the same weights as both."""

VOCABULARIES = ("tokenizer.model", "tokenizer.json", "vocab.json")
"""Files of which one is there if there is a tokenizer, by preference."""

TOKENIZER_FILES = (
    *VOCABULARIES,
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)
"""All files of a tokenizer. Special ids can stand in generation_config.json, too."""

COMPANIONS = ("config.json", "generation_config.json", *TOKENIZER_FILES)
"""The files that go with a model's weights wherever they go."""


def copy_companions(source: Path, destination: Path) -> list[Path]:
    """Copy those of `COMPANIONS` that `source` has into `destination`; return the copies."""
    copies = []
    for name in COMPANIONS:
        if (source / name).is_file():
            shutil.copyfile(source / name, destination / name)
            copies.append(destination / name)
    return copies
