"""The files that go with a model's weights wherever they go: configuration and tokenizer."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["COMPANIONS", "TOKENIZER_FILES", "copy_companions"]

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)
COMPANIONS = ("config.json", "generation_config.json", *TOKENIZER_FILES)


def copy_companions(source: Path, destination: Path) -> list[Path]:
    """Copy those of `COMPANIONS` that `source` has into `destination`; return the copies."""
    copies = []
    for name in COMPANIONS:
        if (source / name).is_file():
            shutil.copyfile(source / name, destination / name)
            copies.append(destination / name)
    return copies
