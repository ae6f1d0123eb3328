"""The vocabularies of the shipped models: small ones of each kind, and the real ones where available."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.modelcore.data.conftest import qwen2_dir, sentencepiece_dir, tokenizer_json_dir, vocab_merges_dir
from tests.modelcore.published_tokenizers import Published, write_published
from tests.paths import SHARED_DATA

__all__ = ["qwen2_dir", "sentencepiece_dir", "tokenizer_json_dir", "vocab_merges_dir"]

REAL = {
    "llama": "llama2",
    "deepseek": "deepseek-coder",
    "deepseek-v1.5": "deepseek-coder-v1.5",
    "starcoder": "starcoder1",
}


@pytest.fixture(scope="session", params=["small", "real"])
def published(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    sentencepiece_dir: Path,
    tokenizer_json_dir: Path,
    vocab_merges_dir: Path,
    qwen2_dir: Path,
) -> Callable[[str], Published]:
    """Return the tokenizer of one kind; skips where the real one is not available."""
    small = {
        "llama": sentencepiece_dir,
        "deepseek": tokenizer_json_dir,
        "deepseek-v1.5": tokenizer_json_dir,
        "starcoder": vocab_merges_dir,
        "qwen2": qwen2_dir,
    }

    @cache
    def find(kind: str) -> Published:
        if request.param == "real" and not (kind in REAL and SHARED_DATA.is_dir()):
            pytest.skip(f"no published vocabulary of kind {kind} here")
        files = small[kind] if request.param == "small" else SHARED_DATA / "tokenizers" / REAL[kind]
        directory = tmp_path_factory.mktemp(f"{request.param}-{kind}")
        write_published(files, directory, kind)
        return Published(kind, directory)

    return find
