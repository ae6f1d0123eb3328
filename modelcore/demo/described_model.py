"""The demo's model as its config.json alone: what can be checked before anything is generated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from modelcore.demo.config import FirstPrograms
from modelcore.demo.random_llama import RandomLlama

__all__ = ["described_model"]


@contextmanager
def described_model(config: FirstPrograms) -> Iterator[Path]:
    """Yield a directory with the config.json that the generated model will have, and nothing else.

    Its vocabulary is as large as the tokenizer may become; few programs give a smaller one.
    """
    model = RandomLlama(**config.model.model_dump())
    with TemporaryDirectory() as name:
        model.write_config(Path(name), vocab_size=config.vocab_size, eos_id=0, pad_id=1)
        yield Path(name)
