"""A llama of one layer with random weights, in Hugging Face's and MindSpore's form."""

from __future__ import annotations

from pathlib import Path

from modelcore.checkpoints.convert import convert_checkpoint
from modelcore.demo.config import SmallLlama
from modelcore.demo.random_llama import write_random_llama
from modelcore.demo.tokenizer import write_tokenizer

CONTEXT = 128


def write_small_checkpoint(directory: Path) -> Path:
    """Write `directory`/hf and `directory`/mindspore; return the second."""
    source = directory / "hf"
    source.mkdir()
    tokenizer = write_tokenizer(source, ["def f(x):"], vocab_size=270, max_length=CONTEXT)
    sizes = SmallLlama(
        hidden_size=32, num_layers=1, num_heads=2, num_kv_heads=1, intermediate_size=48, max_positions=CONTEXT
    )
    vocabulary = tokenizer.get_vocab_size()
    write_random_llama(source, sizes, vocab_size=vocabulary, eos_id=0, pad_id=1, seed=3, shards=1)
    convert_checkpoint(source, directory / "mindspore", to="mindspore")
    return directory / "mindspore"
