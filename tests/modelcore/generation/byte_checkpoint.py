"""A small random llama with a vocabulary trained on a few prompts, converted to MindSpore."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelcore.checkpoints.convert import convert_checkpoint
from modelcore.demo.config import SmallLlama
from modelcore.demo.random_llama import write_random_llama
from modelcore.demo.tokenizer import write_tokenizer

CONTEXT = 128


def write_checkpoint(directory: Path, prompts: Sequence[str], *, layers: int, heads: int) -> Path:
    """Write it below a directory, with half as many key and value heads; return where it is."""
    source = directory / "hf"
    source.mkdir()
    tokenizer = write_tokenizer(source, prompts, vocab_size=270, max_length=CONTEXT)
    sizes = SmallLlama(
        hidden_size=32,
        num_layers=layers,
        num_heads=heads,
        num_kv_heads=heads // 2,
        intermediate_size=48,
        max_positions=CONTEXT,
    )
    vocab_size = tokenizer.get_vocab_size()
    write_random_llama(source, sizes, vocab_size=vocab_size, eos_id=0, pad_id=1, seed=3)
    convert_checkpoint(source, directory / "mindspore", to="mindspore")
    return directory / "mindspore"
