"""The demo's model as its config.json alone: what can be checked before anything is generated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from modelcore.demo.config import FirstPrograms
from modelcore.demo.random_llama import write_llama_config

__all__ = ["described_model"]


@contextmanager
def described_model(config: FirstPrograms) -> Iterator[Path]:
    """Yield a directory with the config.json that the generated model will have, and nothing else.

    Its vocabulary is as large as the tokenizer may become; few programs give a smaller one.
    """
    with TemporaryDirectory() as name:
        write_llama_config(Path(name), config.model, vocab_size=config.vocab_size, eos_id=0, pad_id=1)
        yield Path(name)
